// Reading approvals: what is asked of people, who said yes, and what the hub made of an answer.
import { count, instant, isRecord, optional, record, text, type Json } from './read.ts'

export const APPROVAL_STATES = ['pending', 'approved', 'denied', 'expired', 'cancelled'] as const
export type ApprovalState = (typeof APPROVAL_STATES)[number]

export interface ApprovalItem {
  id: string
  commandId: string
  device: string
  intent: string
  payload: Json
  /** What happens on a yes, in plain words. */
  effect: string
  hazard: string
  zone?: string
  requestedBy: string
  /** Whoever asked may be one of those who say yes. */
  askerMay: boolean
  reason?: string
  /** How many people have to say yes. */
  needed: number
  given: { by: string; at: number }[]
  /** What the first of them has to type. */
  phrase?: string
  /** ms since 1970 by the hub's clock, as the other times. */
  requestedAt: number
  expiresAt: number
  status: ApprovalState
  /** Of what is asked, to be sent back with the answer. */
  digest: string
  evidence: Json
  decidedAt?: number
  decidedBy?: string
  /** Why it ended. */
  why?: string
}

export const DECISIONS = ['approve', 'deny', 'cancel'] as const
export type Decision = (typeof DECISIONS)[number]

export interface ApprovalAnswer {
  id: string
  decision: Decision
  digest: string
  phrase?: string
}

export interface Answered {
  approval?: ApprovalItem
  /** What became of the command after the last yes. */
  status?: string
  reason?: string
  released?: boolean
}

export interface Safety {
  /** The stop that holds the shop, while it does. */
  latched?: { by: string; reason: string; at: number }
  /** Why the policy file does not count. */
  policyWrong?: string
}

const isState = (value: unknown): value is ApprovalState => APPROVAL_STATES.some((one) => one === value)

const readGiven = (value: unknown): ApprovalItem['given'] =>
  Array.isArray(value)
    ? value.flatMap((one: unknown) => {
        const by = isRecord(one) ? text(one['by']) : undefined
        return isRecord(one) && by !== undefined ? [{ by, at: instant(one['at']) }] : []
      })
    : []

/** The hub says it on the approval or in its evidence. Before it did, only the release of the shop was like that. */
const readAskerMay = (value: Json): boolean => {
  const said = value['requesterMayApprove'] ?? record(value['evidence'])['requesterMayApprove']
  return typeof said === 'boolean' ? said : value['intent'] === 'safety.resume'
}

/** An approval; undefined without an id, a known status or the digest an answer needs. */
export const readApproval = (value: unknown): ApprovalItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  const status = value['status']
  const digest = text(value['digest'])
  if (id === undefined || digest === undefined || !isState(status)) return undefined
  const decidedAt = instant(value['decidedAt'])
  return {
    id,
    commandId: text(value['commandId']) ?? '',
    device: text(value['device']) ?? '',
    intent: text(value['intent']) ?? '',
    payload: record(value['payload']),
    effect: text(value['effect']) ?? '',
    hazard: text(value['hazard']) ?? '',
    requestedBy: text(value['requestedBy']) ?? '',
    askerMay: readAskerMay(value),
    needed: Math.max(1, count(value['needed'])),
    given: readGiven(value['given']),
    requestedAt: instant(value['requestedAt']),
    expiresAt: instant(value['expiresAt']),
    status,
    digest,
    evidence: record(value['evidence']),
    ...optional({
      zone: text(value['zone']),
      reason: text(value['reason']),
      phrase: text(value['phrase']),
      decidedBy: text(value['decidedBy']),
      why: text(value['why']),
    }),
    ...(decidedAt > 0 ? { decidedAt } : {}),
  }
}

export const readAnswered = (value: unknown): Answered | undefined => {
  if (!isRecord(value)) return undefined
  const approval = readApproval(value['approval'])
  const command = record(value['command'])
  return {
    ...(approval === undefined ? {} : { approval }),
    ...optional({ status: text(command['status']), reason: text(command['reason']) }),
    ...(command['released'] === true ? { released: true } : {}),
  }
}

export const readSafety = (value: unknown): Safety | undefined => {
  if (!isRecord(value)) return undefined
  const latched = value['latched']
  const wrong = text(record(value['policy'])['wrong'])
  return {
    ...(isRecord(latched)
      ? {
          latched: {
            by: text(latched['by']) ?? '',
            reason: text(latched['reason']) ?? '',
            at: instant(latched['at']),
          },
        }
      : {}),
    ...(wrong === undefined ? {} : { policyWrong: wrong }),
  }
}

/** Why what may hurt somebody is refused to this session; undefined where it is not. */
export const readOutside = (value: unknown): string | undefined =>
  isRecord(value) && value['remote'] === true && value['hazards'] !== 'allow'
    ? (text(value['why']) ?? 'you are not on the network of the building')
    : undefined
