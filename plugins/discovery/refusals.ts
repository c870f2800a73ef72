// Tells of refused announcements: one error event for each origin and reason a minute, naming who and where.
import type { ErrorReport } from '#hub/plugin'
import { line } from './announcement.ts'

export interface Refusal {
  origin: string
  topic: string
  reason: string
  /** Groups equal refusals; the reason itself by default. */
  about?: string
}

const EVERY_MS = 60_000
const KNOWN = 1000

export const openRefusals = (report: (error: Omit<ErrorReport, 'source'>) => void, now: () => number) => {
  const told = new Map<string, { at: number; more: number }>()
  let count = 0
  return {
    get count() {
      return count
    },
    refuse({ origin, topic, reason, about = reason }: Refusal): void {
      count += 1
      const key = `${origin} ${about}`
      const before = told.get(key)
      const at = now()
      if (before !== undefined && at - before.at < EVERY_MS) {
        before.more += 1
        return
      }
      if (told.size >= KNOWN) told.clear()
      told.set(key, { at, more: 0 })
      const more = before === undefined || before.more === 0 ? '' : ` (and ${before.more} more since)`
      report({
        type: 'AnnouncementRefused',
        severity: 'warning',
        category: 'validation',
        message: `${origin} announced on ${line(topic, 200) ?? ''}: ${reason}; refused${more}.`,
        details: { origin, topic: line(topic, 200) ?? '', reason },
      })
    },
  }
}
