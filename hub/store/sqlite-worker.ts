// The thread that holds the SQLite connection: statements in, rows out, one at a time, in order.
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { reasonOf } from '../errors.ts'
import { openCheckpoints } from './checkpoints.ts'
import { sqlCodeOf } from './errors.ts'
import type { FromThread, SqliteOptions, Statement, ToThread } from './sqlite-thread.ts'

const STATEMENTS_KEPT = 256
const QUICK_CHECK_BYTES = 256 * 1024 * 1024

const open = ({ file, synchronous, busyMs }: SqliteOptions): Database.Database => {
  const db = new Database(file, { timeout: busyMs })
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${synchronous}`)
  db.pragma('foreign_keys = ON')
  db.pragma('journal_size_limit = 67108864')
  const [pages, size] = [db.pragma('page_count', { simple: true }), db.pragma('page_size', { simple: true })]
  if (Number(pages) * Number(size) <= QUICK_CHECK_BYTES) {
    const verdict = db.pragma('quick_check(1)', { simple: true })
    if (verdict !== 'ok') throw Object.assign(new Error(String(verdict)), { code: 'SQLITE_CORRUPT' })
  }
  return db
}

const failure = (thrown: unknown) => ({ message: reasonOf(thrown), code: sqlCodeOf(thrown) })

const serve = (port: NonNullable<typeof parentPort>, db: Database.Database): void => {
  const checkpoints = openCheckpoints(db, db.name)
  const kept = new Map<string, Database.Statement>()
  const say = (message: FromThread) => port.postMessage(message)

  const prepared = (sql: string): Database.Statement => {
    const statement = kept.get(sql) ?? db.prepare(sql)
    kept.delete(sql)
    kept.set(sql, statement)
    const [oldest] = kept.keys()
    if (kept.size > STATEMENTS_KEPT && oldest !== undefined) kept.delete(oldest)
    return statement
  }

  const together = db.transaction((statements: readonly Statement[]) => {
    for (const { sql, parameters } of statements) prepared(sql).run(...parameters)
  })

  const run = (id: number, { sql, parameters }: Statement): void => {
    // SQLite ends a transaction by itself on some errors (a full disk); a rollback after that has nothing to do.
    if (sql === 'rollback' && !db.inTransaction) return say({ id, rows: [], blobs: false })
    const statement = prepared(sql)
    if (!statement.reader) {
      const { changes, lastInsertRowid } = statement.run(...parameters)
      return say({ id, rows: [], blobs: false, changes, inserted: lastInsertRowid })
    }
    const rows = statement.all(...parameters)
    const blobs = rows.some((row) => Object.values(row ?? {}).some((value) => value instanceof Uint8Array))
    say({ id, rows, blobs })
  }

  port.on('message', (message: ToThread) => {
    if (message === 'close') {
      void checkpoints.close().then(() => {
        try {
          db.close()
        } finally {
          port.close()
        }
      })
      return
    }
    try {
      if ('together' in message) {
        together.immediate(message.together)
        say({ id: message.id, rows: [], blobs: false })
      } else run(message.id, message)
      checkpoints.wrote()
    } catch (thrown) {
      say({ id: message.id, failed: failure(thrown) })
    }
  })
  say({ id: 0, rows: [], blobs: false })
}

if (parentPort !== null) {
  try {
    serve(parentPort, open(workerData as SqliteOptions))
  } catch (thrown) {
    parentPort.postMessage({ id: 0, failed: failure(thrown) } satisfies FromThread)
    parentPort.close()
  }
}
