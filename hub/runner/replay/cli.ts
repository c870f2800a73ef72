// `npm run replay -- <flow>`: recorded messages through a flow, beside a running hub or without one; nothing is sent.
import { existsSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Config, siteOf } from '../../config.ts'
import { Fatal, Invalid, reasonOf } from '../../errors.ts'
import { openMcap, type McapFile } from '../../journal/mcap.ts'
import { openPast } from '../../journal/past.ts'
import { kindAt, stampAt } from '../../journal/record.ts'
import { topicTable, type TopicTable } from '../../topics/table.ts'
import { type FlowFile, findFlows, readFlow } from '../find-flows.ts'
import { loadTopicTables } from '../topic-files.ts'
import { printed } from './print.ts'
import { REPLAY_LIMITS, replayInProcess } from './process.ts'
import type { Order, ToldOutput } from './protocol.ts'
import type { Report } from './report.ts'
import { atRevision } from './revision.ts'
import { timeOf } from '../../journal/times.ts'

/** Where the command writes. */
export interface Streams {
  out(text: string): void
  err(text: string): void
  /** stderr is a terminal: progress may overwrite its line. */
  isTerminal: boolean
}

const USAGE = `npm run replay -- <flow> [--since 2h|yesterday|2026-11-20T07:30] [--until …]
                [--against recorded|<git revision>|<file>] [--params '{"above":90}']
                [--json] [--all] [--export x.mcap]
Runs recorded messages through a flow and lists what it said then and says now. Nothing is sent.
Exit code: 0 the same, 1 different, 2 it could not be done.`

const OPTIONS = {
  since: { type: 'string', default: '24h' },
  until: { type: 'string', default: 'now' },
  against: { type: 'string', default: 'recorded' },
  params: { type: 'string' },
  json: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  export: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

const LOAD_MS = 5000

/** Runs the command; resolves to its exit code. Never rejects. */
export const replayCommand = async (args: readonly string[], config: Config, to: Streams): Promise<number> => {
  try {
    const { values, positionals } = parsed(args)
    if (values.help) {
      to.out(`${USAGE}\n`)
      return 0
    }
    const [named] = positionals
    if (named === undefined || positionals.length > 1) throw new Fatal(`Name one flow.\n\n${USAGE}`)
    const now = Date.now()
    const since = timeOf('--since', values.since, now)
    const until = timeOf('--until', values.until, now)
    if (until <= since) throw new Invalid('--until', values.until, 'must be later than --since')
    const file = await flowFile(named, config)
    const other = await versionOf(values.against, file)
    try {
      const order: Order = {
        flow: file.id,
        now: { file: file.file, version: file.version },
        ...(other === undefined ? {} : { other: { file: other.flow.file, version: other.flow.version } }),
        against: other === undefined ? 'recorded' : `${values.against} (${other.flow.version})`,
        since,
        until,
        ...(values.params === undefined ? {} : { params: paramsOf(values.params) }),
        ...(await placesOf(config)),
        tellOutputs: values.export !== undefined,
        loadMs: LOAD_MS,
      }
      const report = await replayed(order, values.export, to, config)
      to.out(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : `${printed(report, { all: values.all })}\n`)
      return report.isSame ? 0 : 1
    } finally {
      await other?.drop()
    }
  } catch (error) {
    to.err(`${error instanceof Fatal || error instanceof Invalid ? error.message : reasonOf(error)}\n`)
    return 2
  }
}

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new Fatal(`${reasonOf(error)}\n\n${USAGE}`)
  }
}

/** What every replay on this hub's data needs to know. */
export const placesOf = async (
  config: Pick<Config, 'DATA_DIR' | 'PLUGINS_DIR' | 'TOPIC_PREFIX' | 'file'>,
): Promise<Pick<Order, 'journalDir' | 'prefix' | 'topicFiles' | 'except' | 'site'>> => ({
  journalDir: path.join(config.DATA_DIR, 'journal'),
  prefix: config.TOPIC_PREFIX,
  topicFiles: await topicFilesIn(config.PLUGINS_DIR),
  except: config.file.journal.except,
  site: siteOf(config),
})

const topicFilesIn = async (dir: string): Promise<string[]> =>
  (await readdir(dir).catch(() => []))
    .sort()
    .map((plugin) => path.join(dir, plugin, 'topics.ts'))
    .filter((file) => existsSync(file))

