// The thread that holds the SQLite file: reads it at the start, then runs batches, each in one transaction, and reads pages of queues.
import { chmodSync, closeSync, openSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { PlaceRow, QueueRow, Rows } from './schema.ts'
import {
  APPLICATION_ID,
  BURIED,
  DO,
  MIGRATIONS,
  QUEUE_PAGE,
  SCHEMA,
  SCHEMA_VERSION,
  SENT,
  STATEMENTS,
  TABLES,
} from './schema.ts'

export type Value = string | number | null | Uint8Array
/** Which statement, and its values. */
export type Op = [statement: number, ...values: Value[]]

export interface ThreadData {
  file: string
  power: boolean
  /** Whether the content is wanted: not when the thread is started again. */
  load: boolean
}

export type Order =
  | { do: 'batch'; id: number; ops: Op[] }
  /** A page of a client's queue behind row `after`: at most `rows` rows and about `bytes` bytes, but one at least if there is one. */
  | { do: 'read'; id: number; client: string; after: number; rows: number; bytes: number }
  | { do: 'limit'; pages: number }
  | { do: 'close' }
export type Report =
  | { is: 'page'; table: string; rows: unknown[] }
  | { is: 'ready' }
  | { is: 'unusable'; why: 'newer' | 'foreign' | 'busy' | 'damaged' | 'closed'; reason: string }
  /** `freed`: bytes of the messages that no queue had any more, of those that were asked to go if so. */
  | { is: 'done'; id: number; freed: number }
  | { is: 'failed'; id: number; reason: string }
  | { is: 'rows'; id: number; rows: QueueRow[] }
  | { is: 'unread'; id: number; reason: string }
  /** Some of what was buried is gone: bytes of its places, and of the messages that were in no other queue. */
  | { is: 'cleared'; places: number; freed: number }

const PAGE_ROWS = 1000
/** KiB; queues are written at their end and read at their head. */
const CACHE_KIB = 4096
/** Pages of 4 KiB in the write-ahead log at which it goes into the file: that costs two syncs, for which everybody waits. */
const LOG_PAGES = 4000
/** What the log is cut to when it has grown beyond that, bytes. */
const LOG_BYTES = 16 * 2 ** 20
const { file, power, load } = workerData as ThreadData
const report = (message: Report, moved: ArrayBuffer[] = []): void => parentPort?.postMessage(message, moved)

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
    db.pragma(`cache_size = -${CACHE_KIB}`)
    db.pragma(`wal_autocheckpoint = ${LOG_PAGES}`)
    db.pragma(`journal_size_limit = ${LOG_BYTES}`)
    // NORMAL survives a kill; FULL syncs each commit and survives a power cut.
    db.pragma(`synchronous = ${power ? 'FULL' : 'NORMAL'}`)
    db.transaction(() => {
      if (version === 0) db.exec(SCHEMA)
      else for (let from = version; from < SCHEMA_VERSION; from++) db.exec(MIGRATIONS[from] ?? '')
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

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const tell = (table: string, found: Iterable<unknown>): void => {
  let rows: unknown[] = []
  for (const row of found) {
    rows.push(row)
    if (rows.length < PAGE_ROWS) continue
    report({ is: 'page', table, rows })
    rows = []
  }
  report({ is: 'page', table, rows })
}

const loadAll = (db: Database.Database): void => {
  const sent = db.prepare<[string, number], PlaceRow>(SENT)
  for (const [table, sql] of Object.entries(TABLES)) {
    tell(table, db.prepare(sql).iterate())
    if (table !== 'queues') continue
    for (const { client, sent: upto } of db.prepare<[], Rows['queues']>(sql).all())
      if (upto !== null) tell('sent', sent.iterate(client, upto))
  }
}

/** Rows with all their payloads moved into one buffer, which then goes to the other thread as it is. */
const packed = (rows: QueueRow[]): { rows: QueueRow[]; buffer: ArrayBuffer } => {
  const all = new Uint8Array(rows.reduce((sum, { payload }) => sum + payload.length, 0))
  let at = 0
  const moved = rows.map((row): QueueRow => {
    all.set(row.payload, at)
    at += row.payload.length
    return { ...row, payload: all.subarray(at - row.payload.length, at) }
  })
  return { rows: moved, buffer: all.buffer }
}

/** Removes what is buried, some rows at a time, between the orders. */
const undertaker = (db: Database.Database) => {
  const rows = db.prepare<[string, number, number], Pick<PlaceRow, 'id' | 'message' | 'shared' | 'bytes'>>(BURIED.rows)
  const done = db.prepare(BURIED.done)
  const dequeue = db.prepare(STATEMENTS[DO.dequeue])
  const drop = db.prepare(STATEMENTS[DO.dropMessage])
  const dropUnused = db.prepare(STATEMENTS[DO.dropUnused])
  const graves = db.prepare<[], { client: string; upto: number }>(BURIED.all).all()
  let isScheduled = false

  const clear = db.transaction(({ client, upto }: { client: string; upto: number }) => {
    const cleared = { places: 0, freed: 0, isDone: true }
    for (const { id, message, shared, bytes } of rows.all(client, upto, PAGE_ROWS)) {
      dequeue.run(client, id)
      const { changes } = shared === 1 ? dropUnused.run(message, bytes) : drop.run(message)
      cleared.places += bytes
      cleared.freed += changes * bytes
      cleared.isDone = false
    }
    if (cleared.isDone) done.run(client, upto)
    return cleared
  })

  const next = (): void => {
    isScheduled = false
    const grave = graves[0]
    if (grave === undefined || !db.open) return
    try {
      const { places, freed, isDone } = clear.immediate(grave)
      if (isDone) graves.shift()
      else report({ is: 'cleared', places, freed })
      schedule()
    } catch {
      // The disk takes no more: tried again with the next batch that gets through.
    }
  }
  const schedule = (): void => {
    if (isScheduled || graves.length === 0) return
    isScheduled = true
    setImmediate(next)
  }
  schedule()
  return {
    bury(ops: readonly Op[]): void {
      for (const [statement, client, upto] of ops)
        if (statement === DO.bury) graves.push({ client: String(client), upto: Number(upto) })
      schedule()
    },
  }
}

const serve = (db: Database.Database): void => {
  const statements = STATEMENTS.map((sql) => db.prepare(sql))
  const page = db.prepare<[string, number, number], QueueRow>(QUEUE_PAGE)
  const { bury } = undertaker(db)
  const run = db.transaction((ops: Op[]): number => {
    let freed = 0
    for (const [statement, ...values] of ops) {
      const changes = statements[statement]?.run(...values).changes
      if (statement === DO.dropUnused && changes === 1) freed += Number(values[1])
    }
    return freed
  })
  const read = ({ client, after, rows, bytes }: Extract<Order, { do: 'read' }>): QueueRow[] => {
    const found: QueueRow[] = []
    let size = 0
    for (const row of page.iterate(client, after, rows)) {
      size += row.bytes
      if (found.length > 0 && size > bytes) break
      found.push(row)
    }
    return found
  }
  parentPort?.on('message', (order: Order) => {
    if (order.do === 'close') {
      db.close()
      parentPort?.close()
    } else if (order.do === 'limit') {
      db.pragma(`max_page_count = ${order.pages}`)
    } else if (order.do === 'read') {
      try {
        const { rows, buffer } = packed(read(order))
        report({ is: 'rows', id: order.id, rows }, [buffer])
      } catch (error) {
        report({ is: 'unread', id: order.id, reason: reasonOf(error) })
      }
    } else {
      try {
        report({ is: 'done', id: order.id, freed: run.immediate(order.ops) })
        bury(order.ops)
      } catch (error) {
        report({ is: 'failed', id: order.id, reason: reasonOf(error) })
      }
    }
  })
}

try {
  const db = open()
  if (load) loadAll(db)
  serve(db)
  report({ is: 'ready' })
} catch (error) {
  report({ is: 'unusable', why: whyOf(error), reason: reasonOf(error) })
  parentPort?.close()
}
