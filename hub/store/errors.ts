// What goes wrong in a store, in words a person can act on, for SQLite and PostgreSQL alike.
import { Recoverable, type ErrorCode, reasonOf } from '../errors.ts'

/** A statement failed. `sql` is the database's own code, such as `SQLITE_FULL` or `23505`; never the statement or its values. */
export class StoreError extends Recoverable {
  readonly sql: string
  constructor(code: ErrorCode, message: string, sql: string, cause?: unknown) {
    super(code, message, { sql }, cause)
    this.sql = sql
  }
}

const DUPLICATE = /^(SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)|23505)$/

/** Whether a write was refused because a row with this key is there already. */
export const isDuplicate = (error: unknown): boolean => error instanceof StoreError && DUPLICATE.test(error.sql)

/** PostgreSQL: 23 integrity, 53 resources (53100 disk full), 57P shutdown, 57014 cancelled, 08 connection, 40 serialisation. */
const SENTENCES: readonly [pattern: RegExp, code: ErrorCode, sentence: string][] = [
  [DUPLICATE, 'CONFLICT', 'There is one with this name already.'],
  [/^(SQLITE_CONSTRAINT|23)/, 'CONFLICT', 'The change does not go with what is stored.'],
  [
    /^(SQLITE_FULL|53100$|ENOSPC$)/,
    'UNAVAILABLE',
    'The disk is full: free some space; what was stored before is intact.',
  ],
  [
    /^(SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_PERM|EACCES$|EROFS$)/,
    'UNAVAILABLE',
    'The store cannot be written: check the owner and the rights of the data folder.',
  ],
  [
    /^(SQLITE_CORRUPT|SQLITE_NOTADB)/,
    'UNAVAILABLE',
    'The store is damaged: stop the hub and restore the last backup of its file.',
  ],
  [/^SQLITE_IOERR/, 'UNAVAILABLE', 'The disk reported an error while the store was read or written: check the disk.'],
  [/^(SQLITE_BUSY|SQLITE_LOCKED|40)/, 'UNAVAILABLE', 'The store is in use by another program: close it, or try again.'],
  [
    /^(57|53|08|ECONN|EPIPE$|ETIMEDOUT$|ENOTFOUND$|EHOSTUNREACH$)/,
    'UNAVAILABLE',
    'The database does not answer: check that it runs; the hub tries again with the next call.',
  ],
]

/** The code a driver gave to an error; '' when it gave none. */
export const sqlCodeOf = (thrown: unknown): string =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : ''

/** Turns what a driver threw into a StoreError. The driver's own text is the `cause`: it may hold values and belongs in the log only. */
export const storeErrorOf = (thrown: unknown): Recoverable => {
  if (thrown instanceof Recoverable) return thrown
  const sql = sqlCodeOf(thrown)
  const known = SENTENCES.find(([pattern]) => pattern.test(sql))
  if (known !== undefined) return new StoreError(known[1], known[2], sql, thrown)
  return /timeout|terminated|connection (error|ended)|closed|discarded/i.test(reasonOf(thrown)) && sql === ''
    ? new StoreError(
        'UNAVAILABLE',
        'The database does not answer: check that it runs; the hub tries again with the next call.',
        '',
        thrown,
      )
    : new StoreError(
        'INTERNAL_ERROR',
        `The store refused a statement of the hub (${sql || 'no code'}): please report this with the log.`,
        sql,
        thrown,
      )
}
