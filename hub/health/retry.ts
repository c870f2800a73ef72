// Retry: try again what may be tried again, with growing, jittered pauses, a bounded number of times and until a deadline (EB-9).
import { setTimeout as pause } from 'node:timers/promises'
import { Recoverable, reasonOf } from '../errors.ts'
import type { Log, Metrics } from './report.ts'

export interface RetryLimits {
  /** Calls in all, the first one included. */
  attempts: number
  /** Pause after the first failure, in ms; doubled each time. */
  firstMs: number
  /** Longest pause, in ms. */
  mostMs: number
  /** No call starts later than this after the first, in ms. */
  deadlineMs: number
}

export const RETRY: RetryLimits = { attempts: 4, firstMs: 200, mostMs: 10_000, deadlineMs: 30_000 }

export interface RetryOptions {
  /** Names the call in log and metrics; a bounded set of names. */
  name: string
  /** True for what can be repeated without a second effect: a read, or a write with an idempotency key. Otherwise one attempt. */
  repeatable: boolean
  log: Log
  metrics: Pick<Metrics, 'count'>
  limits?: Partial<RetryLimits>
  /** What is worth another try. Default: CONNECTION_ERROR, RATE_LIMITED and UNAVAILABLE. */
  again?: (error: unknown) => boolean
  /** What the peer asked for, in ms. */
  retryAfterMs?: (error: unknown) => number | undefined
  signal?: AbortSignal
  /** 0 to 1, for the jitter. */
  random?: () => number
}

const mayPass = (error: unknown): boolean =>
  error instanceof Recoverable && ['CONNECTION_ERROR', 'RATE_LIMITED', 'UNAVAILABLE'].includes(error.code)

/**
 * Runs `call` until it succeeds, up to the limits; rejects with its last error. `attempt` counts from 1; `leftMs` is what
 * remains until the deadline in whole ms, for the call's own time-out.
 */
export const retry = async <T>(
  call: (attempt: number, leftMs: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> => {
  const { name, log, metrics, again = mayPass, random = Math.random } = options
  const limits = { ...RETRY, ...options.limits }
  const attempts = options.repeatable ? Math.max(1, limits.attempts) : 1
  const started = performance.now()
  const left = () => limits.deadlineMs - (performance.now() - started)

  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted()
    try {
      return await call(attempt, Math.max(1, Math.floor(left())))
    } catch (error) {
      const ceiling = Math.min(limits.mostMs, limits.firstMs * 2 ** (attempt - 1))
      const asked = options.retryAfterMs?.(error) ?? 0
      const delayMs = Math.max(asked, Math.round(ceiling * (0.5 + random() / 2)))
      if (!again(error)) throw error
      if (attempt >= attempts || delayMs >= left()) {
        if (attempt > 1) {
          metrics.count('retry_given_up_total', 'Calls that failed after retries', { call: name })
          log.warn('retry.given_up', { call: name, attempts: attempt, reason: reasonOf(error) })
        }
        throw error
      }
      metrics.count('retries_total', 'Calls tried again', { call: name })
      log.info('retry', { call: name, attempt, delayMs, reason: reasonOf(error) })
      await pause(delayMs, undefined, options.signal === undefined ? {} : { signal: options.signal })
    }
  }
}
