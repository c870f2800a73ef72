// A command on its way through the gate, and the same as a row of the table and as people see it.
import { z } from 'zod'
import type { Kysely } from 'kysely'
import type { Envelope } from '../bus/envelope.ts'
import { iso } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Tables } from '../store/store.ts'
import { type Request, Result } from '../topics/core.ts'
import type { AuditEvent } from './audit.ts'
import { digestOf, sha256 } from './canonical.ts'
import type { CommandStatus, CommandView, GateRequest } from './gate.ts'
import type { CommandsTable } from './tables.ts'

export type Outcome = z.output<typeof Result>

/** A command while the gate has it in hand. */
export interface Command {
  readonly request: GateRequest
  readonly origin: string
  readonly receivedAt: number
  readonly requestSeq: number
  /** The device declares the intent as safe, or a stop sent it. */
  safe: boolean
  status: CommandStatus
  history: { at: string; status: string; detail?: string }[]
  result?: Outcome
  cmdSeq: number
  resultSeq: number
  dispatchedAt: number
  deadline: number
  /** The asker named its end: an approval cannot outlast it. */
  ownExpiry: boolean
  /** What let it through: the policy, and the approval if it took one. */
  cleared?: {
    policy: string
    approval?: string
    /** Who said yes, and when. */
    given?: readonly { by: string; at: string }[]
    evidence?: Record<string, unknown>
  }
  /** Set when it must not be sent any more: why. */
  withdrawn?: string
  /** Set once the result is decided; resolves when it is published. */
  closing?: Promise<void>
  /** Told once, after the result is published. */
  after: (() => void)[]
  /** Its steps, as long as the audit is not told of them: equal refusals are counted, not told one by one. */
  trail?: AuditEvent[]
  /** Calls off the wait for the executor's word. */
  calm: () => void
}

/** What is remembered of a command after its result: enough to know repeats and late words. */
export type Known = Pick<Command, 'origin' | 'status' | 'result' | 'closing' | 'after'> & {
  readonly request: Pick<GateRequest, 'intent' | 'digest'>
}

export const knownOf = ({ request: { intent, digest }, origin, status, result, closing }: Command): Known => ({
  request: { intent, digest },
  origin,
  status,
  ...(result === undefined ? {} : { result }),
  ...(closing === undefined ? {} : { closing }),
  after: [],
})

/** What came in, before anything is filled in. */
export interface Wish {
  device: string
  body: z.output<typeof Request>
  origin: string
  at: number
  seq: number
  correlation: string
  /** The id when the wish names none. */
  id: string
}

/** The wish in a request. Its id, when it names none, is the same each time the same message is read. */
export const wishOf = (
  device: string,
  body: z.output<typeof Request>,
  { origin, at, seq, correlation }: Pick<Envelope, 'origin' | 'at' | 'seq' | 'correlation'>,
): Wish => ({ device, body, origin, at, seq, correlation, id: sha256(`${seq}:${at}:${origin}`).slice(0, 24) })

/** Fills in what a request may leave out. It was made no later than it arrived, by the hub's clock. */
export const commandOf = (wish: Wish, windows: { expiryMs: number; longestExpiryMs: number }): Command => {
  const { device, body, origin, at } = wish
  const payload = body.payload ?? {}
  const id = body.id ?? wish.id
  const asked = body.expiresAt === undefined ? at + windows.expiryMs : Date.parse(body.expiresAt)
  const issued = body.issuedAt === undefined ? at : Date.parse(body.issuedAt)
  const request: GateRequest = {
    id,
    device,
    intent: body.intent,
    payload,
    ...(body.reason === undefined ? {} : { reason: body.reason }),
    requestedBy: origin,
    issuedAt: iso(issued <= at ? issued : at),
    expiresAt: iso(Math.min(Number.isNaN(asked) ? at : asked, at + windows.longestExpiryMs)),
    correlationId: body.correlationId ?? (wish.correlation.slice(0, 128) || id),
    ...(body.conversationId === undefined ? {} : { conversationId: body.conversationId }),
    digest: digestOf(device, body.intent, payload),
  }
  return { ...fresh(request, origin, at, wish.seq), ownExpiry: body.expiresAt !== undefined }
}

