// The gate: a wish becomes a command here or nowhere. request → schema → rights → expiry, duplicate → interlocks → approval → cmd → ack → result.
import type { z } from 'zod'
import type { Principal } from '../bus/principal.ts'
import type { Verdict } from '../broker/broker.ts'
import type { Request, Result } from '../topics/core.ts'
import type { SignedHead } from './anchor.ts'
import type { AuditVerdict } from './verify.ts'
import type { Safety } from './approvals/safety.ts'
import type { Signature } from './approvals/signatures.ts'

/** A request as the gate judges it: everything filled in. Times in ISO 8601. */
export interface GateRequest {
  id: string
  device: string
  intent: string
  payload: Record<string, unknown>
  reason?: string
  requestedBy: string
  issuedAt: string
  expiresAt: string
  correlationId: string
  conversationId?: string
  /** Hash of device, intent and payload: what a repeated id must have in common. */
  digest: string
}

/** What interlocks look at: the world as the hub knew it when the request was judged. */
export interface Snapshot {
  at: number
  device(
    id: string,
  ):
    | { online: boolean; kind: string; area?: string; state: Record<string, unknown>; safe: readonly string[] }
    | undefined
}

/** A condition that blocks. Must answer within 200 ms; no answer on a hazardous intent counts as no. Never asked for safe intents. */
export interface Interlock {
  name: string
  /** One sentence for people: what it guards. */
  explains: string
  check(request: GateRequest, world: Snapshot): Verdict | Promise<Verdict>
}

export type CommandStatus = 'pending' | 'dispatched' | 'accepted' | z.output<typeof Result>['status']

export interface CommandView {
  commandId: string
  device: string
  intent: string
  payload: Record<string, unknown>
  requestedBy: string
  correlationId: string
  issuedAt: string
  expiresAt: string
  status: CommandStatus
  history: { at: string; status: string; detail?: string }[]
  result?: z.output<typeof Result>
}

/** What becomes of a request at once: dispatched, still waiting (an approval), or closed with its result. `http` is the status a route answers with; 503 when nothing can be recorded. */
export interface Answer {
  commandId: string
  status: 'pending' | 'dispatched' | 'awaiting_confirmation' | 'refused' | 'duplicate'
  http: 202 | 400 | 403 | 404 | 409 | 410 | 422 | 503
  reason?: string
  /** The approval that people are asked for, while it awaits confirmation. */
  approval?: string
  /** For an intent or device nobody knows: what may have been meant. */
  near?: string[]
  /** What is wrong in the request, such as `payload.level`. */
  field?: string
}

/** What the audit holds of something that is no command. */
export interface AuditNote {
  /** Origin of whoever did it, such as `person:ada`. */
  who: string
  /** What it was done to: a person, a device, a key. */
  subject: string
  detail: Record<string, unknown>
}

/** The newest signed head that is kept outside the database. */
export interface Anchored {
  /** Where the heads are kept. */
  file: string
  /** How often one is written, when the chain has grown. */
  everyMinutes: number
  /** Fingerprint of the key that signs now. */
  key: string
  /** Left out while none was written. */
  newest?: SignedHead
  /** Why the file cannot be read, or its newest head does not count. */
  wrong?: string
}

export interface Gate {
  /** Asks for something. Publishes the request as `who`, judges it, and answers as soon as it is dispatched or refused, or people are asked for their yes. */
  ask(who: Principal, device: string, request: z.output<typeof Request>, signature?: Signature): Promise<Answer>
  /** Stops what moves: every device's safe intents, past expiry and interlocks, rights alone apply. Resolves when all are dispatched. */
  stop(
    who: Principal,
    reason: string,
  ): Promise<{ id: string; devices: { device: string; intents: string[]; error?: string }[] }>
  command(id: string): Promise<CommandView | undefined>
  /** Newest first. */
  commands(query: { device?: string; limit?: number }): Promise<CommandView[]>
  /** Approvals, the latch of a stop, signing keys and the policy. */
  readonly safety: Safety
  addInterlock(interlock: Interlock): void
  /** An audit row about something that is no command, such as a password that was set. Never throws. */
  note(event: string, about: AuditNote): void
  /** Walks the audit chain, and holds it against the signed heads that are kept. */
  verify(): Promise<AuditVerdict>
  /** Where the chain ends now, and where it was anchored last; no `anchored` on a gate without an anchor. */
  head(): Promise<{ n: number; hash: string; anchored?: Anchored }>
  /** For tests and metrics: open commands now. */
  readonly open: number
  close(): Promise<void>
}
