// The store: what is kept in tables (people, credentials, devices, commands, audit, errors), on SQLite or PostgreSQL, off the main thread.
import type { Kysely } from 'kysely'

/** Every table. Each part adds its own in hub/<part>/tables.ts by `declare module '../store/store.ts'`. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- filled by declaration merging
export interface Tables {}

export interface Store {
  readonly db: Kysely<Tables>
  readonly dialect: 'sqlite' | 'postgres'
  close(): Promise<void>
}
