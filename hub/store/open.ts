// Opens the store: SQLite in a file, or PostgreSQL by URL; up to date, or not at all.
import { chmodSync, closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import project from '../../package.json' with { type: 'json' }
import { Fatal, reasonOf } from '../errors.ts'
import type { Log } from '../health/report.ts'
import { sqlCodeOf } from './errors.ts'
import { makeFolder } from './folder.ts'
import { migrate } from './migrations.ts'
import { placeOf } from './postgres-place.ts'
import { openSqliteThread } from './sqlite-thread.ts'
import { sqliteDialect, writeToThread } from './sqlite.ts'
import type { Store, Tables } from './store.ts'
import { openTurn } from './turn.ts'
import { writeTo } from './write.ts'

export interface StoreOptions {
  /** `postgres://…`; undefined for SQLite. */
  url?: string | undefined
  /** The SQLite file. Made with mode 0600 in a folder with mode 0700. */
  file: string
  log: Log
  /** `power`: every change reaches the disk before it counts. Default `process`. */
  durability?: 'process' | 'power'
  /** The hub's version, kept with the tables. Default: that of package.json. */
  version?: string
  /** Told when the store stops by itself (SQLite's thread died). Nothing can be stored after that. */
  lost?: (why: Error) => void
  /** For tests: other changes than the hub's own. */
  migrations?: Readonly<Record<string, Migration>>
}

const BUSY_MS = 5000
const STATEMENT_MS = 10_000
const LINE = 10_000

/** Opens the store and brings its tables up to date. Throws Fatal with a sentence that says what to do. */
export const openStore = async (options: StoreOptions): Promise<Store> => {
  const { url, file, log, version = project.version } = options
  const place = url === undefined ? file : `The database at ${placeOf(url)}`
  const { db, write } = url === undefined ? await openSqlite(options) : await openPostgres(url, log)
  try {
    const ran = await migrate(db, { place, version, ...(options.migrations && { known: options.migrations }) })
    if (ran.length > 0) log.info('store-migrated', { migrations: ran, version })
  } catch (error) {
    await db.destroy()
    throw error instanceof Fatal ? error : new Fatal(openingFailed(place, error), error)
  }
  return { db, dialect: url === undefined ? 'sqlite' : 'postgres', write, close: () => db.destroy() }
}

type Opened = Pick<Store, 'db' | 'write'>

const openSqlite = async ({ file, log, durability, lost }: StoreOptions): Promise<Opened> => {
  try {
    makeFolder(dirname(file))
    // SQLite gives its -wal and -shm files the mode of the file itself.
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
    const thread = await openSqliteThread(
      { file, synchronous: durability === 'power' ? 'FULL' : 'NORMAL', busyMs: BUSY_MS },
      {
        deadlineMs: STATEMENT_MS,
        lost: (why) => {
          log.error('store-lost', { reason: reasonOf(why.cause ?? why) })
          lost?.(why)
        },
      },
    )
    const turn = openTurn({ limit: LINE, waitMs: STATEMENT_MS, what: 'The store' })
    return { db: new Kysely({ dialect: sqliteDialect(thread, turn) }), write: writeToThread(thread, turn) }
  } catch (error) {
    throw new Fatal(openingFailed(file, error), error)
  }
}

const openPostgres = async (url: string, log: Log): Promise<Opened> => {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new Fatal('DATABASE_URL: must start with postgres:// (leave it out to use SQLite).')
  }
  // A hub on SQLite does without the driver.
  const { postgresDialect, postgresPool } = await import('./postgres.ts')
  const db = new Kysely<Tables>({ dialect: postgresDialect(postgresPool(url, log)) })
  try {
    await sql`select 1`.execute(db)
    return { db, write: writeTo(db) }
  } catch (error) {
    await db.destroy()
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    throw new Fatal(
      `The database at ${placeOf(url)} cannot be used: ${reasonOf(cause) || sqlCodeOf(cause)}. ` +
        'Check DATABASE_URL and that PostgreSQL runs, or leave DATABASE_URL out to use SQLite.',
      error,
    )
  }
}

const ADVICE: readonly [pattern: RegExp, advice: string][] = [
  [
    /^(EACCES|EROFS|EPERM|ENOENT|SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_PERM)/,
    'cannot be written. Give the user that runs the hub the right to write it, or choose another folder with DATA_DIR.',
  ],
  [
    /^(ENOTDIR|EISDIR|EEXIST)/,
    'is not where a file can be: something else has this name. Choose another folder with DATA_DIR.',
  ],
  [
    /^(ENOSPC|SQLITE_FULL|53100)/,
    'cannot be written because the disk is full. Free some space and start again; what was stored before is intact.',
  ],
  [
    /^SQLITE_NOTADB/,
    'is not a database of the hub. Move it away to start empty, or restore a backup. It was not changed.',
  ],
  [/^SQLITE_CORRUPT/, 'is damaged. Restore the last backup, or move it away to start empty. It was not changed.'],
  [
    /^SQLITE_(BUSY|LOCKED)/,
    'is held by another program. Close that program (a database browser, a backup) and start again.',
  ],
]

const openingFailed = (place: string, error: unknown): string => {
  const code = sqlCodeOf(error) || (error instanceof Error ? sqlCodeOf(error.cause) : '')
  const advice = ADVICE.find(([pattern]) => pattern.test(code))?.[1]
  return advice === undefined ? `${place} could not be opened: ${reasonOf(error)}` : `${place} ${advice}`
}
