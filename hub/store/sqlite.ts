// SQLite for kysely: one connection in a thread of its own, taken in turns.
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { SqliteThread } from './sqlite-thread.ts'
import type { Turn } from './turn.ts'
import type { Changes } from './write.ts'

/** Extending is how kysely takes an adapter. */
class ThreadAdapter extends SqliteAdapter {
  /** The turnstile in this driver orders the callers, with a bound and a deadline; kysely's own has neither. */
  override get supportsMultipleConnections() {
    return true
  }
  /** SQLite can undo changes to tables, so a migration that fails half-way leaves nothing behind. */
  override get supportsTransactionalDdl() {
    return true
  }
}

const connectionOf = (thread: SqliteThread): DatabaseConnection => ({
  async executeQuery<R>({ sql, parameters }: CompiledQuery) {
    const { rows, changes, inserted } = await thread.run({ sql, parameters })
    return {
      // The caller's types say what the statement selects; the database is the boundary.
      rows: rows as R[],
      ...(changes === undefined ? {} : { numAffectedRows: BigInt(changes) }),
      ...(inserted === undefined ? {} : { insertId: BigInt(inserted) }),
    }
  },
  streamQuery() {
    throw new Error('The store does not stream: read page by page with limit.')
  },
})

/** Makes changes as one transaction, in one trip to the thread. */
export const writeToThread =
  (thread: SqliteThread, turn: Turn) =>
  async (changes: Changes): Promise<void> => {
    // Within another's transaction they would be part of it.
    await turn.take()
    try {
      await thread.together(
        changes.map((change) => {
          const { sql, parameters } = change.compile()
          return { sql, parameters }
        }),
      )
    } finally {
      turn.give()
    }
  }

/** A kysely dialect over an open SQLite thread. Destroying it closes the thread. */
export const sqliteDialect = (thread: SqliteThread, turn: Turn): Dialect => {
  const connection = connectionOf(thread)
  const run = async (sql: string) => void (await connection.executeQuery(CompiledQuery.raw(sql)))
  const driver: Driver = {
    init: async () => {},
    async acquireConnection() {
      await turn.take()
      return connection
    },
    releaseConnection: async () => turn.give(),
    async beginTransaction(_, { accessMode }) {
      try {
        // `immediate`, so that a transaction never fails half-way because another program wrote in between.
        await run(accessMode === 'read only' ? 'begin' : 'begin immediate')
      } catch (error) {
        // A begin that came too late would leave every following statement inside it: what follows it in line undoes it.
        await run('rollback').catch(() => undefined)
        throw error
      }
    },
    commitTransaction: () => run('commit'),
    rollbackTransaction: () => run('rollback'),
    savepoint: (_, name) => run(`savepoint "${name}"`),
    rollbackToSavepoint: (_, name) => run(`rollback to "${name}"`),
    releaseSavepoint: (_, name) => run(`release "${name}"`),
    destroy: () => thread.close(),
  }
  return {
    createAdapter: () => new ThreadAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}
