// A breaker stops calling what keeps failing, and tries again after a while: one for each peer, three presets (EB-8).
import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen, isBrokenCircuitError } from 'cockatiel'
import { Recoverable, reasonOf, STATUS_OF } from '../errors.ts'
import type { Health, Log } from './report.ts'

export interface BreakerLimits {
  /** Failures in a row that open it. */
  failures: number
  /** How long it stays open before calls are let through on trial, in ms. */
  halfOpenAfterMs: number
  /** Successes on trial that close it, and how many may be on trial at a time. Default 1. */
  probes?: number
}

export const BREAKERS = {
  planner: { failures: 5, halfOpenAfterMs: 30_000 },
  isaac: { failures: 3, halfOpenAfterMs: 10_000 },
  agents: { failures: 5, halfOpenAfterMs: 60_000, probes: 3 },
} as const satisfies Record<string, BreakerLimits>

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface Breaker {
  /**
   * Runs `call` unless the breaker is open. Rejects with whatever `call` rejects with, or at once with CONNECTION_ERROR
   * (`details.breaker`, `details.retryAfterMs`) while it is open. Client errors (4xx, validation) do not count as failures.
   */
  run<T>(call: () => Promise<T>): Promise<T>
  state(): BreakerState
  /** Closes it by hand; `by` is written to the log. */
  reset(by: string): void
  /** Takes its word off the health page. */
  drop(): void
}

export interface BreakerOptions {
  /** Names the peer in health, log and metrics. */
  name: string
  limits: keyof typeof BREAKERS | BreakerLimits
  health: Pick<Health, 'set' | 'drop' | 'metrics'>
  log: Log
  /** What counts as the caller's own mistake. Default: `Recoverable` whose status, or the peer's, is below 500. */
  isClientError?: (error: unknown) => boolean
}

const STATES: Record<CircuitState, BreakerState> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
}
const VALUE: Record<BreakerState, number> = { closed: 0, 'half-open': 1, open: 2 }

/** Whether an error blames the request and not the peer: a 4xx of the peer, or one of the hub's own codes below 500. */
export const isClientError = (error: unknown): boolean => {
  if (!(error instanceof Recoverable)) return false
  const { status } = error.details
  return (typeof status === 'number' ? status : STATUS_OF[error.code]) < 500
}

/** Makes a breaker. */
export const breaker = (options: BreakerOptions): Breaker => {
  const { name, health, log } = options
  const limits: BreakerLimits = typeof options.limits === 'string' ? BREAKERS[options.limits] : options.limits
  const probes = limits.probes ?? 1
  const isClients = options.isClientError ?? isClientError
  const part = `breaker:${name}`
  let openedAt = 0
  let trials = { running: 0 }

  const fresh = () => {
    const circuit = circuitBreaker(
      handleWhen((error) => !isClients(error)),
      {
        breaker: new ConsecutiveBreaker(limits.failures),
        halfOpenAfter: limits.halfOpenAfterMs,
        halfOpenSampling: { calls: probes, threshold: 0 },
      },
    )
    circuit.onBreak((reason) => {
      openedAt = performance.now()
      const why = 'error' in reason ? reasonOf(reason.error) : 'held open'
      health.set(
        part,
        'degraded',
        `${name} keeps failing (${why}); tried again every ${limits.halfOpenAfterMs / 1000} s`,
      )
      health.metrics.count('breaker_trips_total', 'Times a breaker opened', { breaker: name })
      log.warn('breaker.open', { breaker: name, reason: why, halfOpenAfterMs: limits.halfOpenAfterMs })
    })
    circuit.onHalfOpen(() => log.info('breaker.half_open', { breaker: name }))
    circuit.onReset(() => {
      health.set(part, 'healthy')
      log.info('breaker.closed', { breaker: name, openMs: Math.round(performance.now() - openedAt) })
    })
    return circuit
  }

  let circuit = fresh()
  health.set(part, 'healthy')
  const states = statesOf(health.metrics)
  states.set(name, () => VALUE[STATES[circuit.state]])

  const refuse = (): never => {
    const retryAfterMs = Math.max(0, Math.ceil(openedAt + limits.halfOpenAfterMs - performance.now()))
    health.metrics.count('breaker_refused_total', 'Calls refused by an open breaker', { breaker: name })
    throw new Recoverable(
      'CONNECTION_ERROR',
      `${name} has failed ${limits.failures} times in a row and is left alone for now; try again in ${Math.ceil(retryAfterMs / 1000)} s.`,
      { breaker: name, retryAfterMs },
    )
  }

  return {
    run: async (call) => {
      const mine = trials
      const trial = circuit.state !== CircuitState.Closed
      // The library would let callers beyond the trial wait for its end; failing fast keeps every wait short.
      if (trial && mine.running >= probes) return refuse()
      if (trial) mine.running++
      try {
        return await circuit.execute(call)
      } catch (error) {
        if (isBrokenCircuitError(error)) refuse()
        throw error
      } finally {
        if (trial) mine.running--
      }
    },
    state: () => STATES[circuit.state],
    reset: (by) => {
      circuit = fresh()
      trials = { running: 0 }
      health.set(part, 'healthy')
      log.info('breaker.reset', { breaker: name, by })
    },
    drop: () => {
      states.delete(name)
      health.drop(part)
    },
  }
}

const registered = new WeakMap<object, Map<string, () => number>>()

/** All breakers of one registry are one gauge. */
const statesOf = (metrics: Health['metrics']): Map<string, () => number> => {
  const known = registered.get(metrics)
  if (known) return known
  const states = new Map<string, () => number>()
  registered.set(metrics, states)
  metrics.gauge('breaker_state', 'State of each breaker: 0 closed, 1 half-open, 2 open', () =>
    [...states].map(([name, value]) => ({ labels: { breaker: name }, value: value() })),
  )
  return states
}
