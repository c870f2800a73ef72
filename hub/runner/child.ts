// The process of flows: reads frames from the hub, runs the host, answers once per batch. Nothing else lives here.
import fs from 'node:fs'
import net from 'node:net'
import process from 'node:process'
import { Buffer } from 'node:buffer'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { z } from 'zod'
import { reasonOf } from '../errors.ts'
import { ownTime } from '../streams/clock.ts'
import type { Flow } from '../streams/flow.ts'
import { realm } from '../streams/realm.ts'
import { topicTable, type TopicTable } from '../topics/table.ts'
import { FRAME_LIMIT, FrameReader, frames, FrameWriter, type Item } from './frame.ts'
import { FlowHost } from './host.ts'
import { ANSWER_HEAD, type ChildEvent, Control, FROM_CHILD, type Setup, type Thrown, TO_CHILD } from './protocol.ts'
import { seal } from './seal.ts'
import { loadTopicTables } from './topic-files.ts'

const HUB_FD = 3
const FLUSH_BYTES = 256 * 1024
/** Leaves room in a frame for what is told of failures. */
const ANSWER_BYTES = FRAME_LIMIT - 2 ** 20
const RSS_EVERY_MS = 1000
const HUB_URL = new URL('../streams/hub.ts', import.meta.url).href

// No code from strings in this process, so no compiled schemas.
z.config({ jitless: true })
// Deep pipes: the flow's own line must be in the stack.
Error.stackTraceLimit = 60

const real = { setTimeout, setImmediate, clearTimeout, now: performance.now.bind(performance) }
const socket = new net.Socket({ fd: HUB_FD })

const main = (setup: Setup, table: TopicTable): Peer => {
  const out = new FrameWriter()
  const flowsUrl = `${pathToFileURL(setup.flowsDir).href.replace(/\/$/, '')}/`
  const files = new Map<number, string>()
  const retained = new Map<number, Item[]>()
  const done = { items: 0, at: 0 }
  const now = () => Math.max(setup.at, done.at)
  let rss = { bytes: process.memoryUsage.rss(), at: real.now() }

  // A frame is begun by whoever writes first and sealed after the work, so that its acknowledgement covers exactly its outputs.
  const open = () => {
    if (out.size === 0) for (let i = 0; i < ANSWER_HEAD; i++) out.f64(0)
    return out
  }
  const answer = () => {
    open()
    if (real.now() - rss.at > RSS_EVERY_MS) rss = { bytes: process.memoryUsage.rss(), at: real.now() }
    socket.write(out.front(done.items, done.at, host.next, rss.bytes).take())
  }
  const tell = (event: ChildEvent) => void open().u8(FROM_CHILD.event).text(JSON.stringify(event))
  const tellLater = (event: ChildEvent) => {
    tell(event)
    real.setImmediate(() => out.size > 0 && answer())
  }

  const marker = setup.markerFd
  const marked = Buffer.alloc(4)
  const mark = (flow: number) => {
    if (marker === undefined) return
    marked.writeInt32LE(flow)
    fs.writeSync(marker, marked, 0, 4, 0)
  }

  const host = new FlowHost(table, {
    output: (output) => {
      if (out.size + output.payload.length > ANSWER_BYTES)
        throw new Error('the flows together said too much in answer to one message')
      open().u8(FROM_CHILD.output).output(output)
    },
    failed: (flow, error, cause) => tellLater({ event: 'failed', flow, cause, ...thrown(error, flowsUrl) }),
    kept: () => {},
    setAside: () => {},
    ended: (flow) => tellLater({ event: 'ended', flow }),
    bad: ({ seq, topic, origin }, { field, constraint }) =>
      tell({ event: 'bad', seq, topic, origin, field, constraint }),
    ...(marker === undefined ? {} : { turn: mark }),
  })

  const load = async ({ flow, file, version }: Extract<Control, { do: 'load' }>) => {
    const url = pathToFileURL(file).href
    files.set(flow, url)
    mark(flow)
    try {
      const module: unknown = await within(setup.loadMs, import(`${url}?v=${version}`))
      const define = (module as { default?: unknown }).default
      if (typeof define !== 'function')
        throw new Error('it has no default export that is a flow: export default flow((from) => …)')
      tell({ event: 'loaded', flow, inputs: host.define(flow, define as Flow, { at: now() }).inputs })
    } catch (error) {
      tell({ event: 'unloadable', flow, ...thrown(error, flowsUrl, url) })
    }
  }

  const obey = (control: Control): Promise<void> | void => {
    switch (control.do) {
      case 'load':
        return load(control)
      case 'start':
        host.start(control.flow, {
          at: now(),
          since: control.since,
          n: control.n,
          retained: retained.get(control.flow) ?? [],
        })
        retained.delete(control.flow)
        return
      case 'stop':
        return host.stop(control.flow)
      case 'quiet':
        throw new Error('nobody is silenced as a whole: each flow is muted where it starts')
      case 'setup':
        throw new Error('this process is set up already')
    }
  }

  const take = (body: Buffer): Promise<void> | void => {
    const read = new FrameReader(body)
    switch (read.u8()) {
      case TO_CHILD.items:
        while (!read.done) {
          const item = read.item()
          open()
          host.take(item)
          done.items++
          done.at = item.at
          if (out.size > FLUSH_BYTES) answer()
        }
        return
      case TO_CHILD.control:
        open()
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
    const culprit = [...files].find(([, url]) => what.stack?.includes(url))?.[0]
    if (culprit === undefined) return tellLater({ event: 'stray', ...what })
    host.stop(culprit)
    tellLater({ event: 'failed', flow: culprit, cause: 0, ...what })
  }
  process.on('uncaughtException', stray)
  process.on('unhandledRejection', stray)

  realm.at = setup.at
  ownTime()
  seal(flowsUrl, HUB_URL)
  tell({ event: 'ready' })
  return {
    take,
    answered: () => {
      mark(-1)
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

const STACK_LIMIT = 4000

/** The text of what was thrown, and where in the folder of flows, as `file.ts:line`. */
const thrown = (error: unknown, flowsUrl: string, fallback?: string): Thrown => {
  const stack = error instanceof Error ? error.stack?.replaceAll(/\?v=\w+/g, '').slice(0, STACK_LIMIT) : undefined
  // In a stack files are URLs; what does not parse is named by its path.
  const place = placeIn(stack, flowsUrl) ?? placeIn(stack, fileURLToPath(flowsUrl)) ?? fallback?.slice(flowsUrl.length)
  return { message: reasonOf(error).slice(0, 1000), stack, place }
}

const placeIn = (stack: string | undefined, folder: string): string | undefined => {
  const at = stack?.indexOf(folder) ?? -1
  return at < 0 ? undefined : /^[^:?\s)]+:\d+/.exec(stack?.slice(at + folder.length) ?? '')?.[0]
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
