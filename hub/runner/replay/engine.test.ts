// A record through a flow: what is the same, what differs, and how sure that is.
import { rmSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { debounceTime, filter, map, mergeMap, of, scan, switchMap, timer } from 'rxjs'
import { afterEach, expect, test } from 'vitest'
import { flow, keep, message, minutes, per, z } from '#hub'
import dust from '../../../flows/dust-starts-extractor.ts'
import door from '../../../flows/door-open-too-long.ts'
import type { Flow } from '../../streams/flow.ts'
import { journalOf, recordOf, type RecordOptions, replayed, type Sent, T0, tidy } from './replay.rig.ts'

afterEach(tidy)

const event = (value: unknown, type = 'told') => message('devices/{device}/event', { device: 'out' }, { type, value })

/** Dust that rises and falls all day, and a door. */
const day: Sent[] = Array.from({ length: 600 }, (_, i): Sent => {
  const dusty = Math.floor(i / 50) % 2 === 1
  return i % 10 === 9
    ? [i * 6, 'door/state', { open: Math.floor(i / 100) % 2 === 0 }]
    : [i * 6, 'dust/telemetry', { dust: (dusty ? 85 : 5) + ((i * 7) % 13) }]
})

const above = (limit: number, say = (value: number): unknown => value): Flow =>
  flow((from) =>
    from('devices/{device}/telemetry', { where: { device: 'dust' } }).pipe(
      map(({ payload }) => Number(payload['dust'])),
      filter((value) => value > limit),
      map((value) => event(say(value))),
    ),
  )

const ofRecord = async (options: RecordOptions, now = options.flow, job = {}) =>
  replayed(await journalOf(recordOf(options)), now, job)

test.each([
  ['dust-starts-extractor', dust],
  ['door-open-too-long', door],
])('%s says again what it said', async (_, tried) => {
  const report = await ofRecord({ flow: tried, sent: day })
  expect(report).toMatchObject({ isSame: true, exact: true, onlyThen: 0, onlyNow: 0, changed: 0 })
  expect(report.same).toBeGreaterThan(5)
  expect(report.nowCount).toBe(report.same)
})

test('a range that begins later than the flow is exact, because its history is run in silence', async () => {
  const counting = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      scan((n) => n + 1, 0),
      map((n) => event(n)),
    ),
  )
  const dir = await journalOf(recordOf({ flow: counting, sent: day }))
  const report = replayed(dir, counting, { since: T0 + 1800_000, until: T0 + 2400_000 })
  expect(report).toMatchObject({ isSame: true, exact: true })
  expect(report.same).toBe(91)
  expect(report.messages).toBe(91)
})

test('another limit: what only the one says, and everything after the first difference is beyond it', async () => {
  const report = await ofRecord({ flow: above(80), sent: day }, above(90))
  expect(report.isSame).toBe(false)
  expect(report.onlyThen).toBeGreaterThan(10)
  expect(report.onlyNow).toBe(0)
  expect(report.same + report.onlyThen).toBe(report.thenCount)
  const first = report.rows.findIndex(({ kind }) => kind !== 'same')
  expect(report.rows[first]).toMatchObject({ beyond: false, at: report.firstDifference?.at })
  expect(report.rows.slice(first + 1).every(({ beyond }) => beyond)).toBe(true)
  expect(report.rows.slice(0, first).some(({ beyond }) => beyond)).toBe(false)
})

test('another word in the payload is a change of that field', async () => {
  const report = await ofRecord(
    { flow: above(90, (v) => ({ is: v, unit: 'a' })), sent: day },
    above(90, (v) => ({ is: v, unit: 'b' })),
  )
  expect(report.changed).toBe(report.thenCount)
  expect(report.rows[0]?.changes).toEqual([{ field: 'value.unit', then: 'a', now: 'b' }])
})

