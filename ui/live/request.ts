// Requests and their fate: put together from the API and from what goes past on MQTT, in any order.
import { instant, isRecord, type Json } from '../api/read.ts'
import type { CommandItem } from '../api/types.ts'

export interface Step {
  at: number
  status: string
  detail?: string
}

export interface RequestView {
  id: string
  device: string
  intent: string
  payload: Json
  requestedBy: string
  issuedAt: number
  expiresAt: number
  correlationId: string
  /** The last word: pending, dispatched, accepted, or one of the outcomes. */
  status: string
  reason?: string
  /** In the order they happened; each status once. */
  steps: readonly Step[]
}

const OUTCOMES: readonly string[] = ['done', 'failed', 'refused', 'denied', 'expired', 'timeout', 'duplicate']

export const isClosed = (status: string): boolean => OUTCOMES.includes(status)

const rank = (status: string): number => {
  if (isClosed(status)) return 3
  if (status === 'accepted') return 2
  if (status === 'dispatched') return 1
  return 0
}

export const fromCommand = (item: CommandItem): RequestView => ({
  id: item.commandId,
  device: item.device,
  intent: item.intent,
  payload: item.payload,
  requestedBy: item.requestedBy,
  issuedAt: item.issuedAt,
  expiresAt: item.expiresAt,
  correlationId: item.correlationId,
  status: item.status,
  ...(item.reason === undefined ? {} : { reason: item.reason }),
  steps: item.history.map(({ at, status, detail }) => ({ at, status, ...(detail === undefined ? {} : { detail }) })),
})

const withStep = (view: RequestView, step: Step): RequestView => {
  if (view.steps.some(({ status }) => status === step.status)) return view
  // A second outcome is the answer to a repeated id: the first one stands.
  if (isClosed(step.status) && isClosed(view.status)) return view
  const steps = [...view.steps, step].sort((a, b) => rank(a.status) - rank(b.status) || a.at - b.at)
  const status = rank(step.status) >= rank(view.status) ? step.status : view.status
  const reason = isClosed(step.status) ? step.detail : view.reason
  return { ...view, steps, status, ...(reason === undefined ? {} : { reason }) }
}

const string = (value: unknown): string => (typeof value === 'string' ? value : '')

/**
 * What a `request`, `cmd`, `ack` or `result` heard at `at` says about a request. A request without an id cannot be
 * told from others and is left to its `cmd` or `result`; an `ack` of an unknown command changes nothing.
 */
export const heard = (
  known: RequestView | undefined,
  leaf: string,
  device: string,
  payload: unknown,
  at: number,
): RequestView | undefined => {
  if (!isRecord(payload) || string(payload['id']) === '') return known
  const id = string(payload['id'])
  if (leaf === 'ack') {
    const status = string(payload['status'])
    // The executor's done or failed becomes the outcome only by the gate's result.
    return known && status === 'accepted' ? withStep(known, { at, status }) : known
  }
  const seen: RequestView = {
    id,
    device,
    intent: string(payload['intent']),
    payload: isRecord(payload['payload']) ? payload['payload'] : {},
    requestedBy: string(payload['requestedBy']),
    issuedAt: instant(payload['issuedAt']) || at,
    expiresAt: instant(payload['expiresAt']),
    correlationId: string(payload['correlationId']),
    status: 'pending',
    steps: [],
  }
  if (leaf === 'result') {
    const reason = string(payload['reason'])
    return withStep(known ?? seen, {
      at,
      status: string(payload['status']),
      ...(reason === '' ? {} : { detail: reason }),
    })
  }
  if (leaf === 'request') return withStep(known ?? seen, { at, status: 'pending' })
  // The cmd is the gate's own word: who asked, and what, stand in it.
  const merged = known ? { ...seen, status: known.status, steps: known.steps } : seen
  return withStep(merged, { at, status: 'dispatched' })
}

/** The newer word of two readings of the same request: what was heard live may be ahead of what was fetched. */
export const merge = (fetched: RequestView, live: RequestView | undefined): RequestView => {
  if (!live || rank(live.status) <= rank(fetched.status)) return fetched
  return live.steps.reduce(withStep, fetched)
}

export interface Mark {
  name: string
  state: 'done' | 'now' | 'bad' | 'skipped'
  at?: number
  word: string
}

const OUTCOME_WORDS: Record<string, string> = {
  done: 'Done',
  failed: 'Failed',
  refused: 'Refused',
  denied: 'Denied',
  expired: 'Expired',
  timeout: 'No answer',
  duplicate: 'Asked twice',
}

/** A status as one or two words for people. */
export const statusWords = (status: string): string =>
  OUTCOME_WORDS[status] ??
  { pending: 'Asked', dispatched: 'Sent', accepted: 'Accepted', awaiting_confirmation: 'Waits for approval' }[status] ??
  status

/** The four places a request passes, for its timeline: asked, sent (the gate's cmd), accepted (the device's ack), outcome. */
export const timeline = (view: RequestView): Mark[] => {
  const at = (status: string): number | undefined => view.steps.find((step) => step.status === status)?.at
  const closed = isClosed(view.status)
  const outcome = view.steps.find((step) => isClosed(step.status))
  const sent = at('dispatched')
  const accepted = at('accepted')
  const done = view.status === 'done'
  const mark = (name: string, word: string, state: Mark['state'], when: number | undefined): Mark => ({
    name,
    word,
    state,
    ...(when === undefined || when === 0 ? {} : { at: when }),
  })
  const reached = (when: number | undefined, before: boolean): Mark['state'] => {
    if (when !== undefined) return 'done'
    if (closed) return 'skipped'
    return before ? 'now' : 'skipped'
  }
  return [
    mark('Asked', 'Asked', 'done', at('pending') ?? view.issuedAt),
    mark('Sent', 'Sent', reached(sent, true), sent),
    // A quick device says done without accepting first; that is no gap in the path.
    mark('Accepted', 'Accepted', done ? 'done' : reached(accepted, sent !== undefined), accepted),
    mark(
      'Outcome',
      closed ? statusWords(view.status) : 'Open',
      closed ? (done ? 'done' : 'bad') : accepted === undefined ? 'skipped' : 'now',
      outcome?.at,
    ),
  ]
}

/** How long a request took from asking to its outcome, in ms; undefined while it is open. */
export const took = (view: RequestView): number | undefined => {
  const end = view.steps.find(({ status }) => isClosed(status))?.at
  const start = view.steps.find(({ status }) => status === 'pending')?.at ?? view.issuedAt
  return end === undefined || start === 0 ? undefined : Math.max(0, end - start)
}
