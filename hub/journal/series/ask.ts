// Answers a question for the past of one value out of the roll-ups, the newest readings included.
import { nearest } from '../../gate/near.ts'
import { type Span, SPANS } from './bucket.ts'
import { type Found, numberPoints, type Point, type Range, resolutionOf, switchPoints } from './points.ts'
import { isPersonalField } from './personal.ts'
import type { Rollup } from './rollup.ts'
import type { Series, Tables } from './tables.ts'

export interface Question extends Range {
  device: string
  field: string
  /** ms; a switch is drawn no further. */
  now: number
}

export interface Past {
  isSwitch: boolean
  span: Span
  /** ms. */
  step: number
  points: Point[]
  /** Up to where the journal was read. */
  upTo: { seq: number; at: number }
}

/** There is no such series: why, what is meant perhaps, and what there is. */
export interface None {
  none: 'device' | 'field' | 'personal'
  near: string[]
  has: string[]
}

const MOST_NAMES = 32
/** How far back it is looked for how a switch was before. */
const BACK = { minute: 60, hour: 24, day: 60 } as const

export const pastOf = (
  rollup: Rollup,
  tables: Pick<Tables, 'keptFrom'>,
  { device, field, now, ...range }: Question,
): Past | None => {
  const all = rollup.series(device)
  if (rollup.isPersonal(device) || isPersonalField(field)) return { none: 'personal', near: [], has: [] }
  if (all === undefined) {
    const devices = rollup.devices()
    return { none: 'device', near: nearest(device, devices), has: devices.slice(0, MOST_NAMES) }
  }
  const series = all.get(field)
  if (series === undefined) {
    const fields = [...all.keys()]
    return { none: 'field', near: nearest(field, fields), has: fields.slice(0, MOST_NAMES) }
  }
  const resolution = resolutionOf(range, tables.keptFrom)
  const { span, step, from } = resolution
  const found: Found[] = []
  for (let index = from / SPANS[span]; index * SPANS[span] < range.until; index++) {
    const bucket = rollup.bucket(series, span, index)
    if (bucket !== undefined) found.push({ index, bucket })
  }
  const upTo = rollup.reached()
  if (!series.isSwitch) return { isSwitch: false, span, step, points: numberPoints(found, resolution), upTo }
  const until = Math.min(range.until, Math.max(now, upTo.at + 1))
  const points = switchPoints(found, resolution, { before: valueBefore(rollup, series, from), until })
  return { isSwitch: true, span, step, points, upTo }
}

/** The last reading before `at`, which is the begin of a minute: looked for in ever longer buckets. */
const valueBefore = (rollup: Rollup, series: Series, at: number): number | undefined => {
  let end = at
  for (const [span, longer] of [
    ['minute', 'hour'],
    ['hour', 'day'],
    ['day', undefined],
  ] as const) {
    const least = longer === undefined ? -Infinity : Math.floor(end / SPANS[longer]) * SPANS[longer]
    for (let step = 0; step < BACK[span] && end > least; step++) {
      end -= SPANS[span]
      const bucket = rollup.bucket(series, span, Math.floor(end / SPANS[span]))
      if (bucket !== undefined) return bucket.last
    }
  }
  return undefined
}
