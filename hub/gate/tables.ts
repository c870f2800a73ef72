// Tables of the gate: commands with their fate, and the audit chain with its head.
import type { Migration } from 'kysely/migration'

export interface CommandsTable {
  id: string
  device: string
  intent: string
  /** JSON. */
  payload: string
  digest: string
  origin: string
  requested_by: string
  reason: string | null
  correlation: string
  conversation: string | null
  /** ISO 8601, as in the command. */
  issued_at: string
  expires_at: string
  /** ms since 1970. */
  received_at: number
  status: string
  /** JSON array of `{ at, status, detail? }`. */
  history: string
  /** JSON of the result; null while open. */
  result: string | null
  /** seq of the request in the journal; 0 for commands of a stop. */
  request_seq: number
  /** seq of the `cmd`; 0 while none is out. */
  cmd_seq: number
  /** seq of the `result`; 0 while it is not published. */
  result_seq: number
  /** ms since 1970; 0 while not dispatched. From then on it is never sent again. */
  dispatched_at: number
  /** ms since 1970 by which the executor must speak. */
  deadline: number
}

export interface AuditTable {
  n: number
  /** ms since 1970. */
  at: number
  event: string
  /** Id of the request, or ''. */
  subject: string
  who: string
  device: string
  intent: string
  /** Canonical JSON. */
  detail: string
  prev: string
  hash: string
}

export interface AuditHeadTable {
  id: number
  n: number
  hash: string
}

export interface ApprovalsTable {
  id: string
  /** The command it is about; each has one approval. */
  command_id: string
  /** `command`, or `resume` after a stop. */
  about: string
  device: string
  intent: string
  requested_by: string
  status: string
  /** JSON of the approval as it is published. */
  body: string
  /** JSON of what the policy took when it was asked. */
  takes: string
  /** ms since 1970. */
  requested_at: number
  expires_at: number
  /** 0 while it is pending. */
  decided_at: number
  /** Who decided last, or ''. */
  decided_by: string
  why: string
}

export interface HazardKeysTable {
  id: string
  /** `person:ada` or `device:welder`. */
  owner: string
  algorithm: string
  /** SPKI, base64; '' for HMAC, whose keys are derived. */
  public_key: string
  created_at: number
}

export interface HazardNoncesTable {
  /** Key id and nonce. */
  nonce: string
  used_at: number
}

export interface SafetyLatchTable {
  /** 1: there is one shop. */
  id: number
  /** Id of the stop. */
  stop: string
  by: string
  reason: string
  at: number
}

declare module '../store/store.ts' {
  interface Tables {
    approvals: ApprovalsTable
    hazard_keys: HazardKeysTable
    hazard_nonces: HazardNoncesTable
    safety_latch: SafetyLatchTable
    commands: CommandsTable
    audit: AuditTable
    audit_head: AuditHeadTable
  }
}

export const migrations: Record<string, Migration> = {
  '020-gate': {
    async up(db) {
      await db.schema
        .createTable('commands')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('device', 'text', (c) => c.notNull())
        .addColumn('intent', 'text', (c) => c.notNull())
        .addColumn('payload', 'text', (c) => c.notNull())
        .addColumn('digest', 'text', (c) => c.notNull())
        .addColumn('origin', 'text', (c) => c.notNull())
        .addColumn('requested_by', 'text', (c) => c.notNull())
        .addColumn('reason', 'text')
        .addColumn('correlation', 'text', (c) => c.notNull())
        .addColumn('conversation', 'text')
        .addColumn('issued_at', 'text', (c) => c.notNull())
        .addColumn('expires_at', 'text', (c) => c.notNull())
        .addColumn('received_at', 'bigint', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('history', 'text', (c) => c.notNull())
        .addColumn('result', 'text')
        .addColumn('request_seq', 'bigint', (c) => c.notNull())
        .addColumn('cmd_seq', 'bigint', (c) => c.notNull())
        .addColumn('result_seq', 'bigint', (c) => c.notNull())
        .addColumn('dispatched_at', 'bigint', (c) => c.notNull())
        .addColumn('deadline', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema.createIndex('commands_received').on('commands').columns(['received_at', 'id']).execute()
      await db.schema.createIndex('commands_device').on('commands').columns(['device', 'received_at']).execute()
      await db.schema.createIndex('commands_status').on('commands').column('status').execute()
      await db.schema.createIndex('commands_request').on('commands').column('request_seq').execute()
      await db.schema
        .createTable('audit')
        .addColumn('n', 'bigint', (c) => c.primaryKey())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('event', 'text', (c) => c.notNull())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('who', 'text', (c) => c.notNull())
        .addColumn('device', 'text', (c) => c.notNull())
        .addColumn('intent', 'text', (c) => c.notNull())
        .addColumn('detail', 'text', (c) => c.notNull())
        .addColumn('prev', 'text', (c) => c.notNull())
        .addColumn('hash', 'text', (c) => c.notNull())
        .execute()
      await db.schema.createIndex('audit_subject').on('audit').columns(['subject', 'n']).execute()
      await db.schema.createIndex('audit_device').on('audit').columns(['device', 'n']).execute()
      await db.schema.createIndex('audit_at').on('audit').column('at').execute()
      await db.schema
        .createTable('audit_head')
        .addColumn('id', 'integer', (c) => c.primaryKey())
        .addColumn('n', 'bigint', (c) => c.notNull())
        .addColumn('hash', 'text', (c) => c.notNull())
        .execute()
    },
  },
  '021-approvals': {
    async up(db) {
      await db.schema
        .createTable('approvals')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('command_id', 'text', (c) => c.notNull().unique())
        .addColumn('about', 'text', (c) => c.notNull())
        .addColumn('device', 'text', (c) => c.notNull())
        .addColumn('intent', 'text', (c) => c.notNull())
        .addColumn('requested_by', 'text', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('body', 'text', (c) => c.notNull())
        .addColumn('takes', 'text', (c) => c.notNull())
        .addColumn('requested_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .addColumn('decided_at', 'bigint', (c) => c.notNull())
        .addColumn('decided_by', 'text', (c) => c.notNull())
        .addColumn('why', 'text', (c) => c.notNull())
        .execute()
      await db.schema.createIndex('approvals_requested').on('approvals').columns(['requested_at', 'id']).execute()
      await db.schema.createIndex('approvals_status').on('approvals').column('status').execute()
      await db.schema
        .createTable('hazard_keys')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('owner', 'text', (c) => c.notNull())
        .addColumn('algorithm', 'text', (c) => c.notNull())
        .addColumn('public_key', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema.createIndex('hazard_keys_owner').on('hazard_keys').columns(['owner', 'created_at']).execute()
      await db.schema
        .createTable('hazard_nonces')
        .addColumn('nonce', 'text', (c) => c.primaryKey())
        .addColumn('used_at', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema.createIndex('hazard_nonces_used').on('hazard_nonces').column('used_at').execute()
      await db.schema
        .createTable('safety_latch')
        .addColumn('id', 'integer', (c) => c.primaryKey())
        .addColumn('stop', 'text', (c) => c.notNull())
        .addColumn('by', 'text', (c) => c.notNull())
        .addColumn('reason', 'text', (c) => c.notNull())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema.createIndex('audit_event').on('audit').columns(['event', 'n']).execute()
    },
  },
}
