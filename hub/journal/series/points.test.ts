// Points of a chart: which buckets are taken, how they are put together, and how long a switch was on.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withReading } from './bucket.ts'
import { type Found, numberPoints, type Resolution, resolutionOf, switchPoints } from './points.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const T0 = Date.UTC(2026, 10, 20, 8)
const all = (): number => 0

/** Minutes of readings, as they would stand in the tables. */
const minutes = (readings: readonly (readonly [at: number, value: number])[]): Found[] => {
  const found = new Map<number, Found>()
  for (const [at, value] of readings) {
    const index = Math.floor(at / MINUTE)
    found.set(index, { index, bucket: withReading(found.get(index)?.bucket, value, at - index * MINUTE) })
  }
  return [...found.values()].sort((a, b) => a.index - b.index)
}
const byMinute = (step = MINUTE): Resolution => ({ span: 'minute', step, from: T0 })

test('the finest buckets that are few enough and still there are taken', () => {
  const take = (length: number, points = 500, keptFrom: (span: string) => number = all) => {
    const { span, step } = resolutionOf({ from: T0, until: T0 + length, points }, keptFrom)
    return `${span} × ${step / { minute: MINUTE, hour: HOUR, day: DAY }[span]}`
  }
  expect([HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY].map((length) => take(length))).toEqual([
    'minute × 1',
    'minute × 3',
    'hour × 1',
    'hour × 2',
    'day × 1',
  ])
  expect(take(HOUR, 10)).toBe('minute × 7')
  const deleted = (span: string): number => (span === 'minute' ? Math.floor(T0 / MINUTE) + 1 : 0)
  expect(take(HOUR, 500, deleted)).toBe('hour × 1')
})

test('there are never more points than asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4 * DAY }),
      fc.integer({ min: 1, max: 3650 * DAY }),
      fc.integer({ min: 2, max: 1000 }),
      (offset, length, points) => {
        const [from, until] = [T0 + offset, T0 + offset + length]
        const resolution = resolutionOf({ from, until, points }, all)
        expect(resolution.from).toBeLessThanOrEqual(from)
        const drawn = switchPoints([], resolution, { before: 1, until })
        expect(drawn.length).toBeLessThanOrEqual(points)
        expect(drawn.at(-1)?.at).toBeLessThan(until)
      },
    ),
  )
})

test('a number has a band, a mean of its readings, and no point where it said nothing', () => {
  const found = minutes([
    [T0, 1],
    [T0 + 1000, 3],
    [T0 + MINUTE, 8],
    [T0 + 4 * MINUTE, 5],
  ])
  expect(numberPoints(found, byMinute(2 * MINUTE))).toEqual([
    { at: T0, min: 1, max: 8, mean: 4, last: 8, n: 3 },
    { at: T0 + 4 * MINUTE, min: 5, max: 5, mean: 5, last: 5, n: 1 },
  ])
})

test('a switch stays as it is until it says otherwise', () => {
  const found = minutes([
    [T0 + 15_000, 1],
    [T0 + 30_000, 0],
    [T0 + 2 * MINUTE + 30_000, 1],
  ])
  const drawn = switchPoints(found, byMinute(), { before: 0, until: T0 + 4 * MINUTE })
  expect(drawn.map(({ mean, n, last }) => [mean, n, last])).toEqual([
    [0.25, 2, 0],
    [0, 0, 0],
    [0.5, 1, 1],
    [1, 0, 1],
  ])
  // Nobody knows how it was before its first word.
  const [first] = switchPoints(found, byMinute(), { before: undefined, until: T0 + 4 * MINUTE })
  expect(first).toMatchObject({ at: T0, mean: 15 / 45, min: 0, max: 1 })
  expect(switchPoints([], byMinute(), { before: undefined, until: T0 + HOUR })).toEqual([])
})

test('the share of time on is that of the readings, however they fall into buckets', () => {
  const readings = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 * MINUTE }), fc.boolean()), { minLength: 1 })
  fc.assert(
    fc.property(readings, fc.integer({ min: 1, max: 7 }), (steps, per) => {
      let at = T0
      const said = steps.map(([wait, on]) => [(at += wait), Number(on)] as const)
      const until = at + 3 * MINUTE
      const drawn = switchPoints(minutes(said), byMinute(per * MINUTE), { before: 0, until })
      const on = drawn.reduce(
        (sum, { at: begin, mean }) => sum + mean * (Math.min(begin + per * MINUTE, until) - begin),
        0,
      )
      const plain = said.reduce((sum, [begin, value], i) => sum + value * ((said[i + 1]?.[0] ?? until) - begin), 0)
      expect(on).toBeCloseTo(plain, 3)
    }),
  )
})
