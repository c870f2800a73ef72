// Slows down guessing: after a few failures each next try has to wait, twice as long every time.
import { normalizeIP } from '@fastify/rate-limit'
import type { Clock } from '../clock.ts'
import { Recoverable } from '../errors.ts'

export interface Throttle {
  /** Counts a try before it is made. Throws RATE_LIMITED with `details.retryAfter` in seconds while the caller has to wait. */
  enter(username: string, address: string): void
  /** The try was right: forgets the failures of this user from this address. */
  succeed(username: string, address: string): void
}

interface Tries {
  count: number
  /** ms since 1970. */
  until: number
  last: number
}

/** Tries without a delay: of one user from one address, and of one address whoever it says it is. */
const FREE = { pair: 5, address: 20 } as const
const LONGEST_MS = 5 * 60_000
const FORGOTTEN_MS = 15 * 60_000
const REMEMBERED = 10_000

export const openThrottle = (clock: Pick<Clock, 'now'>): Throttle => {
  const tries = new Map<string, Tries>()

  const of = (key: string): Tries => {
    const now = clock.now()
    const known = tries.get(key)
    const fresh = known === undefined || now - known.last > FORGOTTEN_MS ? { count: 0, until: 0, last: now } : known
    tries.delete(key)
    tries.set(key, fresh)
    const [oldest] = tries.keys()
    if (tries.size > REMEMBERED && oldest !== undefined) tries.delete(oldest)
    return fresh
  }
  // A user name is typed by anyone: bounded, and never longer in memory than a name can be.
  const keys = (username: string, address: string) => {
    const from = addressKey(address)
    return { pair: `${username.slice(0, 64)} ${from}`, address: from }
  }

  return {
    enter(username, address) {
      const key = keys(username, address)
      const both = [
        { tries: of(key.pair), free: FREE.pair },
        { tries: of(key.address), free: FREE.address },
      ]
      const now = clock.now()
      const wait = Math.max(...both.map((one) => one.tries.until)) - now
      if (wait > 0) {
        const retryAfter = Math.ceil(wait / 1000)
        throw new Recoverable('RATE_LIMITED', `Too many tries: wait ${retryAfter} s.`, { retryAfter })
      }
      for (const { tries: one, free } of both) {
        one.count++
        one.last = now
        // Set before the answer is known, so that tries made at the same time count too.
        one.until = one.count < free ? 0 : now + Math.min(LONGEST_MS, 1000 * 2 ** Math.min(20, one.count - free))
      }
    },
    succeed(username, address) {
      const key = keys(username, address)
      tries.delete(key.pair)
      const from = tries.get(key.address)
      if (from === undefined) return
      from.count--
      from.until = 0
    },
  }
}

/** An address as one caller: an IPv6 customer has a whole /64. Something that is no address counts as itself. */
export const addressKey = (address: string): string => normalizeIP(address)
