// The past of one value as points of a chart: the finest buckets that fit, put together until there are few enough.
import { type Bucket, type Span, SPAN_NAMES, SPANS } from './bucket.ts'

/** What is asked for: times in ms, `until` not included. */
export interface Range {
  from: number
  until: number
  /** At most so many points. */
  points: number
}

/** A stretch of time with what was read in it. */
export interface Point {
  /** Its begin, ms. */
  at: number
  min: number
  max: number
  /** Of the readings; of a switch the share of the time it was on, 0 to 1. */
  mean: number
  last: number
  /** How many readings; 0 for a switch that said nothing and stayed as it was. */
  n: number
}

export interface Resolution {
  span: Span
  /** How long a point is, in ms: a multiple of the span. */
  step: number
  /** Begin of the first point, ms. */
  from: number
}

/** Buckets looked at for one chart. */
const MOST_BUCKETS = 1500

/** Which buckets to take. `keptFrom`: from which index on buckets of a span are kept. */
export const resolutionOf = ({ from, until, points }: Range, keptFrom: (span: Span) => number): Resolution => {
  const length = Math.max(1, until - from)
  const fits = (span: Span): boolean =>
    length / SPANS[span] <= MOST_BUCKETS && Math.floor(from / SPANS[span]) >= keptFrom(span)
  const span = SPAN_NAMES.find(fits) ?? 'day'
  // One more than fits in the length, as the first one begins before `from`.
  const least = length / Math.max(1, points - 1) / SPANS[span]
  const step = Math.max(1, Math.ceil(least)) * SPANS[span]
  return { span, step, from: Math.floor(from / step) * step }
}

export interface Found {
  index: number
  bucket: Bucket
}

/** Points of a number: those without a reading are left out. `found` in ascending order. */
export const numberPoints = (found: readonly Found[], { span, step }: Resolution): Point[] => {
  const points: (Point & { sum: number })[] = []
  for (const { index, bucket } of found) {
    const at = Math.floor((index * SPANS[span]) / step) * step
    const last = points.at(-1)
    if (last?.at !== at) {
      const { min, max, n, sum } = bucket
      points.push({ at, min, max, mean: sum / n, last: bucket.last, n, sum })
      continue
    }
    last.min = Math.min(last.min, bucket.min)
    last.max = Math.max(last.max, bucket.max)
    last.n += bucket.n
    last.sum += bucket.sum
    last.mean = last.sum / last.n
    last.last = bucket.last
  }
  return points.map(({ sum: _, ...point }) => point)
}

/**
 * Points of a switch, which stays as it is until it says otherwise: from its first reading, or from the begin when `before`
 * says how it was then, up to `until`, without a gap.
 */
export const switchPoints = (
  found: readonly Found[],
  { span, step, from }: Resolution,
  { before, until }: { before: number | undefined; until: number },
): Point[] => {
  const ms = SPANS[span]
  const points: Point[] = []
  let state = before
  let next = 0
  for (let at = from; at < until; at += step) {
    const point = { at, min: Infinity, max: -Infinity, last: state ?? 0, n: 0 }
    let [on, known] = [0, 0]
    const see = (value: number, time: number): void => {
      point.min = Math.min(point.min, value)
      point.max = Math.max(point.max, value)
      on += value * time
      known += time
    }
    for (let index = at / ms; index < (at + step) / ms && index * ms < until; index++) {
      const length = Math.min(ms, until - index * ms)
      const bucket = found[next]?.index === index ? found[next++]?.bucket : undefined
      if (bucket === undefined) {
        if (state !== undefined) see(state, length)
        continue
      }
      if (state !== undefined) see(state, bucket.firstAt)
      point.min = Math.min(point.min, bucket.min)
      point.max = Math.max(point.max, bucket.max)
      on += bucket.held
      known += bucket.lastAt - bucket.firstAt
      see(bucket.last, Math.max(0, length - bucket.lastAt))
      point.n += bucket.n
      state = bucket.last
    }
    if (state === undefined) continue
    points.push({ ...point, last: state, mean: known > 0 ? on / known : state })
  }
  return points
}
