// One line for all flows and a lane for those apart; a dead process is replaced; each output is said once.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Recoverable, reasonOf } from '../errors.ts'
import type { Envelope } from '../bus/envelope.ts'
import { type Accounts, openEdges } from './edges.ts'
import { FrameReader, FrameWriter, type Item, type Names } from './frame.ts'
import { readHistory } from './history.ts'
import { lanesOf } from './lanes.ts'
import type { Link, LinkOptions } from './link.ts'
import { openLoads } from './loads.ts'
import { type FlowProcess, openProcess, type Verdict } from './process.ts'
import { ChildEvent, type Control, FROM_CHILD, TO_CHILD } from './protocol.ts'
import { openTicks } from './ticks.ts'

const WINDOW = 1024
/** No more is under way than takes about so much CPU time, so that a flow that turns out to be slow holds up little. */
const WINDOW_MS = 25
const WINDOW_LEAST = 2
const WINDOW_BYTES = 4 * 2 ** 20
const FRAME_BYTES = 256 * 1024
/** Larger payloads are for nobody in flows. */
const ITEM_LIMIT = 8 * 2 ** 20
const CALM_MS = 60_000
/** How often the retained set is looked at anew, when something in it has not been heard yet. */
const RETAINED_TRIES = 20
/** CPU time that a file may take to load, beyond which it is stuck. */
const LOAD_CPU_MS = 1500

export const openLink = (options: LinkOptions): Link => {
  const { clock, log, limits } = options
  const accounts: Accounts = new Map()
  const edges = openEdges(options.gap, { accounts })
  const writer = new FrameWriter()
  let names: Names = []
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
  let respawnTimer: NodeJS.Timeout | undefined
  let first: (() => void) | undefined
  /** There is a process, or will be again. */
  let begun = false

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
    isExact: options.isExact,
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

  const time = openTicks(clock, {
    tick(at) {
      edges.tick(at)
      schedule()
    },
    jumped: options.jumped,
  })

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
    } else if (event.event === 'heavy')
      child?.fail(`memory: it took ${event.mib} MiB of what there is, and kept it`, 'heaviest')
    else options.event(event)
  }

  /** One frame, one step: its outputs and its acknowledgement count together or not at all. */
  const answered = (body: Buffer): void => {
    const read = new FrameReader(body, names)
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
    if (!closing) time.wake(next)
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
    time.tick()
    first?.()
  }

  const ended = (verdict: Verdict): void => {
    time.stop()
    writer.drop()
    const lost = new Recoverable('UNAVAILABLE', `the process of flows ended (${verdict.why}) meanwhile`)
    loads.failed(lost)
    const unconfirmed = [...starts]
    starts.clear()
    lanes.hold()
    for (const [flow, start] of unconfirmed) {
      lanes.forget(flow)
      start.failed(lost)
    }
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
    begun = true
    const { flowsDir, topicFiles, prefix } = options
    acknowledged = 0
    writer.drop()
    names = []
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
      time.passed(envelope.at)
      const isHeard = edges.offer(envelope)
      if (lanes.offer(envelope) || isHeard) schedule()
    },

    load(flow, order) {
      if (!begun) {
        launch()
        throw new Recoverable('UNAVAILABLE', 'the process of flows is being started')
      }
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
      time.tick()
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
      time.stop()
      clearTimeout(respawnTimer)
      lanes.close()
      loads.failed(new Recoverable('UNAVAILABLE', 'the hub stops'))
      await child?.close()
    },
  }
}

const itemOf = ({ seq, at, topic, origin, payload }: Envelope): Item => ({ seq, at, topic, origin, payload, skip: [] })
