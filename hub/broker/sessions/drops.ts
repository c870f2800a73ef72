// Counts messages that went for want of room, and tells of them once per gap: when a second has passed without one, or a minute in all.
import { remember } from '../remember.ts'

export interface Drops {
  add(clientId: string, reason: string): void
  /** Messages dropped since the start. */
  readonly total: number
  /** Those of one client since the start, while it is among the newest 10,000 that lost any. */
  of(clientId: string): number
  close(): void
}

interface Gap {
  count: number
  reason: string
  since: number
  last: number
}

const QUIET_MS = 1000
const LONGEST_MS = 60_000

export const openDrops = (
  now: () => number,
  onDropped: (clientId: string, count: number, reason: string) => void,
): Drops => {
  const gaps = new Map<string, Gap>()
  const counts = new Map<string, { count: number }>()
  let total = 0
  let timer: NodeJS.Timeout | undefined

  const tell = (all: boolean): void => {
    const at = now()
    for (const [clientId, gap] of gaps) {
      if (!all && at - gap.last < QUIET_MS && at - gap.since < LONGEST_MS) continue
      gaps.delete(clientId)
      onDropped(clientId, gap.count, gap.reason)
    }
    if (gaps.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    get total() {
      return total
    },
    of: (clientId) => counts.get(clientId)?.count ?? 0,
    add: (clientId, reason) => {
      total++
      const counted = counts.get(clientId)
      if (counted === undefined) remember(counts, clientId, { count: 1 })
      else counted.count++
      const at = now()
      const gap = gaps.get(clientId)
      if (gap === undefined) gaps.set(clientId, { count: 1, reason, since: at, last: at })
      else Object.assign(gap, { count: gap.count + 1, reason, last: at })
      timer ??= setInterval(() => tell(false), QUIET_MS).unref()
    },
    close: () => tell(true),
  }
}
