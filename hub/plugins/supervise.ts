// Keeps one plugin running: restarts it with backoff when it fails, quarantines it when it keeps failing, stops it within a deadline.
import { from, isObservable, map, type Observable, type Subscription } from 'rxjs'
import { reasonOf } from '../errors.ts'

/** Times in ms. `crashes` within `withinMs` mean quarantine; a run of at least `withinMs` makes the next wait short again. */
export interface Limits {
  firstWaitMs: number
  longestWaitMs: number
  crashes: number
  withinMs: number
  stopMs: number
}

export const LIMITS: Limits = { firstWaitMs: 1000, longestWaitMs: 60_000, crashes: 5, withinMs: 60_000, stopMs: 1500 }

export type RunStatus = 'starting' | 'running' | 'restarting' | 'quarantined' | 'stopped'

export interface Run {
  status: RunStatus
  restarts: number
  error?: string
}

export interface Supervised {
  run(): Run
  /** Unsubscribes and waits for what `settle` was given. Resolves false when the deadline passed first. */
  stop(): Promise<boolean>
}

export interface Parts<T> {
  /** One run; anything it throws, and its end, counts as a crash. `settle` takes work that ends only after unsubscribing. */
  start: (settle: (work: Promise<unknown>) => void) => Observable<T>
  take: (value: T) => void
  /** Called on every change of status, with the error behind it. */
  changed: (run: Run, error?: unknown) => void
  /** Ms; only differences are used. */
  now: () => number
  limits?: Limits
}

const ENDED = 'ended by itself; a plugin runs until it is stopped: let its stream never complete'

/** Starts at once. */
export const supervise = <T>({ start, take, changed, now, limits = LIMITS }: Parts<T>): Supervised => {
  let run: Run = { status: 'starting', restarts: 0 }
  let subscription: Subscription | undefined
  let waiting: NodeJS.Timeout | undefined
  let crashes: number[] = []
  let inARow = 0
  let startedAt = 0
  let generation = 0
  let lingering: Promise<unknown>[] = []

  const become = (next: Run, error?: unknown): void => {
    run = next
    changed(run, error)
  }

  const release = (): void => {
    const held = subscription
    subscription = undefined
    held?.unsubscribe()
  }

  /** True once everything that was to settle has settled, false when the deadline came first. */
  const settled = async (): Promise<boolean> => {
    const work = lingering
    lingering = []
    if (work.length === 0) return true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        resolve(false)
      }, limits.stopMs)
    })
    const done = Promise.allSettled(work).then(() => true)
    return Promise.race([done, late]).finally(() => {
      clearTimeout(timer)
    })
  }

  const crashed = (error: unknown): void => {
    let reason = reasonOf(error)
    try {
      release()
    } catch (thrown) {
      reason += `; and stopping it threw: ${reasonOf(thrown)}`
    }
    const at = now()
    if (at - startedAt >= limits.withinMs) inARow = 0
    inARow += 1
    crashes = [...crashes.filter((then) => at - then < limits.withinMs), at].slice(-limits.crashes)
    if (crashes.length >= limits.crashes) {
      become({ status: 'quarantined', restarts: run.restarts, error: reason }, error)
      return
    }
    become({ status: 'restarting', restarts: run.restarts + 1, error: reason }, error)
    const wait = Math.min(limits.firstWaitMs * 2 ** (inARow - 1), limits.longestWaitMs)
    waiting = setTimeout(() => {
      void settled().then(() => {
        if (run.status === 'restarting') begin()
      })
    }, wait)
  }

  const begin = (): void => {
    generation += 1
    const mine = generation
    const isCurrent = () => mine === generation && (run.status === 'starting' || run.status === 'running')
    startedAt = now()
    run = { ...run, status: 'starting' }
    try {
      const outputs = start((work) => lingering.push(work))
      const stream = isObservable(outputs) ? outputs : notAStream(outputs)
      subscription = stream.subscribe({
        next: (value) => {
          if (isCurrent()) take(value)
        },
        error: (error) => {
          if (isCurrent()) crashed(error)
        },
        complete: () => {
          if (isCurrent()) crashed(new Error(ENDED))
        },
      })
    } catch (error) {
      crashed(error)
      return
    }
    if (!isCurrent()) release()
    else become({ ...run, status: 'running' })
  }

  const stop = async (): Promise<boolean> => {
    clearTimeout(waiting)
    if (run.status === 'stopped') return true
    let thrown: unknown
    run = { ...run, status: 'stopped' }
    try {
      release()
    } catch (error) {
      thrown = error
      run = { ...run, error: `stopping threw: ${reasonOf(error)}` }
    }
    changed(run, thrown)
    return settled()
  }

  begin()
  return { run: () => run, stop }
}

/** What a start that returned something else comes to: its rejection, if it has one, otherwise the reason. */
const notAStream = (outputs: unknown): Observable<never> =>
  from(Promise.resolve(outputs)).pipe(
    map(() => {
      throw new TypeError('start must return an Observable; wrap asynchronous work in defer(async () => …)')
    }),
  )
