// The store: what is kept in tables (people, credentials, devices, commands, audit, errors), on SQLite or PostgreSQL, off the main thread.
import type { Kysely } from 'kysely'
import type { Changes } from './write.ts'

/** Every table. Each part adds its own in hub/<part>/tables.ts by `declare module '../store/store.ts'`. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- filled by declaration merging
export interface Tables {}

export interface Store {
  readonly db: Kysely<Tables>
  readonly dialect: 'sqlite' | 'postgres'
  /** Makes several changes as one, all or none: on SQLite in a single trip to its thread. Rejects with StoreError. */
  write(changes: Changes): Promise<void>
  close(): Promise<void>
}
