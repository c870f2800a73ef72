// The main thread's end of the SQLite thread: posts statements, waits for rows, never longer than the deadline.
import { startThread } from '../thread.ts'
import { StoreError, storeErrorOf } from './errors.ts'

export interface SqliteOptions {
  file: string
  /** NORMAL survives a killed process, FULL also a power cut. */
  synchronous: 'NORMAL' | 'FULL'
  /** How long SQLite waits for another program that holds the file. */
  busyMs: number
}

export interface Statement {
  sql: string
  parameters: readonly unknown[]
}

export type ToThread = ({ id: number } & (Statement | { together: readonly Statement[] })) | 'close'
export type FromThread =
  | { id: number; rows: unknown[]; blobs: boolean; changes?: number; inserted?: number | bigint }
  | { id: number; failed: { message: string; code: string } }

export type Answer = Exclude<FromThread, { failed: unknown }>

export interface SqliteThread {
  /** Runs one statement. Rejects with StoreError; after the deadline its outcome is unknown, and the error says so. */
  run(statement: Statement): Promise<Answer>
  /** Runs statements as one transaction: all of them, or none. Rejects like `run`. */
  together(statements: readonly Statement[]): Promise<void>
  /** Closes the file and ends the thread, by force after five seconds. */
  close(): Promise<void>
}

const CLOSE_MS = 5000
/** Loading the thread, waiting for another program, and the check of the file. */
const START_MS = 30_000

/** A driver's error as it comes out of the thread: structured cloning drops `code`. */
const thrown = ({ message, code }: { message: string; code: string }) => Object.assign(new Error(message), { code })

const withBuffers = (row: unknown): unknown =>
  Object.fromEntries(
    Object.entries(row ?? {}).map(([name, value]: [string, unknown]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value,
    ]),
  )

/**
 * Starts the thread and opens the file. Rejects with the driver's error, which has a `code`.
 * `lost` is told when the thread ends by itself; every later statement fails.
 */
export const openSqliteThread = async (
  options: SqliteOptions,
  { deadlineMs, lost }: { deadlineMs: number; lost: (why: Error) => void },
): Promise<SqliteThread> => {
  const worker = startThread(new URL('./sqlite-worker.ts', import.meta.url), { name: 'store', workerData: options })
  const open = new Map<number, { done: (answer: Answer) => void; fail: (error: Error) => void }>()
  let last = 0
  let ended: Error | undefined
  let closing = false

  const end = (why: Error) => {
    if (ended !== undefined) return
    ended = why
    for (const { fail } of open.values()) fail(why)
    open.clear()
    if (!closing) lost(why)
  }
  worker.on('message', (message: FromThread) => {
    const waiting = open.get(message.id)
    if (waiting === undefined) return
    open.delete(message.id)
    if ('failed' in message) waiting.fail(thrown(message.failed))
    else waiting.done(message.blobs ? { ...message, rows: message.rows.map(withBuffers) } : message)
  })
  worker.on('error', (cause) =>
    end(new StoreError('UNAVAILABLE', 'The store has stopped: restart the hub.', '', cause)),
  )
  const exited = new Promise<void>((resolve) =>
    worker.once('exit', () => {
      end(
        new StoreError('UNAVAILABLE', closing ? 'The store is closed.' : 'The store has stopped: restart the hub.', ''),
      )
      resolve()
    }),
  )

  const answerTo = (id: number, ms: number): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        open.delete(id)
        const text = `The store did not answer within ${ms / 1000} s: try again. Whether a change was made is not known.`
        reject(new StoreError('UNAVAILABLE', text, ''))
      }, ms)
      open.set(id, {
        done: (answer) => (clearTimeout(timer), resolve(answer)),
        fail: (error) => (clearTimeout(timer), reject(error)),
      })
    })

  const close = async () => {
    closing = true
    if (ended === undefined) worker.postMessage('close' satisfies ToThread)
    const force = setTimeout(() => void worker.terminate(), CLOSE_MS)
    await exited
    clearTimeout(force)
  }

  try {
    await answerTo(0, START_MS)
  } catch (error) {
    await close()
    throw error
  }

  const ask = (what: Statement | { together: readonly Statement[] }): Promise<Answer> => {
    if (ended !== undefined) return Promise.reject(ended)
    if (closing) return Promise.reject(new StoreError('UNAVAILABLE', 'The store is closing.', ''))
    const id = ++last
    const answer = answerTo(id, deadlineMs)
    worker.postMessage({ id, ...what } satisfies ToThread)
    return answer.catch((error: unknown) => {
      throw storeErrorOf(error)
    })
  }

  return {
    run: ask,
    together: async (statements) => void (await ask({ together: statements })),
    close,
  }
}
