// One flow apart from the others: its history, its own lane, its silence; and what it keeps and is told to be.
import { map, mergeMap, NEVER, pipe, switchMap, timer } from 'rxjs'
import { expect, test } from 'vitest'
import { ownTime } from '../streams/clock.ts'
import { type Flow, flow, keep, message, per, z } from '../streams/hub.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { type Item, tickAt } from './frame.ts'
import { FlowHost, type Start } from './host.ts'

const table = topicTable([core], 'p')
const say = (v: unknown) => message('devices/{device}/event', { device: 'x' }, { type: 'x', v })
const sample = (seq: number, at = seq, device = 'a'): Item => ({
  seq,
  at,
  topic: `p/devices/${device}/telemetry`,
  origin: 'device:a',
  payload: Buffer.from('{}'),
  skip: [],
})

/** A host, and all it told, as lines. */
const hosting = (work: (host: FlowHost, run: (number: number, flow: Flow, start?: Partial<Start>) => void) => void) => {
  const told: string[] = []
  const giveBack = ownTime()
  try {
    const host = new FlowHost(table, {
      output: ({ flow: number, n, at, cause, payload }) =>
        told.push(
          `${number}: ${n} at ${at} by ${cause} ${JSON.stringify((JSON.parse(payload.toString()) as { v?: unknown }).v)}`,
        ),
      kept: ({ flow: number, n, key, value }) => told.push(`${number}: ${n} keeps ${key} ${JSON.stringify(value)}`),
      setAside: ({ flow: number, key, value, constraint }) =>
        told.push(`${number}: aside ${key} ${JSON.stringify(value)} ${constraint}`),
      failed: (number, error, cause) => told.push(`${number}: failed by ${cause} ${String(error)}`),
      ended: (number) => told.push(`${number}: ended`),
      bad: ({ seq }, { field }) => told.push(`bad ${seq} ${field}`),
    })
    work(host, (number, define, start = {}) => {
      host.define(number, define, { at: start.at ?? 0 })
      host.start(number, { at: 0, ...start })
    })
  } finally {
    giveBack()
  }
  return told
}

const late = flow((from) =>
  from('devices/{device}/telemetry').pipe(switchMap(({ seq }) => timer(10).pipe(map(() => say(seq))))),
)
const total = flow((from) =>
  from('devices/{device}/telemetry').pipe(
    keep('total', z.number(), 0, (sum) => sum + 1),
    map(say),
  ),
)

test('a flow that is apart is passed by, and its time stands still', () => {
  const told = hosting((host, run) => {
    run(1, late)
    run(2, late)
    host.take(sample(1))
    host.apart(2, true)
    expect(host.next).toBe(11)
    host.take(tickAt(50, 1))
    expect(host.view(1)).toMatchObject({ at: 50, pending: 0 })
    expect(host.view(2)).toMatchObject({ at: 1, seq: 1, pending: 1, longest: 10 })
    expect(host.next).toBe(Infinity)
    host.takeFor(2, sample(2, 5))
    host.apart(2, false)
    expect(host.next).toBe(15)
    host.take(tickAt(60, 2))
  })
  expect(told).toEqual(['1: 1 at 11 by 1 1', '2: 1 at 15 by 2 2'])
})

test('a tick for one flow moves nobody else', () => {
  const told = hosting((host, run) => {
    run(1, late)
    run(2, late)
    host.take(sample(1))
    host.takeFor(2, tickAt(100, 1))
    expect([host.view(1)?.at, host.view(2)?.at]).toEqual([1, 100])
  })
  expect(told).toEqual(['2: 1 at 11 by 1 1'])
})

test('a flow that starts in the past beside others that do not keeps its own time', () => {
  const told = hosting((host, run) => {
    run(1, late)
    host.take(tickAt(1000, 5))
    run(2, late, { at: 0, since: 0 })
    host.apart(2, true)
    expect(host.view(2)).toMatchObject({ at: 0, seq: 0 })
    host.takeFor(2, sample(1, 3))
    host.takeFor(2, tickAt(1000, 5))
    host.apart(2, false)
    expect(host.view(2)).toMatchObject({ at: 1000, n: 1 })
  })
  expect(told).toEqual(['2: 1 at 13 by 1 1'])
})

test('history in silence counts outputs and keep changes together, and tells of nothing twice', () => {
  const bad = { ...sample(2), topic: 'p/devices/a/request' }
  const requests = flow((from) => from('devices/{device}/request').pipe(mergeMap(() => NEVER)))
  const told = hosting((host, run) => {
    run(3, requests)
    run(1, total, { mutedTo: 3, kept: { total: 'many' } })
    host.take(sample(1))
    host.take(bad)
    host.takeFor(3, bad)
    host.take(sample(3))
    run(2, total, { mutedTo: Infinity })
    host.take(sample(4))
    host.speak(2)
    host.take(sample(5))
  })
  expect(told).toEqual([
    'bad 2 intent',
    '1: 4 at 3 by 3 2',
    '1: 5 keeps total 3',
    '1: 6 at 4 by 4 3',
    '1: 7 keeps total 4',
    '1: 8 at 5 by 5 4',
    '2: 3 keeps total 2',
    '2: 4 at 5 by 5 2',
  ])
})

