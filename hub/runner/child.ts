// The process of flows: reads frames from the hub, runs the host, answers once per batch. Nothing else lives here.
import fs from 'node:fs'
import net from 'node:net'
import process from 'node:process'
import v8 from 'node:v8'
import vm from 'node:vm'
import type { Buffer } from 'node:buffer'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { ownTime } from '../streams/clock.ts'
import type { Flow } from '../streams/flow.ts'
import { realm } from '../streams/realm.ts'
import { topicTable, type TopicTable } from '../topics/table.ts'
import { FRAME_LIMIT, FrameReader, frames, FrameWriter, type Item, type Names, tickAt } from './frame.ts'
import { FlowHost } from './host.ts'
import { ANSWER_HEAD, type ChildEvent, Control, FROM_CHILD, type Setup, TO_CHILD } from './protocol.ts'
import { type Busy, openBooks } from './accounts.ts'
import { seal } from './seal.ts'
import { thrown } from './thrown.ts'
import { loadTopicTables } from './topic-files.ts'

const HUB_FD = 3
const FLUSH_BYTES = 256 * 1024
/** Leaves room in a frame for what is told of failures. */
const ANSWER_BYTES = FRAME_LIMIT - 2 ** 20
/** A batch is answered at least this often. */
const ANSWER_MS = 50
const LONG_GAP_MS = 1000
const LONG_STEPS = 10_000
const NO_PROMISES = 'promises and async functions are not for flows'
const HUB_URL = new URL('../streams/hub.ts', import.meta.url).href

// No code from strings in this process, so no compiled schemas.
z.config({ jitless: true })
// Deep pipes: the flow's own line must be in the stack.
Error.stackTraceLimit = 60

/** The collector, by way of a context of its own: a global `gc` could not be taken from the flows again. */
const collector = (): (() => void) => {
  v8.setFlagsFromString('--expose-gc')
  const gc = vm.runInNewContext('gc') as () => void
  v8.setFlagsFromString('--no-expose-gc')
  return gc
}
const real = { setTimeout, setImmediate, clearTimeout, now: performance.now.bind(performance) }
const socket = new net.Socket({ fd: HUB_FD })

