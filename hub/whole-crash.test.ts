// kill -9 under load, several times on one data folder: what was acknowledged is still there, in order, once, and commands end.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openJournal } from './journal/journal.ts'
import { type ChildHub, childHub } from './testing/child-hub.ts'
import { hubFolder } from './testing/hub.ts'
import type { Login, Wire } from './testing/outsider.ts'
import { eventually } from './testing/until.ts'

interface Item {
  seq: number
  topic: string
  payload: Record<string, unknown>
}

const ROUNDS = 3
/** Acknowledged messages of each publisher before the hub is killed. */
const LOAD = 600
const IN_FLIGHT = 50
/** Long enough that a commit takes a while: an acknowledgement that came before it would be found missing. */
const TEXT = 'x'.repeat(16_000)
const persistent = { clean: false }
const EVENTS = 'jarvis/devices/+/event'

const dir = hubFolder()
const publishers = ['press_a', 'press_b'] as const
const logins = new Map<string, Login>()
const login = (name: string): Login => logins.get(name) ?? { clientId: '', username: '', password: '' }

/** Everything a publisher was told the hub has: `round/n` by device, in the order of the acknowledgements. */
const acknowledged = new Map<string, string[]>(publishers.map((name) => [name, []]))
/** The same of its samples. */
const measured = new Map<string, string[]>(publishers.map((name) => [name, []]))
/** The newest retained state of each publisher that was acknowledged. */
const states = new Map<string, Record<string, unknown>>()
/** What the journal showed before a kill. */
const seen = new Map<number, string>()
const commands: { id: string; round: number }[] = []

let hub: ChildHub

const journalOf = async (topic: string, since = 0): Promise<Item[]> => {
  const found: Item[] = []
  for (let next: number | null = since; next !== null;) {
    const query: string = `/api/journal?topic=${encodeURIComponent(topic)}&since=${next}&limit=1000`
    const { status, body } = await hub.api<{ items: Item[]; next: number | null }>(query)
    expect(status, JSON.stringify(body)).toBe(200)
    found.push(...body.items)
    next = body.next
  }
  return found
}

/** Publishes events and states with QoS 1, some in flight at any time, until the connection breaks. */
const load = (wire: Wire, name: string, round: number, reached: () => void): Promise<void[]> => {
  let n = 0
  let done = 0
  wire.client.setMaxListeners(IN_FLIGHT + 10)
  const lane = async (): Promise<void> => {
    for (;;) {
      const mine = ++n
      try {
        await wire.publish(`jarvis/devices/${name}/event`, { type: 'stroke', round, n: mine })
        acknowledged.get(name)?.push(`${round}/${mine}`)
        // Nobody's queue waits for these: they are acknowledged when the journal has them.
        await wire.publish(`jarvis/devices/${name}/telemetry`, { round, n: mine, text: TEXT })
        measured.get(name)?.push(`${round}/${mine}`)
        if (mine % 10 === 0) {
          const state = { round, n: mine }
          await wire.publish(`jarvis/devices/${name}/state`, state, { retain: true })
          const best = states.get(name)
          if (best?.['round'] !== round || Number(best['n']) < mine) states.set(name, state)
        }
        if (++done === LOAD) reached()
      } catch {
        return
      }
    }
  }
  return Promise.all(Array.from({ length: IN_FLIGHT }, lane))
}

beforeAll(async () => {
  hub = await childHub(dir)
  for (const name of [...publishers, 'robot']) logins.set(name, await hub.credential(name))
  logins.set('logger', await hub.credential('logger', [EVENTS]))
  const logger = await hub.mqtt(login('logger'), persistent)
  expect(await logger.subscribe(EVENTS)).toBe(1)
  await logger.end()
  const robot = await hub.mqtt(login('robot'), persistent)
  await robot.publish(
    'jarvis/devices/robot/about',
    { name: 'Robot', kind: 'robot', intents: { 'robot.go': {} } },
    { retain: true },
  )
  await robot.publish('jarvis/devices/robot/online', 'true', { retain: true })
  expect(await robot.subscribe('jarvis/devices/robot/cmd')).toBe(1)
  await robot.end()
}, 90_000)

