// Fairness: a flow that takes more than its share, while others wait, gets its own lane.
import type { Crew } from './crew.ts'
import type { FlowState, Run } from './state.ts'

export interface Fairness {
  /** One of its turns took long, ms. */
  long(flow: FlowState, run: Run, ms: number): void
  /** It took so much of the last second, and so long in one turn; ms. */
  busy(flow: FlowState, run: Run, taken: { ms: number; longest: number }): void
  /** Once a second: who has calmed down joins the others again. */
  look(): void
}

/** Two long turns within this mean a slow flow; one may be the machine's. */
const AGAIN_MS = 10_000
const CALM_MS = 5_000
/** Mean wait in the common line from which on a busy flow holds up others. */
const CROWD = 64

export const openFairness = ({ flows, limits, link, parts, changed }: Crew): Fairness => {
  const { msPerSecond, turnMs } = limits.share
  const apart = (flow: FlowState, run: Run, taken: { msPerSecond?: number; longestMs: number }): void => {
    if (link.isSlow(run.number) || flows.size < 2) return
    link.slow(run.number, true)
    parts.log.warn('flow slow', { flow: flow.id, ...taken })
    changed()
  }
  return {
    long(flow, run, ms) {
      if (ms <= turnMs) return
      const now = performance.now()
      const isAgain = now - flow.longAt < AGAIN_MS
      flow.longAt = flow.busyAt = now
      if (isAgain) apart(flow, run, { longestMs: Math.round(ms) })
    },
    busy(flow, run, { ms, longest }) {
      flow.busyAt = performance.now()
      if (ms <= msPerSecond || (longest <= turnMs && link.waiting <= CROWD)) return
      apart(flow, run, { msPerSecond: Math.round(ms), longestMs: Math.round(longest) })
    },
    look() {
      const now = performance.now()
      for (const { run, busyAt } of flows.values()) {
        if (run === undefined || !link.isSlow(run.number) || now - busyAt < CALM_MS) continue
        link.slow(run.number, false)
        changed()
      }
    },
  }
}
