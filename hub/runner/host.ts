// The host runs flows, each on its own logical clock. It knows no process and no socket: the child, play() and replay share it.
import { isObservable, Observable, Subject, takeUntil } from 'rxjs'
import type { Flow, From, FromOptions } from '../streams/flow.ts'
import { LogicalClock } from '../streams/clock.ts'
import type { Heard, Message, Topic } from '../streams/message.ts'
import { type Calendar, type Keeper, realm, type Turn } from '../streams/realm.ts'
import type { TopicMatch, TopicTable } from '../topics/table.ts'
import { encode } from './encode.ts'
import type { Item } from './frame.ts'
import type { Definition, HostView, Listener, Start } from './host-contract.ts'
import { calendarOf, type Site } from './host-calendar.ts'
import { type Due, DueQueue } from './host-due.ts'
import { type Head, headOf, heardBy, isFor, startingWithLast } from './host-inputs.ts'
import { paramsOf } from './host-params.ts'
import { requestId } from './host-ids.ts'
import { frozen, keeping } from './kept.ts'

export type * from './host-contract.ts'

/** In answer to a message; at its start, and by the timers it set then, a flow may have more to say. */
const OUTPUTS_PER_TURN = 2000
const OUTPUTS_AT_START = 10_000
const BYTES_PER_TURN = 4 * 2 ** 20
const ROUTES = 10_000
/** Bad payloads that were told of are remembered, so that a history or a lane of its own does not tell of them again. */
const TOLD = 1000
const NO_SITE: Site = { timezone: 'UTC' }

interface Running extends Turn, Due {
  readonly clock: LogicalClock
  keeper: Keeper
  nextId: () => string
  readonly heads: Head<Running>[]
  readonly outputs: Observable<Message>
  readonly stop: Subject<void>
  /** Items up to this `seq` came before its start. */
  since: number
  /** Up to here it has heard. */
  seq: number
  /** Of its last output or keep change. */
  n: number
  mutedTo: number
  apart: boolean
  /** How many steps the host had made when it joined the others. */
  joined: number
  state: 'defined' | 'started' | 'stopped'
}

interface Route {
  readonly match: TopicMatch
  readonly heads: readonly Head<Running>[]
}

const isOdd = (text: string): boolean => text.includes('\ufffd') || text.startsWith('\ufeff')

/** Runs flows. Make it before the realm is sealed, and call `ownTime` before the first flow is defined. */
export class FlowHost {
  readonly #table: TopicTable
  readonly #to: Listener
  readonly #calendar: Calendar
  readonly #flows = new Map<number, Running>()
  readonly #routes = new Map<string, Route | undefined>()
  readonly #toldBad = new Set<number>()
  #at = 0
  #seq = -1
  #steps = 0
  /** Started flows that are not apart, by their earliest timer. */
  readonly #due = new DueQueue<Running>()
  #said = 0
  #saidBytes = 0

  constructor(table: TopicTable, to: Listener, site: Site = NO_SITE) {
    this.#table = table
    this.#to = to
    this.#calendar = calendarOf(site)
  }

