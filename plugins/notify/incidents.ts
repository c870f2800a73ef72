// From what the hub says to what people should be told: one incident for one cause, without secrets.
import type { Heard } from '#hub/plugin'
import type { LEVELS } from './topics.ts'

export type Level = (typeof LEVELS)[number]

export interface Incident {
  key: string
  source: 'error' | 'approval' | 'flow' | 'stop'
  severity: Level
  title: string
  text: string
  link?: string
  /** When it ends by itself. */
  endsAt?: string
  /** It is over: what was open is closed, and nothing new is made of it. */
  ended?: boolean
}

const HIDDEN = '[hidden]'
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [
    /\b((?:[\w-]*(?:password|passwd|passwort|secret|token|api[_-]?key|credential))["']?\s*[:=]\s*)["']?[^\s"',;&]{3,}/gi,
    `$1${HIDDEN}`,
  ],
  [/(\w+:\/\/)[^\s/@:]+:[^\s/@]+@/g, `$1${HIDDEN}@`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g, HIDDEN],
  [/\bmr_[\w-]{8,}/g, HIDDEN],
  [/\b[A-Fa-f0-9]{40,}\b/g, HIDDEN],
]

/** A text as it may leave the hub: one line, without what looks like a secret. */
export const clean = (text: string, most: number): string => {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ').trim()
  const safe = SECRETS.reduce((so, [pattern, instead]) => so.replace(pattern, instead), line)
  return safe.length > most ? `${safe.slice(0, most - 1)}…`.toWellFormed().replace(/\ufffd/g, '') : safe
}

const LEVEL_OF: Readonly<Record<string, Level>> = { error: 'error', critical: 'critical', fatal: 'critical' }

/** An error event of error and above; undefined for what is less. An error of the notifier itself would go round in circles. */
export const ofError = ({ payload }: Pick<Heard<'errors/{severity}/{source}'>, 'payload'>): Incident | undefined => {
  const severity = LEVEL_OF[payload.severity]
  if (severity === undefined || payload.source === 'plugin:notify') return undefined
  return {
    key: clean(`error:${payload.source}:${payload.type}`, 200),
    source: 'error',
    severity,
    title: clean(`${payload.type} in ${payload.source}`, 120),
    text: clean(payload.message, 1000),
    link: '/errors',
  }
}

/** `person:ada` → `ada`; others keep their kind. */
const nameOf = (origin: string): string => origin.replace(/^person:/, '')

const sentenceOf = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

/** `13:56`, by the clock of the hub. */
const timeOf = (instant: string): string => {
  const at = new Date(instant)
  return [at.getHours(), at.getMinutes()].map((n) => String(n).padStart(2, '0')).join(':')
}

/** An approval that waits, with the link that opens it; or how it ended. */
export const ofApproval = ({ payload }: Pick<Heard<'approvals/{approval}'>, 'payload'>): Incident => {
  const { id, effect, requestedBy, needed, given, expiresAt, status, hazard } = payload
  if (status !== 'pending') return overApproval(id, status, payload, effect)
  return {
    key: `approval:${id}`.slice(0, 200),
    source: 'approval',
    severity: hazard === 'high' ? 'critical' : 'warning',
    title: clean(`Approval needed: ${payload.intent} of ${payload.device}`, 120),
    text: clean(
      `${effect} Asked by ${nameOf(requestedBy)}. ${given.length} of ${needed} have said yes. What nobody answers by ${timeOf(expiresAt)} is refused.`,
      1000,
    ),
    link: `/approvals?id=${encodeURIComponent(id)}`.slice(0, 300),
    endsAt: expiresAt,
  }
}

/** The end of an approval, with how it ended. */
const overApproval = (
  id: string,
  status: string,
  { intent, device }: { intent: string; device: string },
  text: string,
): Incident => ({
  key: `approval:${id}`.slice(0, 200),
  source: 'approval',
  severity: 'warning',
  title: intent === '' ? '' : clean(`Approval ${status}: ${intent} of ${device}`, 120),
  text: clean(text, 1000),
  ended: true,
})

const APPROVAL_ENDS = /^approval\.(approved|denied|expired|cancelled|executed|withdrawn|done)/

/** A stop of everything, how far it reached, or the end of an approval. */
export const ofSafety = ({
  payload,
  params,
}: Pick<Heard<'safety/events/{event}'>, 'payload' | 'params'>): Incident | undefined => {
  const text = (name: string): string =>
    typeof payload[name] === 'string' || typeof payload[name] === 'number' ? String(payload[name]) : ''
  const [, end] = APPROVAL_ENDS.exec(payload.type) ?? []
  if (end !== undefined && text('approval') !== '') {
    const about = { intent: text('intent'), device: text('device') }
    return overApproval(text('approval'), end, about, [text('effect'), text('why')].filter(Boolean).join(' '))
  }
  if (payload.type === 'stop')
    return {
      key: `stop:${params.event}`.slice(0, 200),
      source: 'stop',
      severity: 'critical',
      title: clean(`Everything was stopped by ${nameOf(payload.by)}`, 120),
      text: clean(`${sentenceOf(text('reason') || 'No reason was given')} Sent to ${text('devices')} devices.`, 1000),
      link: '/now',
    }
  const silent = payload['unconfirmed']
  if (payload.type === 'stop-reach' && Array.isArray(silent) && silent.length > 0)
    return {
      key: `stop:${params.event}:reach`.slice(0, 200),
      source: 'stop',
      severity: 'critical',
      title: clean(`${silent.length} devices did not confirm the stop`, 120),
      text: clean(
        silent
          .map((one: unknown) => (typeof one === 'object' && one !== null ? String(Reflect.get(one, 'device')) : ''))
          .join(', '),
        1000,
      ),
      link: '/now',
    }
  return undefined
}

/** Flows in quarantine, and those that were and are not any more. */
export const flowsIn = (
  { payload }: Pick<Heard<'hub/flows'>, 'payload'>,
  before: ReadonlySet<string>,
): { incidents: Incident[]; quarantined: Set<string> } => {
  const quarantined = new Set(payload.items.filter(({ status }) => status === 'quarantined').map(({ id }) => id))
  const of = (id: string, ended: boolean): Incident => ({
    key: `flow:${id}`.slice(0, 200),
    source: 'flow',
    severity: 'error',
    title: clean(`Flow ${id} is quarantined`, 120),
    text: 'It failed again and again and runs no more until its file changes or somebody starts it.',
    link: `/flows?id=${encodeURIComponent(id)}`.slice(0, 300),
    ...(ended ? { ended: true } : {}),
  })
  return {
    quarantined,
    incidents: [
      ...[...quarantined].filter((id) => !before.has(id)).map((id) => of(id, false)),
      ...[...before].filter((id) => !quarantined.has(id)).map((id) => of(id, true)),
    ],
  }
}
