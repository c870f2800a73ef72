// Reading what the hub tells of its flows, their detail and the plugins around them.
import { count, instant, isRecord, optional, record, text, texts } from './read.ts'
import type {
  FlowDetail,
  FlowEdge,
  FlowError,
  FlowItem,
  FlowMessage,
  FlowParams,
  NewerFlow,
  PluginItem,
} from './types.ts'

/** Each item of a list that can be read. */
export const each = <T>(value: unknown, one: (item: unknown) => T | undefined): T[] =>
  Array.isArray(value) ? value.map(one).filter((item) => item !== undefined) : []

const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

const readError = (value: unknown): FlowError | undefined => {
  if (typeof value === 'string') return { message: value, at: 0 }
  if (!isRecord(value)) return undefined
  const message = text(value['message'])
  if (message === undefined) return undefined
  return {
    message,
    at: instant(value['at']),
    ...optional({ stack: text(value['stack']), place: text(value['place']) }),
  }
}

const readEdge = (value: unknown): FlowEdge | undefined => {
  if (!isRecord(value)) return undefined
  const filter = text(value['filter'])
  const topic = text(value['topic']) ?? filter
  if (topic === undefined) return undefined
  const overload = value['overload']
  return {
    topic,
    filter: filter ?? topic,
    latest: value['latest'] === true,
    keeps: isRecord(overload) ? count(overload['dropOldest']) : 'newest only',
    in: count(value['in']),
    dropped: count(value['dropped']),
    depth: count(value['depth']),
    rate: count(value['rate']),
  }
}

const readParams = (value: unknown): FlowParams | undefined =>
  isRecord(value) && isRecord(value['schema'])
    ? { schema: value['schema'], values: record(value['values']) }
    : undefined

const readNewer = (value: unknown): NewerFlow | undefined => {
  if (!isRecord(value)) return undefined
  const error = record(value['error'])
  const message = text(error['message'])
  return {
    version: text(value['version']) ?? '',
    state: value['state'] === 'rejected' ? 'rejected' : 'checking',
    ...(message === undefined ? {} : { error: { message, ...optional({ place: text(error['place']) }) } }),
  }
}

/** A flow of the list; what an older hub does not tell is missing, and nothing is made up for it. */
export const readFlow = (value: unknown): FlowItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  if (id === undefined) return undefined
  const delay = record(value['delayMs'])
  const p50 = number(delay['p50'])
  const p99 = number(delay['p99'])
  const approximate = record(value['approximate'])
  const why = text(approximate['why'])
  const error = readError(value['error'])
  const rateIn = number(value['rateIn'])
  const rateOut = number(value['rateOut'])
  const params = readParams(value['params'])
  const newer = readNewer(value['newer'])
  const startedAt = instant(value['startedAt'])
  return {
    id,
    status: text(value['status']) ?? 'unknown',
    inputs: texts(value['inputs']),
    outputs: texts(value['outputs']),
    in: count(value['in']),
    out: count(value['out']),
    dropped: count(value['dropped']),
    restarts: count(value['restarts']),
    version: text(value['version']) ?? '',
    edges: each(value['edges'], readEdge),
    slow: value['slow'] === true,
    ...optional({ about: text(value['about']) }),
    ...(startedAt > 0 ? { startedAt } : {}),
    ...(error === undefined ? {} : { error }),
    ...(rateIn === undefined ? {} : { rateIn }),
    ...(rateOut === undefined ? {} : { rateOut }),
    ...(p50 === undefined || p99 === undefined ? {} : { delayMs: { p50, p99 } }),
    ...(why === undefined ? {} : { approximate: { why, since: instant(approximate['since']) } }),
    ...(params === undefined ? {} : { params }),
    ...(newer === undefined ? {} : { newer }),
  }
}

const readMessage = (value: unknown): FlowMessage | undefined => {
  if (!isRecord(value)) return undefined
  const topic = text(value['topic'])
  const seq = number(value['seq'])
  if (topic === undefined || seq === undefined) return undefined
  const cause = number(value['cause'])
  return {
    seq,
    at: instant(value['at']),
    topic,
    payload: value['payload'],
    ...(cause === undefined ? {} : { cause }),
  }
}

const readKept = (value: unknown): { key: string; value: unknown } | undefined => {
  const key = isRecord(value) ? text(value['key']) : undefined
  return isRecord(value) && key !== undefined ? { key, value: value['value'] } : undefined
}

export const readFlowDetail = (value: unknown): FlowDetail | undefined => {
  const flow = readFlow(value)
  if (!flow || !isRecord(value)) return undefined
  const runSince = instant(value['runSince'])
  return {
    ...flow,
    source: text(value['source']) ?? '',
    kept: each(value['kept'], readKept),
    recentIn: each(value['recentIn'], readMessage),
    recentOut: each(value['recentOut'], readMessage),
    ...(runSince > 0 ? { runSince } : {}),
  }
}

export const readPlugin = (value: unknown): PluginItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  if (id === undefined) return undefined
  return {
    id,
    title: text(value['title']) ?? id,
    status: text(value['status']) ?? 'unknown',
    handles: texts(value['handles']),
    publishes: texts(value['publishes']),
  }
}