  /**
   * Calls the flow's function and says what it wants to hear; nothing runs yet. Throws what the function throws, and an Error
   * that names the field when a param does not fit; then a flow of the same number that runs goes on, otherwise it is stopped.
   */
  define(number: number, flow: Flow, options: { at?: number; params?: Record<string, unknown> } = {}): Definition {
    const params = paramsOf(flow, options.params)
    const heads: Head<Running>[] = []
    let outputs: Observable<Message> | undefined
    const running: Running = {
      number,
      clock: new LogicalClock(options.at ?? this.#at),
      keeper: keeping({}, { changed() {}, setAside() {} }),
      calendar: this.#calendar,
      nextId: requestId(String(number), 0, -1),
      heads,
      stop: new Subject(),
      since: -1,
      seq: -1,
      n: 0,
      mutedTo: 0,
      apart: false,
      joined: 0,
      state: 'defined',
      due: Infinity,
      place: -1,
      outputs: new Observable((out) => outputs?.subscribe(out)),
    }
    let open = true
    const input = <T extends Topic>(topic: T, wanted: FromOptions<T> = {}, latest: boolean): Head<Running> => {
      if (!open) throw new Error(`call from('${topic}') where the flow is defined, not inside an operator`)
      const head = headOf(this.#table, running, topic, wanted, latest)
      heads.push(head)
      return head
    }
    const live = <T extends Topic>(topic: T, wanted?: FromOptions<T>) => heardBy<T>(input(topic, wanted, false).subject)
    const latest = <T extends Topic>(topic: T, wanted?: FromOptions<T>) =>
      heardBy<T>(startingWithLast(input(topic, wanted, true)))
    const from: From = Object.assign(live, { latest })
    this.#inTurn(running, () => (outputs = flow(from, params?.values ?? {})))
    open = false
    if (!isObservable(outputs))
      throw new Error('a flow must return what it wants published: flow((from) => from(…).pipe(…))')
    this.stop(number)
    this.#flows.set(number, running)
    return { inputs: heads.map((head) => head.input), ...(params === undefined ? {} : { params }) }
  }

  /** Subscribes to a defined flow, as a turn of its own. */
  start(number: number, start: Start): void {
    const running = this.#flows.get(number)
    if (running === undefined || running.state !== 'defined') return
    const { at, since = -1, n = 0, retained = [], kept = {}, mutedTo = 0, name = String(number) } = start
    running.clock.now = at
    running.since = since
    running.seq = since
    running.n = n
    running.mutedTo = mutedTo
    running.nextId = requestId(name, at, since)
    running.keeper = keeping(kept, {
      changed: (key, value, size) => this.#keep(running, key, value, size),
      setAside: (key, value, constraint) => {
        if (running.n >= running.mutedTo) this.#to.setAside({ flow: number, key, value, constraint })
      },
    })
    running.state = 'started'
    running.joined = this.#steps
    this.#routes.clear()
    for (const item of retained) this.#retain(running, item)
    this.#turn(running, 0, () =>
      running.outputs.pipe(takeUntil(running.stop)).subscribe({
        next: (message) => this.#publish(running, message),
        error: (error: unknown) => this.#fail(running, error),
        complete: () => this.#end(running),
      }),
    )
    this.#look(running)
  }

  /** One step: every timer due by the item's stamp fires, then the item goes to every flow that asked for it and is not apart. */
  take(item: Item): void {
    if (this.#due.next <= item.at) this.#advance(item.at)
    if (item.at > this.#at) {
      this.#at = item.at
      if (item.at > realm.at) realm.at = item.at
    }
    if (item.seq > this.#seq) this.#seq = item.seq
    this.#steps++
    if (item.topic === '') return
    const route = this.#route(item.topic)
    if (route !== undefined) this.#give(item, route.match, route.heads, false)
  }

  /** The same for one flow alone, apart or not: its history, or its own lane. */
  takeFor(number: number, item: Item): void {
    const running = this.#flows.get(number)
    if (running === undefined || running.state !== 'started') return
    this.#advanceOne(running, item.at)
    if (item.at > running.clock.now) running.clock.now = item.at
    if (item.seq > running.seq) running.seq = item.seq
    const match = item.topic === '' ? undefined : this.#table.match(item.topic)
    if (match !== undefined) {
      const heads = running.heads.filter((head) => isFor(head, match))
      if (heads.length > 0) this.#give(item, match, heads, true)
    }
    this.#look(running)
  }

  /** While a flow is apart, `take` passes it by. Back again, it goes on with the next item. */
  apart(number: number, on: boolean): void {
    const running = this.#flows.get(number)
    if (running === undefined || running.apart === on) return
    // Its position was that of all; from now on it is its own.
    const { at, seq } = this.#position(running)
    running.clock.now = at
    running.seq = seq
    running.apart = on
    running.joined = this.#steps
    this.#look(running)
  }

  /** From now on outputs and keep changes with n > mutedTo are said; without it, all that come now. */
  speak(number: number, mutedTo?: number): void {
    const running = this.#flows.get(number)
    if (running !== undefined) running.mutedTo = mutedTo ?? running.n
  }

  /** Unsubscribes; its timers are gone. */
  stop(number: number): void {
    const running = this.#flows.get(number)
    if (running === undefined) return
    running.state = 'stopped'
    this.#flows.delete(number)
    this.#routes.clear()
    try {
      this.#inTurn(running, () => running.stop.next())
    } catch {
      // What a flow's finalizers throw on the way out has nobody left to reach.
    }
    running.clock.forget()
    this.#look(running)
  }

  /** When the earliest timer of the flows that are not apart is due; Infinity when none waits. */
  get next(): number {
    return this.#due.next
  }

  view(number: number): HostView | undefined {
    const running = this.#flows.get(number)
    if (running === undefined) return undefined
    const { n, clock } = running
    return { n, ...this.#position(running), longest: clock.longest, pending: clock.pending }
  }

  /** Whoever is due first runs first, all that it has due by `at`; then the next. */
  #advance(at: number): void {
    for (let first = this.#due.first; first !== undefined && first.due <= at; first = this.#due.first) {
      this.#advanceOne(first, at)
      this.#look(first)
    }
  }

  #advanceOne(running: Running, at: number): void {
    const { clock } = running
    if (clock.next > at) return
    clock.advance(at, (run) => this.#turn(running, clock.cause, run))
  }

  /** Notes when a flow is due next, after whatever may have changed that. */
  #look(running: Running): void {
    const isAlong = running.state === 'started' && !running.apart
    this.#due.set(running, isAlong ? running.clock.next : Infinity)
  }

  /** Up to where a flow has heard: with the others, once it has gone a step with them; otherwise by itself. */
  #position({ state, apart, joined, clock, seq }: Running): { at: number; seq: number } {
    const wentAlong = state === 'started' && !apart && this.#steps > joined
    return wentAlong ? { at: Math.max(clock.now, this.#at), seq: Math.max(seq, this.#seq) } : { at: clock.now, seq }
  }

  #begin(running: Running): Turn | undefined {
    const before = realm.turn
    realm.turn = running
    this.#said = 0
    this.#saidBytes = 0
    this.#to.turn?.(running.number)
    return before
  }

  /** Runs `work` in a turn; what it throws goes to the caller. */
  #inTurn(running: Running, work: () => void): void {
    const before = this.#begin(running)
    try {
      work()
    } finally {
      realm.turn = before
    }
  }

  /** Runs `work` in a turn; what it throws ends the flow. */
  #turn(running: Running, cause: number, work: () => void): void {
    const { clock } = running
    clock.cause = cause
    const before = this.#begin(running)
    try {
      work()
    } catch (error) {
      this.#fail(running, error)
    } finally {
      realm.turn = before
      clock.cause = 0
    }
  }