const main = (setup: Setup, table: TopicTable): Peer => {
  const out = new FrameWriter()
  const names: Names = []
  const books = openBooks({ ...setup, now: real.now, collect: collector() })
  const flowsUrl = `${pathToFileURL(setup.flowsDir).href.replace(/\/$/, '')}/`
  const loaded = new Map<number, { url: string; name: string }>()
  const retained = new Map<number, Item[]>()
  /** What each flow keeps, as far as the hub was told. */
  const kept = new Map<number, Record<string, unknown>>()
  const done = { items: 0, at: 0 }
  const laned = new Map<number, number>()
  /** Texts of flows that are being loaded, by URL. */
  const sources = new Map<string, string>()
  /** The longest wait of each flow that the hub knows of. */
  const waits = new Map<number, number>()
  /** History runs: what is wrong in it was told before. */
  let isPast = false
  let answeredAt = real.now()

  // A frame is begun by whoever writes first and sealed after the work, so that its acknowledgement covers exactly its outputs.
  const open = () => {
    if (out.size === 0) for (let i = 0; i < ANSWER_HEAD; i++) out.f64(0)
    return out
  }
  const answer = () => {
    open()
    const period = books.period()
    for (const [flow, ms] of books.long()) tell({ event: 'long', flow, ms })
    const heavy = books.heavy()
    if (heavy !== undefined) tell({ event: 'heavy', ...heavy })
    if (period !== undefined) tellOf(period)
    answeredAt = real.now()
    socket.write(out.front(done.items, books.used(), host.next, books.rss).take())
  }
  /** A batch that takes long is answered in parts: silence is for those that are stuck. */
  const answerInTime = () => {
    if (out.size > FLUSH_BYTES || real.now() - answeredAt > ANSWER_MS) answer()
  }
  /** Once a second: who took much time, and whose waits have grown. */
  const tellOf = (period: Busy[]) => {
    for (const busy of period) tell({ event: 'busy', ...busy })
    for (const flow of loaded.keys()) {
      const ms = host.view(flow)?.longest ?? 0
      if (ms <= (waits.get(flow) ?? 0)) continue
      waits.set(flow, ms)
      tell({ event: 'waits', flow, ms })
    }
  }
  const tell = (event: ChildEvent) => void open().u8(FROM_CHILD.event).text(JSON.stringify(event))
  const tellLater = (event: ChildEvent) => {
    tell(event)
    real.setImmediate(() => out.size > 0 && answer())
  }

  const host = new FlowHost(
    table,
    {
      output: (output) => {
        if (out.size + output.payload.length > ANSWER_BYTES)
          throw new Error('the flows together said too much in answer to one message')
        open().u8(FROM_CHILD.output).output(output)
      },
      kept: ({ flow, n, at, cause, key, value }) => {
        const mine = kept.get(flow) ?? {}
        if (value === undefined) Reflect.deleteProperty(mine, key)
        else mine[key] = value
        kept.set(flow, mine)
        tell({ event: 'kept', flow, n, at, cause, key, value })
      },
      setAside: ({ flow, key, value, constraint }) => {
        Reflect.deleteProperty(kept.get(flow) ?? {}, key)
        tell({ event: 'setAside', flow, key, value, constraint })
      },
      failed: (flow, error, cause) => tellLater({ event: 'failed', flow, cause, ...thrown(error, flowsUrl) }),
      ended: (flow) => tellLater({ event: 'ended', flow }),
      bad: ({ seq, topic, origin }, { field, constraint }) =>
        isPast || tell({ event: 'bad', seq, topic, origin, field, constraint }),
      turn: books.turn,
    },
    setup.site,
  )

  /** Flows that made a promise in their turn: what follows from it happens when no turn runs, or never ends. */
  const promised = new Set<number>()
  v8.promiseHooks.onInit(() => {
    if (realm.turn !== undefined) promised.add(realm.turn.number)
  })
  const convict = () => {
    for (const flow of promised) {
      books.suspect(flow)
      if (host.view(flow) === undefined) continue
      host.stop(flow)
      const { url } = loaded.get(flow) ?? { url: undefined }
      tellLater({ event: 'failed', flow, cause: 0, ...thrown(new Error(NO_PROMISES), flowsUrl, url) })
    }
    promised.clear()
  }

  const load = async ({ flow, name, file, version, source, at, params }: Extract<Control, { do: 'load' }>) => {
    const url = pathToFileURL(file).href
    loaded.set(flow, { url, name })
    books.loading(flow)
    try {
      const module: unknown = await within(setup.loadMs, importText(`${url}?v=${version}`, source))
      const define = (module as { default?: unknown }).default
      if (typeof define !== 'function')
        throw new Error('it has no default export that is a flow: export default flow((from) => …)')
      const definition = host.define(flow, define as Flow, { at, params })
      if (promised.delete(flow)) {
        host.stop(flow)
        throw new Error(NO_PROMISES)
      }
      tell({ event: 'loaded', flow, ...definition })
    } catch (error) {
      loaded.delete(flow)
      tell({ event: 'unloadable', flow, ...thrown(error, flowsUrl, url) })
    }
    books.idle()
  }

  const importText = (url: string, source: string): Promise<unknown> => {
    sources.set(url, source)
    return import(url).finally(() => sources.delete(url))
  }

  const stop = (flow: number) => {
    host.stop(flow)
    books.forget(flow)
    for (const one of [loaded, retained, kept, laned, waits]) one.delete(flow)
  }

  const start = (order: Extract<Control, { do: 'start' }>) => {
    const { flow, at, since, mutedTo, silent, replaces } = order
    const begins = replaces === undefined ? order.kept : (kept.get(replaces) ?? {})
    if (replaces !== undefined) stop(replaces)
    kept.set(flow, { ...(order.keptNow ?? begins) })
    // Told first: what it says at once comes after.
    tell({ event: 'started', flow, kept: begins })
    const items = retained.get(flow) ?? []
    retained.delete(flow)
    host.apart(flow, order.apart)
    const name = loaded.get(flow)?.name ?? ''
    host.start(flow, { at, since, retained: items, kept: begins, mutedTo: silent ? Infinity : mutedTo, name })
    if (promised.size > 0) convict()
  }

  const obey = (control: Control): Promise<void> | void => {
    switch (control.do) {
      case 'load':
        return load(control)
      case 'start':
        return start(control)
      case 'stop':
        return stop(control.flow)
      case 'apart':
        return host.apart(control.flow, control.on)
      case 'speak': {
        host.speak(control.flow)
        const view = host.view(control.flow)
        return tell({ event: 'speaks', flow: control.flow, n: view?.n ?? 0, at: view?.at ?? 0 })
      }
      case 'mark':
        return books.markAll(control.all)
      case 'setup':
        throw new Error('this process is set up already')
    }
  }

  const lane = (read: FrameReader) => {
    const flow = read.u32()
    isPast = read.u8() === 1
    let before = real.now()
    let count = laned.get(flow) ?? 0
    while (!read.done) {
      const item = read.item()
      let at = host.view(flow)?.at ?? item.at
      const step = Math.max(LONG_GAP_MS, (item.at - at) / LONG_STEPS)
      while (item.at - at > step) {
        at += step
        host.takeFor(flow, tickAt(Math.floor(at), 0))
        if (real.now() - answeredAt > ANSWER_MS) answer()
      }
      host.takeFor(flow, item)
      if (promised.size > 0) convict()
      count++
      if (out.size > FLUSH_BYTES || real.now() - answeredAt > ANSWER_MS) {
        open()
          .u8(FROM_CHILD.lane)
          .u32(flow)
          .f64(count)
          .f64(real.now() - before)
        before = real.now()
        answer()
      }
    }
    isPast = false
    laned.set(flow, count)
    open()
      .u8(FROM_CHILD.lane)
      .u32(flow)
      .f64(count)
      .f64(real.now() - before)
  }

  const take = (body: Buffer): Promise<void> | void => {
    const read = new FrameReader(body, names)
    open()
    switch (read.u8()) {
      case TO_CHILD.items:
        while (!read.done) {
          const item = read.item()
          open()
          // After a long silence many timers are due: between them the hub hears that all goes on.
          while (item.at - done.at > LONG_GAP_MS && host.next < item.at) {
            host.take(tickAt(Math.min(item.at, host.next + LONG_GAP_MS), 0))
            answerInTime()
          }
          host.take(item)
          if (promised.size > 0) convict()
          done.items++
          done.at = item.at
          answerInTime()
        }
        return
      case TO_CHILD.lane:
        return lane(read)
      case TO_CHILD.control:
        return obey(Control.parse(JSON.parse(read.text())))
      case TO_CHILD.retained: {
        const flow = read.u32()
        const items = retained.get(flow) ?? []
        while (!read.done) items.push(read.item())
        retained.set(flow, items)
        return
      }
      default:
        throw new Error('the hub said something this process does not know')
    }
  }

  /** A throw between turns: a promise of some flow. Named by the file in its stack. */
  const stray = (error: unknown) => {
    const what = thrown(error, flowsUrl)
    const culprit = [...loaded].find(([, { url }]) => what.stack?.includes(url))?.[0]
    if (culprit === undefined) return tellLater({ event: 'stray', ...what })
    host.stop(culprit)
    tellLater({ event: 'failed', flow: culprit, cause: 0, ...what })
  }
  process.on('uncaughtException', stray)
  process.on('unhandledRejection', stray)

  realm.at = setup.at
  ownTime()
  seal(flowsUrl, HUB_URL, sources)
  tell({ event: 'ready' })
  return {
    take,
    answered: () => {
      books.idle()
      answer()
    },
  }
}

