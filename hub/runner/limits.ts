// The limits of flows and of their process.
import type { LinkLimits } from './link.ts'

export interface RunnerLimits extends LinkLimits {
  /** First and longest pause before a flow that failed is started again, ms. */
  restartMs: { first: number; longest: number }
  /** So many failures within so many ms, and a flow is quarantined. A flow in whose turn the process ended counts for this many. */
  crashes: { count: number; withinMs: number; perProcess: number }
}

export const DEFAULT_LIMITS: RunnerLimits = {
  heapMb: 256,
  stuckMs: 10_000,
  startMs: 15_000,
  loadMs: 5_000,
  respawnMs: { first: 200, longest: 30_000 },
  restartMs: { first: 1_000, longest: 60_000 },
  crashes: { count: 5, withinMs: 60_000, perProcess: 3 },
}
