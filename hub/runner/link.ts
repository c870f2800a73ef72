// The hub's end of the process of flows: one line for all and a lane for those apart, replacement of a dead process, and each output said once.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { Recoverable, reasonOf } from '../errors.ts'
import type { Log } from '../health/report.ts'
import type { Envelope } from '../bus/envelope.ts'
import type { Journal } from '../journal/entry.ts'
import { type Accounts, type Gap, openEdges } from './edges.ts'
import { FrameReader, FrameWriter, type Item, type Output } from './frame.ts'
import { readHistory, type Skip } from './history.ts'
import type { Input } from './host.ts'
import { openLoads, type Loaded, type LoadOrder } from './loads.ts'
import { type FlowProcess, openProcess, type ProcessLimits, type Verdict } from './process.ts'
import { ChildEvent, type Control, FROM_CHILD, TO_CHILD } from './protocol.ts'
import { lanesOf } from './lanes.ts'

export interface LinkLimits extends ProcessLimits {
  /** ms for a flow's file to load. */
  loadMs: number
  /** First and longest pause before a dead process is started again, ms. */
  respawnMs: { first: number; longest: number }
}

export interface LinkOptions {
  flowsDir: string
  topicFiles: readonly string[]
  prefix: string
  /** Where the hub stands, for schedules. */
  site?: { timezone: string; latitude?: number; longitude?: number }
  clock: Clock
  log: Log
  limits: LinkLimits
  journal: Pick<Journal, 'read' | 'reserve'>
  publish(output: Output): void
  /** What the process says of flows, but for answers to `load` and `start`. */
  event(event: ChildEvent): void
  gap(gap: Gap): void
  /** The process is gone. Another one follows; then `up` is called. */
  down(verdict: Verdict): void
  /** A process is there, without flows: load them and begin or resume each. */
  up(): Promise<void>
  /** Time has jumped ahead, by so many ms: called before anything is sent that tells the new time. */
  jumped(byMs: number): void
  /** A resumed flow has caught up with the others; with an error when its history could not be read. */
  present(flow: number, error?: Error): void
}

/** A new run, at the present position. */
export interface Begin {
  kept: Readonly<Record<string, unknown>>
  retained(inputs: readonly Input[]): Envelope[]
  /** The run whose place it takes between two messages, with what that one kept. */
  replaces?: number
  /** Called before anything that it says is heard. */
  begun(begun: Begun): void
}

export interface Begun {
  /** It hears what comes after this, from that time on. */
  seq: number
  at: number
  kept: Readonly<Record<string, unknown>>
  retained: readonly Item[]
}

/** A run that goes on: it hears its history in silence, then what waits for it. */
export interface Resume extends Begun {
  /** What it keeps when its history is over. */
  keptNow: Readonly<Record<string, unknown>>
  /** Outputs up to this number were said before. */
  mutedTo: number
  /** Says nothing at all before its history is over. */
  silent: boolean
  skips: readonly Skip[]
}

export interface Link {
  /** The first process; resolves when `up` has returned, or when the first try has failed. */
  start(): Promise<void>
  offer(envelope: Envelope): void
  /** Loads a flow's file in the process. Rejects with Unloadable, or with Recoverable when the process is gone. */
  load(flow: number, order: LoadOrder): Promise<Loaded>
  /** Starts a loaded flow at the present position. Rejects with Recoverable when the process ends meanwhile. */
  begin(flow: number, inputs: readonly Input[], begin: Begin): Promise<void>
  /** Starts a loaded flow where an earlier process, or an earlier hub, left it. `present` is called when it is there. */
  resume(flow: number, inputs: readonly Input[], resume: Resume): void
  /** Reads the history of all that were resumed since the last call. */
  catchUp(): void
  stop(flow: number): void
  /** Gives a flow a lane of its own, so that it holds up nobody; or takes it away. */
  slow(flow: number, on: boolean): void
  isSlow(flow: number): boolean
  /** Up to which seq a run that waits for a process has heard; undefined when it is new to this link. */
  position(flow: number): number | undefined
  /** It is not yet where the others are. */
  isBehind(flow: number): boolean
  /** Lets every turn be marked: whoever ends the process next is named. */
  markAll(on: boolean): void
  edge(edge: number): { in: number; dropped: number }
  forgetCounts(inputs: readonly Input[]): void
  depths(flow: number): number[]
  /** What waits in the common line. */
  readonly waiting: number
  /** Replaces the process when nothing is outstanding or `withinMs` have passed, without a culprit. */
  recycle(withinMs: number): Promise<void>
  /** What the runner's page shows of the process. */
  view(): { pid?: number; restarts: number; sent: number; waiting: number; rss: number; behind: number }
  close(): Promise<void>
}

