// The hub's end of the process of flows: keeps what is not acknowledged, replaces a dead process, and says each output once.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { Recoverable, reasonOf } from '../errors.ts'
import type { Log } from '../health/report.ts'
import type { Envelope } from '../bus/envelope.ts'
import { type Edges, type Gap, openEdges } from './edges.ts'
import { FrameReader, frames, FrameWriter, type Item, type Output } from './frame.ts'
import type { Input } from './host.ts'
import { ChildEvent, type Control, FROM_CHILD, type Thrown, TO_CHILD } from './protocol.ts'
import { eachLine } from './lines.ts'
import { type Started, spawnChild } from './spawn.ts'

export interface LinkLimits {
  /** Heap of the process of flows, MB. */
  heapMb: number
  /** ms without an answer, while it has work, after which the process is replaced. */
  stuckMs: number
  /** ms for the process to start. */
  startMs: number
  /** ms for a flow's file to load. */
  loadMs: number
  /** First and longest pause before a dead process is started again, ms. */
  respawnMs: { first: number; longest: number }
}

/** Why a process ended, and the flow whose turn it was, when that is known. */
export interface Verdict {
  why: string
  flow?: number
}

export interface LinkOptions {
  flowsDir: string
  topicFiles: readonly string[]
  prefix: string
  clock: Clock
  log: Log
  limits: LinkLimits
  publish(output: Output): void
  /** What the process says of flows, but for answers to `load`. */
  event(event: ChildEvent): void
  gap(gap: Gap): void
  /** The process is gone. Another one follows; then `up` is called. */
  down(verdict: Verdict): void
  /** A process is there, without flows: define and start them, then what waits is given to them. */
  up(): Promise<void>
}

export interface Loaded {
  inputs: Input[]
}

export interface Link {
  /** The first process; resolves when `up` has returned, or when the first try has failed. */
  start(): Promise<void>
  offer(envelope: Envelope): void
  /** Loads a flow's file in the process. Rejects with Unloadable, or with Recoverable when the process is gone. */
  load(flow: number, file: string, version: string): Promise<Loaded>
  /** Starts a loaded flow with what is retained at that moment; returns its position. */
  begin(flow: number, inputs: readonly Input[], retained: () => Envelope[]): Promise<{ seq: number; at: number }>
  stop(flow: number): void
  counts: Edges['counts']
  /** What the runner's page shows of the process. */
  view(): { pid?: number; restarts: number; sent: number; waiting: number; rss: number }
  close(): Promise<void>
}

/** The flow's file does not give a flow. */
export class Unloadable extends Recoverable {
  readonly thrown: Thrown
  constructor(thrown: Thrown) {
    super('EXECUTION_ERROR', thrown.message, { ...(thrown.place === undefined ? {} : { place: thrown.place }) })
    this.thrown = thrown
  }
}

const WINDOW = 1024
const WINDOW_BYTES = 4 * 2 ** 20
const FRAME_BYTES = 256 * 1024
/** Larger payloads are for nobody in flows. */
const ITEM_LIMIT = 8 * 2 ** 20
const LONGEST_TIMER_MS = 3_600_000
const CALM_MS = 60_000

interface Process {
  readonly started: Started
  ready: boolean
  gone: boolean
  /** Items may be sent: the flows are there. */
  open: boolean
  /** How long it has been silent, counted in looks at it: time in which the hub itself was busy does not count. */
  silentMs: number
  rss: number
  upAt: number
}

