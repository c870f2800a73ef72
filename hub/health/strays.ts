// Errors nobody caught: told with their stack, and the hub goes on unless its state is unsafe (EB-11).
import { Fatal, reasonOf } from '../errors.ts'
import type { Health, Log } from './report.ts'

interface Emitter {
  on(event: 'uncaughtException' | 'unhandledRejection', listener: (thrown: unknown) => void): unknown
  off(event: 'uncaughtException' | 'unhandledRejection', listener: (thrown: unknown) => void): unknown
}

/** This many within a minute is not an accident any more. */
const MAX_PER_MINUTE = 20

/**
 * Catches what is thrown outside of any request, flow or plugin. Each is logged and reported; `stop` is called for a Fatal,
 * and when they come so often that the state cannot be trusted. Returns the function that lets go again.
 */
export const catchStrays = (parts: {
  process: Emitter
  log: Log
  health: Pick<Health, 'report'>
  stop: (why: string) => void
}): (() => void) => {
  const { process, log, health, stop } = parts
  const recent: number[] = []
  const caught = (thrown: unknown): void => {
    const error = thrown instanceof Error ? thrown : new Error(reasonOf(thrown))
    log.error('stray', { error })
    health.report({
      source: 'hub',
      type: error.name,
      severity: 'critical',
      category: 'system',
      message: error.message,
      ...(error.stack === undefined ? {} : { stack: error.stack }),
    })
    const now = performance.now()
    recent.push(now)
    while (recent[0] !== undefined && now - recent[0] > 60_000) recent.shift()
    if (error instanceof Fatal) stop(error.message)
    else if (recent.length >= MAX_PER_MINUTE)
      stop(`${recent.length} unexpected errors within a minute, the last: ${error.message}`)
  }
  process.on('uncaughtException', caught)
  process.on('unhandledRejection', caught)
  return () => {
    process.off('uncaughtException', caught)
    process.off('unhandledRejection', caught)
  }
}
