// The only time a flow knows. It moves when the hub says so, never by itself.

/** Whose turn it is: the number of a flow. */
export type Owner = number

/** Told of whatever a timer threw. */
export type Failed = (owner: Owner, error: unknown) => void

interface Timer {
  readonly id: number
  due: number
  /** Period in ms; 0 for a timer that fires once. */
  readonly every: number
  readonly run: () => void
  readonly owner: Owner
  readonly cause: number
  dead: boolean
}

/** As far ahead as a timer can be set, in ms. Beyond 2^40 ms (34 years) nobody means a wait. */
const FARTHEST = 2 ** 47
const A_WAIT = 2 ** 40
/** So many timers at one instant mean that time stands still: a chain of zero waits. */
const AT_ONE_INSTANT = 100_000

const rethrow: Failed = (_, error) => {
  throw error
}

/** Logical time, and the timers set on it. One per process of flows, one per play, one per replay. */
export class LogicalClock {
  /** ms since 1970. */
  now: number
  /** `seq` of the message that led to what runs now. A timer inherits it from whoever set it. */
  cause = 0
  /** Whose turn it is; undefined between turns. */
  owner: Owner | undefined
  /** The longest wait asked for, in ms: how far back a warm-up must reach. */
  longest = 0
  #heap: Timer[] = []
  readonly #byId = new Map<number, Timer>()
  #lastId = 0

  constructor(now = 0) {
    this.now = now
  }

  /** When the earliest timer is due; Infinity when none is. */
  get next(): number {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (!top.dead) return top.due
      this.#pop()
    }
    return Infinity
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#byId.size
  }

  /** Sets a timer `wait` ms from now and returns its id. Throws outside a turn, where only promises and module code can be. */
  set(run: () => void, wait: number, repeat: boolean): number {
    if (this.owner === undefined) {
      throw new Error('time was asked for outside a turn: promises and async functions are not for flows')
    }
    const ms = wait > 0 ? Math.min(wait, FARTHEST) : 0
    if (ms > this.longest && ms < A_WAIT) this.longest = ms
    const timer: Timer = {
      id: ++this.#lastId,
      due: this.now + ms,
      every: repeat ? Math.max(1, ms) : 0,
      run,
      owner: this.owner,
      cause: this.cause,
      dead: false,
    }
    this.#byId.set(timer.id, timer)
    this.#push(timer)
    return timer.id
  }

  /** Cancels a timer; an unknown id is nobody's. */
  clear(id: number): void {
    const timer = this.#byId.get(id)
    if (timer === undefined) return
    timer.dead = true
    this.#byId.delete(id)
    // Cancelled timers must not pile up: debounceTime cancels one per message.
    if (this.#heap.length > 64 && this.#heap.length > 4 * this.#byId.size) this.#compact()
  }

  /** Fires every timer due up to `to`, in the order of due time, then of setting, each seeing its own due time; then it is `to`. */
  advance(to: number, failed: Failed = rethrow, begin: (owner: Owner) => void = () => {}): void {
    let instant = -Infinity
    let fired = 0
    while (this.next <= to) {
      const timer = this.#pop()
      if (timer === undefined) break
      const due = timer.due
      if (timer.every > 0) {
        timer.due += timer.every
        this.#push(timer)
      } else this.#byId.delete(timer.id)
      this.now = Math.max(this.now, due)
      fired = this.now === instant ? fired + 1 : 0
      instant = this.now
      begin(timer.owner)
      const run = fired > AT_ONE_INSTANT ? standstill : timer.run
      this.turn(timer.owner, timer.cause, run, failed)
    }
    if (to > this.now) this.now = to
  }

  /** Runs `work` as a turn of `owner`: owner and cause are set, and put back. */
  turn(owner: Owner, cause: number, work: () => void, failed: Failed = rethrow): void {
    const before = this.owner
    const why = this.cause
    this.owner = owner
    this.cause = cause
    try {
      work()
    } catch (error) {
      failed(owner, error)
    } finally {
      this.owner = before
      this.cause = why
    }
  }

  /** Cancels every timer of `owner`. */
  forget(owner: Owner): void {
    for (const timer of [...this.#byId.values()]) if (timer.owner === owner) this.clear(timer.id)
  }

  // A binary heap by (due, id). A repeating timer keeps its id and so stays before younger ones at the same instant.
  #push(timer: Timer): void {
    const heap = this.#heap
    let i = heap.push(timer) - 1
    while (i > 0) {
      const up = (i - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !isBefore(timer, parent)) break
      heap[i] = parent
      i = up
    }
    heap[i] = timer
  }

  #pop(): Timer | undefined {
    const top = this.#heap[0]
    const last = this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) this.#sink(0, last)
    return top
  }

  #sink(from: number, timer: Timer): void {
    const heap = this.#heap
    let i = from
    for (;;) {
      const left = heap[2 * i + 1]
      if (left === undefined) break
      const right = heap[2 * i + 2]
      const rightFirst = right !== undefined && isBefore(right, left)
      const child = rightFirst ? right : left
      if (!isBefore(child, timer)) break
      heap[i] = child
      i = 2 * i + (rightFirst ? 2 : 1)
    }
    heap[i] = timer
  }

  #compact(): void {
    this.#heap = this.#heap.filter((timer) => !timer.dead)
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) {
      const timer = this.#heap[i]
      if (timer !== undefined) this.#sink(i, timer)
    }
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.due < b.due || (a.due === b.due && a.id < b.id)

