// The only time a flow knows. It moves when the hub says so, never by itself.
import { realm, turnNow } from './realm.ts'

interface Timer {
  readonly id: number
  due: number
  /** Period in ms; 0 for a timer that fires once. */
  readonly every: number
  readonly run: () => void
  readonly cause: number
  readonly group: string
  dead: boolean
}

/** As far ahead as a timer can be set, in ms. Beyond 2^40 ms (34 years) nobody means a wait. */
const FARTHEST = 2 ** 47
const A_WAIT = 2 ** 40
/** So many timers at one instant mean that time stands still: a chain of zero waits. */
const AT_ONE_INSTANT = 100_000

const atOnce = (run: () => void): void => run()

/** Logical time of one flow, and the timers it set. Flows are independent: each has its own. */
export class LogicalClock {
  /** ms since 1970. */
  now: number
  /** `seq` of the message that led to what runs now. A timer inherits it from whoever set it. */
  cause = 0
  /** The group of `per` that runs now, such as `device=dust/`; '' for none. A timer inherits it, too. */
  group = ''
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

  /** Sets a timer `wait` ms from now and returns its id. */
  set(run: () => void, wait: number, repeat: boolean): number {
    const ms = wait > 0 ? Math.min(wait, FARTHEST) : 0
    if (ms > this.longest && ms < A_WAIT) this.longest = ms
    const timer: Timer = {
      id: ++this.#lastId,
      due: this.now + ms,
      every: repeat ? Math.max(1, ms) : 0,
      run,
      cause: this.cause,
      group: this.group,
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

  /**
   * Fires every timer due up to `to`, in the order of due time, then of setting, each seeing its own due time; then it is `to`.
   * Each is handed to `fire`, which runs it as a turn; what `fire` throws ends the advance.
   */
  advance(to: number, fire: (run: () => void) => void = atOnce): void {
    let instant = -Infinity
    let fired = 0
    try {
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
        this.cause = timer.cause
        this.group = timer.group
        fire(fired > AT_ONE_INSTANT ? standstill : timer.run)
      }
    } finally {
      this.cause = 0
      this.group = ''
    }
    if (to > this.now) this.now = to
  }

  /** Runs `work` as an answer to the message `cause`. */
  because(cause: number, work: () => void): void {
    const before = this.cause
    this.cause = cause
    try {
      work()
    } finally {
      this.cause = before
    }
  }

  /** Runs `work` in a group of `per`. */
  within(group: string, work: () => void): void {
    const before = this.group
    this.group = group
    try {
      work()
    } finally {
      this.group = before
    }
  }

  /** Cancels every timer. */
  forget(): void {
    for (const timer of this.#heap) timer.dead = true
    this.#heap = []
    this.#byId.clear()
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
 * Replaces the time and the chance of this realm by those of the flow that has its turn, for RxJS and for whatever a flow
 * calls: timers, Date, performance, Math.random; promises are refused inside a turn. Once per process, before any flow is
 * loaded. Returns what gives all of it back.
 */
export const ownTime = (): (() => void) => {
  const set =
    (repeat: boolean) =>
    (run: Run, ms: number, ...args: unknown[]) =>
      turnNow('time was asked for').clock.set(args.length > 0 ? () => run(...args) : run, ms, repeat)
  const clear = (id: number) => realm.turn?.clock.clear(id)
  const forbidden = (name: string) => () => {
    throw new Error(`${name} is not for flows`)
  }
  const date = flowDate()
  const put: (() => void)[] = [
    replace(globalThis, 'setTimeout', set(false)),
    replace(globalThis, 'setInterval', set(true)),
    replace(globalThis, 'setImmediate', (run: Run, ...args: unknown[]) => set(false)(run, 0, ...args)),
    replace(globalThis, 'clearTimeout', clear),
    replace(globalThis, 'clearInterval', clear),
    replace(globalThis, 'clearImmediate', clear),
    replace(globalThis, 'queueMicrotask', forbidden('queueMicrotask')),
    replace(globalThis, 'fetch', forbidden('fetch')),
    replace(globalThis, 'performance', { now: timeNow, timeOrigin: 0 }),
    replace(Date.prototype, 'constructor', date),
    replace(globalThis, 'Date', date),
    replace(Math, 'random', forbidden('Math.random')),
    replace(Promise.prototype, 'then', turnless(Promise.prototype.then)),
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

const timeNow = (): number => realm.turn?.clock.now ?? realm.at

const flowDate = (): DateConstructor =>
  new Proxy(Date, {
    construct: (real, args, target): object =>
      Reflect.construct(real, args.length === 0 ? [timeNow()] : args, target) as Date,
    apply: (real) => new real(timeNow()).toString(),
    get: (real, key, receiver): unknown => (key === 'now' ? timeNow : Reflect.get(real, key, receiver)),
  })

/** `then` that refuses to be called while a flow has its turn: what it would do happens when no turn does. */
const turnless = (then: (...args: never[]) => unknown) =>
  function (this: unknown, ...args: unknown[]): unknown {
    if (realm.turn !== undefined) throw new Error('promises and async functions are not for flows')
    return Reflect.apply(then, this, args)
  }