afterAll(async () => {
  await hub.leave()
  await hub.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

describe('a hub killed under load', () => {
  test.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))(
    'round %i: killed, and started again',
    async (round) => {
      const robot = await hub.mqtt(login('robot'), persistent)
      const asked = await hub.api<{ commandId: string }>('/api/device/robot/command', { json: { intent: 'robot.go' } })
      expect(asked.status, JSON.stringify(asked.body)).toBe(202)
      const { commandId } = asked.body
      commands.push({ id: commandId, round })
      await robot.hears(({ topic, json }) => topic.endsWith('/cmd') && json()['id'] === commandId)
      await robot.publish('jarvis/devices/robot/ack', { id: commandId, status: 'accepted', within: 5000 })

      const wires = await Promise.all(publishers.map((name) => hub.mqtt(login(name))))
      const reached = Promise.withResolvers<void>()
      let left = publishers.length
      const loads = wires.map((wire, i) =>
        load(wire, publishers[i] ?? '', round, () => {
          if (--left === 0) reached.resolve()
        }),
      )
      await reached.promise
      for (const { seq, topic, payload } of await journalOf(EVENTS, Math.max(0, ...seen.keys())))
        seen.set(seq, `${topic} ${JSON.stringify(payload)}`)
      const ended = await hub.kill('SIGKILL')
      expect(ended.signal).toBe('SIGKILL')
      await Promise.all(loads)
      await hub.leave()

      hub = await childHub(dir)
      const { body } = await hub.api<{ status: string; parts: { part: string; status: string }[] }>('/health', {
        token: null,
      })
      expect(body.parts.filter(({ status }) => status === 'unhealthy')).toEqual([])
      const again = await hub.mqtt(login('robot'), persistent)
      expect(again.present).toBe(true)
      // The first is answered after the restart; the last is not answered at all.
      if (round === 1) await again.publish('jarvis/devices/robot/ack', { id: commandId, status: 'done' })
      await again.end()
    },
    60_000,
  )

  test('retained values are the newest acknowledged, or newer', async () => {
    for (const name of publishers) {
      const wire = await hub.mqtt({ ...login(name), clientId: `${name}-look` })
      await wire.subscribe(`jarvis/devices/${name}/state`)
      const kept = await wire.hears(`jarvis/devices/${name}/state`)
      expect(kept.packet.retain).toBe(true)
      const { round, n } = kept.json()
      expect(round).toBe(states.get(name)?.['round'])
      expect(Number(n)).toBeGreaterThanOrEqual(Number(states.get(name)?.['n']) - IN_FLIGHT)
      await wire.end()
    }
  })

  test('the journal has every acknowledged message, in strictly increasing order, and no number came twice', async () => {
    const items = await journalOf(EVENTS)
    const seqs = items.map(({ seq }) => seq)
    expect(seqs.every((seq, i) => i === 0 || seq > (seqs[i - 1] ?? 0))).toBe(true)
    const now = new Map(items.map(({ seq, topic, payload }) => [seq, `${topic} ${JSON.stringify(payload)}`]))
    expect(seen.size).toBeGreaterThan(LOAD)
    // What was shown before it was on disk, and acknowledged to nobody, may be gone; its number belongs to nothing else.
    expect([...seen].filter(([seq, was]) => (now.get(seq) ?? was) !== was)).toEqual([])
    const samples = await journalOf('jarvis/devices/+/telemetry')
    for (const [leaf, of, found] of [
      ['event', acknowledged, items],
      ['telemetry', measured, samples],
    ] as const) {
      const recorded = new Set(
        found.map(({ topic, payload }) => `${topic} ${Number(payload['round'])}/${Number(payload['n'])}`),
      )
      for (const name of publishers) {
        const mine = of.get(name) ?? []
        expect(mine.length).toBeGreaterThanOrEqual(ROUNDS * LOAD * 0.9)
        expect(mine.filter((key) => !recorded.has(`jarvis/devices/${name}/${leaf} ${key}`))).toEqual([])
      }
    }
    const rounds = items.map(({ payload }) => Number(payload['round']))
    expect(rounds.every((round, i) => i === 0 || round >= (rounds[i - 1] ?? 0))).toBe(true)
  })

  test('the subscriber that was away all the time gets every acknowledged message', async () => {
    const logger = await hub.mqtt(login('logger'), persistent)
    expect(logger.present).toBe(true)
    const last = await hub.mqtt(login('press_a'))
    await last.publish('jarvis/devices/press_a/event', { type: 'last' })
    await logger.hears(({ text }) => text.includes('"last"'), 15_000)
    const keys = (name: string) =>
      logger.heard
        .filter(({ topic, text }) => topic === `jarvis/devices/${name}/event` && !text.includes('"last"'))
        .map(({ json }) => `${Number(json()['round'])}/${Number(json()['n'])}`)
    const missing = () =>
      publishers.flatMap((name) => {
        const got = new Set(keys(name))
        return (acknowledged.get(name) ?? []).filter((key) => !got.has(key)).map((key) => `${name} ${key}`)
      })
    await eventually(missing, (left) => left.length === 0, { ms: 15_000 })
    await Promise.all([logger.end(), last.end()])
  })

  test('every open command ends with exactly one result', async () => {
    const results = await eventually(
      () => journalOf('jarvis/devices/robot/result'),
      (items) => commands.every(({ id }) => items.some(({ payload }) => payload['id'] === id)),
      { ms: 15_000, everyMs: 300 },
    )
    for (const { id, round } of commands) {
      const mine = results.filter(({ payload }) => payload['id'] === id)
      expect(mine.map(({ payload }) => payload['status'])).toEqual([round === 1 ? 'done' : 'timeout'])
      const { body } = await hub.api<{ status: string }>(`/api/commands/${id}`)
      expect(body.status).toBe(round === 1 ? 'done' : 'timeout')
    }
    expect(results).toHaveLength(commands.length)
    const cmds = await journalOf('jarvis/devices/robot/cmd')
    expect(cmds.map(({ payload }) => payload['id'])).toEqual(commands.map(({ id }) => id))
    expect((await hub.api('/api/audit/verify')).body).toMatchObject({ ok: true })
  })

  test('no record is torn', async () => {
    expect(await hub.kill('SIGTERM')).toEqual({ code: 0, signal: null })
    const damage: string[] = []
    const journal = await openJournal(join(dir, 'data/journal'), {
      durability: 'process',
      clock: { stamp: () => Date.now() },
      onDamaged: (sentence) => damage.push(sentence),
    })
    const starts = await journal.read({ kinds: ['note'], topic: '!hub-start' })
    let read = 0
    for (let fromSeq = 0; ;) {
      const entries = await journal.read({ fromSeq, limit: 2000 })
      for (const { payload } of entries) expect(() => void JSON.parse(payload.toString())).not.toThrow()
      read += entries.length
      const last = entries.at(-1)
      if (last === undefined) break
      fromSeq = last.seq + 1
    }
    expect(read).toBeGreaterThan(ROUNDS * LOAD * 4)
    expect(journal.stats().truncatedBytes).toBe(0)
    await journal.close()
    expect(damage).toEqual([])
    expect(starts).toHaveLength(ROUNDS + 1)
  })
})
