// One hub per data folder: a lock the operating system drops when the process dies, however it dies.
import { chmodSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Fatal, reasonOf } from '../errors.ts'
import { sqlCodeOf } from './errors.ts'
import { makeFolder } from './folder.ts'

export interface DataDirLock {
  release(): Promise<void>
}

const MIB = 1024 * 1024
/** Below this the journal and the store would fail within minutes. */
const LEAST_FREE_MIB = 32

/**
 * Makes the folder (mode 0700), checks that it can be written and has room, and takes it for this process.
 * Node has no file lock of its own, so a tiny SQLite file is held in an exclusive transaction: the operating system
 * frees it even after kill -9, where a file with a process id would stay behind. Nothing else may open and close
 * `hub.lock` in this process: POSIX drops a process's locks on a file when any of its descriptors closes.
 * Throws Fatal with a sentence that says what to do.
 */
export const lockDataDir = async (dir: string, { leastFreeMiB = LEAST_FREE_MIB } = {}): Promise<DataDirLock> => {
  const file = join(dir, 'hub.lock')
  const pidFile = join(dir, 'hub.pid')
  let db: Database.Database | undefined
  try {
    makeFolder(dir)
    db = new Database(file, { timeout: 0 })
    chmodSync(file, 0o600)
    // Nothing is ever written into it, so it needs no journal beside it.
    db.pragma('journal_mode = MEMORY')
    db.exec('BEGIN EXCLUSIVE')
    requireRoom(dir, leastFreeMiB)
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 })
  } catch (error) {
    db?.close()
    if (error instanceof Fatal) throw error
    throw new Fatal(refusal(dir, pidFile, error), error)
  }
  const held = db
  return {
    async release() {
      if (!held.open) return
      rmSync(pidFile, { force: true })
      held.exec('ROLLBACK')
      held.close()
    },
  }
}

const requireRoom = (dir: string, leastFreeMiB: number): void => {
  const { bavail, bsize } = statfsSync(dir)
  const free = Math.floor((bavail * bsize) / MIB)
  if (free < leastFreeMiB) {
    throw new Fatal(
      `The data folder ${dir} has ${free} MiB of free space; the hub needs at least ${leastFreeMiB} MiB to keep what it acknowledges. ` +
        'Free some space, or choose another folder with DATA_DIR. Nothing was changed.',
    )
  }
}

const refusal = (dir: string, pidFile: string, error: unknown): string => {
  const code = sqlCodeOf(error)
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return `Another hub${runningAs(pidFile)} uses the data folder ${dir}. Stop it first, or give this one a folder of its own with DATA_DIR.`
  }
  if (/^(ENOSPC|SQLITE_FULL)/.test(code)) {
    return `The disk that holds the data folder ${dir} is full. Free some space and start again; what was stored before is intact.`
  }
  if (/^(EACCES|EPERM|EROFS|ENOENT|ENOTDIR|EEXIST|SQLITE_CANTOPEN|SQLITE_READONLY|SQLITE_PERM)/.test(code)) {
    return `The data folder ${dir} cannot be written (${code}). Give the user that runs the hub the right to write it, or choose another folder with DATA_DIR.`
  }
  return `The data folder ${dir} cannot be used: ${reasonOf(error)}`
}

const runningAs = (pidFile: string): string => {
  try {
    const pid = readFileSync(pidFile, 'utf8').trim()
    return /^\d+$/.test(pid) ? ` (process ${pid})` : ''
  } catch {
    return ''
  }
}
