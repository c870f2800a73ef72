// The marks of a timeline: what was decided then and would be decided now, gathered where they would touch. Pure.
import type { ReplayRow, RowKind } from '../api/types.ts'

export interface Mark {
  lane: 'then' | 'now'
  /** Where it stands, 0 to 1. */
  x: number
  kind: RowKind
  /** How many decisions it stands for. */
  count: number
  /** The first of them that differs, or else the first: its place in the rows. */
  row: number
}

/** The kind a gathered mark shows: what differs is never hidden behind what does not. */
const WEIGHT: Record<RowKind, number> = { changed: 4, 'only then': 3, 'only now': 3, 'unanswered then': 2, same: 1 }

const lanesOf = (kind: RowKind): readonly Mark['lane'][] => {
  if (kind === 'only then') return ['then']
  if (kind === 'only now' || kind === 'unanswered then') return ['now']
  return ['then', 'now']
}

/** At most `columns` marks per lane, from left to right. */
export const marksOf = (
  rows: readonly ReplayRow[],
  { since, until }: { since: number; until: number },
  columns: number,
): Mark[] => {
  const span = Math.max(1, until - since)
  const marks = new Map<string, Mark>()
  for (const [row, { at, kind }] of rows.entries()) {
    const column = Math.min(columns - 1, Math.max(0, Math.floor(((at - since) / span) * columns)))
    for (const lane of lanesOf(kind)) {
      const key = `${lane} ${column}`
      const mark = marks.get(key)
      if (!mark) marks.set(key, { lane, x: (column + 0.5) / columns, kind, count: 1, row })
      else
        marks.set(key, {
          ...mark,
          count: mark.count + 1,
          ...(WEIGHT[kind] > WEIGHT[mark.kind] ? { kind, row } : {}),
        })
    }
  }
  return [...marks.values()].sort((a, b) => a.x - b.x)
}

const STEPS = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800].map(
  (seconds) => seconds * 1000,
)

/** Round instants to write under a timeline, at most `most` of them. `zone` is the offset of local time, in ms. */
export const ticksOf = ({ since, until }: { since: number; until: number }, most: number, zone: number): number[] => {
  const step = STEPS.find((one) => (until - since) / one <= most) ?? Math.ceil((until - since) / most)
  const first = Math.ceil((since + zone) / step) * step - zone
  const ticks: number[] = []
  for (let at = first; at <= until && ticks.length < most + 1; at += step) ticks.push(at)
  return ticks
}
