// Reading a replay: how far it is, and its report when it is done.
import { each } from './read-flow.ts'
import { count, instant, isRecord, optional, record, text } from './read.ts'
import { ROW_KINDS, type Replay, type ReplayReport, type ReplayRow, type RowKind } from './types.ts'

const isKind = (value: unknown): value is RowKind => ROW_KINDS.some((kind) => kind === value)
const STATES: readonly Replay['state'][] = ['running', 'done', 'cancelled', 'failed']

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
    // A changed decision counts on both sides, so the larger side is the least there can be.
    different: Math.max(told, thenCount - same, nowCount - same),
    rows,
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
