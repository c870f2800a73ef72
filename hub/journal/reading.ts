// Asks the reader thread, started at the first question and again if it dies, ended when nobody asks; every question has a deadline.
import type { Worker } from 'node:worker_threads'
import { Recoverable, reasonOf } from '../errors.ts'
import { startThread } from '../thread.ts'
import type { Query } from './entry.ts'
import type { Answer, Question } from './reader.ts'
import type { Found, Stretch } from './scan.ts'
import type { Survey } from './survey.ts'

const DEADLINE_MS = 60_000
const MOST_QUESTIONS = 1000
/** A thread takes some 13 MB; it starts again in 50 ms. */
const IDLE_MS = 3000

export interface Reading {
  survey(path: string): Promise<Survey>
  scan(stretches: Stretch[], query: Query): Promise<Found>
  close(): Promise<void>
}

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

/** `idleMs`: how long the thread waits for the next question before it ends. */
export const openReading = (idleMs = IDLE_MS): Reading => {
  const pending = new Map<number, Pending>()
  let thread: Worker | undefined
  let last = 0
  let closed = false
  let idle: NodeJS.Timeout | undefined

  const settle = (id: number): Pending | undefined => {
    const waiting = pending.get(id)
    if (waiting === undefined) return undefined
    clearTimeout(waiting.timer)
    pending.delete(id)
    if (pending.size === 0) rest()
    return waiting
  }

  const rest = (): void => {
    thread?.unref()
    clearTimeout(idle)
    idle = setTimeout(() => {
      const resting = thread
      thread = undefined
      void resting?.terminate()
    }, idleMs).unref()
  }

  const fail = (reason: string): void => {
    for (const id of [...pending.keys()]) settle(id)?.reject(new Recoverable('UNAVAILABLE', reason))
  }

  const start = (): Worker => {
    const started = startThread(new URL('./reader.ts', import.meta.url), { name: 'journal-reader' })
    started.on('message', (answer: Answer) => {
      const waiting = settle(answer.id)
      if (answer.ok) waiting?.resolve(answer.value)
      else waiting?.reject(new Recoverable('UNAVAILABLE', `The journal cannot be read: ${answer.reason}`))
    })
    const gone = (why: string) => {
      if (thread !== started) return
      thread = undefined
      fail(`The journal's reader ended: ${why}. Ask again.`)
    }
    started.on('error', (error) => gone(reasonOf(error)))
    started.on('exit', (code) => gone(`exit code ${code}`))
    return started
  }

  const ask = (make: (id: number) => Question): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new Recoverable('UNAVAILABLE', 'The journal is closed.'))
      if (pending.size >= MOST_QUESTIONS) {
        return reject(new Recoverable('UNAVAILABLE', 'Too many reads of the journal at once. Ask again in a moment.'))
      }
      const id = ++last
      const timer = setTimeout(() => {
        const late = settle(id)
        const reason = `Reading the journal took longer than ${DEADLINE_MS / 1000} s. Ask for a shorter range.`
        void thread?.terminate()
        late?.reject(new Recoverable('UNAVAILABLE', reason))
      }, DEADLINE_MS)
      pending.set(id, { resolve, reject, timer })
      clearTimeout(idle)
      thread ??= start()
      thread.ref()
      thread.postMessage(make(id))
    })

  return {
    survey: async (path) => (await ask((id) => ({ id, do: 'survey', path }))) as Survey,
    scan: async (stretches, query) => {
      const found = (await ask((id) => ({ id, do: 'scan', stretches, query }))) as Found
      return { ...found, bytes: Buffer.from(found.bytes.buffer, found.bytes.byteOffset, found.bytes.byteLength) }
    },
    close: async () => {
      closed = true
      clearTimeout(idle)
      fail('The journal is closed.')
      await thread?.terminate()
    },
  }
}
