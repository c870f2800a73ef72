// What would fill the audit is told sparingly: equal things once a minute with their number, and only so many of one origin.
import type { Clock } from '../clock.ts'

/** Equal ones within this time are one row, with their number in the next. */
const WINDOW_MS = 60_000
/** Rows of one origin in that time. */
const MOST_OF_ONE = 20
const MOST_REMEMBERED = 2_000

/** Answers with how many equal ones were left out before, when this one is to be told; undefined when it is not. */
export const openSparing = (clock: Pick<Clock, 'now'>): ((who: string, what: string) => number | undefined) => {
  const told = new Map<string, { at: number; more: number }>()
  const rows = new Map<string, { since: number; n: number }>()

  const hasRoom = (who: string, now: number): boolean => {
    const last = rows.get(who)
    const count = last === undefined || now - last.since >= WINDOW_MS ? { since: now, n: 0 } : last
    keep(rows, who, count)
    return count.n++ < MOST_OF_ONE
  }

  return (who, what) => {
    const now = clock.now()
    const key = `${who} ${what}`
    const last = told.get(key)
    if (last !== undefined && now - last.at < WINDOW_MS) {
      last.more++
      return undefined
    }
    if (!hasRoom(who, now)) return undefined
    keep(told, key, { at: now, more: 0 })
    return last?.more ?? 0
  }
}

/** Puts it last; what was put there longest ago goes when there are too many. */
const keep = <T>(all: Map<string, T>, key: string, value: T): void => {
  all.delete(key)
  all.set(key, value)
  for (const oldest of all.keys()) {
    if (all.size <= MOST_REMEMBERED) break
    all.delete(oldest)
  }
}
