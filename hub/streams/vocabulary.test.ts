// The words that RxJS does not have, each in an example; docs/flows.md shows the same lines.
import { readFileSync } from 'node:fs'
import { distinctUntilChanged, filter, map, mergeMap, NEVER, pipe, switchMap, timer } from 'rxjs'
import { expect, test } from 'vitest'
import { keptAfter, play } from '../testing/play.ts'
import {
  ask,
  countWithin,
  flow,
  type Heard,
  hysteresis,
  ifApproved,
  joinWithin,
  keep,
  latestOf,
  message,
  minutes,
  onEdge,
  per,
  quietFor,
  schedule,
  seconds,
  z,
} from './hub.ts'

type Event = Heard<'devices/{device}/event'>
const event = (device: string, type: string, more: Record<string, unknown> = {}) =>
  message('devices/{device}/event', { device }, { type, ...more })
const sample = (device: string, v: number) => message('devices/{device}/telemetry', { device }, { v })
const said = (value: string, payload: Record<string, unknown>) =>
  message('flows/{flow}/{value}', { flow: 'x', value }, payload)
const result = (id: string, status: 'done' | 'failed' | 'refused' | 'denied', device = 'press') =>
  message('devices/{device}/result', { device }, { id, status, intent: 'press.start' })

test('per keeps each device to itself, and lets a group end', () => {
  const example = flow((from) =>
    from('devices/{device}/event').pipe(
      per('device', countWithin(2, seconds(10)), { expire: minutes(1) }),
      map(([{ params }]) => said('twice', params)),
    ),
  )
  expect(play(example, { '0s': [event('a', 'x'), event('b', 'x')], '2s': event('a', 'x') })).toEqual({
    '2s': said('twice', { device: 'a' }),
  })
})

test('a group that ends forgets, completes its steps and stops their timers', () => {
  const example = flow((from) =>
    from('devices/{device}/event').pipe(
      per(
        'device',
        pipe(
          keep('seen', z.number(), 0, (seen) => seen + 1),
          switchMap((seen) => timer(seconds(40)).pipe(map(() => said('later', { seen })))),
        ),
        { expire: seconds(30) },
      ),
    ),
  )
  const timeline = { '0s': event('a', 'x'), '20s': event('a', 'x'), '51s': event('a', 'x') } as const
  expect(play(example, timeline)).toEqual({})
  expect(keptAfter(example, timeline, { until: '60s' })).toEqual({ 'device=a/seen': 1 })
  expect(keptAfter(example, timeline)).toEqual({})
  expect(keptAfter(example, { '0s': event('a', 'x') }, { kept: { 'device=b/seen': 7 }, until: '29s' })).toEqual({
    'device=a/seen': 1,
    'device=b/seen': 7,
  })
  expect(keptAfter(example, { '0s': event('a', 'x') }, { kept: { 'device=b/seen': 7 }, until: '31s' })).toEqual({})
  expect(
    keptAfter(
      example,
      { '0s': event('b', 'x'), '25s': event('b', 'x') },
      { kept: { 'device=b/seen': 7 }, until: '31s' },
    ),
  ).toEqual({ 'device=b/seen': 9 })
})

test('countWithin: three in ten seconds', () => {
  const example = flow((from) =>
    from('devices/{device}/event').pipe(
      per('device', countWithin(3, seconds(10))),
      map(([{ params }]) => said('often', params)),
    ),
  )
  expect(play(example, { '0s': event('a', 'x'), '5s': event('a', 'x'), '9s': event('a', 'x') })).toEqual({
    '9s': said('often', { device: 'a' }),
  })
})

test('quietFor: and it stayed that way', () => {
  const example = flow((from) =>
    from('devices/{device}/event').pipe(
      per('device', quietFor(minutes(5))),
      map(({ params }) => said('quiet', params)),
    ),
  )
  expect(play(example, { '0s': event('a', 'x'), '1m': event('b', 'x') })).toEqual({
    '300s': said('quiet', { device: 'a' }),
    '360s': said('quiet', { device: 'b' }),
  })
})

test('onEdge: once, on the way up', () => {
  const example = flow((from) =>
    from('devices/{device}/telemetry').pipe(
      per(
        'device',
        onEdge(({ payload }) => Number(payload['v']) > 10),
      ),
      map(({ params }) => said('high', params)),
    ),
  )
  expect(play(example, { '0s': sample('a', 11), '1s': sample('b', 9), '2s': sample('a', 12) })).toEqual({
    '0s': said('high', { device: 'a' }),
  })
})

