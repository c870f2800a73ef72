// Reading a replay: how far it is, and its report when it is done.
import { each } from './read-flow.ts'
import { count, instant, isRecord, optional, record, text, texts } from './read.ts'
import { ROW_KINDS, type Replay, type ReplayFailure, type ReplayReport, type ReplayRow, type RowKind } from './types.ts'

const isKind = (value: unknown): value is RowKind => ROW_KINDS.some((kind) => kind === value)
const STATES: readonly Replay['state'][] = ['running', 'done', 'cancelled', 'failed']

/** Changes of the time and of the order have a name in parentheses; those of the payload are seen in it. */
const readTold = (value: unknown): ReplayRow['told'][number] | undefined => {
  const field = isRecord(value) ? value['field'] : undefined
  if (!isRecord(value) || (field !== '(time)' && field !== '(order)')) return undefined
  return { what: field === '(time)' ? 'time' : 'order', then: value['then'], now: value['now'] }
}

const readFailure = (value: unknown): ReplayFailure | undefined => {
  const message = isRecord(value) ? text(value['message']) : undefined
  if (!isRecord(value) || message === undefined) return undefined
  return { message, at: instant(value['at']), ...optional({ place: text(value['place']) }) }
}

const readRow = (value: unknown): ReplayRow | undefined => {
  if (!isRecord(value)) return undefined
  const { kind } = value
  const topic = text(value['topic'])
  if (topic === undefined || !isKind(kind)) return undefined
  return {
    at: instant(value['at']),
    cause: count(value['cause']),
    topic,
    kind,
    told: each(value['changes'], readTold),
    beyond: value['beyond'] === true,
    ...(typeof value['seq'] === 'number' ? { seq: value['seq'] } : {}),
    ...('then' in value ? { then: value['then'] } : {}),
    ...('now' in value ? { now: value['now'] } : {}),
  }
}

const readReport = (value: unknown): ReplayReport | undefined => {
  if (!isRecord(value)) return undefined
  const rows = each(value['rows'], readRow)
  const first = record(value['firstDifference'])
  const [thenCount, nowCount, same] = [count(value['thenCount']), count(value['nowCount']), count(value['same'])]
  const told = rows.filter(({ kind }) => kind !== 'same').length
  const untold = count(record(value['more'])['different'])
  const failure = readFailure(value['failure'])
  const failureThen = readFailure(value['failureThen'])
  return {
    version: text(value['version']) ?? '',
    since: instant(value['since']),
    until: instant(value['until']),
    exact: value['exact'] !== false,
    messages: count(value['messages']),
    tookMs: count(value['tookMs']),
    thenCount,
    nowCount,
    same,
    different: told + untold,
    untold,
    rows,
    starts: each(value['starts'], (start) => (isRecord(start) ? instant(start['at']) : undefined)),
    notes: texts(value['notes']),
    ...(failure === undefined ? {} : { failure }),
    ...(failureThen === undefined ? {} : { failureThen }),
    ...optional({ why: text(value['why']) }),
    ...(isRecord(value['firstDifference'])
      ? { firstDifference: { at: instant(first['at']), cause: count(first['cause']) } }
      : {}),
  }
}

export const readReplay = (value: unknown): Replay | undefined => {
  if (!isRecord(value)) return undefined
  const state = STATES.find((one) => one === value['state'])
  const id = text(value['id'])
  if (state === undefined || id === undefined) return undefined
  const error = text(value['error']) ?? text(record(value['error'])['message'])
  const report = readReport(value['report'])
  return {
    id,
    flow: text(value['flow']) ?? '',
    state,
    progress: Math.min(1, Math.max(0, count(value['progress']))),
    messages: count(value['messages']),
    ...optional({ error }),
    ...(report === undefined ? {} : { report }),
  }
}

export const readReplayId = (value: unknown): string | undefined => (isRecord(value) ? text(value['id']) : undefined)
