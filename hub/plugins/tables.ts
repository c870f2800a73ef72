// Tables of plugins: what each remembers.
import type { Migration } from 'kysely/migration'

export interface PluginMemoryTable {
  plugin: string
  key: string
  /** JSON. */
  value: string
}

declare module '../store/store.ts' {
  interface Tables {
    plugin_memory: PluginMemoryTable
  }
}

export const migrations: Readonly<Record<string, Migration>> = {
  '050-plugins': {
    up: async (db) => {
      await db.schema
        .createTable('plugin_memory')
        .addColumn('plugin', 'text', (column) => column.notNull())
        .addColumn('key', 'text', (column) => column.notNull())
        .addColumn('value', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('plugin_memory_key', ['plugin', 'key'])
        .execute()
    },
  },
}