const within = <T>(ms: number, work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, no) => {
    timer = real.setTimeout(() => no(new Error(`it did not load within ${ms} ms: no await at the top of a flow`)), ms)
  })
  return Promise.race([work, late]).finally(() => real.clearTimeout(timer))
}

/** Says why on stderr, which the hub logs, and goes. */
const die = (error: unknown): never => {
  fs.writeSync(2, `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return process.exit(1)
}

interface Peer {
  take(body: Buffer): Promise<void> | void
  answered(): void
}

let peer: Peer | undefined
const setUp = async (body: Buffer): Promise<void> => {
  const read = new FrameReader(body)
  const control = read.u8() === TO_CHILD.control ? Control.parse(JSON.parse(read.text())) : undefined
  if (control?.do !== 'setup') throw new Error('the hub must set this process up first')
  peer = main(control.setup, topicTable(await loadTopicTables(control.setup.topicFiles), control.setup.prefix))
}

const waiting: Buffer[] = []
let busy = false
/** Bodies one after the other, without a pause unless a file loads; then one answer for all of them. */
const work = async (): Promise<void> => {
  busy = true
  for (let body = waiting.shift(); body !== undefined; body = waiting.shift()) {
    const more = peer === undefined ? setUp(body) : peer.take(body)
    if (more !== undefined) await more
  }
  busy = false
  peer?.answered()
}

const cut = frames((body) => waiting.push(body))
socket.on('data', (chunk: Buffer) => {
  try {
    cut(chunk)
  } catch (error) {
    die(error)
  }
  if (!busy && waiting.length > 0) work().catch(die)
})
// The hub is gone: nobody is left to run flows for.
socket.on('error', () => process.exit(0))
socket.on('close', () => process.exit(0))
