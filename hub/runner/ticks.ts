// Ticks: time reaches the flows in the same order as messages, also when none comes.
import type { Clock } from '../clock.ts'

export interface Ticks {
  /** A tick as soon as what was accepted until now has been heard. */
  tick(): void
  /** The next timer of a flow is due at `at`; Infinity: none. */
  wake(at: number): void
  /** Something stamped `at` is about to be sent. */
  passed(at: number): void
  stop(): void
}

const LONGEST_TIMER_MS = 3_600_000
/** Stamps that run ahead of the time that has passed by more than this have jumped. */
const JUMP_MS = 600_000
const LOOK_MS = 1000

/** `jumped`: the wall clock was put forward, or a board without one heard what time it is; called before anything that tells the new time. */
export const openTicks = (clock: Clock, to: { tick(at: number): void; jumped(byMs: number): void }): Ticks => {
  let timer: NodeJS.Timeout | undefined
  let last = { at: 0, real: 0 }

  const passed = (at: number): void => {
    if (at - last.at < LOOK_MS) return
    const now = performance.now()
    const by = at - last.at - (now - last.real)
    const isJump = last.at > 0 && by > JUMP_MS
    last = { at, real: now }
    if (isJump) to.jumped(by)
  }

  const tick = (): void => {
    // Stamped now and sent later, so that no message is overtaken by its time.
    const at = clock.stamp()
    setImmediate(() => {
      passed(at)
      to.tick(at)
    })
  }

  const wake = (at: number): void => {
    clearTimeout(timer)
    if (at === Infinity) return
    const wait = Math.min(Math.max(0, at - clock.stamp()), LONGEST_TIMER_MS)
    timer = setTimeout(() => (clock.stamp() < at ? wake(at) : tick()), wait)
    timer.unref()
  }

  return { tick, wake, passed, stop: () => clearTimeout(timer) }
}
