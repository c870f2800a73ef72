// What the gate costs: request to cmd with ten interlocks, a stop of a hundred devices, a million audit rows verified: node hub/gate/gate.bench.ts
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { YES } from '../broker/broker.ts'
import type { Principal } from '../bus/principal.ts'
import { readConfig } from '../config.ts'
import { parts } from '../main.ts'
import { openStore } from '../store/open.ts'
import { environmentIn, hubFolder } from '../testing/hub.ts'
import { silent } from '../testing/stores.ts'
import { chained, GENESIS } from './audit.ts'
import { verifyAudit } from './verify.ts'

const REQUESTS = 5000
const WARM = 1000
const PER_SECOND = 200
const DEVICES = 100
const ROWS = 1_000_000
const BATCH = 3000

const say = (text: string): void => console.log(text)
const at = (sorted: readonly number[], share: number): string =>
  (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2)
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

const requests = async (): Promise<void> => {
  const dir = hubFolder()
  const { up, stop } = await parts(readConfig(environmentIn(dir), dir)).start()
  const { bus, gate } = up
  const ada: Principal = { kind: 'person', id: 'ada', roles: ['admin'] }
  const device = (id: string): Principal => ({ kind: 'device', id, roles: [] })
  for (let i = 0; i < DEVICES; i++) {
    const id = `mover_${i}`
    bus.publishBytes(
      device(id),
      `jarvis/devices/${id}/about`,
      bytes({ name: id, kind: 'mover', intents: { 'mover.go': {}, 'mover.stop': {} }, safe: ['mover.stop'] }),
    )
    bus.publishBytes(device(id), `jarvis/devices/${id}/online`, bytes(true))
  }
  for (let i = 0; i < 10; i++)
    gate.addInterlock({
      name: `lock-${i}`,
      explains: 'Reads the world.',
      check: (request, world) =>
        world.device(request.device)?.online === true ? YES : { ok: false, reason: 'offline' },
    })
  const begun = new Map<string, number>()
  const took: number[] = []
  bus.raw('jarvis/devices/+/cmd', { name: 'bench' }, ({ payload, topic }) => {
    const { id, correlationId = '' } = JSON.parse(payload.toString()) as { id: string; correlationId?: string }
    const from = begun.get(correlationId)
    if (from === undefined) return
    took.push(performance.now() - from)
    begun.delete(correlationId)
    const name = topic.split('/')[2] ?? ''
    bus.publishBytes(device(name), `jarvis/devices/${name}/ack`, bytes({ id, status: 'done' }))
  })
  // Spread over people: one origin may ask fifty times a second.
  const askers = Array.from({ length: 8 }, (_, i): Principal => (i === 0 ? ada : { ...ada, id: `p${i}` }))
  const started = performance.now()
  for (let n = 0; n < REQUESTS + WARM; n++) {
    const id = `r${n}`
    begun.set(id, performance.now())
    void gate
      .ask(askers[n % askers.length] ?? ada, `mover_${n % DEVICES}`, { correlationId: id, intent: 'mover.go' })
      .catch(() => {})
    const due = started + ((n + 1) * 1000) / PER_SECOND
    while (performance.now() < due)
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  const sorted = took.slice(WARM).sort((a, b) => a - b)
  say(
    `request → cmd, ten interlocks, ${PER_SECOND}/s, ${sorted.length} of ${REQUESTS}: p50 ${at(sorted, 0.5)} ms, p95 ${at(sorted, 0.95)} ms, p99 ${at(sorted, 0.99)} ms, worst ${at(sorted, 0.9999)} ms`,
  )
  // What the machine does to one round trip to the thread of the database meanwhile: no request can be quicker than two.
  const floor: number[] = []
  for (let n = 0; n < 2000; n++) {
    const from = performance.now()
    await up.store.db.selectFrom('audit_head').selectAll().execute()
    floor.push(performance.now() - from)
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
  floor.sort((a, b) => a - b)
  say(`one round trip to the database: p50 ${at(floor, 0.5)} ms, p95 ${at(floor, 0.95)} ms, p99 ${at(floor, 0.99)} ms`)
  const heard = new Set<string>()
  const all = Promise.withResolvers<void>()
  bus.raw('jarvis/devices/+/cmd', { name: 'bench' }, ({ payload, topic }) => {
    if (!payload.toString().includes('mover.stop')) return
    heard.add(topic)
    if (heard.size === DEVICES) all.resolve()
  })
  const stopped = performance.now()
  void gate.stop(ada, 'bench')
  await all.promise
  say(`a stop reaches ${DEVICES} devices after ${(performance.now() - stopped).toFixed(1)} ms`)
  await stop()
  rmSync(dir, { recursive: true, force: true })
}

const verify = async (): Promise<void> => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-audit-'))
  const store = await openStore({ file: join(dir, 'hub.sqlite'), log: silent })
  let head = GENESIS
  for (let n = 0; n < ROWS; n += BATCH) {
    const events = Array.from({ length: Math.min(BATCH, ROWS - n) }, (_, i) => ({
      at: 1_790_000_000_000 + n + i,
      event: 'interlocks',
      subject: `request-${n + i}`,
      who: 'person:ada',
      device: 'welder',
      intent: 'welder.start',
      detail: { asked: ['limits', 'lid', 'gas'], against: [], policy: '158868c2f0d45696' },
    }))
    const chain = chained(head, events)
    await store.db.insertInto('audit').values(chain).execute()
    head = chain.at(-1) ?? head
  }
  await store.db.insertInto('audit_head').values({ id: 1, n: head.n, hash: head.hash }).execute()
  const begun = performance.now()
  const verdict = await verifyAudit(store.db)
  say(
    `${verdict.rows} audit rows ${verdict.ok ? 'verified' : 'BROKEN'} in ${((performance.now() - begun) / 1000).toFixed(1)} s`,
  )
  await store.close()
  rmSync(dir, { recursive: true, force: true })
}

await requests()
if (!process.argv.includes('--requests')) await verify()
