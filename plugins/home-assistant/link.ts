// The line to one Home Assistant: opened again whenever it is gone, after 1, 2, 4 … seconds.
import { Connection } from 'home-assistant-js-websocket'
import { Observable } from 'rxjs'
import { z } from 'zod'
import { reasonOf, Recoverable } from '#hub/plugin'
import { asLibrarySocket, openSocket, type Server, TokenRefused } from './socket.ts'

/** One connection, from its authentication to its end. */
export interface Session {
  /** Version of the server, such as `2024.3.3`. */
  version: string
  /** Asks one thing. Rejects with UNAVAILABLE when the line goes or no answer comes in time, else with Home Assistant's reason. */
  ask(message: { type: string; [field: string]: unknown }, withinMs?: number): Promise<unknown>
  /** Subscribes; ends with the session. */
  hear(message: { type: string; [field: string]: unknown }, take: (event: unknown) => void): Promise<void>
  /** Cuts the line: something is wrong with it, and a new one helps. */
  cut(reason: string): void
  signal: AbortSignal
}

/** `up` once a line stands, `down` with the reason when it is gone or could not be had. */
export type LineEvent = { line: 'up'; session: Session } | { line: 'down'; reason: string; token: boolean }

export interface LinkOptions {
  server: Server
  /** Longest pause between two tries, in seconds. */
  longestPause: number
  /** Counts messages that are not of the protocol. */
  strange: () => void
  /** Shortened by tests. */
  pingEveryMs?: number
  firstPauseMs?: number
}

const ANSWER_MS = 10_000
const PING_MS = 15_000
const FIRST_PAUSE_MS = 1000
/** With a wrong token there is no hurry: Home Assistant bans addresses that try it often. */
const TOKEN_PAUSE_MS = 300_000
/** A line that stood so long was a good one, and the next pause is short again. */
const GOOD_MS = 30_000

const Refusal = z.looseObject({ code: z.union([z.string(), z.number()]), message: z.string().max(2000).default('') })

const errorOf = (thrown: unknown): Error => {
  if (thrown instanceof Error) return thrown
  const read = Refusal.safeParse(
    typeof thrown === 'object' && thrown !== null && 'error' in thrown ? thrown.error : thrown,
  )
  if (!read.success) return new Recoverable('UNAVAILABLE', 'Home Assistant went away before it answered.')
  // 3 is the library's word for a connection that was lost.
  if (read.data.code === 3) return new Recoverable('UNAVAILABLE', 'Home Assistant went away before it answered.')
  return new Recoverable('EXECUTION_ERROR', `Home Assistant said: ${read.data.message.slice(0, 300) || read.data.code}`)
}

const within = <T>(work: Promise<T>, ms: number, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Recoverable('UNAVAILABLE', `Home Assistant did not answer ${what} within ${ms / 1000} s.`)),
      ms,
    )
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

const openSession = async (
  { server, strange, pingEveryMs = PING_MS }: LinkOptions,
  stop: AbortSignal,
): Promise<{ session: Session; gone: Promise<string>; close: () => void }> => {
  const { socket, version } = await openSocket(server, stop)
  const over = new AbortController()
  let end: (reason: string) => void = () => {}
  const gone = new Promise<string>((resolve) => {
    end = (reason) => {
      clearInterval(beat)
      over.abort()
      resolve(reason)
    }
  })
  const cut = (reason: string): void => {
    end(reason)
    library.close()
    socket.terminate()
  }
  socket.on('error', (error) => cut(reasonOf(error)))
  socket.on('close', (code) => cut(`it closed the connection (${code})`))
  const library = new Connection(asLibrarySocket(socket, version, strange), {
    setupRetry: 0,
    createSocket: () =>
      Promise.reject(new Recoverable('UNAVAILABLE', 'This line is not opened again: the next one is new.')),
  })
  const ask: Session['ask'] = (message, ms = ANSWER_MS) => {
    if (over.signal.aborted) return Promise.reject(errorOf(undefined))
    return within(library.sendMessagePromise({ ...message }), ms, message.type).catch((thrown: unknown) => {
      throw errorOf(thrown)
    })
  }
  const beat = setInterval(() => {
    ask({ type: 'ping' }).catch((error: unknown) => cut(reasonOf(error)))
  }, pingEveryMs)
  const session: Session = {
    version,
    ask,
    hear: async (message, take) => {
      const work = library.subscribeMessage(
        (event: unknown) => {
          if (!over.signal.aborted) take(event)
        },
        { ...message },
        { resubscribe: false },
      )
      await within(work, ANSWER_MS, message.type).catch((thrown: unknown) => {
        throw errorOf(thrown)
      })
    },
    cut,
    signal: over.signal,
  }
  return { session, gone, close: () => cut('the plugin stops') }
}

const pause = (ms: number, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (stop.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      stop.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    stop.addEventListener('abort', done)
  })

/** Subscribing connects, unsubscribing disconnects. Never errors and never ends: what is wrong is said as `down`. */
export const link = (options: LinkOptions): Observable<LineEvent> =>
  new Observable((out) => {
    const stop = new AbortController()
    const run = async (): Promise<void> => {
      const { firstPauseMs = FIRST_PAUSE_MS, longestPause } = options
      let next = firstPauseMs
      while (!stop.signal.aborted) {
        let token = false
        let reason: string
        try {
          const { session, gone, close } = await openSession(options, stop.signal)
          const opened = performance.now()
          stop.signal.addEventListener('abort', close)
          if (stop.signal.aborted) close()
          else out.next({ line: 'up', session })
          reason = await gone
          stop.signal.removeEventListener('abort', close)
          if (performance.now() - opened > GOOD_MS) next = firstPauseMs
        } catch (error) {
          token = error instanceof TokenRefused
          reason = reasonOf(error)
        }
        if (stop.signal.aborted) return
        out.next({ line: 'down', reason, token })
        await pause(token ? TOKEN_PAUSE_MS : Math.min(next, longestPause * 1000), stop.signal)
        next = Math.min(next * 2, longestPause * 1000)
      }
    }
    void run()
    return () => stop.abort()
  })