test('a longer wait is a change of time', async () => {
  const waits = (ms: number) =>
    flow((from) =>
      from('devices/{device}/state').pipe(
        filter(({ payload }) => payload['open'] === true),
        debounceTime(ms),
        map(() => event('open')),
      ),
    )
  const report = await ofRecord(
    { flow: waits(minutes(2)), sent: [[0, 'door/state', { open: true }]] },
    waits(minutes(3)),
  )
  expect(report).toMatchObject({ changed: 1, onlyThen: 0, onlyNow: 0 })
  expect(report.rows[0]?.changes?.map(({ field }) => field)).toEqual(['(time)'])
})

test('two answers to one message in another order are a difference', async () => {
  const both = (...words: string[]) =>
    flow((from) => from('devices/{device}/state').pipe(mergeMap(() => of(...words.map((word) => event(word))))))
  const sent: Sent[] = [[1, 'door/state', { open: true }]]
  const report = await ofRecord({ flow: both('a', 'b'), sent }, both('b', 'a'))
  expect(report.isSame).toBe(false)
  expect(report.rows.flatMap(({ changes = [] }) => changes.map(({ field }) => field))).toContain('(order)')
})

test('ids and the time of issue of a request decide nothing; a question not asked then is unanswered', async () => {
  const asks = (limit: number, id: (seq: number) => string) =>
    flow((from) =>
      from('devices/{device}/telemetry').pipe(
        filter(({ payload }) => Number(payload['dust']) > limit),
        map(({ seq }) =>
          message(
            'devices/{device}/request',
            { device: 'fan' },
            { intent: 'fan.turn_on', id: id(seq), issuedAt: '2026-11-19T08:00:00Z' },
          ),
        ),
      ),
    )
  const sent: Sent[] = [
    [1, 'dust/telemetry', { dust: 85 }],
    [2, 'dust/telemetry', { dust: 95 }],
  ]
  const dir = await journalOf(recordOf({ flow: asks(90, (seq) => `a-${seq}`), sent }))
  expect(
    replayed(
      dir,
      asks(90, (seq) => `b-${seq}`),
    ),
  ).toMatchObject({ isSame: true, same: 1 })
  expect(
    replayed(
      dir,
      asks(80, (seq) => `b-${seq}`),
    ),
  ).toMatchObject({ isSame: false, unanswered: 1, onlyNow: 0, same: 1 })
})

const total = flow({ params: { step: z.number().default(1) } }, (from, { step }) =>
  from('devices/{device}/telemetry').pipe(
    keep('total', z.number(), 0, (sum) => sum + step),
    map((sum) => event(sum)),
  ),
)

test('it begins with what it kept, and with the params it had', async () => {
  const options = { flow: total, sent: day.slice(0, 60), kept: { total: 100 }, params: { step: 5 } }
  const dir = await journalOf(recordOf(options))
  const report = replayed(dir, total, { version: 'v1' })
  expect(report).toMatchObject({ isSame: true, exact: true, params: { step: 5 } })
  expect(report.rows[0]?.now).toMatchObject({ value: 105 })
  const other = replayed(dir, total, { params: { step: 6 } })
  expect(other.rows[0]).toMatchObject({ kind: 'changed', changes: [{ field: 'value', then: 105, now: 106 }] })
})

test('another version has the defaults of its file, but for params that a person had set', async () => {
  const options = { flow: total, sent: day.slice(0, 60), params: { step: 5 } }
  const unset = replayed(await journalOf(recordOf(options)), total, { version: 'v2' })
  expect(unset).toMatchObject({ isSame: false, params: { step: 1 } })
  const noted = recordOf({
    ...options,
    notes: [['flow-params', 400, { flow: 'tried', params: { step: 5 }, by: 'person:ada' }]],
  })
  const set = replayed(await journalOf(noted), total, { version: 'v2' })
  expect(set).toMatchObject({ isSame: true, params: { step: 5 } })
  expect(set.notes.join()).toContain('step: 5, by default 1')
})

test('a param that does not fit is an error that names it', async () => {
  const dir = await journalOf(recordOf({ flow: total, sent: [] }))
  expect(() => replayed(dir, total, { params: { step: 'far' } })).toThrow('params.step')
})

