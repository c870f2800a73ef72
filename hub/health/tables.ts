// The table of error events, with its migration; the same on SQLite and PostgreSQL.
import type { Migration } from 'kysely/migration'

export interface ErrorRow {
  id: string
  /** ms since 1970. */
  at: number
  source: string
  type: string
  severity: string
  category: string
  message: string
  /** JSON. */
  details: string
  stack: string | null
  correlation_id: string | null
  retry_count: number
}

declare module '../store/store.ts' {
  interface Tables {
    errors: ErrorRow
  }
}

export const migrations: Record<string, Migration> = {
  '030-errors': {
    up: async (db) => {
      await db.schema
        .createTable('errors')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('source', 'text', (column) => column.notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('severity', 'text', (column) => column.notNull())
        .addColumn('category', 'text', (column) => column.notNull())
        .addColumn('message', 'text', (column) => column.notNull())
        .addColumn('details', 'text', (column) => column.notNull())
        .addColumn('stack', 'text')
        .addColumn('correlation_id', 'text')
        .addColumn('retry_count', 'integer', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('errors_at').on('errors').column('at').execute()
      await db.schema.createIndex('errors_source_at').on('errors').columns(['source', 'at']).execute()
    },
  },
}
