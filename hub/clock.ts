// The one file that asks what time it is. Stamps are ms since 1970 and never go backwards.

/** Time for everything that stamps or waits. */
export interface Clock {
  /** The next stamp: never smaller than the one before. */
  stamp(): number
  /** Wall-clock time in ms, for people and expiry. */
  now(): number
}

const STEP_MS = 2000

/**
 * A clock that follows the monotonic clock from an anchor, so that a step of the wall clock neither freezes nor floods timers.
 * When the wall clock departs by more than two seconds the anchor is moved and `stepped` is told the difference in ms; stamps wait
 * until time has caught up with them. `resume` makes stamps go on where an earlier run ended.
 */
export const wallClock = (stepped: (byMs: number) => void = () => {}): Clock & { resume(from: number): void } => {
  let anchor = Date.now() - performance.now()
  let last = 0
  let checked = 0
  const now = () => {
    const mono = performance.now()
    if (mono - checked > 1000) {
      checked = mono
      const off = Date.now() - (anchor + mono)
      if (Math.abs(off) > STEP_MS) {
        anchor += off
        stepped(Math.round(off))
      }
    }
    return Math.floor(anchor + mono)
  }
  return {
    now,
    stamp: () => (last = Math.max(last, now())),
    resume: (from) => {
      last = Math.max(last, from)
    },
  }
}

/** ISO 8601 with milliseconds, UTC. */
export const iso = (at: number): string => new Date(at).toISOString()