test('recorded params that a newer version does not know are left out', async () => {
  const renamed = flow({ params: { stride: z.number().default(2) } }, (from, { stride }) =>
    from('devices/{device}/telemetry').pipe(map(() => event(stride))),
  )
  const notes = [['flow-params', 400, { flow: 'tried', params: { step: 5 } }]] as const
  const report = await ofRecord({ flow: total, sent: day.slice(0, 3), params: { step: 5 }, notes }, renamed)
  expect(report.params).toEqual({ stride: 2 })
})

test('a start in the middle is followed: memory is gone, what it kept is not', async () => {
  const both = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      keep('total', z.number(), 0, (sum) => sum + 1),
      scan((seen, sum) => ({ n: seen.n + 1, sum }), { n: 0, sum: 0 }),
      map((seen) => event(seen)),
    ),
  )
  const report = await ofRecord({ flow: both, sent: day, restartS: [600.5, 1200.5] })
  expect(report).toMatchObject({ isSame: true, exact: true })
  expect(report.starts).toHaveLength(3)
  expect(report.rows.at(-1)?.now).toMatchObject({ value: { sum: 540 } })
})

test('messages that were dropped then are dropped now', async () => {
  const isDropped = (seq: number) => seq >= 20 && seq <= 29
  const entries = recordOf({
    flow: above(-1),
    sent: day.slice(0, 60),
    dropped: ({ seq }) => isDropped(seq),
    notes: [['flow-skip', 4000, { flow: 'tried', topic: 'devices/{device}/telemetry', from: 20, to: 29, count: 10 }]],
  })
  const report = replayed(await journalOf(entries), above(-1))
  expect(report).toMatchObject({ isSame: true, exact: true })
  expect(report.notes.join()).toMatch(/dropped/)
  const without = replayed(await journalOf(entries.filter(({ topic }) => topic !== '!flow-skip')), above(-1))
  expect(without.onlyNow).toBeGreaterThan(0)
})

test('an output that came late because the hub was away is no difference; one that came late for no reason is', async () => {
  const waits = flow((from) =>
    from('devices/{device}/state').pipe(switchMap(() => timer(minutes(2)).pipe(map(() => event('late'))))),
  )
  const late = (notes: RecordOptions['notes'] = []) =>
    recordOf({
      flow: waits,
      sent: [[0, 'door/state', { open: true }]],
      output: (entry) => ({ ...entry, at: entry.at + 30_000 }),
      notes,
    })
  const away = late([['hub-start', 149, {}]])
  // The note of the start stands before what came late.
  const moved = [...away].sort((a, b) => a.at - b.at).map((entry, i) => ({ ...entry, seq: i + 1 }))
  expect(replayed(await journalOf(moved.map(renumbered(away, moved))), waits)).toMatchObject({ isSame: true, same: 1 })
  expect(replayed(await journalOf(late()), waits)).toMatchObject({ isSame: false, changed: 1 })
})

/** Causes and positions follow the new numbers. */
const renumbered =
  (
    before: readonly { seq: number; at: number; topic: string }[],
    after: readonly { seq: number; at: number; topic: string }[],
  ) =>
  <E extends { cause: number }>(entry: E): E => {
    const cause = before.find(({ seq }) => seq === entry.cause)
    const moved = after.find(({ at, topic }) => at === cause?.at && topic === cause.topic)
    return moved === undefined ? entry : { ...entry, cause: moved.seq }
  }

test('where the journal does not reach back to the start it says approximate, and why', async () => {
  const entries = recordOf({ flow: total, sent: day, kept: { total: 7 } })
  const dir = await journalOf(entries, { segmentBytes: 16 * 1024 })
  const names = readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort()
  expect(names.length).toBeGreaterThan(4)
  const cut = names.slice(0, 2)
  for (const name of cut) rmSync(join(dir, name))
  const report = replayed(dir, total, { since: T0 + 1800_000 })
  expect(report.exact).toBe(false)
  expect(report.why).toMatch(/no start of it is recorded|older than the journal/)
  expect(report.messages).toBeGreaterThan(100)
})

