// The host runs flows on the logical clock. It knows no process and no socket: the child, play() and replay share it.
import { isObservable, Observable, Subject, takeUntil } from 'rxjs'
import type { LogicalClock } from '../streams/clock.ts'
import type { Flow, From, FromOptions, Overload } from '../streams/flow.ts'
import type { Heard, Message, Topic } from '../streams/message.ts'
import type { TopicMatch, TopicTable } from '../topics/table.ts'
import { encode } from './encode.ts'
import type { Item, Output } from './frame.ts'

/** One `from(…)` of a flow, as the hub needs to know it. */
export interface Input {
  /** Number of the edge: unique in the host, the same again when the same flow is defined again. */
  edge: number
  topic: string
  /** MQTT filter of what it hears. */
  filter: string
  /** Starts with the retained values. */
  latest: boolean
  overload: Overload
}

/** What is wrong with a payload. */
export interface Wrong {
  field: string
  constraint: string
}

/** What the host tells whoever runs it. */
export interface Listener {
  output(output: Output): void
  /** A flow threw, or did what flows may not; it has been stopped. */
  failed(flow: number, error: unknown): void
  /** A flow completed: it will say nothing more. */
  ended(flow: number): void
  /** A payload does not fit its topic; no flow got it. */
  bad(item: Item, wrong: Wrong): void
  /** Before each turn: the name of the flow, where a watchdog can read it. */
  turn?(flow: number): void
}

const OUTPUTS_PER_TURN = 10_000
const BYTES_PER_TURN = 4 * 2 ** 20
/** Edges of flow f are numbered from f * 1024. */
const EDGES_PER_FLOW = 1024
const ROUTES = 10_000
const DEFAULT_OVERLOAD: Overload = { dropOldest: 1000 }

interface Head {
  readonly flow: Running
  readonly input: Input
  readonly where: Readonly<Record<string, string>>
  readonly subject: Subject<Heard>
  /** For `from.latest`: the last message of each retained topic. */
  readonly kept?: Map<string, Heard>
}

interface Running {
  readonly number: number
  readonly heads: Head[]
  readonly outputs: Observable<Message>
  readonly stop: Subject<void>
  /** Items up to this `seq` came before its start. */
  since: number
  /** Of its last output. */
  n: number
  state: 'defined' | 'started' | 'stopped'
}

interface Route {
  readonly match: TopicMatch
  readonly heads: readonly Head[]
}

/** Where a flow begins: after which `seq`, with which retained messages, and with which number its outputs go on. */
export interface Start {
  since?: number
  retained?: Iterable<Item>
  n?: number
}

