// The audit in words, its filters as a query, and its rows as a file.
import type { AuditQuery, AuditRow } from '../api/read-audit.ts'
import type { Tone } from '../design/badge.tsx'
import { words } from '../devices/value.ts'

export interface Filters {
  who: string
  device: string
  /** A name or the beginning of one; '' for all. */
  event: string
  /** As a `datetime-local` field has it; '' for no bound. */
  since: string
  until: string
}

export const ALL: Filters = { who: '', device: '', event: '', since: '', until: '' }

/** Common events; the star stands for what follows. */
export const EVENTS: readonly { value: string; text: string }[] = [
  { value: '', text: 'All events' },
  { value: 'request', text: 'Requests' },
  { value: 'cmd', text: 'Commands' },
  { value: 'refused.*', text: 'Refused' },
  { value: 'approval.*', text: 'Approvals' },
  { value: 'stop*', text: 'Stops' },
  { value: 'policy.*', text: 'Policy' },
  { value: 'auth.*', text: 'Logins' },
]

const KINDS = ['person', 'device', 'flow', 'plugin', 'key', 'gate', 'hub']

/** `ada` → `person:ada`; what names its kind already stays. */
export const originOf = (typed: string): string => {
  const text = typed.trim()
  if (text === '' || text.includes(':') || KINDS.includes(text)) return text
  return `person:${text}`
}

const instantOf = (typed: string): number | undefined => {
  const at = typed === '' ? Number.NaN : new Date(typed).getTime()
  return Number.isNaN(at) ? undefined : at
}

export const queryOf = ({ who, device, event, since, until }: Filters): AuditQuery => {
  const [from, to] = [instantOf(since), instantOf(until)]
  return {
    ...(who.trim() === '' ? {} : { who: originOf(who) }),
    ...(device.trim() === '' ? {} : { device: device.trim() }),
    ...(event === '' ? {} : { event }),
    ...(from === undefined ? {} : { since: from }),
    ...(to === undefined ? {} : { until: to }),
  }
}

/** `approval.asked` → `Approval asked`. */
export const eventWords = (event: string): string => words(event)

export const eventTone = (event: string): Tone => {
  if (/^refused|denied|failed|timeout/.test(event)) return 'bad'
  if (/^stop|latch|expired|cancelled|policy/.test(event)) return 'warn'
  return /^done|approved|given/.test(event.split('.').at(-1) ?? '') ? 'good' : 'idle'
}

/** The rows as JSON lines, each as the hub told it, with the time in ISO 8601. */
export const linesOf = (rows: readonly AuditRow[]): string =>
  rows.map(({ at, ...row }) => `${JSON.stringify({ ...row, at: new Date(at).toISOString() })}\n`).join('')
