// PostgreSQL for kysely: a bounded pool, deadlines on every statement, and numbers where SQLite gives numbers.
import { type DatabaseConnection, type Dialect, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Log } from '../health/report.ts'
import { storeErrorOf } from './errors.ts'

const INT8 = 20

/** The pool: at most ten connections, five seconds to get one, ten for a statement. `bigint` columns arrive as numbers. */
export const postgresPool = (url: string, log: Log): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'millrace',
    max: 10,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 10_000,
    query_timeout: 12_000,
    idle_in_transaction_session_timeout: 30_000,
    types: {
      getTypeParser: ((oid: number, format?: 'text'): unknown =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  })
  // A broken connection is replaced with the next call. Without listeners it would end the process: the pool listens to
  // idle connections only and passes their errors on, one that is in use needs a listener of its own.
  const lost = (error: Error) => log.warn('database-connection-lost', { reason: error.message })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', lost))
  return pool
}

/** kysely's own dialect for PostgreSQL; what goes wrong arrives as StoreError. */
export const postgresDialect = (pool: pg.Pool): Dialect => speaking(new PostgresDialect({ pool }))

/** The same dialect, with every error of its connections turned into a StoreError. */
export const speaking = (inner: Dialect): Dialect => {
  const known = new WeakSet<DatabaseConnection>()
  const explain = (error: unknown): never => {
    throw storeErrorOf(error)
  }
  const wrap = (connection: DatabaseConnection): DatabaseConnection => {
    if (known.has(connection)) return connection
    known.add(connection)
    const execute = connection.executeQuery.bind(connection)
    // Set on the connection itself, because the driver finds its own data by the object it handed out.
    connection.executeQuery = (query, options) =>
      execute(query, options).catch(explain) as ReturnType<typeof execute<never>>
    return connection
  }
  return {
    createAdapter: () => inner.createAdapter(),
    createIntrospector: (db) => inner.createIntrospector(db),
    createQueryCompiler: () => inner.createQueryCompiler(),
    createDriver() {
      const driver = inner.createDriver()
      const acquire = driver.acquireConnection.bind(driver)
      driver.acquireConnection = (options) => acquire(options).then(wrap, explain)
      return driver
    },
  }
}
