// A bucket is what is kept of one value over one minute, hour or day: enough for a band, a line, and the share of time a switch was on.

/** How long a bucket of each kind is, in ms. Days are those of UTC. */
export const SPANS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
export type Span = keyof typeof SPANS
export const SPAN_NAMES = ['minute', 'hour', 'day'] as const satisfies readonly Span[]

/** Times in ms after the begin of the bucket. `first` and `last` are meant in the order of the journal. A switch is 1 or 0. */
export interface Bucket {
  /** How many readings. */
  n: number
  sum: number
  min: number
  max: number
  first: number
  firstAt: number
  last: number
  lastAt: number
  /** Each reading times the ms until the next one in this bucket. For a switch: the ms it was on between `firstAt` and `lastAt`. */
  held: number
}

/** Puts a reading into its bucket, or begins one. `at` in ms after the begin of the bucket. */
export const withReading = (bucket: Bucket | undefined, value: number, at: number): Bucket => {
  if (bucket === undefined)
    return { n: 1, sum: value, min: value, max: value, first: value, firstAt: at, last: value, lastAt: at, held: 0 }
  bucket.n++
  bucket.sum += value
  if (value < bucket.min) bucket.min = value
  if (value > bucket.max) bucket.max = value
  // A stamp that lies before the last one holds for no time.
  if (at > bucket.lastAt) bucket.held += bucket.last * (at - bucket.lastAt)
  bucket.last = value
  bucket.lastAt = at
  return bucket
}
