// The limits of flows and of their process.
import type { LinkLimits } from './link.ts'

export interface RunnerLimits extends LinkLimits {
  /** First and longest pause before a flow that failed is started again, ms. */
  restartMs: { first: number; longest: number }
  /** So many failures within so many ms, and a flow is quarantined. A flow in whose turn the process ended counts for this many. */
  crashes: { count: number; withinMs: number; perProcess: number }
  /** Messages that a flow hears again at most, to be what it was; beyond them it is warmed up and approximate. */
  historyMessages: number
  /** The same in time, ms. */
  historyMs: number
  /** Warm-up of a flow that is approximate, in longest waits, and at least, ms. */
  warmUp: { waits: number; leastMs: number }
  /** Share of time, in ms per second, beyond which a flow that holds up others gets its own lane; ms of one turn for the same. */
  share: { msPerSecond: number; turnMs: number }
  /** So many loads of flows, and the process is replaced by a fresh one: old versions of a module cannot be taken out of a process. */
  loadsPerProcess: number
  /** ms between two looks at the folder, beside what the system tells; 0: the folder is not watched. */
  rescanMs: number
}

export const DEFAULT_LIMITS: RunnerLimits = {
  heapMb: 256,
  rssMb: 512,
  turnMs: 500,
  silentMs: 5_000,
  startMs: 15_000,
  loadMs: 5_000,
  respawnMs: { first: 200, longest: 30_000 },
  restartMs: { first: 1_000, longest: 60_000 },
  crashes: { count: 5, withinMs: 60_000, perProcess: 5 },
  historyMessages: 2_000_000,
  historyMs: 7 * 86_400_000,
  warmUp: { waits: 3, leastMs: 600_000 },
  share: { msPerSecond: 300, turnMs: 20 },
  loadsPerProcess: 100,
  rescanMs: 5_000,
}