export const openLink = (options: LinkOptions): Link => {
  const { clock, log, limits } = options
  const edges = openEdges(options.gap)
  const writer = new FrameWriter()
  const loads = new Map<number, { done(loaded: Loaded): void; failed(error: Error): void; timer: NodeJS.Timeout }>()
  let child: Process | undefined
  let closing = false
  let scheduled = false
  let restarts = 0
  let deaths = 0
  let acknowledged = 0
  let sentAt = 0
  let tickTimer: NodeJS.Timeout | undefined
  let respawnTimer: NodeJS.Timeout | undefined
  let first: (() => void) | undefined

  const say = (control: Control): void => {
    if (child === undefined || child.gone) return
    child.started.socket.write(writer.u8(TO_CHILD.control).text(JSON.stringify(control)).take())
  }

  const pump = (): void => {
    scheduled = false
    if (child === undefined || !child.open || child.gone) return
    while (edges.sent < WINDOW && edges.sentBytes < WINDOW_BYTES) {
      const item = edges.next()
      if (item === undefined) break
      if (edges.sent === 1) child.silentMs = 0
      if (writer.size === 0) writer.u8(TO_CHILD.items)
      writer.item(item)
      sentAt = item.at
      if (writer.size > FRAME_BYTES) child.started.socket.write(writer.take())
    }
    if (writer.size > 0) child.started.socket.write(writer.take())
  }
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(pump)
  }

  /** The stamp is taken now and sent when everything accepted before it has been heard, so that no message is overtaken by its time. */
  const tick = (): void => {
    const at = clock.stamp()
    setImmediate(() => {
      edges.tick(at)
      schedule()
    })
  }

  const wake = (at: number): void => {
    clearTimeout(tickTimer)
    if (at === Infinity || closing) return
    const wait = at - clock.now()
    tickTimer = setTimeout(() => (clock.now() < at ? wake(at) : tick()), Math.min(Math.max(0, wait), LONGEST_TIMER_MS))
    tickTimer.unref()
  }

  const hear = (event: ChildEvent): void => {
    if (event.event === 'ready' && child !== undefined) {
      child.ready = true
      void comeUp(child)
    } else if (event.event === 'loaded' || event.event === 'unloadable') {
      const load = loads.get(event.flow)
      loads.delete(event.flow)
      clearTimeout(load?.timer)
      if (event.event === 'loaded') load?.done({ inputs: event.inputs })
      else {
        const { message, stack, place } = event
        load?.failed(
          new Unloadable({
            message,
            ...(stack === undefined ? {} : { stack }),
            ...(place === undefined ? {} : { place }),
          }),
        )
      }
    } else options.event(event)
  }

  /** One frame, one step: its outputs and its acknowledgement count together or not at all. */
  const answered = (from: Process, body: Buffer): void => {
    from.silentMs = 0
    const read = new FrameReader(body)
    const done = read.f64()
    read.f64()
    const next = read.f64()
    from.rss = read.f64()
    while (!read.done) {
      const kind = read.u8()
      if (kind === FROM_CHILD.output) options.publish(read.output())
      else if (kind === FROM_CHILD.event) hear(ChildEvent.parse(JSON.parse(read.text())))
      else throw new RangeError(`an entry of kind ${kind}`)
    }
    edges.done(done - acknowledged)
    acknowledged = done
    if (from.open) wake(next)
    if (edges.waiting > 0) schedule()
  }

  const comeUp = async (one: Process): Promise<void> => {
    try {
      await options.up()
    } catch (error) {
      log.error('flows not started', { reason: reasonOf(error) })
    }
    if (one.gone) return
    one.open = true
    one.upAt = performance.now()
    schedule()
    tick()
    first?.()
  }

  const end = (one: Process, why: string): void => {
    if (one.gone) return
    one.gone = true
    const flow = one.started.culprit()
    one.started.end()
    clearTimeout(tickTimer)
    writer.drop()
    for (const [number, load] of loads) {
      clearTimeout(load.timer)
      loads.delete(number)
      load.failed(new Recoverable('UNAVAILABLE', `the process of flows ended (${why}) while the flow was loading`))
    }
    if (closing) return
    edges.again()
    if (one.upAt > 0 && performance.now() - one.upAt > CALM_MS) deaths = 0
    deaths++
    restarts++
    const pause = Math.min(limits.respawnMs.first * 2 ** (deaths - 1), limits.respawnMs.longest)
    log.error('flows process ended', { why, flow, pauseMs: pause })
    options.down(flow === undefined ? { why } : { why, flow })
    respawnTimer = setTimeout(launch, pause)
    first?.()
  }

  const launch = (): void => {
    if (closing) return
    const { flowsDir, topicFiles, prefix } = options
    let started: Started
    try {
      started = spawnChild({ flowsDir, topicFiles, heapMb: limits.heapMb, marker: deaths > 0 })
    } catch (error) {
      deaths++
      log.error('flows process not started', { reason: reasonOf(error) })
      options.down({ why: `it cannot be started: ${reasonOf(error)}` })
      respawnTimer = setTimeout(launch, limits.respawnMs.longest)
      return first?.()
    }
    const one: Process = { started, ready: false, gone: false, open: false, silentMs: 0, rss: 0, upAt: 0 }
    child = one
    acknowledged = 0
    const cut = frames((body) => {
      if (!one.gone) answered(one, body)
    })
    started.socket.on('data', (chunk: Buffer) => {
      try {
        cut(chunk)
      } catch (error) {
        end(one, `it said what the hub does not understand: ${reasonOf(error)}`)
      }
    })
    started.process.on('error', (error) => end(one, reasonOf(error)))
    // `close` comes after all that was written has been read.
    let complaint = ''
    started.process.on('close', (code, signal) => end(one, `exit ${code ?? signal}${complaint}`))
    eachLine(started.process.stdout, (line) => log.debug('flows say', { line }))
    eachLine(started.process.stderr, (line) => {
      log.warn('flows process says', { line })
      if (complaint === '' && /^(FATAL ERROR|\w*Error\b)/.test(line)) complaint = `: ${line}`
    })
    const { markerFd } = started
    sentAt = clock.stamp()
    const setup = { flowsDir, topicFiles: [...topicFiles], prefix, at: sentAt, loadMs: limits.loadMs }
    say({ do: 'setup', setup: markerFd === undefined ? setup : { ...setup, markerFd } })
  }

  /** Silence is failure: a process that has work and does not answer is replaced. */
  const lookMs = Math.min(1000, limits.stuckMs / 4)
  const watch = setInterval(() => {
    if (child === undefined || child.gone) return
    child.silentMs += lookMs
    const isWorking = child.open && edges.sent > 0
    if (!child.ready && child.silentMs > limits.startMs) end(child, `not ready within ${limits.startMs} ms`)
    else if (isWorking && child.silentMs > limits.stuckMs) end(child, `stuck for ${limits.stuckMs} ms`)
  }, lookMs)
  watch.unref()

  return {
    start: () =>
      new Promise((resolve) => {
        first = resolve
        launch()
      }),

    offer(envelope) {
      if (envelope.payload.length > ITEM_LIMIT)
        log.warn('too large for flows', { topic: envelope.topic, seq: envelope.seq })
      else if (edges.offer(envelope)) schedule()
    },

    load: (flow, file, version) =>
      new Promise((done, failed) => {
        const one = child
        if (one === undefined || one.gone)
          return failed(new Recoverable('UNAVAILABLE', 'the process of flows is not running'))
        // The process itself gives up on a file that waits. When it says nothing at all, something in it never returns:
        // this file, or what was started before it. The next process is lent a marker, which tells them apart.
        const timer = setTimeout(() => end(one, 'stuck while a flow was loading'), 2 * limits.loadMs)
        loads.set(flow, { done, failed, timer })
        say({ do: 'load', flow, file, version })
      }),

    async begin(flow, inputs, retained) {
      const one = child
      const stamp = clock.stamp()
      await nextTurn()
      if (one === undefined || one.gone) throw new Recoverable('UNAVAILABLE', 'the process of flows is not running')
      const oldest = one.open ? undefined : edges.oldest
      if (one.open) {
        // What waits is not meant for it and goes first; then the time.
        pump()
        edges.tick(stamp)
        pump()
      }
      edges.open(flow, inputs)
      const given = retained()
      const position = Math.max(edges.last.seq, ...given.map(({ seq }) => seq))
      for (const envelope of given) {
        if (envelope.payload.length > ITEM_LIMIT) continue
        if (writer.size === 0) writer.u8(TO_CHILD.retained).u32(flow)
        writer.item(itemOf(envelope))
        if (writer.size > FRAME_BYTES) one.started.socket.write(writer.take())
      }
      if (writer.size > 0) one.started.socket.write(writer.take())
      const since = oldest === undefined ? position : Math.min(position, oldest - 1)
      say({ do: 'start', flow, since, n: 0 })
      return { seq: since, at: sentAt }
    },

    stop(flow) {
      edges.close(flow)
      say({ do: 'stop', flow })
    },

    counts: edges.counts,
    view: () => ({
      ...(child?.started.process.pid === undefined || child.gone ? {} : { pid: child.started.process.pid }),
      restarts,
      sent: edges.sent,
      waiting: edges.waiting,
      rss: child?.rss ?? 0,
    }),

    async close() {
      closing = true
      clearInterval(watch)
      clearTimeout(tickTimer)
      clearTimeout(respawnTimer)
      const one = child
      if (one === undefined || one.gone) return
      const exited = new Promise((resolve) => one.started.process.once('close', resolve))
      end(one, 'the hub stops')
      await exited
    },
  }
}

const itemOf = ({ seq, at, topic, origin, payload }: Envelope): Item => ({ seq, at, topic, origin, payload, skip: [] })
