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

declare module '../store/store.ts' {
  interface Tables {
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
}
