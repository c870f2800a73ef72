// How often each origin may ask: a bucket of tokens per origin, refilled steadily.
import type { Clock } from '../clock.ts'

/** Full buckets are forgotten when there are more than this. */
const REMEMBERED = 1000

/** Takes a token of `origin`; false when its bucket is empty. `burst` tokens at most, `perSecond` new ones. */
export const openBuckets = (
  clock: Pick<Clock, 'now'>,
  burst: number,
  perSecond: number,
): ((origin: string) => boolean) => {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const filled = ({ tokens, at }: { tokens: number; at: number }, now: number): number =>
    Math.min(burst, tokens + (Math.max(0, now - at) / 1000) * perSecond)
  return (origin) => {
    const now = clock.now()
    const known = buckets.get(origin)
    const tokens = known === undefined ? burst : filled(known, now)
    if (known === undefined && buckets.size >= REMEMBERED)
      for (const [name, bucket] of buckets) if (filled(bucket, now) >= burst) buckets.delete(name)
    buckets.set(origin, { tokens: tokens < 1 ? tokens : tokens - 1, at: now })
    return tokens >= 1
  }
}