const standstill = (): never => {
  throw new Error(`more than ${AT_ONE_INSTANT} timers at one instant: a chain of waits of 0 ms never lets time pass`)
}

type Run = (...args: unknown[]) => void

/**
 * Replaces the time and the chance of this realm by `clock`'s, for RxJS and for whatever a flow calls: timers, Date,
 * performance, Math.random; promises are refused inside a turn. Returns what gives all of it back.
 */
export const ownTime = (clock: LogicalClock): (() => void) => {
  const set =
    (repeat: boolean) =>
    (run: Run, ms: number, ...args: unknown[]) =>
      clock.set(args.length > 0 ? () => run(...args) : run, ms, repeat)
  const clear = (id: number) => clock.clear(id)
  const forbidden = (name: string) => () => {
    throw new Error(`${name} is not for flows`)
  }
  const date = flowDate(clock)
  const put: (() => void)[] = [
    replace(globalThis, 'setTimeout', set(false)),
    replace(globalThis, 'setInterval', set(true)),
    replace(globalThis, 'setImmediate', (run: Run, ...args: unknown[]) => set(false)(run, 0, ...args)),
    replace(globalThis, 'clearTimeout', clear),
    replace(globalThis, 'clearInterval', clear),
    replace(globalThis, 'clearImmediate', clear),
    replace(globalThis, 'queueMicrotask', forbidden('queueMicrotask')),
    replace(globalThis, 'fetch', forbidden('fetch')),
    replace(globalThis, 'performance', { now: () => clock.now, timeOrigin: 0 }),
    replace(Date.prototype, 'constructor', date),
    replace(globalThis, 'Date', date),
    replace(Math, 'random', forbidden('Math.random')),
    replace(Promise.prototype, 'then', turnless(clock, Promise.prototype.then)),
  ]
  return () => {
    for (const back of put.splice(0).reverse()) back()
  }
}

/** Puts a value in the place of a property and returns what puts the property back as it was. */
const replace = (target: object, name: string, value: unknown): (() => void) => {
  const before = Object.getOwnPropertyDescriptor(target, name)
  Object.defineProperty(target, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: before?.enumerable ?? false,
  })
  return () => {
    if (before === undefined) Reflect.deleteProperty(target, name)
    else Object.defineProperty(target, name, before)
  }
}

const flowDate = (clock: LogicalClock): DateConstructor =>
  new Proxy(Date, {
    construct: (real, args, target): object =>
      Reflect.construct(real, args.length === 0 ? [clock.now] : args, target) as Date,
    apply: (real) => new real(clock.now).toString(),
    get: (real, key, receiver): unknown => (key === 'now' ? () => clock.now : Reflect.get(real, key, receiver)),
  })

/** `then` that refuses to be called while a flow has its turn: what it would do happens when no turn does. */
const turnless = (clock: LogicalClock, then: (...args: never[]) => unknown) =>
  function (this: unknown, ...args: unknown[]): unknown {
    if (clock.owner !== undefined) throw new Error('promises and async functions are not for flows')
    return Reflect.apply(then, this, args)
  }
