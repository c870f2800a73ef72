// How often something happens, lately.

export interface Rate {
  /** Per second, from the counter as it is at `now` (ms, monotonic). */
  of(count: number, now: number): number
}

const WINDOW_MS = 5000
const STEP_MS = 500

/** Over about the last five seconds in which it was asked. */
export const rate = (): Rate => {
  const seen: { at: number; count: number }[] = []
  return {
    of(count, now) {
      const last = seen.at(-1)
      if (last === undefined || now - last.at >= STEP_MS) seen.push({ at: now, count })
      while ((seen[1]?.at ?? now) < now - WINDOW_MS) seen.shift()
      const [first] = seen
      if (first === undefined || now - first.at < STEP_MS / 2) return 0
      return Math.round(((count - first.count) / (now - first.at)) * 10_000) / 10
    },
  }
}