test('what it kept goes on, and what does not fit any more is set aside and told', () => {
  const shape = z.object({ n: z.number() })
  const counts = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      per('device', pipe(keep('seen', shape, { n: 0 }, ({ n }) => ({ n: n + 1 })))),
      map(({ n }) => say(n)),
    ),
  )
  const kept = { 'device=a/seen': { n: 4 }, 'device=b/seen': { n: 'four' }, other: 1 }
  const told = hosting((host, run) => {
    run(1, counts, { kept })
    host.take(sample(1, 1, 'a'))
    host.take(sample(2, 2, 'b'))
  })
  expect(told).toEqual([
    '1: 1 keeps device=a/seen {"n":5}',
    '1: 2 at 1 by 1 5',
    expect.stringMatching(/^1: aside device=b\/seen \{"n":"four"\} n: .*expected number/),
    '1: 3 keeps device=b/seen {"n":1}',
    '1: 4 at 2 by 2 1',
  ])
  expect(kept['device=a/seen']).toEqual({ n: 4 })
})

const wrong: [string, Flow, RegExp][] = [
  [
    'keeps what does not fit',
    flow((from) =>
      from('devices/{device}/telemetry').pipe(
        keep('n', z.number().max(0), 0, (n) => n + 1),
        map(say),
      ),
    ),
    /keep\('n'\): the value: Too big/,
  ],
  [
    'keeps what is no JSON',
    flow((from) =>
      from('devices/{device}/telemetry').pipe(
        keep('n', z.unknown(), 0, () => () => 1),
        map(() => say(1)),
      ),
    ),
    /only what JSON can say/,
  ],
  [
    'keeps too much',
    flow((from) =>
      from('devices/{device}/telemetry').pipe(
        keep('n', z.string(), '', () => 'x'.repeat(70_000)),
        map(say),
      ),
    ),
    /more than 65536 characters/,
  ],
  [
    'changes what it keeps in place',
    flow((from) =>
      from('devices/{device}/telemetry').pipe(
        keep('n', z.array(z.number()), [1], (all) => (all.push(1), all)),
        map(say),
      ),
    ),
    /not extensible/,
  ],
  [
    'uses a name twice',
    flow((from) =>
      from('devices/{device}/telemetry').pipe(
        keep('n', z.number(), 0, (n) => n),
        keep('n', z.number(), 0, (n) => n),
        map(say),
      ),
    ),
    /keep\('n'\) is used twice/,
  ],
  [
    'uses a name with a slash',
    flow((from) =>
      from('devices/{device}/telemetry').pipe(
        keep('a/b', z.number(), 0, (n) => n),
        map(say),
      ),
    ),
    /1 to 64 letters/,
  ],
]
test.each(wrong)('a flow that %s is stopped and told why', (_, define, reason) => {
  const told = hosting((host, run) => {
    run(1, define)
    host.take(sample(1))
  })
  expect(told).toEqual([expect.stringMatching(reason)])
})

const limited = flow({ params: { limit: z.number().max(9).default(5) } }, (from, { limit }) =>
  from('devices/{device}/telemetry').pipe(map(() => say(limit))),
)

test('params are complete and checked, and a bad one leaves the flow that runs as it is', () => {
  const told = hosting((host) => {
    const { params } = host.define(1, limited, { params: { limit: 7 } })
    expect(params).toMatchObject({
      values: { limit: 7 },
      schema: { properties: { limit: { default: 5, maximum: 9 } } },
    })
    host.start(1, { at: 0 })
    expect(() => host.define(1, limited, { params: { limit: 10 } })).toThrow('params.limit: Too big')
    expect(() => host.define(1, limited, { params: { other: 1 } })).toThrow('params.other')
    expect(() => host.define(2, late, { params: { limit: 1 } })).toThrow('this flow has no params')
    host.take(sample(1))
    expect(host.define(1, limited).params?.values).toEqual({ limit: 5 })
    host.start(1, { at: 1, since: 1 })
    host.take(sample(2))
  })
  expect(told).toEqual(['1: 1 at 1 by 1 7', '1: 1 at 2 by 2 5'])
})

test('a thousand reloads leave no timer and no kept flow', () => {
  const busy = flow((from) =>
    from('devices/{device}/telemetry').pipe(mergeMap(() => timer(1_000_000).pipe(map(() => say(1))))),
  )
  hosting((host, run) => {
    for (let i = 1; i <= 1000; i++) {
      run(1, busy, { since: i - 1 })
      host.take(sample(i))
    }
    expect(host.view(1)).toMatchObject({ pending: 1 })
    host.stop(1)
    expect([host.next, host.view(1)]).toEqual([Infinity, undefined])
  })
})
