// The store's own table: settings, as JSON by key.
import type { Migration } from 'kysely/migration'

export interface SettingsTable {
  key: string
  /** JSON. */
  value: string
}

declare module './store.ts' {
  interface Tables {
    settings: SettingsTable
  }
}

export const migrations: Record<string, Migration> = {
  '000-settings': {
    async up(db) {
      await db.schema
        .createTable('settings')
        .addColumn('key', 'text', (column) => column.primaryKey().notNull())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute()
    },
  },
}
