// A device's past as a chart draws it: points, live values at the right end, gaps.
import { expect, test } from 'vitest'
import { columnsOf, drawnOf, extent, nearestStop, type Live } from './history.ts'
import { readPast, type Past, type PastPoint } from './past.ts'

const MINUTE = 60_000
const T0 = Date.UTC(2026, 10, 20, 8)
const point = (minute: number, mean: number, more: Partial<PastPoint> = {}): PastPoint => ({
  at: T0 + minute * MINUTE,
  min: mean - 1,
  max: mean + 1,
  mean,
  last: mean,
  n: 6,
  ...more,
})
const past = (points: PastPoint[], more: Partial<Past> = {}): Past => ({
  isSwitch: false,
  step: MINUTE,
  from: T0,
  to: T0 + 10 * MINUTE,
  upTo: T0 + 10 * MINUTE,
  isBehind: false,
  points,
  ...more,
})
const switched = (minute: number, mean: number, last = mean): PastPoint =>
  point(minute, mean, { min: Math.min(mean, last), max: Math.max(mean, last), last, n: 1 })

test('an answer is read, and what is no answer is none', () => {
  const body = {
    kind: 'number',
    seconds: 60,
    from: '2026-11-20T08:00:00.000Z',
    to: '2026-11-20T08:10:00.000Z',
    upTo: { seq: 4, at: '2026-11-20T08:09:00.000Z' },
    behind: false,
    points: [{ at: '2026-11-20T08:01:00.000Z', min: 1, max: 3, mean: 2, last: 3, n: 2 }, 'nonsense', { at: 7.5e20 }],
  }
  expect(readPast(body)).toMatchObject({ isSwitch: false, step: MINUTE, upTo: T0 + 9 * MINUTE })
  expect(readPast(body)?.points[0]).toEqual({ at: T0 + MINUTE, min: 1, max: 3, mean: 2, last: 3, n: 2 })
  for (const other of [undefined, [], {}, { ...body, kind: 'text' }, { ...body, seconds: 0 }, { ...body, points: 1 }])
    expect(readPast(other)).toBeUndefined()
})

test('live numbers follow the last point, which ends where they begin', () => {
  const live: Live[] = [
    { at: T0 + 9 * MINUTE + 20_000, value: 8 },
    { at: T0 + 10 * MINUTE + 5000, value: 9 },
  ]
  const drawn = drawnOf(past([point(8, 5), point(9, 6)], { upTo: T0 + 9 * MINUTE + 10_000 }), live, live[1]?.at ?? 0)
  expect(drawn.stops.map(({ mean }) => mean)).toEqual([5, 6, 8, 9])
  const at = drawn.stops.map((stop) => stop.at)
  expect(at).toEqual([...at].sort((a, b) => a - b))
  expect(drawn.stops[1]).toMatchObject({ from: T0 + 9 * MINUTE, to: T0 + 9 * MINUTE + 20_000 })
  expect(drawn.until - drawn.from).toBe(10 * MINUTE)
  expect(extent(drawn.stops)).toMatchObject({ low: 4, high: 9, last: 9, n: 12 })
})

test('what was heard live and has been rolled up since is not drawn twice', () => {
  const live = [{ at: T0 + 5 * MINUTE, value: 100 }]
  expect(drawnOf(past([point(9, 6)]), live, T0 + 10 * MINUTE).stops).toHaveLength(1)
})

test('silence is a gap, a slow rhythm is not', () => {
  const withGap = drawnOf(past([point(0, 1), point(1, 2), point(2, 3), point(9, 4)]), [], 0)
  expect(columnsOf(withGap, MINUTE)[3]).toEqual([1, 2, 3, null, 4])
  const slow = drawnOf(past([point(0, 1), point(4, 2), point(8, 3)]), [], 0)
  expect(columnsOf(slow, MINUTE)[3]).toEqual([1, 2, 3])
  expect(columnsOf(slow, MINUTE)[1]).toEqual([2, 3, 4])
})

test('a switch stays as it was last heard, and changes where it was heard to', () => {
  const still = drawnOf(past([switched(8, 0), switched(9, 1)], { isSwitch: true }), [], T0 + 12 * MINUTE)
  expect(still.stops.at(-1)).toMatchObject({ to: T0 + 12 * MINUTE, mean: 1 })
  const live = [
    { at: T0 + 10 * MINUTE + 1000, value: 1 },
    { at: T0 + 11 * MINUTE, value: 0 },
  ]
  const drawn = drawnOf(past([switched(8, 0), switched(9, 1)], { isSwitch: true }), live, T0 + 12 * MINUTE)
  expect(drawn.stops.slice(1).map(({ from, to, mean }) => [(from - T0) / MINUTE, (to - T0) / MINUTE, mean])).toEqual([
    [9, 11, 1],
    [11, 12, 0],
  ])
  expect(extent(drawn.stops)?.on).toBeCloseTo(0.5)
  expect(drawnOf(past([], { isSwitch: true }), live, T0 + 12 * MINUTE).stops).toHaveLength(2)
})

test('the nearest stop is found', () => {
  const { stops } = drawnOf(past([point(0, 1), point(1, 2), point(5, 3)]), [], 0)
  expect([-9, 0.9, 1.2, 3, 4, 99].map((minute) => nearestStop(stops, T0 + minute * MINUTE))).toEqual([0, 0, 1, 1, 2, 2])
  expect(extent([])).toBeUndefined()
})
