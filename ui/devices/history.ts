// The past of one value out of the journal: points in time order, not more than a chart can show.
import { isRecord } from '../api/read.ts'
import type { JournalItem } from '../api/types.ts'

export interface Points {
  /** Seconds since 1970, as the chart wants them. */
  at: number[]
  values: number[]
}

const numberOf = (raw: unknown): number | undefined => {
  const value = isRecord(raw) && 'value' in raw ? raw['value'] : raw
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** The points of one value in journal entries of any order; what has no number there is left out. */
export const pointsOf = (items: readonly Pick<JournalItem, 'at' | 'payload'>[], name: string): Points => {
  const pairs = items
    .flatMap(({ at, payload }) => {
      const value = isRecord(payload) ? numberOf(payload[name]) : undefined
      return value === undefined || at === 0 ? [] : [[at / 1000, value] as const]
    })
    .sort(([a], [b]) => a - b)
  return { at: pairs.map(([at]) => at), values: pairs.map(([, value]) => value) }
}

/**
 * At most `most` points: of each stretch the lowest and the highest stay, so that a peak does not vanish between two points
 * that were kept.
 */
export const thinned = ({ at, values }: Points, most: number): Points => {
  if (at.length <= most) return { at, values }
  const stretch = Math.ceil(at.length / Math.max(1, Math.floor(most / 2)))
  const kept: number[] = []
  for (let from = 0; from < at.length; from += stretch) {
    let low = from
    let high = from
    for (let n = from; n < Math.min(from + stretch, at.length); n += 1) {
      if ((values[n] ?? 0) < (values[low] ?? 0)) low = n
      if ((values[n] ?? 0) > (values[high] ?? 0)) high = n
    }
    kept.push(...new Set([Math.min(low, high), Math.max(low, high)]))
  }
  return { at: kept.map((n) => at[n] ?? 0), values: kept.map((n) => values[n] ?? 0) }
}

/** Lowest, highest and last, for a sentence beside the picture. */
export const extent = ({ values }: Points): { low: number; high: number; last: number } | undefined => {
  const last = values.at(-1)
  if (last === undefined) return undefined
  return { low: values.reduce((a, b) => Math.min(a, b)), high: values.reduce((a, b) => Math.max(a, b)), last }
}