test('a start that is noted but whose beginning is gone is warmed with what it kept', async () => {
  const entries = recordOf({ flow: total, sent: day })
  const start = entries.find(({ topic }) => topic === '!flow-start')
  // As after retention: the record goes on from its 300th entry; a start that lies before is noted again.
  const rest = entries.slice(300)
  const again = { ...start, seq: (rest[0]?.seq ?? 0) - 1, at: rest[0]?.at ?? 0 } as (typeof entries)[number]
  const report = replayed(await journalOf([again, ...rest]), total, { since: T0 + 2400_000 })
  expect(report.exact).toBe(false)
  expect(report.why).toContain('older than the journal')
  expect(report).toMatchObject({ isSame: true })
  expect(report.same).toBeGreaterThan(100)
})

test('a flow that never ran is started at the beginning of the range, with what was retained there', async () => {
  const latest = flow((from) =>
    from.latest('devices/{device}/state').pipe(
      per('device', (states) => states),
      map(({ payload }) => event(payload['open'])),
    ),
  )
  const dir = await journalOf(recordOf({ flow: above(1000), sent: day, id: 'another' }))
  const report = replayed(dir, latest, { since: T0 + 700_000, until: T0 + 710_000 })
  expect(report).toMatchObject({ exact: false, thenCount: 0 })
  expect(report.why).toContain('no start of it is recorded')
  expect(report.rows[0]?.now).toMatchObject({ value: false })
})

test('topics that are kept out of the journal are said, and not compared', async () => {
  const entries = recordOf({ flow: above(80), sent: day, output: () => undefined })
  const dir = await journalOf(entries)
  const report = replayed(dir, above(80), { except: ['jarvis/devices/out/#'] })
  expect(report).toMatchObject({ isSame: true, exact: true })
  expect(report.notes.join()).toContain('kept out of the journal')
  expect(replayed(dir, above(80), { except: ['jarvis/devices/dust/#'] })).toMatchObject({ exact: false })
})

test('two versions run side by side, exact to the millisecond', async () => {
  const dir = await journalOf(recordOf({ flow: above(80), sent: day }))
  expect(replayed(dir, dust, { against: 'a file' }, dust)).toMatchObject({ isSame: true })
  const report = replayed(dir, above(90), { against: 'a file' }, above(80))
  expect(report.onlyThen).toBeGreaterThan(0)
  expect(report.rows[0]?.seq).toBeUndefined()
})

test('a flow that throws now is a difference, with the message that did it', async () => {
  const bad = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      map(({ payload }) => {
        if (Number(payload['dust']) > 90) throw new Error('too much')
        return event(1)
      }),
    ),
  )
  const report = await ofRecord({ flow: above(1000), sent: day }, bad)
  expect(report).toMatchObject({ isSame: false, failure: { message: 'too much' } })
  expect(report.failure?.cause).toBeGreaterThan(0)
})

test('a flow that failed then and fails now in the same way is the same', async () => {
  const bad = flow((from) =>
    from('devices/{device}/state').pipe(
      map(({ payload }) => {
        if (payload['open'] === false) throw new Error('shut')
        return event(1)
      }),
    ),
  )
  const said = Buffer.from(JSON.stringify({ flow: 'tried', reason: 'shut' }))
  const entries = recordOf({ flow: bad, sent: day }).map((entry) =>
    entry.topic === '!flow-stop' ? { ...entry, payload: said } : entry,
  )
  expect(replayed(await journalOf(entries), bad)).toMatchObject({ isSame: true, failure: { message: 'shut' } })
})

test('three replays are the same to the byte', async () => {
  const dir = await journalOf(recordOf({ flow: dust, sent: day }))
  const texts = [1, 2, 3].map(() => JSON.stringify(replayed(dir, dust)))
  expect(new Set(texts).size).toBe(1)
})

test('an empty journal is no error', async () => {
  expect(replayed(await journalOf([]), dust)).toMatchObject({ thenCount: 0, nowCount: 0, messages: 0, exact: false })
})
