// Flows in a whole hub, its process killed: what they know afterwards is what was acknowledged, exactly.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type ChildHub, childHub } from './testing/child-hub.ts'
import { hubFolder } from './testing/hub.ts'
import { eventually } from './testing/until.ts'

const counter = `// Counts strokes: in an operator, and in kept state.
import { map, merge, scan } from 'rxjs'
import { flow, keep, message, z } from '#hub'
export default flow((from) => {
  const strokes = from('devices/{device}/event')
  return merge(
    strokes.pipe(scan((n) => n + 1, 0), map((n) => message('flows/{flow}/{value}', { flow: 'counter', value: 'scan' }, { n }))),
    strokes.pipe(keep('total', z.number(), 0, (n) => n + 1), map((n) => message('flows/{flow}/{value}', { flow: 'counter', value: 'kept' }, { n }))),
  )
})
`

const dir = hubFolder()
writeFileSync(join(dir, 'flows', 'counter.ts'), counter)
let hub: ChildHub

afterAll(async () => {
  await hub.leave()
  await hub.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

interface Item {
  seq: number
  payload: { n?: number }
}

const journalOf = async (topic: string): Promise<Item[]> => {
  const found: Item[] = []
  for (let next: number | null = 0; next !== null;) {
    const query: string = `/api/journal?topic=${encodeURIComponent(topic)}&since=${next}&limit=1000`
    const { body } = await hub.api<{ items: Item[]; next: number | null }>(query)
    found.push(...body.items)
    next = body.next
  }
  return found
}

test('kill -9 while a flow counts messages of QoS 1: the count after the restart is that of the messages', async () => {
  hub = await childHub(dir)
  const login = await hub.credential('press')
  let acknowledged = 0
  for (let round = 1; round <= 3; round++) {
    await eventually(
      () => hub.api<{ items: { status: string }[] }>('/api/flows'),
      ({ body }) => body.items[0]?.status === 'running',
      { ms: 20_000, everyMs: 200 },
    )
    const wire = await hub.mqtt(login)
    const reached = Promise.withResolvers<void>()
    let now = 0
    const lane = async (): Promise<void> => {
      for (;;) {
        try {
          await wire.publish('jarvis/devices/press/event', { type: 'stroke', round })
        } catch {
          return
        }
        acknowledged++
        if (++now === 500) reached.resolve()
      }
    }
    const lanes = Array.from({ length: 20 }, lane)
    await reached.promise
    await hub.kill('SIGKILL')
    await Promise.all(lanes)
    await hub.leave()
    hub = await childHub(dir)
  }
  const strokes = await journalOf('jarvis/devices/press/event')
  // What was accepted and not acknowledged any more may be there, too.
  expect(strokes.length).toBeGreaterThanOrEqual(acknowledged)
  expect(strokes.length).toBeLessThanOrEqual(acknowledged + 3 * 20)
  for (const how of ['scan', 'kept']) {
    const said = await eventually(
      () => journalOf(`jarvis/flows/counter/${how}`),
      (items) => items.at(-1)?.payload.n === strokes.length,
      { ms: 20_000, everyMs: 300 },
    )
    // Each count once, none left out, none twice.
    expect(said.map(({ payload }) => payload.n)).toEqual(strokes.map((_, i) => i + 1))
  }
  const { body } = await hub.api<{ kept: { key: string; value: unknown }[]; approximate?: unknown }>(
    '/api/flows/counter',
  )
  expect(body.kept).toEqual([{ key: 'total', value: strokes.length }])
  expect(body.approximate).toBeUndefined()
}, 120_000)
