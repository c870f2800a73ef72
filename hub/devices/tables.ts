// Tables of the registry: who owns which device, and the ids given to foreign names.
import type { Migration } from 'kysely/migration'

export interface DevicesTable {
  id: string
  /** Origin of the owner, such as `device:dust` or `plugin:printers`. */
  owner: string
  kind: string
  name: string
  /** ms since 1970. */
  first_seen: number
  /** ms since 1970; 0 for never. Written now and then, not per message. */
  last_seen: number
}

export interface DeviceNamesTable {
  /** Who uses the foreign name: a plugin's id. */
  by: string
  key: string
  id: string
}

declare module '../store/store.ts' {
  interface Tables {
    devices: DevicesTable
    device_names: DeviceNamesTable
  }
}

export const migrations: Record<string, Migration> = {
  '010-devices': {
    async up(db) {
      await db.schema
        .createTable('devices')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('owner', 'text', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('first_seen', 'bigint', (c) => c.notNull())
        .addColumn('last_seen', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema
        .createTable('device_names')
        .addColumn('by', 'text', (c) => c.notNull())
        .addColumn('key', 'text', (c) => c.notNull())
        .addColumn('id', 'text', (c) => c.notNull().unique())
        .addPrimaryKeyConstraint('device_names_pk', ['by', 'key'])
        .execute()
    },
  },
}
