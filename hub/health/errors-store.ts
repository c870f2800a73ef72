// Error events kept for a week: written in batches off the hot path, bounded in number and age, read by GET /api/errors.
import { type Clock, iso } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { ErrorEvent } from '../topics/core.ts'
import type { ErrorEventValue } from './health.ts'
import type { Log } from './report.ts'
import type { ErrorRow } from './tables.ts'

export interface ErrorQuery {
  /** How far back, in hours. */
  hours: number
  severity?: ErrorEventValue['severity']
  source?: string
  limit: number
}

export interface ErrorStore {
  /** Queues an event; when the queue is full the oldest goes and is counted. Never throws. */
  add(event: ErrorEventValue): void
  /** Newest first; what is still queued is written before. */
  find(query: ErrorQuery): Promise<ErrorEventValue[]>
  /** Writes what is queued and forgets what is too old or too much. */
  flush(): Promise<void>
  dropped(): number
  close(): Promise<void>
}

export interface ErrorStoreOptions {
  store: Pick<Store, 'db'>
  clock: Pick<Clock, 'now'>
  log: Log
  retainDays?: number
  max?: number
}

const HOUR_MS = 3_600_000
const FLUSH_MS = 500
const PRUNE_MS = 60_000
const MAX_QUEUED = 2_000
/** Eleven columns each: well under the variable limits of both databases. */
const ROWS_PER_INSERT = 100

/** Opens the store of error events; its migration must have run. */
export const openErrorStore = (options: ErrorStoreOptions): ErrorStore => {
  const { clock, log, retainDays = 7, max = 100_000 } = options
  const { db } = options.store
  let queue: ErrorRow[] = []
  let dropped = 0
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()
  let pruned = Number.NEGATIVE_INFINITY
  let closed = false
  let failing = false

  const write = async (): Promise<void> => {
    try {
      while (queue.length > 0) {
        const batch = queue.slice(0, ROWS_PER_INSERT)
        await db
          .insertInto('errors')
          .values(batch)
          .onConflict((conflict) => conflict.column('id').doNothing())
          .execute()
        const written = new Set(batch)
        queue = queue.filter((row) => !written.has(row))
      }
      if (failing) log.info('errors.stored_again', {})
      failing = false
    } catch (error) {
      if (!failing) log.error('errors.unstored', { reason: reasonOf(error), waiting: queue.length })
      failing = true
    }
  }

  const prune = async (): Promise<void> => {
    const now = clock.now()
    if (now - pruned < PRUNE_MS) return
    pruned = now
    try {
      await db
        .deleteFrom('errors')
        .where('at', '<', now - retainDays * 24 * HOUR_MS)
        .execute()
      const beyond = await db
        .selectFrom('errors')
        .select('at')
        .orderBy('at', 'desc')
        .orderBy('id', 'desc')
        .offset(max)
        .limit(1)
        .executeTakeFirst()
      if (beyond !== undefined) await db.deleteFrom('errors').where('at', '<=', beyond.at).execute()
    } catch (error) {
      log.error('errors.unpruned', { reason: reasonOf(error) })
    }
  }

  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(write).then(prune)
    return writing.then(() => (queue.length > 0 ? later() : undefined))
  }
  const later = (): void => {
    if (closed) return
    timer ??= setTimeout(() => void flush(), failing ? FLUSH_MS * 10 : FLUSH_MS).unref()
  }

  return {
    add: (event) => {
      if (closed) return
      if (queue.length >= MAX_QUEUED) {
        queue.shift()
        dropped++
      }
      queue.push(rowOf(event))
      later()
    },
    find: async ({ hours, severity, source, limit }) => {
      await flush()
      let query = db
        .selectFrom('errors')
        .selectAll()
        .where('at', '>=', clock.now() - hours * HOUR_MS)
      if (severity !== undefined) query = query.where('severity', '=', severity)
      if (source !== undefined) query = query.where('source', '=', source)
      const rows = await query.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit).execute()
      return rows.map(eventOf)
    },
    flush,
    dropped: () => dropped,
    close: async () => {
      closed = true
      await flush()
    },
  }
}

const rowOf = (event: ErrorEventValue): ErrorRow => ({
  id: event.id,
  at: Date.parse(event.timestamp),
  source: event.source,
  type: event.type,
  severity: event.severity,
  category: event.category,
  message: event.message,
  details: JSON.stringify(event.details),
  stack: event.stack ?? null,
  correlation_id: event.correlation_id ?? null,
  retry_count: event.retry_count,
})

const eventOf = (row: ErrorRow): ErrorEventValue =>
  ErrorEvent.parse({
    id: row.id,
    // PostgreSQL gives a bigint as text.
    timestamp: iso(Number(row.at)),
    source: row.source,
    type: row.type,
    severity: row.severity,
    category: row.category,
    message: row.message,
    details: JSON.parse(row.details) as unknown,
    ...(row.stack === null ? {} : { stack: row.stack }),
    ...(row.correlation_id === null ? {} : { correlation_id: row.correlation_id }),
    retry_count: row.retry_count,
  })
