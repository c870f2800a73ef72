// When SQLite's log is long enough it is copied into the database by a thread of its own, so that no write waits for the disk.
import type { Worker } from 'node:worker_threads'
import type Database from 'better-sqlite3'
import { startThread } from '../thread.ts'

/** Pages of the log at which it is copied, 16 MiB: each copy ends with an fsync, and for as long as that takes the file system holds up the log's writer too. */
const PAGES = 4000
/** SQLite's own default, for when there is no thread. */
const PAGES_ALONE = 1000
/** Statements between two looks at the log. */
const LOOK_EVERY = 64
/** At this length the writer copies it itself, whatever the thread does: 64 MiB. */
const PAGES_AT_MOST = 16_000
const CLOSE_MS = 2000

export interface Checkpoints {
  /** Told after each statement. */
  wrote(): void
  /** Ends the thread, after two seconds without waiting for it: who closes the file last takes the log away. */
  close(): Promise<void>
}

const waiting = (db: Database.Database): number => {
  const [state] = db.pragma('wal_checkpoint(NOOP)') as { log: number; checkpointed: number }[]
  return state === undefined ? 0 : state.log - state.checkpointed
}

/** The thread is started when there is work, and ends by itself. Without it SQLite copies its log as it always does. */
export const openCheckpoints = (db: Database.Database, file: string): Checkpoints => {
  db.pragma(`wal_autocheckpoint = ${PAGES_AT_MOST}`)
  let writes = 0
  let worker: Worker | undefined
  let busy = false
  let gaveUp = false

  const start = (): Worker => {
    const started = startThread(new URL('./checkpoint-worker.ts', import.meta.url), {
      name: 'checkpoint',
      workerData: { file },
    })
    started.on('message', () => (busy = false))
    started.on('error', () => {
      gaveUp = true
      db.pragma(`wal_autocheckpoint = ${PAGES_ALONE}`)
    })
    started.on('exit', () => {
      if (worker === started) worker = undefined
      busy = false
    })
    started.unref()
    return started
  }

  return {
    wrote() {
      if (busy || gaveUp || ++writes < LOOK_EVERY || db.inTransaction) return
      writes = 0
      if (waiting(db) < PAGES) return
      busy = true
      worker ??= start()
      worker.postMessage('checkpoint')
    },
    close() {
      gaveUp = true
      const ending = worker
      if (ending === undefined) return Promise.resolve()
      ending.ref()
      ending.postMessage('close')
      return new Promise((resolve) => {
        const late = setTimeout(resolve, CLOSE_MS)
        ending.once('exit', () => {
          clearTimeout(late)
          resolve()
        })
      })
    },
  }
}