export class FlowHost {
  readonly clock: LogicalClock
  /** While it catches up after a restart: what is said now was said before. */
  quiet = false
  readonly #table: TopicTable
  readonly #to: Listener
  readonly #flows = new Map<number, Running>()
  readonly #routes = new Map<string, Route | undefined>()
  #said = 0
  #saidBytes = 0
  readonly #begin = (flow: number): void => {
    this.#said = 0
    this.#saidBytes = 0
    this.#to.turn?.(flow)
  }
  readonly #failedTurn = (flow: number, error: unknown): void => this.#fail(this.#flows.get(flow), error)

  constructor(clock: LogicalClock, table: TopicTable, to: Listener) {
    this.clock = clock
    this.#table = table
    this.#to = to
  }

  /** Calls the flow's function and says what it wants to hear. Throws what the function throws; nothing runs yet. */
  define(number: number, define: Flow): Input[] {
    this.stop(number)
    const heads: Head[] = []
    const stop = new Subject<void>()
    let open = true
    const input = <T extends Topic>(topic: T, options: FromOptions<T> = {}, latest: boolean): Head => {
      if (!open) throw new Error(`call from('${topic}') where the flow is defined, not inside an operator`)
      if (heads.length >= EDGES_PER_FLOW) throw new Error(`a flow may call from() at most ${EDGES_PER_FLOW} times`)
      const row = this.#table.rows.get(topic)
      if (row === undefined) throw new Error(`no topic table knows '${topic}'`)
      const where = namedIn(topic, options.where)
      const head: Head = {
        flow: running,
        input: {
          edge: number * EDGES_PER_FLOW + heads.length,
          topic,
          filter: this.#table.filterOf(topic, where),
          latest,
          overload: options.overload ?? DEFAULT_OVERLOAD,
        },
        where,
        subject: new Subject(),
        ...(latest && row.retain ? { kept: new Map() } : {}),
      }
      heads.push(head)
      return head
    }
    const live = <T extends Topic>(topic: T, options?: FromOptions<T>) =>
      heardBy<T>(input(topic, options, false).subject)
    const latest = <T extends Topic>(topic: T, options?: FromOptions<T>) =>
      heardBy<T>(this.#startingWithKept(input(topic, options, true)))
    const from: From = Object.assign(live, { latest })
    let outputs: Observable<Message> | undefined
    const running: Running = {
      number,
      heads,
      stop,
      since: -1,
      n: 0,
      state: 'defined',
      outputs: new Observable((out) => outputs?.subscribe(out)),
    }
    this.#begin(number)
    try {
      this.clock.turn(number, 0, () => (outputs = define(from)))
    } finally {
      open = false
    }
    if (!isObservable(outputs))
      throw new Error('a flow must return what it wants published: flow((from) => from(…).pipe(…))')
    this.#flows.set(number, running)
    return heads.map((head) => head.input)
  }

  /** Subscribes to a defined flow, as a turn of its own. */
  start(number: number, { since = -1, retained = [], n = 0 }: Start = {}): void {
    const running = this.#flows.get(number)
    if (running === undefined || running.state !== 'defined') return
    running.since = since
    running.n = n
    running.state = 'started'
    this.#routes.clear()
    for (const item of retained) this.#keep(running, item)
    this.#turn(number, 0, () =>
      running.outputs.pipe(takeUntil(running.stop)).subscribe({
        next: (message) => this.#publish(running, message),
        error: (error: unknown) => this.#fail(running, error),
        complete: () => this.#end(running),
      }),
    )
  }

  /** Unsubscribes; its timers are gone. */
  stop(number: number): void {
    const running = this.#flows.get(number)
    if (running === undefined) return
    running.state = 'stopped'
    this.#flows.delete(number)
    this.#routes.clear()
    try {
      running.stop.next()
    } catch {
      // What a flow's finalizers throw on the way out has nobody left to reach.
    }
    this.clock.forget(number)
  }

  /** One step: time moves to the item's stamp, then the item goes to every flow that asked for it. */
  take(item: Item): void {
    this.advance(item.at)
    if (item.topic === '') return
    const route = this.#route(item.topic)
    if (route === undefined) return
    if (item.payload.length === 0) {
      for (const head of route.heads) head.kept?.delete(item.topic)
      return
    }
    const heard = this.#decode(route.match, item)
    if (heard === undefined) return
    for (const head of route.heads) {
      if (head.flow.state !== 'started' || item.seq <= head.flow.since || item.skip.includes(head.input.edge)) continue
      if (head.kept !== undefined) {
        if ((head.kept.get(item.topic)?.seq ?? -1) >= item.seq) continue
        head.kept.set(item.topic, heard)
      }
      this.#turn(head.flow.number, item.seq, () => head.subject.next(heard))
    }
  }

  /** Time moves to `at`; every timer due by then fires. */
  advance(at: number): void {
    if (this.clock.next <= at) this.clock.advance(at, this.#failedTurn, this.#begin)
    else if (at > this.clock.now) this.clock.now = at
  }

  #turn(flow: number, cause: number, work: () => void): void {
    this.#begin(flow)
    this.clock.turn(flow, cause, work, this.#failedTurn)
  }

  #keep(running: Running, item: Item): void {
    const match = this.#table.match(item.topic)
    if (match === undefined || item.payload.length === 0) return
    const heads = running.heads.filter((head) => head.kept !== undefined && isFor(head, match))
    if (heads.length === 0) return
    const heard = this.#decode(match, item)
    if (heard !== undefined) for (const head of heads) head.kept?.set(item.topic, heard)
  }

  #startingWithKept(head: Head): Observable<Heard> {
    if (head.kept === undefined) return head.subject
    const { kept, subject } = head
    return new Observable((out) => {
      const before = this.clock.cause
      for (const heard of [...kept.values()].sort((a, b) => a.seq - b.seq)) {
        this.clock.cause = heard.seq
        out.next(heard)
      }
      this.clock.cause = before
      return subject.subscribe(out)
    })
  }

  #route(topic: string): Route | undefined {
    if (this.#routes.has(topic)) return this.#routes.get(topic)
    const match = this.#table.match(topic)
    const heads: Head[] = []
    if (match !== undefined) {
      for (const { state, heads: all } of this.#flows.values()) {
        if (state === 'started') heads.push(...all.filter((head) => isFor(head, match)))
      }
    }
    const route = match === undefined || heads.length === 0 ? undefined : { match, heads }
    if (this.#routes.size >= ROUTES) this.#routes.clear()
    this.#routes.set(topic, route)
    return route
  }

  #decode({ key, row, params }: TopicMatch, item: Item): Heard | undefined {
    const decoded = this.#table.decode(row, item.payload)
    if (!decoded.ok) {
      this.#to.bad(item, { field: decoded.field, constraint: decoded.constraint })
      return undefined
    }
    const heard = { topic: key, params, payload: decoded.payload, seq: item.seq, at: item.at, origin: item.origin }
    // The row's schema has just been met: here bytes become the type of their topic. Frozen, because flows share it.
    return frozen(heard) as unknown as Heard
  }

  #publish(running: Running, message: Message): void {
    if (running.state !== 'started') return
    try {
      if (this.clock.owner !== running.number)
        throw new Error('output outside a turn: promises and async functions are not for flows')
      if (++this.#said > OUTPUTS_PER_TURN) throw new Error(`more than ${OUTPUTS_PER_TURN} outputs in one turn`)
      const { topic, payload } = encode(this.#table, message)
      this.#saidBytes += payload.length
      if (this.#saidBytes > BYTES_PER_TURN) throw new Error(`more than ${BYTES_PER_TURN} bytes of output in one turn`)
      const n = ++running.n
      const { now: at, cause } = this.clock
      if (!this.quiet) this.#to.output({ flow: running.number, n, at, cause, topic, payload })
    } catch (error) {
      this.#fail(running, error)
    }
  }

  #end(running: Running): void {
    if (running.state !== 'started') return
    this.stop(running.number)
    this.#to.ended(running.number)
  }

  #fail(running: Running | undefined, error: unknown): void {
    if (running === undefined || running.state === 'stopped') return
    this.stop(running.number)
    this.#to.failed(running.number, error)
  }
}

/** The typed view of a head: the host routes by `topic`, so that only messages of T arrive here. */
const heardBy = <T extends Topic>(messages: Observable<Heard>): Observable<Heard<T>> =>
  new Observable<unknown>((out) => messages.subscribe(out)) as Observable<Heard<T>>

const isFor = ({ input, where }: Head, { key, params }: TopicMatch): boolean =>
  input.topic === key && Object.entries(where).every(([name, value]) => params[name] === value)

const namedIn = (topic: string, where: object | undefined): Record<string, string> => {
  const named: Record<string, string> = {}
  for (const [name, value] of Object.entries(where ?? {})) {
    if (value === undefined) continue
    if (!topic.includes(`{${name}}`)) throw new Error(`where.${name}: '${topic}' has no such parameter`)
    if (typeof value !== 'string' || !/^[^/+#\0]+$/.test(value))
      throw new Error(`where.${name} must be one topic level`)
    named[name] = value
  }
  return named
}

const frozen = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
