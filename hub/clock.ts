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
 * When the wall clock departs by more than two seconds the anchor is moved and `stepped` is told the difference in ms; stamps that
 * are ahead of it then go at half the pace until time has caught up with them. `resume` makes stamps go on where an earlier run ended.
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
  /** When the wall clock was put back, stamps go on at half the pace until it has caught up: timers are late, not frozen. */
  let behind: { last: number; mono: number } | undefined
  const stamp = (): number => {
    const wall = now()
    if (wall >= last) {
      behind = undefined
      return (last = wall)
    }
    behind ??= { last, mono: performance.now() }
    return (last = Math.max(last, Math.floor(behind.last + (performance.now() - behind.mono) / 2)))
  }
  return {
    now,
    stamp,
    resume: (from) => {
      last = Math.max(last, from)
    },
  }
}

/** ISO 8601 with milliseconds, UTC. */
export const iso = (at: number): string => new Date(at).toISOString()
