// An approval while the gate has it in hand, and the same as a row of the table.
import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { ROLES } from '../../bus/principal.ts'
import { iso } from '../../clock.ts'
import { Approval } from '../../topics/core.ts'
import { canonical, shortened } from '../canonical.ts'
import type { GateRequest } from '../gate.ts'
import type { Takes } from '../policy/policy.ts'
import type { ApprovalsTable } from '../tables.ts'

export type ApprovalView = z.output<typeof Approval>

/** What the approval was asked under. */
export const Asked = z.strictObject({
  approve: z.array(z.enum(ROLES)),
  requesterMayApprove: z.boolean(),
  policy: z.string(),
  signed: z.boolean(),
})
export type Asked = z.output<typeof Asked>

export interface OpenApproval {
  view: ApprovalView
  about: 'command' | 'resume'
  asked: Asked
  /** Set once it is decided: nothing changes it any more. */
  ended?: Exclude<ApprovalView['status'], 'pending'>
  /** Answers are taken one after the other. */
  turn: Promise<unknown>
  calm: () => void
}

/** What is to be asked. */
export interface Question {
  about: OpenApproval['about']
  request: Pick<GateRequest, 'id' | 'device' | 'intent' | 'payload' | 'requestedBy' | 'reason' | 'digest'>
  effect: string
  takes: Pick<Takes, 'hazard' | 'zone' | 'approve' | 'requesterMayApprove' | 'people' | 'phrase'>
  policy: string
  evidence: Record<string, unknown>
  signed: boolean
  expiresAt: number
}

const ALARMING = /[\p{Cc}\p{Cs}]/gu
/** A line of text as topics take it. */
export const line = (text: string, most: number): string =>
  text
    .replace(ALARMING, ' ')
    .slice(0, most)
    .toWellFormed()
    .replace(/[\p{Cs}\ufffd]$/u, '')

/**
 * The digest of an approval: the exact command, under this question. Somebody who says yes sends it back, so that a yes counts
 * for what was seen and for nothing else, on this hub and no other (its id is made at random here).
 */
export const approvalDigest = (
  view: Omit<ApprovalView, 'digest' | 'given' | 'status'>,
  commandDigest: string,
  policy: string,
): string =>
  createHash('sha256')
    .update(
      canonical([
        view.id,
        view.commandId,
        view.device,
        view.intent,
        commandDigest,
        view.requestedBy,
        view.reason ?? '',
        view.hazard,
        view.needed,
        view.expiresAt,
        policy,
      ]),
    )
    .digest('hex')

export const opened = (
  { about, request, effect, takes, policy, evidence, signed, expiresAt }: Question,
  now: number,
): OpenApproval => {
  const body = {
    id: randomUUID(),
    commandId: request.id,
    device: request.device,
    intent: request.intent,
    payload: request.payload,
    effect: line(effect, 500),
    hazard: takes.hazard,
    ...(takes.zone === undefined ? {} : { zone: line(takes.zone, 120) }),
    requestedBy: request.requestedBy,
    ...(request.reason === undefined ? {} : { reason: request.reason }),
    needed: Math.max(1, takes.people),
    phrase: takes.phrase,
    requestedAt: iso(now),
    expiresAt: iso(expiresAt),
    evidence,
  }
  return {
    view: { ...body, given: [], status: 'pending', digest: approvalDigest(body, request.digest, policy) },
    about,
    asked: { approve: [...takes.approve], requesterMayApprove: takes.requesterMayApprove, policy, signed },
    turn: Promise.resolve(),
    calm: () => {},
  }
}

export const rowOf = ({ view, about, asked }: OpenApproval): ApprovalsTable => ({
  id: view.id,
  command_id: view.commandId,
  about,
  device: view.device,
  intent: view.intent,
  requested_by: view.requestedBy,
  status: view.status,
  body: JSON.stringify(view),
  takes: JSON.stringify(asked),
  requested_at: Date.parse(view.requestedAt),
  expires_at: Date.parse(view.expiresAt),
  decided_at: 0,
  decided_by: '',
  why: '',
})

/** A row back as an approval. Throws when it is not as the gate writes it. */
export const approvalFrom = (row: ApprovalsTable): OpenApproval => {
  const view = Approval.parse(JSON.parse(row.body))
  if (view.id !== row.id || view.commandId !== row.command_id) throw new Error('the row names another approval')
  return {
    view,
    about: row.about === 'resume' ? 'resume' : 'command',
    asked: Asked.parse(JSON.parse(row.takes)),
    turn: Promise.resolve(),
    calm: () => {},
    ...(view.status === 'pending' ? {} : { ended: view.status }),
  }
}

/** What happens on a yes, in plain words. Names and values are quoted: they may hold any text. */
export const effectOf = (
  request: Pick<GateRequest, 'intent' | 'device' | 'payload' | 'requestedBy'>,
  device: { name: string; area?: string } | undefined,
  ppe: readonly string[],
): string => {
  const verb = request.intent.slice(request.intent.indexOf('.') + 1).replaceAll('_', ' ')
  const values = Object.entries(request.payload).map(([key, value]) => `${key} = ${canonical(value).slice(0, 60)}`)
  const where = device?.area === undefined ? '' : ` in '${device.area}'`
  const whom =
    device === undefined || device.name === request.device
      ? `'${request.device}'`
      : `'${device.name}' (${request.device})`
  return [
    `Tells ${whom}${where} to ${verb}${values.length === 0 ? '' : ` with ${values.join(', ').slice(0, 200)}`}.`,
    ...(ppe.length === 0 ? [] : [`Wear: ${ppe.join(', ').slice(0, 120)}.`]),
  ].join(' ')
}

/** Evidence in its place and bounds. */
export const evidenceOf = (evidence: Record<string, unknown>): Record<string, unknown> => {
  const short = shortened(evidence, 8192)
  return typeof short === 'object' && short !== null ? { ...short } : { shortened: short }
}
