// The thread that holds the SQLite file: reads it at the start, then runs batches, each in one transaction.
import { chmodSync, closeSync, openSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION, STATEMENTS, TABLES } from './schema.ts'

export type Value = string | number | null | Uint8Array
/** Which statement, and its values. */
export type Op = [statement: number, ...values: Value[]]

export interface ThreadData {
  file: string
  power: boolean
  /** Whether the content is wanted: not when the thread is started again. */
  load: boolean
}

export type Order = { do: 'batch'; id: number; ops: Op[] } | { do: 'limit'; pages: number } | { do: 'close' }
export type Report =
  | { is: 'page'; table: string; rows: unknown[] }
  | { is: 'ready' }
  | { is: 'unusable'; why: 'newer' | 'foreign' | 'busy' | 'damaged' | 'closed'; reason: string }
  | { is: 'done'; id: number }
  | { is: 'failed'; id: number; reason: string }

const PAGE_ROWS = 1000
const { file, power, load } = workerData as ThreadData
const report = (message: Report): void => parentPort?.postMessage(message)

class Unusable extends Error {
  readonly why: 'newer' | 'foreign'
  constructor(why: 'newer' | 'foreign', message: string) {
    super(message)
    this.why = why
  }
}

const open = (): Database.Database => {
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
  const db = new Database(file, { timeout: 1000 })
  try {
    // One hub per file; with that, WAL needs no shared memory file.
    db.pragma('locking_mode = EXCLUSIVE')
    const version = Number(db.pragma('user_version', { simple: true }))
    const application = Number(db.pragma('application_id', { simple: true }))
    const tables = Number(db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get())
    if (application !== APPLICATION_ID && (tables > 0 || version > 0))
      throw new Unusable('foreign', 'it is some other SQLite file')
    if (version > SCHEMA_VERSION)
      throw new Unusable('newer', `its version is ${version}, this hub knows ${SCHEMA_VERSION}`)
    db.pragma('journal_mode = WAL')
    // NORMAL survives a kill; FULL syncs each commit and survives a power cut.
    db.pragma(`synchronous = ${power ? 'FULL' : 'NORMAL'}`)
    db.transaction(() => {
      if (version === 0) db.exec(SCHEMA)
      db.pragma(`user_version = ${SCHEMA_VERSION}`)
      db.pragma(`application_id = ${APPLICATION_ID}`)
    }).immediate()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const whyOf = (error: unknown): 'newer' | 'foreign' | 'busy' | 'damaged' | 'closed' => {
  if (error instanceof Unusable) return error.why
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'busy'
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || code === 'SQLITE_ERROR' ? 'damaged' : 'closed'
}

const loadAll = (db: Database.Database): void => {
  for (const [table, sql] of Object.entries(TABLES)) {
    let rows: unknown[] = []
    for (const row of db.prepare(sql).iterate()) {
      rows.push(row)
      if (rows.length < PAGE_ROWS) continue
      report({ is: 'page', table, rows })
      rows = []
    }
    report({ is: 'page', table, rows })
  }
}

const serve = (db: Database.Database): void => {
  const statements = STATEMENTS.map((sql) => db.prepare(sql))
  const run = db.transaction((ops: Op[]) => {
    for (const [statement, ...values] of ops) statements[statement]?.run(...values)
  })
  parentPort?.on('message', (order: Order) => {
    if (order.do === 'close') {
      db.close()
      parentPort?.close()
      return
    }
    if (order.do === 'limit') {
      db.pragma(`max_page_count = ${order.pages}`)
      return
    }
    try {
      run.immediate(order.ops)
      report({ is: 'done', id: order.id })
    } catch (error) {
      report({ is: 'failed', id: order.id, reason: error instanceof Error ? error.message : String(error) })
    }
  })
}

try {
  const db = open()
  if (load) loadAll(db)
  serve(db)
  report({ is: 'ready' })
} catch (error) {
  report({ is: 'unusable', why: whyOf(error), reason: error instanceof Error ? error.message : String(error) })
  parentPort?.close()
}
