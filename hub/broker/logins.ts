// Slows down whoever guesses passwords, without locking out the good neighbours behind the same address.
import { remember } from './remember.ts'

/** A typing error or two cost nothing; from then on failures of one name at one address double the wait from here to there. */
const FREE_FAILURES = 4
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 60_000

export interface Logins {
  /** How many ms this name at this address has to wait before a password is looked at; 0 = none. */
  wait(address: string, name: string): number
  failed(address: string, name: string): void
  succeeded(address: string, name: string): void
}

interface Strikes {
  count: number
  until: number
}
interface Bucket {
  left: number
  at: number
}

/**
 * Two measures: a backoff per name and address, and a budget of failures per address that refills, so that one device
 * with a wrong password never shuts out the others behind its address.
 */
export const openLogins = (parts: { failures: number; perSecond: number; now(): number }): Logins => {
  const { failures, perSecond, now } = parts
  const strikes = new Map<string, Strikes>()
  const buckets = new Map<string, Bucket>()
  const keyOf = (address: string, name: string) => `${address} ${name}`

  const refilled = (address: string): Bucket => {
    const bucket = buckets.get(address) ?? { left: failures, at: now() }
    bucket.left = Math.min(failures, bucket.left + ((now() - bucket.at) / 1000) * perSecond)
    bucket.at = now()
    return bucket
  }

  return {
    wait(address, name) {
      const until = strikes.get(keyOf(address, name))?.until ?? 0
      if (until > now()) return until - now()
      const { left } = buckets.has(address) ? refilled(address) : { left: failures }
      return left >= 1 ? 0 : ((1 - left) / perSecond) * 1000
    },
    failed(address, name) {
      const key = keyOf(address, name)
      const count = (strikes.get(key)?.count ?? 0) + 1
      const wait = count <= FREE_FAILURES ? 0 : FIRST_WAIT_MS * 2 ** Math.min(count - FREE_FAILURES, 20)
      remember(strikes, key, { count, until: now() + Math.min(LONGEST_WAIT_MS, wait) })
      const bucket = refilled(address)
      bucket.left = Math.max(0, bucket.left - 1)
      remember(buckets, address, bucket)
    },
    succeeded(address, name) {
      strikes.delete(keyOf(address, name))
    },
  }
}