const WINDOW = 1024
/** No more is under way than takes about so much CPU time, so that a flow that turns out to be slow holds up little. */
const WINDOW_MS = 100
const WINDOW_LEAST = 8
const WINDOW_BYTES = 4 * 2 ** 20
const FRAME_BYTES = 256 * 1024
/** Larger payloads are for nobody in flows. */
const ITEM_LIMIT = 8 * 2 ** 20
const LONGEST_TIMER_MS = 3_600_000
const CALM_MS = 60_000
/** How often the retained set is looked at anew, when something in it has not been heard yet. */
const RETAINED_TRIES = 20
/** Stamps that run ahead of the time that has passed by more than this have jumped. */
const JUMP_MS = 600_000
const LOOK_AT_TIME_MS = 1000
/** CPU time that a file may take to load, beyond which it is stuck. */
const LOAD_CPU_MS = 1500

export const openLink = (options: LinkOptions): Link => {
  const { clock, log, limits } = options
  const accounts: Accounts = new Map()
  const edges = openEdges(options.gap, { accounts })
  const writer = new FrameWriter()
  const starts = new Map<number, { done(kept: Readonly<Record<string, unknown>>): void; failed(error: Error): void }>()
  let child: FlowProcess | undefined
  let closing = false
  let scheduled = false
  let restarts = 0
  let deaths = 0
  let acknowledged = 0
  let upAt = 0
  let ownRss = 0
  let all = false
  let planned = false
  let perItemMs = 0.1
  let lastTime = { at: 0, real: 0 }
  let tickTimer: NodeJS.Timeout | undefined
  let respawnTimer: NodeJS.Timeout | undefined
  let first: (() => void) | undefined

  const say = (control: Control): void => {
    child?.write(writer.u8(TO_CHILD.control).text(JSON.stringify(control)).take())
  }
  const loads = openLoads(
    limits.loadMs,
    (order) => say(order),
    () => child?.fail('stuck while a flow was loading', 'turn'),
  )
  const lanes = lanesOf({
    accounts,
    gap: options.gap,
    log,
    common: edges,
    say,
    present: options.present,
    send(number, past, items) {
      for (const item of items) {
        if (writer.size === 0)
          writer
            .u8(TO_CHILD.lane)
            .u32(number)
            .u8(past ? 1 : 0)
        writer.item(item)
        if (writer.size > FRAME_BYTES) child?.write(writer.take())
      }
      if (writer.size > 0) child?.write(writer.take())
    },
    flush: () => pump(true),
    read: (listeners) => readHistory(options.journal, listeners),
    stamp: () => clock.stamp(),
  })

  /** `whole`: whatever the window says, so that what follows comes after all that waits. */
  const pump = (whole = false): void => {
    if (child === undefined || child.gone) return
    const window = Math.max(WINDOW_LEAST, Math.min(WINDOW, WINDOW_MS / perItemMs))
    while (whole || (edges.sent < window && edges.sentBytes < WINDOW_BYTES)) {
      const item = edges.next()
      if (item === undefined) break
      if (writer.size === 0) writer.u8(TO_CHILD.items)
      writer.item(item)
      if (writer.size > FRAME_BYTES) child.write(writer.take())
    }
    if (writer.size > 0) child.write(writer.take())
  }
  const turn = (): void => {
    scheduled = false
    if (child === undefined || child.gone || planned) return
    pump()
    lanes.pump()
  }
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(turn)
  }

  /** The wall clock was put forward, or a board without one heard what time it is: not so much time has passed. */
  const lookAtTime = (at: number): void => {
    if (at - lastTime.at < LOOK_AT_TIME_MS) return
    const now = performance.now()
    const by = at - lastTime.at - (now - lastTime.real)
    const isJump = lastTime.at > 0 && by > JUMP_MS
    lastTime = { at: Math.max(at, lastTime.at), real: now }
    if (isJump) options.jumped(by)
  }

  /** The stamp is taken now and sent when everything accepted before it has been heard, so that no message is overtaken by its time. */
  const tick = (): void => {
    const at = clock.stamp()
    setImmediate(() => {
      lookAtTime(at)
      edges.tick(at)
      schedule()
    })
  }

  const wake = (at: number): void => {
    clearTimeout(tickTimer)
    if (at === Infinity || closing) return
    const wait = at - clock.stamp()
    tickTimer = setTimeout(
      () => (clock.stamp() < at ? wake(at) : tick()),
      Math.min(Math.max(0, wait), LONGEST_TIMER_MS),
    )
    tickTimer.unref()
  }

  const hear = (event: ChildEvent): void => {
    if (event.event === 'ready') {
      child?.ready()
      if (all) say({ do: 'mark', all })
      void comeUp(child)
    } else if (event.event === 'loaded' || event.event === 'unloadable') loads.answered(event)
    else if (event.event === 'started') {
      const start = starts.get(event.flow)
      starts.delete(event.flow)
      start?.done(event.kept)
    } else options.event(event)
  }

  /** One frame, one step: its outputs and its acknowledgement count together or not at all. */
  const answered = (body: Buffer): void => {
    const read = new FrameReader(body)
    const done = read.f64()
    const usedMs = read.f64()
    const next = read.f64()
    ownRss = read.f64()
    while (!read.done) {
      const kind = read.u8()
      if (kind === FROM_CHILD.output) options.publish(read.output())
      else if (kind === FROM_CHILD.event) hear(ChildEvent.parse(JSON.parse(read.text())))
      else if (kind === FROM_CHILD.lane) lanes.done(read.u32(), read.f64(), read.f64())
      else throw new RangeError(`an entry of kind ${kind}`)
    }
    if (done > acknowledged) perItemMs = 0.5 * perItemMs + (0.5 * usedMs) / (done - acknowledged)
    edges.done(done - acknowledged)
    acknowledged = done
    wake(next)
    if (edges.waiting > 0 || lanes.some) schedule()
  }

  const comeUp = async (one: FlowProcess | undefined): Promise<void> => {
    try {
      await options.up()
    } catch (error) {
      log.error('flows not started', { reason: reasonOf(error) })
    }
    if (one === undefined || one.gone) return
    upAt = performance.now()
    schedule()
    tick()
    first?.()
  }

  const ended = (verdict: Verdict): void => {
    clearTimeout(tickTimer)
    writer.drop()
    const lost = new Recoverable('UNAVAILABLE', `the process of flows ended (${verdict.why}) meanwhile`)
    loads.failed(lost)
    const unconfirmed = [...starts]
    starts.clear()
    lanes.hold()
    for (const [, start] of unconfirmed) start.failed(lost)
    if (closing) return
    if (upAt > 0 && performance.now() - upAt > CALM_MS) deaths = 0
    upAt = 0
    if (planned) {
      planned = false
      options.down({ why: 'planned' })
      return launch()
    }
    deaths++
    restarts++
    const pause = deaths === 1 ? 0 : Math.min(limits.respawnMs.first * 2 ** (deaths - 2), limits.respawnMs.longest)
    log.error('flows process ended', { ...verdict, pauseMs: pause })
    all = verdict.flow === undefined || all
    options.down(verdict)
    respawnTimer = setTimeout(launch, pause)
    first?.()
  }

  const launch = (): void => {
    if (closing) return
    const { flowsDir, topicFiles, prefix } = options
    acknowledged = 0
    try {
      child = openProcess({
        flowsDir,
        topicFiles,
        limits,
        log,
        heard: answered,
        owes: () => edges.sent > 0 || lanes.inFlight > 0 || loads.size > 0 || starts.size > 0,
        allowanceMs: () => (loads.size > 0 ? Math.min(limits.loadMs, LOAD_CPU_MS) : 0),
        ownRss: () => ownRss,
        ended,
      })
    } catch (error) {
      deaths++
      log.error('flows process not started', { reason: reasonOf(error) })
      options.down({ why: `it cannot be started: ${reasonOf(error)}` })
      respawnTimer = setTimeout(launch, limits.respawnMs.longest)
      return first?.()
    }
    const { markerFd } = child
    const { loadMs, heapMb, rssMb } = limits
    const setup = { flowsDir, topicFiles: [...topicFiles], prefix, at: clock.stamp(), loadMs, heapMb, rssMb, markerFd }
    say({ do: 'setup', setup: options.site === undefined ? setup : { ...setup, site: options.site } })
  }

  const here = (): FlowProcess => {
    if (child === undefined || child.gone || closing)
      throw new Recoverable('UNAVAILABLE', 'the process of flows is not running')
    return child
  }

  const giveRetained = (flow: number, items: Iterable<Item>): void => {
    for (const item of items) {
      if (writer.size === 0) writer.u8(TO_CHILD.retained).u32(flow)
      writer.item(item)
      if (writer.size > FRAME_BYTES) child?.write(writer.take())
    }
    if (writer.size > 0) child?.write(writer.take())
  }

  /** The retained set at a moment when all that is in it has been heard. */
  const retainedNow = async (get: () => Envelope[]): Promise<Envelope[]> => {
    for (let tries = 1; ; tries++) {
      await nextTurn()
      const found = get()
      if (tries > RETAINED_TRIES || found.every(({ seq }) => seq <= edges.last.seq)) return found
    }
  }

  return {
    start: () =>
      new Promise((resolve) => {
        first = resolve
        launch()
      }),

    offer(envelope) {
      if (envelope.payload.length > ITEM_LIMIT)
        return log.warn('too large for flows', { topic: envelope.topic, seq: envelope.seq })
      lookAtTime(envelope.at)
      const isHeard = edges.offer(envelope)
      if (lanes.offer(envelope) || isHeard) schedule()
    },

    load(flow, order) {
      here()
      return loads.load(flow, clock.stamp(), order)
    },

    async begin(flow, inputs, { kept, retained, replaces, begun }) {
      const one = here()
      // What a busy machine accepted before is heard first; the stamp is at or before all that comes after.
      const given = (await retainedNow(() => retained(inputs))).filter(({ payload }) => payload.length <= ITEM_LIMIT)
      if (here() !== one) throw new Recoverable('UNAVAILABLE', 'the process of flows ended meanwhile')
      const items = given.map(itemOf)
      // A lane has its own backlog, which goes on to the new one.
      const left = replaces === undefined ? undefined : lanes.take(replaces)
      if (left === undefined) pump(true)
      const seq = left?.seq ?? edges.last.seq
      const at = Math.max(clock.stamp(), left === undefined ? edges.last.at : left.at)
      if (replaces !== undefined) edges.close(replaces)
      if (left === undefined) edges.open(flow, inputs)
      giveRetained(flow, items)
      const order = { do: 'start', flow, at, since: seq, kept: { ...kept }, mutedTo: 0, silent: false } as const
      say({ ...order, apart: left !== undefined, ...(replaces === undefined ? {} : { replaces }) })
      lanes.began(flow, inputs, { seq, replaces, left: left?.items })
      await new Promise<void>((done, failed) => {
        const started = (begins: Readonly<Record<string, unknown>>): void => {
          if (replaces !== undefined) lanes.forget(replaces)
          begun({ seq, at, kept: begins, retained: items })
          done()
        }
        starts.set(flow, { done: started, failed })
      })
      schedule()
      tick()
    },

    resume(flow, inputs, { seq, at, kept, keptNow, retained, mutedTo, silent, skips }) {
      here()
      giveRetained(flow, retained)
      lanes.resume(flow, inputs, { after: seq, skips, speak: silent, present: () => options.journal.reserve() - 1 })
      const start = { flow, at, since: seq, kept: { ...kept }, keptNow: { ...keptNow }, mutedTo, silent, apart: true }
      say({ do: 'start', ...start })
    },
    catchUp() {
      lanes.catchUp()
      schedule()
    },

    stop(flow) {
      edges.close(flow)
      lanes.forget(flow)
      say({ do: 'stop', flow })
    },

    slow(flow, on) {
      if (child === undefined || child.gone) return
      if (on) lanes.slow(flow)
      else lanes.fast(flow)
      schedule()
    },
    isSlow: lanes.isSlow,
    isBehind: lanes.isBehind,
    position: lanes.position,
    markAll(on) {
      if (all === on) return
      all = on
      say({ do: 'mark', all })
    },
    edge: (edge) => accounts.get(edge) ?? { in: 0, dropped: 0 },
    forgetCounts(inputs) {
      for (const { edge } of inputs) accounts.delete(edge)
    },
    depths: (flow) => lanes.depths(flow) ?? edges.depths(flow),
    get waiting() {
      return edges.waiting
    },

    async recycle(withinMs) {
      if (child === undefined || child.gone || planned) return
      planned = true
      const deadline = performance.now() + withinMs
      // Nothing new is sent; what is under way is answered, so that little has to be said again.
      while (edges.sent + lanes.inFlight > 0 && performance.now() < deadline) await nextTurn()
      child.fail('planned', 'nobody')
    },

    view: () => ({
      ...(child?.pid === undefined || child.gone ? {} : { pid: child.pid }),
      restarts,
      sent: edges.sent,
      waiting: edges.waiting,
      rss: child?.rss() ?? 0,
      behind: lanes.behind,
    }),

    async close() {
      closing = true
      clearTimeout(tickTimer)
      clearTimeout(respawnTimer)
      lanes.close()
      loads.failed(new Recoverable('UNAVAILABLE', 'the hub stops'))
      await child?.close()
    },
  }
}

const itemOf = ({ seq, at, topic, origin, payload }: Envelope): Item => ({ seq, at, topic, origin, payload, skip: [] })

export type { Verdict }
