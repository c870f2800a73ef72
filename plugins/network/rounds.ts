// When is asked: mDNS at the pauses of RFC 6762 5.2, the others at the pause a person set, and at once when a person asks.
export interface Rounds {
  /** Begins at once, as often as it is called; the last call counts. */
  restart(): void
  stop(): void
}

interface Timers {
  set(work: () => void, ms: number): () => void
}

const realTimers: Timers = {
  set: (work, ms) => {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
}

const HOUR_MS = 3_600_000
const FIRST = { leastMs: 20, spreadMs: 100 }

/** Asks after 20 to 120 ms, then after 1, 2, 4 … seconds, up to an hour (RFC 6762 5.2). */
export const doublingRounds = (ask: () => void, random: () => number, timers: Timers = realTimers): Rounds => {
  let stop = (): void => undefined
  const next = (ms: number, pause: number): void => {
    stop = timers.set(() => {
      next(pause, Math.min(HOUR_MS, pause * 2))
      ask()
    }, ms)
  }
  return {
    restart() {
      stop()
      next(FIRST.leastMs + random() * FIRST.spreadMs, 1000)
    },
    stop: () => stop(),
  }
}

/** Asks at once, then after `pauseMs`, a tenth more or less each time. */
export const steadyRounds = (
  ask: () => void,
  pauseMs: number,
  random: () => number,
  timers: Timers = realTimers,
): Rounds => {
  let stop = (): void => undefined
  const next = (ms: number): void => {
    stop = timers.set(() => {
      next(pauseMs * (0.9 + random() * 0.2))
      ask()
    }, ms)
  }
  return {
    restart() {
      stop()
      next(0)
    },
    stop: () => stop(),
  }
}