/** A pending command for a request whose fields are all filled in. */
export const fresh = (request: GateRequest, origin: string, receivedAt: number, requestSeq: number): Command => ({
  request,
  origin,
  receivedAt,
  requestSeq,
  safe: false,
  status: 'pending',
  history: [{ at: iso(receivedAt), status: 'pending' }],
  cmdSeq: 0,
  resultSeq: 0,
  dispatchedAt: 0,
  deadline: 0,
  ownExpiry: true,
  after: [],
  calm: () => {},
})

/** What people and programs see of it. */
export const viewOf = ({ request, status, history, result }: Command): CommandView => ({
  commandId: request.id,
  device: request.device,
  intent: request.intent,
  payload: request.payload,
  requestedBy: request.requestedBy,
  correlationId: request.correlationId,
  issuedAt: request.issuedAt,
  expiresAt: request.expiresAt,
  status,
  history: [...history],
  ...(result === undefined ? {} : { result }),
})

export const rowOf = ({ request, ...command }: Command): CommandsTable => ({
  id: request.id,
  device: request.device,
  intent: request.intent,
  payload: JSON.stringify(request.payload),
  digest: request.digest,
  origin: command.origin,
  requested_by: request.requestedBy,
  reason: request.reason ?? null,
  correlation: request.correlationId,
  conversation: request.conversationId ?? null,
  issued_at: request.issuedAt,
  expires_at: request.expiresAt,
  received_at: command.receivedAt,
  status: command.status,
  history: JSON.stringify(command.history),
  result: command.result === undefined ? null : JSON.stringify(command.result),
  request_seq: command.requestSeq,
  cmd_seq: command.cmdSeq,
  result_seq: command.resultSeq,
  dispatched_at: command.dispatchedAt,
  deadline: command.deadline,
})

const Payload = z.record(z.string(), z.unknown())
const History = z.array(z.object({ at: z.string(), status: z.string(), detail: z.string().optional() }))
const Status = z.enum(['pending', 'dispatched', 'accepted', ...Result.shape.status.options])

/** A row back as a command. Throws when the row is not as the gate writes it. */
export const commandFrom = (row: CommandsTable): Command => {
  const result = row.result === null ? undefined : Result.parse(JSON.parse(row.result))
  return {
    request: {
      id: row.id,
      device: row.device,
      intent: row.intent,
      payload: Payload.parse(JSON.parse(row.payload)),
      ...(row.reason === null ? {} : { reason: row.reason }),
      requestedBy: row.requested_by,
      issuedAt: row.issued_at,
      expiresAt: row.expires_at,
      correlationId: row.correlation,
      ...(row.conversation === null ? {} : { conversationId: row.conversation }),
      digest: row.digest,
    },
    origin: row.origin,
    receivedAt: Number(row.received_at),
    requestSeq: Number(row.request_seq),
    safe: false,
    status: Status.parse(row.status),
    history: History.parse(JSON.parse(row.history)).map(({ at, status, detail }) => ({
      at,
      status,
      ...(detail === undefined ? {} : { detail }),
    })),
    ...(result === undefined ? {} : { result }),
    cmdSeq: Number(row.cmd_seq),
    resultSeq: Number(row.result_seq),
    dispatchedAt: Number(row.dispatched_at),
    deadline: Number(row.deadline),
    ownExpiry: true,
    after: [],
    calm: () => {},
  }
}

export const findCommand = async (db: Kysely<Tables>, id: string): Promise<Command | undefined> => {
  const row = await db.selectFrom('commands').selectAll().where('id', '=', id).executeTakeFirst()
  return row && commandFrom(row)
}

/** Those rows that are as the gate writes them; `skipped` is told of the others. */
export const readable = (rows: readonly CommandsTable[], skipped: (id: string, why: string) => void): Command[] =>
  rows.flatMap((row) => {
    try {
      return [commandFrom(row)]
    } catch (error) {
      skipped(row.id, reasonOf(error))
      return []
    }
  })

/** Newest first. */
export const listCommands = (
  db: Kysely<Tables>,
  { device, limit }: { device?: string; limit: number },
): Promise<CommandsTable[]> => {
  return db
    .selectFrom('commands')
    .selectAll()
    .$if(device !== undefined, (query) => query.where('device', '=', device ?? ''))
    .orderBy('received_at', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute()
}