test('hysteresis: on at 80, off at 20, and nothing between', () => {
  const example = flow((from) =>
    from('devices/{device}/telemetry', { where: { device: 'dust' } }).pipe(
      map(({ payload }) => Number(payload['v'])),
      hysteresis({ low: 20, high: 80 }),
      map((on) => said('dusty', { on })),
    ),
  )
  expect(play(example, { '0s': sample('dust', 90), '1s': sample('dust', 50), '2s': sample('dust', 20) })).toEqual({
    '0s': said('dusty', { on: true }),
    '2s': said('dusty', { on: false }),
  })
})

test('latestOf: what is so already, then every change', () => {
  const example = flow((from) =>
    latestOf(from, 'devices/{device}/online').pipe(map(({ params, payload }) => said(params.device, { on: payload }))),
  )
  const online = (device: string, on: boolean) => message('devices/{device}/online', { device }, on)
  expect(play(example, { '1s': online('b', false) }, { retained: [online('a', true)] })).toEqual({
    '0s': said('a', { on: true }),
    '1s': said('b', { on: false }),
  })
})

const joined = flow((from) => {
  const opened = from('devices/{device}/event').pipe(filter(({ payload }) => payload.type === 'opened'))
  const badge = from('devices/{device}/event').pipe(filter(({ payload }) => payload.type === 'badge'))
  const isSameDoor = (a: Event, b: Event) => a.params.device === b.params.device
  return opened.pipe(
    joinWithin(badge, seconds(5), isSameDoor),
    map(([{ params }, { payload }]) => said('entered', { ...params, who: payload['who'] })),
  )
})

test('joinWithin: whichever came first, and only what belongs together', () => {
  const opened = (device: string) => event(device, 'opened')
  const badge = (device: string, who: string) => event(device, 'badge', { who })
  const entered = (device: string, who: string) => said('entered', { device, who })
  expect(play(joined, { '0s': badge('a', 'ada'), '4s': [opened('b'), opened('a')] })).toEqual({
    '4s': entered('a', 'ada'),
  })
  expect(play(joined, { '0s': opened('a'), '4s': badge('a', 'ada') })).toEqual({ '4s': entered('a', 'ada') })
  expect(play(joined, { '0s': opened('a'), '5s': badge('a', 'ada') })).toEqual({})
  // Each in one pair at most, the oldest first.
  expect(play(joined, { '0s': [badge('a', 'ada'), badge('a', 'bob')], '1s': opened('a'), '2s': opened('a') })).toEqual({
    '1s': entered('a', 'ada'),
    '2s': entered('a', 'bob'),
  })
})

test('schedule: by the clock of the site, and by the sun', () => {
  const example = flow(() => schedule('0 7 * * mon-fri').pipe(map(() => said('morning', {}))))
  const summer = { start: '2026-07-03T00:00:00Z', site: { timezone: 'Europe/Berlin' }, until: '96h' } as const
  // Friday and Monday, seven o'clock in Berlin.
  expect(Object.keys(play(example, {}, summer))).toEqual([`${5 * 3600}s`, `${(72 + 5) * 3600}s`])
  const dusk = flow(() => schedule({ sunset: minutes(-30) }).pipe(map((at) => said('dusk', { at: at % 1000 }))))
  const berlin = { timezone: 'Europe/Berlin', latitude: 52.52, longitude: 13.405 }
  const [first, second, ...more] = Object.keys(
    play(dusk, {}, { start: '2026-07-03T00:00:00Z', site: berlin, until: '48h' }),
  )
  // The sun sets at 21:31 there (19:31 UTC).
  expect(Math.abs(parseInt(first ?? '0') - (19 * 3600 + 60))).toBeLessThan(180)
  expect([parseInt(second ?? '0') > 86_400, more]).toEqual([true, []])
  expect(() => play(dusk, {})).toThrow('set latitude and longitude of the site')
  expect(() =>
    play(
      flow(() => schedule('61 * * * *').pipe(mergeMap(() => NEVER))),
      {},
    ),
  ).toThrow("schedule('61 * * * *')")
})

test('keep: a count that goes on after a restart, one for each device', () => {
  const example = flow((from) =>
    from('devices/{device}/event').pipe(
      filter(({ payload }) => payload.type === 'finished'),
      per(
        'device',
        keep('jobs', z.number().int(), 0, (jobs) => jobs + 1),
      ),
      map((jobs) => said('jobs', { jobs })),
    ),
  )
  const twice = { '0s': event('a', 'finished'), '1s': event('b', 'finished') } as const
  expect(play(example, twice, { kept: { 'device=a/jobs': 41 } })).toEqual({
    '0s': said('jobs', { jobs: 42 }),
    '1s': said('jobs', { jobs: 1 }),
  })
  expect(keptAfter(example, twice)).toEqual({ 'device=a/jobs': 1, 'device=b/jobs': 1 })
})