  #give(item: Item, match: TopicMatch, heads: readonly Head<Running>[], aloneOrApart: boolean): void {
    if (item.payload.length === 0) {
      for (const head of heads) if (aloneOrApart || !head.flow.apart) head.last?.delete(item.topic)
      return
    }
    const heard = this.#decode(match, item)
    if (heard === undefined) return
    const { seq, at, skip } = item
    for (const head of heads) {
      const { flow } = head
      if (flow.state !== 'started' || (flow.apart && !aloneOrApart)) continue
      if (seq <= flow.since || (skip.length > 0 && skip.includes(head.input.edge))) continue
      if (head.last !== undefined) {
        if ((head.last.get(item.topic)?.seq ?? -1) >= seq) continue
        head.last.set(item.topic, heard)
      }
      if (at > flow.clock.now) flow.clock.now = at
      this.#turn(flow, seq, () => head.subject.next(heard))
      this.#look(flow)
    }
  }

  #retain(running: Running, item: Item): void {
    const match = this.#table.match(item.topic)
    if (match === undefined || item.payload.length === 0) return
    const heads = running.heads.filter((head) => head.last !== undefined && isFor(head, match))
    if (heads.length === 0) return
    const heard = this.#decode(match, item)
    if (heard !== undefined) for (const head of heads) head.last?.set(item.topic, heard)
  }

  #route(topic: string): Route | undefined {
    const known = this.#routes.get(topic)
    if (known !== undefined || this.#routes.has(topic)) return known
    const match = this.#table.match(topic)
    const heads: Head<Running>[] = []
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
    const text = item.payload.toString()
    // What is not UTF-8, or begins with a mark of its order, is for the table to judge by its bytes.
    const decoded = this.#table.decode(row, isOdd(text) ? item.payload : text)
    if (!decoded.ok) {
      if (this.#toldBad.size >= TOLD) this.#toldBad.clear()
      if (!this.#toldBad.has(item.seq)) this.#to.bad(item, { field: decoded.field, constraint: decoded.constraint })
      this.#toldBad.add(item.seq)
      return undefined
    }
    const heard = { topic: key, params, payload: decoded.payload, seq: item.seq, at: item.at, origin: item.origin }
    // The row's schema has just been met: here bytes become the type of their topic. Frozen, because flows share it.
    return frozen(heard) as unknown as Heard
  }

  #publish(running: Running, message: Message): void {
    if (running.state !== 'started') return
    try {
      if (realm.turn !== running)
        throw new Error('output outside a turn: promises and async functions are not for flows')
      const { topic, payload } = encode(this.#table, message)
      const { at, cause, n, isSaid } = this.#number(running, payload.length)
      if (isSaid) this.#to.output({ flow: running.number, n, at, cause, topic, payload })
    } catch (error) {
      this.#fail(running, error)
    }
  }

  #keep(running: Running, key: string, value: unknown, size: number): void {
    if (running.state !== 'started') return
    const { at, cause, n, isSaid } = this.#number(running, size)
    if (isSaid) this.#to.kept({ flow: running.number, n, at, cause, key, ...(value === undefined ? {} : { value }) })
  }

  /** Place and time of what a flow says next. Throws when it has said too much in this turn. */
  #number(running: Running, bytes: number): { n: number; at: number; cause: number; isSaid: boolean } {
    const most = running.clock.cause === 0 ? OUTPUTS_AT_START : OUTPUTS_PER_TURN
    if (++this.#said > most) throw new Error(`more than ${most} outputs in one turn`)
    this.#saidBytes += bytes
    if (this.#saidBytes > BYTES_PER_TURN) throw new Error(`more than ${BYTES_PER_TURN} bytes of output in one turn`)
    const n = ++running.n
    return { n, at: running.clock.now, cause: running.clock.cause, isSaid: n > running.mutedTo }
  }

  #end(running: Running): void {
    if (running.state !== 'started') return
    this.stop(running.number)
    this.#to.ended(running.number)
  }

  #fail(running: Running, error: unknown): void {
    if (running.state === 'stopped') return
    const { cause } = running.clock
    this.stop(running.number)
    this.#to.failed(running.number, error, cause)
  }
}
