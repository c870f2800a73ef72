// A sliding window: how many requests a caller made in the last minute, to the request.
import type rateLimit from '@fastify/rate-limit'

/** Callers remembered; past it the one that was quiet longest is forgotten. */
const REMEMBERED = 10_000

/**
 * A store for @fastify/rate-limit, whose own counts in fixed windows and so lets twice the number through at a seam.
 * Keeps the times of the requests that were let through (at most the limit per caller); refused ones do not count.
 */
export const slidingWindow = (now: () => number): rateLimit.FastifyRateLimitStoreCtor => {
  const calls = new Map<string, number[]>()
  return class implements rateLimit.FastifyRateLimitStore {
    incr(
      key: string,
      callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
      timeWindow: number,
      max: number,
    ): void {
      const at = now()
      const times = (calls.get(key) ?? []).filter((time) => at - time < timeWindow)
      const current = times.length + 1
      if (current <= max) times.push(at)
      calls.delete(key)
      calls.set(key, times)
      const [oldest] = calls.keys()
      if (calls.size > REMEMBERED && oldest !== undefined) calls.delete(oldest)
      callback(null, { current, ttl: (times[0] ?? at) + timeWindow - at })
    }
    child(): rateLimit.FastifyRateLimitStore {
      return this
    }
  }
}