const asking = flow((from) =>
  from('devices/{device}/event').pipe(
    filter(({ payload }) => payload.type === 'loaded'),
    ask(
      from,
      'press',
      { intent: 'press.start', reason: 'loaded' },
      {
        within: minutes(2),
        then: ({ status }) => said('started', { status }),
      },
    ),
  ),
)

/** The ids that a play of this flow gives to its requests, in their order. */
const idsOf = (asked: Parameters<typeof play>[1]): string[] =>
  Object.values(play(asking, asked))
    .flat()
    .flatMap((one) => (one?.topic === 'devices/{device}/request' ? [one.payload.id ?? ''] : []))

test('ask: the one result of its own request, whatever else is answered', () => {
  const loaded = { '0s': event('a', 'loaded'), '1s': event('b', 'loaded') } as const
  const [first = '', second = ''] = idsOf(loaded)
  expect(first).toMatch(/^[0-9a-f]{24}$/)
  expect(idsOf(loaded)).toEqual([first, second])
  expect(first).not.toBe(second)
  const request = (id: string, expiresAt: string) =>
    message('devices/{device}/request', { device: 'press' }, { intent: 'press.start', reason: 'loaded', id, expiresAt })
  const answers = { '3s': [result('someone', 'done'), result(second, 'refused')], '5s': result(first, 'done') }
  expect(play(asking, { ...loaded, ...answers })).toEqual({
    '0s': request(first, '2026-01-01T00:02:00.000Z'),
    '1s': request(second, '2026-01-01T00:02:01.000Z'),
    '3s': said('started', { status: 'refused' }),
    '5s': said('started', { status: 'done' }),
  })
  // A late answer, one said twice, and one from another device change nothing.
  const late = { ...loaded, '3s': [result(first, 'done'), result(first, 'failed'), result(second, 'done', 'saw')] }
  expect(play(asking, { ...late, '122s': result(second, 'done') })).toMatchObject({
    '3s': said('started', { status: 'done' }),
    '121s': said('started', { status: 'timeout' }),
  })
})

test('ask: more than a hundred open questions are refused', () => {
  const flood = play(asking, { '0s': Array.from({ length: 101 }, () => event('a', 'loaded')) })['0s']
  expect([flood].flat().at(-1)).toEqual(said('started', { status: 'refused' }))
})

test('ifApproved: no, silence and failure lead to nothing', () => {
  const example = flow((from) =>
    from('devices/{device}/event').pipe(
      filter(({ payload }) => payload.type === 'loaded'),
      ifApproved(
        from,
        ({ params }) => params.device,
        { intent: 'press.start' },
        {
          within: minutes(10),
          then: (_, { params }) => said('started', params),
        },
      ),
    ),
  )
  const asked = play(example, { '0s': [event('press', 'loaded'), event('saw', 'loaded')] }, { until: '1s' })['0s']
  const [yes = '', no = ''] = [asked]
    .flat()
    .map((one) => (one?.topic === 'devices/{device}/request' ? one.payload.id : ''))
  const timeline = { '0s': [event('press', 'loaded'), event('saw', 'loaded')] }
  const answers = { '1m': result(no, 'denied', 'saw'), '2m': result(yes, 'done'), '11m': result(no, 'done', 'saw') }
  const { '0s': _, ...after } = play(example, { ...timeline, ...answers })
  expect(after).toEqual({ '120s': said('started', { device: 'press' }) })
})

test('params: numbers that people may change', () => {
  const example = flow(
    { params: { above: z.number().min(0).max(1000).default(80).describe('Dust that is too much, µg/m³') } },
    (from, { above }) =>
      from('devices/{device}/telemetry', { where: { device: 'dust' } }).pipe(
        map(({ payload }) => Number(payload['v']) > above),
        distinctUntilChanged(),
        map((dusty) => said('dusty', { dusty })),
      ),
  )
  const dust = { '0s': sample('dust', 90) } as const
  expect(play(example, dust)).toEqual({ '0s': said('dusty', { dusty: true }) })
  expect(play(example, dust, { params: { above: 100 } })).toEqual({ '0s': said('dusty', { dusty: false }) })
  expect(() => play(example, dust, { params: { above: 2000 } })).toThrow('params.above: Too big')
  expect(() => play(example, dust, { params: { below: 1 } })).toThrow('params.below')
})

test('every example of docs/flows.md is one of these', () => {
  const tidy = (text: string) => text.replaceAll(/\s+/g, '')
  const doc = readFileSync(new URL('../../docs/flows.md', import.meta.url), 'utf8')
  const here = tidy(readFileSync(new URL(import.meta.url), 'utf8'))
  const blocks = [...doc.matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block ?? '')
  expect(blocks.length).toBeGreaterThan(0)
  for (const block of blocks) expect(here.includes(tidy(block)), block).toBe(true)
})