/** Every topic of this hub, as far as its folders tell. */
export const tableOf = async (config: Config): Promise<TopicTable> =>
  topicTable(await loadTopicTables(await topicFilesIn(config.PLUGINS_DIR)), config.TOPIC_PREFIX)

/** A flow by its id, or by its file. */
const flowFile = async (named: string, { FLOWS_DIR }: Config): Promise<FlowFile> => {
  const file = named.endsWith('.ts') ? path.resolve(named) : path.join(FLOWS_DIR, `${named}.ts`)
  if (isFile(file)) return readFlow(file)
  const known = (await findFlows(FLOWS_DIR)).map(({ id }) => id)
  throw new Fatal(`There is no flow '${named}' (${file}). There are: ${known.join(', ') || 'none'}.`)
}

const isFile = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isFile() === true

interface Other {
  flow: FlowFile
  drop(): Promise<void>
}

const versionOf = async (against: string, now: FlowFile): Promise<Other | undefined> => {
  if (against === 'recorded') return undefined
  if (isFile(against)) return { flow: await readFlow(path.resolve(against)), drop: async () => {} }
  const { file, drop } = await atRevision(now.file, against)
  return { flow: await readFlow(file), drop }
}

const paramsOf = (text: string): Record<string, unknown> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Said below.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Invalid('--params', text, `must be a JSON object such as '{"above":90}'`)
  return { ...value }
}

const replayed = async (order: Order, to: string | undefined, io: Streams, { file }: Config): Promise<Report> => {
  const meter = progressOn(io)
  const limits = { ...REPLAY_LIMITS, stuckMs: Math.max(REPLAY_LIMITS.stuckMs, file.flows.stuckSeconds * 1000) }
  if (to === undefined) return replayInProcess(order, { progress: meter.tell }, limits).finally(meter.end)
  const table = topicTable(await loadTopicTables(order.topicFiles), order.prefix)
  const mcap = await openMcap(to, table)
  try {
    const outputs = inOrder((output: ToldOutput) => addOutput(mcap, order.flow, output))
    const report = await replayInProcess(order, { progress: meter.tell, output: outputs.add }, limits).finally(
      meter.end,
    )
    await outputs.end()
    const copied = await copyRange(mcap, order)
    const all = await mcap.close()
    io.err(`${to}: ${copied} recorded messages and ${all - copied} of the replay\n`)
    return report
  } catch (error) {
    await mcap.drop()
    throw error
  }
}

const addOutput = (mcap: McapFile, flow: string, { at, cause, n, topic, payload }: ToldOutput): Promise<void> =>
  mcap.add(
    { seq: 0, at, topic, payload: Buffer.from(payload, 'base64'), origin: `flow:${flow}`, cause, correlation: '', n },
    'replay',
  )

/** Does asynchronous work for one after the other. */
const inOrder = <T>(work: (each: T) => Promise<void>) => {
  let line: Promise<void> = Promise.resolve()
  let wrong: unknown
  return {
    add: (each: T): void => {
      line = line.then(() => work(each)).catch((error: unknown) => void (wrong ??= error))
    },
    async end(): Promise<void> {
      await line
      if (wrong !== undefined) throw wrong instanceof Error ? wrong : new Error(reasonOf(wrong))
    },
  }
}

/** Every recorded message of the range. Resolves to how many. */
const copyRange = async (mcap: McapFile, { journalDir, since, until }: Order): Promise<number> => {
  let count = 0
  const isInRange = (bytes: Buffer, at: number): boolean =>
    kindAt(bytes, at) === 'message' && stampAt(bytes, at) >= since && stampAt(bytes, at) <= until
  for (const entry of openPast(journalDir).entries({ since, until }, isInRange)) {
    await mcap.add(entry, 'recorded')
    count++
  }
  return count
}

const QUIET_MS = 1500

/** Tells on stderr how far it is, once it takes long. */
const progressOn = ({ err, isTerminal }: Streams): { tell(part: number, messages: number): void; end(): void } => {
  const begun = performance.now()
  let told = -1
  return {
    tell(part, messages) {
      if (performance.now() - begun < QUIET_MS) return
      const percent = Math.floor(part * 100)
      if (percent === told || (!isTerminal && percent < told + 10)) return
      told = percent
      const text = `${percent} %  ${messages.toLocaleString('en')} messages`
      err(isTerminal ? `\r${text}\u001b[K` : `${text}\n`)
    },
    end() {
      if (told >= 0 && isTerminal) err('\r\u001b[K')
    },
  }
}
