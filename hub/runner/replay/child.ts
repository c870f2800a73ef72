// The process of one replay: reads the journal, runs the flow sealed as it is live, tells how far it is, and ends with the report.
import net from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { Buffer } from 'node:buffer'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { z } from 'zod'
import { reasonOf } from '../../errors.ts'
import { openPast } from '../../journal/past.ts'
import { ownTime } from '../../streams/clock.ts'
import type { Flow } from '../../streams/flow.ts'
import { topicTable } from '../../topics/table.ts'
import type { Output } from '../frame.ts'
import { seal } from '../seal.ts'
import { loadTopicTables } from '../topic-files.ts'
import { Replay } from './engine.ts'
import { Order, type Told } from './protocol.ts'

const HUB_FD = 3
const HUB_URL = new URL('../../streams/hub.ts', import.meta.url).href
const TELL_EVERY_MS = 100
/** So much may wait in the socket before the work waits, too. */
const WAITING_BYTES = 1 << 20

// No code from strings in this process, so no compiled schemas.
z.config({ jitless: true })
Error.stackTraceLimit = 60

const real = { setTimeout, clearTimeout, setImmediate, now: performance.now.bind(performance) }
const socket = new net.Socket({ fd: HUB_FD })
socket.on('error', () => process.exit(0))
socket.on('close', () => process.exit(0))

const tell = (told: Told): boolean => socket.write(`${JSON.stringify(told)}\n`)
const pause = (): Promise<void> =>
  new Promise((resolve) => {
    if (socket.writableLength > WAITING_BYTES) socket.once('drain', resolve)
    else real.setImmediate(resolve)
  })

const readOrder = (): Promise<Order> =>
  new Promise((resolve, reject) => {
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (!text.endsWith('\n')) return
      try {
        resolve(Order.parse(JSON.parse(text)))
      } catch (error) {
        reject(error instanceof Error ? error : new Error(reasonOf(error)))
      }
    })
  })

const folderUrl = (file: string): string => `${pathToFileURL(path.dirname(file)).href.replace(/\/$/, '')}/`

/** The file's flow. A file that does not load is told with its place. */
const load = async (file: string, version: string, loadMs: number): Promise<Flow> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, no) => {
    timer = real.setTimeout(
      () => no(new Error(`it did not load within ${loadMs} ms: no await at the top of a flow`)),
      loadMs,
    )
  })
  const module: unknown = await Promise.race([import(`${pathToFileURL(file).href}?v=${version}`), late]).finally(() =>
    real.clearTimeout(timer),
  )
  const define = (module as { default?: unknown }).default
  if (typeof define !== 'function')
    throw new Error(`${path.basename(file)} has no default export that is a flow: export default flow((from) => …)`)
  return define as Flow
}

const work = async (): Promise<void> => {
  const order = await readOrder()
  const { flow, version, against, since, until, params, except } = { ...order, version: order.now.version }
  const table = topicTable(await loadTopicTables(order.topicFiles), order.prefix)
  const past = openPast(order.journalDir)
  const folders = new Set(
    [order.now, ...(order.other === undefined ? [] : [order.other])].map(({ file }) => folderUrl(file)),
  )
  const placeOf = (error: unknown): string | undefined => {
    const stack = error instanceof Error ? error.stack?.replaceAll(/\?v=\w+/g, '') : undefined
    if (stack === undefined) return undefined
    for (const folder of [...folders, ...[...folders].map((url) => fileURLToPath(url))]) {
      const at = stack.indexOf(folder)
      const place = at < 0 ? undefined : /^[^:?\s)]+:\d+/.exec(stack.slice(at + folder.length))?.[0]
      if (place !== undefined) return place
    }
    return undefined
  }
  // What a promise of the flow throws reaches nobody who is in a turn.
  const stray = (error: unknown): void => fail(error, placeOf(error))
  process.on('uncaughtException', stray)
  process.on('unhandledRejection', stray)
  const said = ({ at, cause, n, topic, payload }: Output): void =>
    void tell({ say: 'output', at, cause, n, topic, payload: Buffer.from(payload).toString('base64') })
  const replay = new Replay({
    past,
    table,
    job: { flow, version, against, since, until, except, ...(params === undefined ? {} : { params }) },
    beside: order.other === undefined ? 'recorded' : 'other',
    ...(order.site === undefined ? {} : { site: order.site }),
    placeOf,
    elapsed: real.now,
    ...(order.tellOutputs ? { said } : {}),
  })
  ownTime()
  for (const folder of folders) seal(folder, HUB_URL, new Map())
  tell({ say: 'progress', part: 0, messages: 0, at: since })
  await pause()
  try {
    const now = await load(order.now.file, order.now.version, order.loadMs)
    const other =
      order.other === undefined ? undefined : await load(order.other.file, order.other.version, order.loadMs)
    const steps = replay.steps(now, other)
    let told = real.now()
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) {
        tell({ say: 'report', report: step.value })
        socket.end()
        return
      }
      if (real.now() - told < TELL_EVERY_MS && socket.writableLength < WAITING_BYTES) continue
      tell({ say: 'progress', ...step.value })
      await pause()
      told = real.now()
    }
  } catch (error) {
    fail(error, placeOf(error))
  }
}

const fail = (error: unknown, place?: string): void => {
  tell({ say: 'failed', message: reasonOf(error).slice(0, 2000), ...(place === undefined ? {} : { place }) })
  socket.end()
}

work().catch((error: unknown) => fail(error))
