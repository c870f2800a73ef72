// Tells of refused announcements: once for each origin and reason a minute, naming who and where, and no origin drowns another's.
import type { ErrorReport } from '#hub/plugin'
import { line, type RefusalType } from './announcement.ts'

export interface Refusal {
  origin: string
  topic: string
  reason: string
  type: RefusalType
}

const EVERY_MS = 60_000
/** Reasons of one type told of one origin in that time. */
const REASONS = 6
const KNOWN = 2000

interface Window {
  since: number
  reasons: Set<string>
  more: number
}

export const openRefusals = (report: (error: Omit<ErrorReport, 'source'>) => void, now: () => number) => {
  const windows = new Map<string, Window>()
  let count = 0
  return {
    get count() {
      return count
    },
    refuse({ origin, topic, reason, type }: Refusal): void {
      count += 1
      const key = `${type} ${origin}`
      const at = now()
      let window = windows.get(key)
      const missed = window?.more ?? 0
      if (window === undefined || at - window.since >= EVERY_MS) {
        if (windows.size >= KNOWN) windows.clear()
        window = { since: at, reasons: new Set(), more: 0 }
        windows.set(key, window)
      }
      if (window.reasons.has(reason) || window.reasons.size >= REASONS) {
        window.more += 1
        return
      }
      window.reasons.add(reason)
      const more = window.reasons.size > 1 || missed === 0 ? '' : ` (and ${missed} more before)`
      report({
        type,
        severity: 'warning',
        category: 'validation',
        message: `${origin} announced on ${line(topic, 200) ?? ''}: ${reason}; refused${more}.`,
        details: { origin, topic: line(topic, 200) ?? '', reason },
      })
    },
  }
}
