// The thread that copies SQLite's log into the database while the store goes on writing; it ends when there is nothing to do.
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'

const IDLE_MS = 60_000

/** PASSIVE never waits for a writer and never makes one wait (SQLite: Write-Ahead Logging, Checkpointing). */
const serve = (port: NonNullable<typeof parentPort>, file: string): void => {
  const db = new Database(file, { timeout: 0 })
  db.pragma('wal_autocheckpoint = 0')
  const end = (): void => {
    db.close()
    port.close()
  }
  const idle = setTimeout(end, IDLE_MS)
  port.on('message', (message: 'checkpoint' | 'close') => {
    if (message === 'close') {
      clearTimeout(idle)
      return end()
    }
    db.pragma('wal_checkpoint(PASSIVE)')
    port.postMessage('done')
    idle.refresh()
  })
}

if (parentPort !== null) serve(parentPort, (workerData as { file: string }).file)
