// Keeps the roll-ups within their bounds: by age for each kind of bucket, and by size of the file.
import { type Span, SPANS } from './bucket.ts'
import type { Tables } from './tables.ts'

/** How many days buckets are kept, and how large the file may get. */
export interface Keep {
  days: Record<Span, number>
  mostMiB: number
}

const MIB = 1024 * 1024
/** What goes at once, in spans: a day of minutes, ten days of hours, a year of days. A clock that is wrong for a while takes no more than this. */
const STEP: Record<Span, number> = { minute: 1440, hour: 240, day: 366 }
const MOST_STEPS = 4

/** Deletes what is too old at `now` (ms), and the oldest of the finest kind while the file is too large; a bounded part of it each time. */
export const tidy = (tables: Tables, { days, mostMiB }: Keep, now: number): void => {
  for (const span of ['minute', 'hour', 'day'] as const)
    tables.drop(span, Math.floor((now - days[span] * SPANS.day) / SPANS[span]), STEP[span])
  for (let step = 0; step < MOST_STEPS && tables.bytes() > mostMiB * MIB; step++) {
    const span = (['minute', 'hour', 'day'] as const).find((one) => hasPast(tables, one, now))
    if (span === undefined) break
    tables.drop(span, Math.floor(now / SPANS[span]), STEP[span])
  }
  tables.forget(Math.floor(now / SPANS.day) - days.day)
}

const hasPast = (tables: Tables, span: Span, now: number): boolean =>
  (tables.oldest(span) ?? Infinity) < Math.floor(now / SPANS[span])
