// The folder of flows, watched: what came, what changed and what went, told when a file has come to rest.
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { reasonOf } from '../errors.ts'
import type { Log } from '../health/report.ts'
import { type FlowFile, flowPaths, isFlow, readFlow } from './find-flows.ts'

export interface Folder {
  close(): Promise<void>
}

/** A file at rest looks the same twice, this far apart. */
const REST_MS = 15
const REST_TRIES = 100
/** An empty file is one that is about to be written, for so many looks. */
const EMPTY_TRIES = 20
/** A file that is gone is one that is about to be put there anew, for so long. */
const GONE_MS = 150

interface Look {
  mtimeMs: number
  size: number
  ino: number
}

const lookAt = async (file: string): Promise<Look | undefined> => {
  try {
    const { mtimeMs, size, ino, isFile } = await stat(file).then((found) => ({
      mtimeMs: found.mtimeMs,
      size: found.size,
      ino: found.ino,
      isFile: found.isFile(),
    }))
    return isFile ? { mtimeMs, size, ino } : undefined
  } catch {
    return undefined
  }
}

const isSame = (a: Look | undefined, b: Look | undefined): boolean =>
  a?.mtimeMs === b?.mtimeMs && a?.size === b?.size && a?.ino === b?.ino

/** `known`: the files that were there, by path. Never throws: what cannot be read is tried again at the next look. */
export const watchFolder = (
  dir: string,
  options: {
    rescanMs: number
    log: Log
    known: readonly string[]
    changed(file: FlowFile): void
    gone(file: string): void
  },
): Folder => {
  const { log } = options
  const seen = new Map<string, Look | undefined>(options.known.map((file) => [file, undefined]))
  const busy = new Map<string, Promise<void>>()
  let closed = false
  let watcher: FSWatcher | undefined

  const atRest = async (file: string): Promise<Look | undefined> => {
    let before = await lookAt(file)
    for (let tries = 0; tries < REST_TRIES && !closed; tries++) {
      await pause(before === undefined ? GONE_MS : REST_MS)
      const now = await lookAt(file)
      if (isSame(before, now) && (now?.size !== 0 || tries > EMPTY_TRIES)) return now
      before = now
    }
    return before
  }

  const examine = async (file: string): Promise<void> => {
    const look = await atRest(file)
    if (closed) return
    if (look === undefined) {
      if (seen.delete(file)) options.gone(file)
      return
    }
    if (seen.has(file) && isSame(seen.get(file), look)) return
    try {
      const flow = await readFlow(file)
      if (!isSame(await lookAt(file), look)) return void again(file)
      seen.set(file, look)
      if (!closed) options.changed(flow)
    } catch (error) {
      log.warn('flow file not read', { file: path.basename(file), reason: reasonOf(error) })
    }
  }
  const again = (file: string): void => void setImmediate(() => look(file))

  /** One at a time for each file. */
  const look = (file: string): void => {
    if (closed) return
    const before = busy.get(file)
    if (before !== undefined) return void waiting.add(file)
    const work = examine(file)
      .catch((error: unknown) => log.warn('flow file not looked at', { file, reason: reasonOf(error) }))
      .finally(() => {
        busy.delete(file)
        if (waiting.delete(file)) look(file)
      })
    busy.set(file, work)
  }
  const waiting = new Set<string>()

  /** Said once, until it can be read again. */
  let unread = false
  const scan = async (): Promise<void> => {
    const there = await flowPaths(dir).catch((error: unknown) => {
      if (!unread) log.warn('folder of flows not read', { reason: reasonOf(error) })
      unread = true
      return undefined
    })
    if (there === undefined || closed) return
    unread = false
    for (const file of new Set([...there, ...seen.keys()])) {
      const now = there.includes(file) ? await lookAt(file) : undefined
      if (now === undefined || !seen.has(file) || !isSame(seen.get(file), now)) look(file)
    }
  }

  const begin = (): void => {
    try {
      watcher = watch(dir, { persistent: false }, (_, name) => {
        if (name !== null && isFlow(name)) look(path.join(path.resolve(dir), name))
      })
      watcher.on('error', (error) => {
        log.warn('folder of flows not watched', { reason: reasonOf(error) })
        watcher?.close()
        watcher = undefined
      })
    } catch {
      // The folder may come later: the next look says so.
      watcher = undefined
    }
  }

  begin()
  const timer = setInterval(() => {
    if (watcher === undefined) begin()
    scan().catch((error: unknown) => log.warn('folder of flows not looked at', { reason: reasonOf(error) }))
  }, options.rescanMs)
  timer.unref()

  return {
    async close() {
      closed = true
      clearInterval(timer)
      watcher?.close()
      await Promise.all(busy.values())
    },
  }
}
