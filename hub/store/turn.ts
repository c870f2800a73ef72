// A turnstile: one at a time, in order of arrival, with a bounded line and a deadline for waiting.
import { Recoverable } from '../errors.ts'

export interface Turn {
  /** Resolves when it is the caller's turn. Rejects with UNAVAILABLE when the line is full or the wait too long. */
  take(): Promise<void>
  /** Ends the turn; the next in line goes on. */
  give(): void
}

/** `what` begins the sentence of a refusal: `The store`. */
export const openTurn = ({ limit, waitMs, what }: { limit: number; waitMs: number; what: string }): Turn => {
  const line = new Set<() => void>()
  let taken = false
  return {
    take() {
      if (!taken) {
        taken = true
        return Promise.resolve()
      }
      if (line.size >= limit) {
        return Promise.reject(new Recoverable('UNAVAILABLE', `${what} has ${limit} callers waiting: try again.`))
      }
      return new Promise((resolve, reject) => {
        const go = () => {
          clearTimeout(timer)
          resolve()
        }
        const timer = setTimeout(() => {
          line.delete(go)
          reject(new Recoverable('UNAVAILABLE', `${what} was not free within ${waitMs / 1000} s: try again.`))
        }, waitMs)
        line.add(go)
      })
    },
    give() {
      const [next] = line
      if (next === undefined) taken = false
      else {
        line.delete(next)
        next()
      }
    },
  }
}
