// Puts what a flow said then beside what it says now: by cause, order, topic and payload, in bounded memory.
import type { Buffer } from 'node:buffer'
import { Fifo } from '../fifo.ts'
import type { Change, Row, RowKind } from './report.ts'

/** One thing that was said. */
export interface Said {
  readonly at: number
  readonly cause: number
  readonly topic: string
  readonly payload: Buffer
  /** Counted upwards on its side: its order. */
  readonly order: number
  /** Place in the journal, of what is recorded. */
  readonly seq?: number
  /** A timer said it, so that its time is a decision of the flow. */
  readonly isTimed: boolean
}

export interface CompareOptions {
  /** Rows are listed and counted for this range, ms. */
  since: number
  until: number
  /** What is recorded bears the time at which the hub took it, a little later than the flow's own. Both ran now: times are exact. */
  isRecorded: boolean
  /** Whether something came back between two moments, so that what was due came late. */
  cameBack(from: number, to: number): boolean
  /** After this the journal may lack what the flow had just said, ms. */
  settledUntil: number
  /** Most rows of each kind, same and different. */
  mostRows?: number
}

export interface Compared {
  thenCount: number
  nowCount: number
  same: number
  changed: number
  onlyThen: number
  onlyNow: number
  unanswered: number
  firstDifference: { at: number; cause: number } | undefined
  rows: (Omit<Row, 'at'> & { at: number })[]
  more: { same: number; different: number }
}

export interface Comparison {
  saidThen(said: Said): void
  saidNow(said: Said): void
  /** Time is `at`: what waits too long for its counterpart has none. */
  pass(at: number): void
  /** The flow that runs now begins anew, and so does its order. */
  anew(): void
  end(): Compared
}

/** How much later than the flow's own time an output may be recorded. */
const LATE_MS = 2000
/** So long the two sides of a row may be apart: a wait that was made longer is one change, not two rows. */
const APART_MS = 15 * 60_000
const MOST_WAITING = 5000
const MOST_ROWS = 1000
const MOST_BYTES = 1 << 20
/** Longer payloads are cut in the report, never in the comparison. */
const LONG_PAYLOAD = 4096

interface Waiting {
  readonly said: Said
  readonly side: 'then' | 'now'
  done: boolean
}

interface Side {
  readonly line: Fifo<Waiting>
  readonly byKey: Map<string, Waiting[]>
}

const side = (): Side => ({ line: new Fifo(), byKey: new Map() })
const keyOf = ({ cause, topic }: Said): string => `${cause} ${topic}`

export const compare = (options: CompareOptions): Comparison => {
  const { since, until, isRecorded, mostRows = MOST_ROWS } = options
  const sides = { then: side(), now: side() }
  const listed = { same: [] as Compared['rows'], different: [] as Compared['rows'] }
  const bytes = { same: 0, different: 0 }
  const counts = { thenCount: 0, nowCount: 0, same: 0, changed: 0, onlyThen: 0, onlyNow: 0, unanswered: 0 }
  let firstDifference: Compared['firstDifference']
  /** Order of the last pair of a cause: within a cause it must not go back. */
  let last = { cause: -1, order: 0 }

  const isInTime = (then: Said, now: Said): boolean => {
    if (!isRecorded) return then.at === now.at
    if (!now.isTimed || Math.abs(then.at - now.at) <= LATE_MS) return true
    return then.at > now.at && options.cameBack(now.at, then.at)
  }

  const row = (kind: RowKind, then: Said | undefined, now: Said | undefined, changes: Change[] = []): void => {
    const at = now?.at ?? then?.at ?? 0
    if (at < since || at > until) return
    if (now !== undefined && then === undefined && at > options.settledUntil) return
    if (then !== undefined) counts.thenCount++
    if (now !== undefined) counts.nowCount++
    const cause = now?.cause ?? then?.cause ?? 0
    if (kind === 'same') counts.same++
    else if (kind === 'changed') counts.changed++
    else if (kind === 'only then') counts.onlyThen++
    else if (kind === 'only now') counts.onlyNow++
    else counts.unanswered++
    if (kind !== 'same' && (firstDifference === undefined || at < firstDifference.at)) firstDifference = { at, cause }
    const into = kind === 'same' ? 'same' : 'different'
    const size = (then?.payload.length ?? 0) + (now?.payload.length ?? 0)
    if (listed[into].length >= mostRows || bytes[into] + Math.min(size, 2 * LONG_PAYLOAD) > MOST_BYTES) return
    bytes[into] += Math.min(size, 2 * LONG_PAYLOAD)
    listed[into].push({
      at,
      ...(then?.seq === undefined ? {} : { seq: then.seq }),
      cause,
      topic: now?.topic ?? then?.topic ?? '',
      kind,
      ...(then === undefined ? {} : { then: shown(then.payload) }),
      ...(now === undefined ? {} : { now: shown(now.payload) }),
      ...(changes.length === 0 ? {} : { changes }),
      beyond: false,
    })
  }

  const pair = (then: Said, now: Said): void => {
    const isBack = isRecorded && now.cause === last.cause && now.order < last.order
    if (!isBack) last = { cause: now.cause, order: now.order }
    if (isBack) row('changed', then, now, [{ field: '(order)' }])
    else row('same', then, now)
  }

  const put = (of: 'then' | 'now', said: Said): void => {
    const other = sides[of === 'then' ? 'now' : 'then']
    const key = keyOf(said)
    for (const waiting of other.byKey.get(key) ?? []) {
      const [then, now] = of === 'then' ? [said, waiting.said] : [waiting.said, said]
      if (!isInTime(then, now) || !saysTheSame(then, now)) continue
      take(other, waiting)
      return pair(then, now)
    }
    const own = sides[of]
    const waiting: Waiting = { said, side: of, done: false }
    own.line.push(waiting)
    const same = own.byKey.get(key)
    if (same === undefined) own.byKey.set(key, [waiting])
    else same.push(waiting)
    if (own.line.size > MOST_WAITING) settle(own)
  }

  const take = (from: Side, waiting: Waiting): void => {
    waiting.done = true
    const key = keyOf(waiting.said)
    const rest = (from.byKey.get(key) ?? []).filter((each) => each !== waiting)
    if (rest.length === 0) from.byKey.delete(key)
    else from.byKey.set(key, rest)
  }

  /** The oldest that waits on a side gets no counterpart that is the same any more. */
  const settle = (own: Side): void => {
    const waiting = own.line.shift()
    if (waiting === undefined || waiting.done) return
    take(own, waiting)
    const { said } = waiting
    const other = sides[waiting.side === 'then' ? 'now' : 'then']
    const near = (other.byKey.get(keyOf(said)) ?? []).find((each) => Math.abs(each.said.at - said.at) <= APART_MS)
    if (near === undefined) {
      if (waiting.side === 'then') row('only then', said, undefined)
      else row(isQuestion(said) ? 'unanswered then' : 'only now', undefined, said)
      return
    }
    take(other, near)
    const [then, now] = waiting.side === 'then' ? [said, near.said] : [near.said, said]
    const changes = changesOf(parsed(then), parsed(now))
    const isLate = !isInTime(then, now)
    row('changed', then, now, [
      ...(isLate ? [{ field: '(time)', then: iso(then.at), now: iso(now.at) }] : []),
      ...changes,
    ])
  }

  const settleBefore = (own: Side, at: number): void => {
    for (let oldest = own.line.peek(); oldest !== undefined; oldest = own.line.peek()) {
      if (!oldest.done && oldest.said.at >= at) return
      settle(own)
    }
  }

  return {
    saidThen: (said) => put('then', said),
    saidNow: (said) => put('now', said),
    pass(at) {
      settleBefore(sides.then, at - APART_MS)
      settleBefore(sides.now, at - APART_MS)
    },
    anew() {
      last = { cause: -1, order: 0 }
    },
    end() {
      settleBefore(sides.then, Infinity)
      settleBefore(sides.now, Infinity)
      const rows = [...listed.same, ...listed.different].sort((a, b) => a.at - b.at || a.cause - b.cause)
      const first = rows.findIndex(({ kind }) => kind !== 'same')
      if (first >= 0) for (const each of rows.slice(first + 1)) each.beyond = true
      const different = counts.changed + counts.onlyThen + counts.onlyNow + counts.unanswered
      return {
        ...counts,
        firstDifference,
        rows,
        more: { same: counts.same - listed.same.length, different: different - listed.different.length },
      }
    },
  }
}

const iso = (at: number): string => new Date(at).toISOString()

/** A request with an id of its own waits for an answer. */
const isQuestion = (said: Said): boolean => {
  if (!said.topic.endsWith('/request')) return false
  const value = valueOf(said.payload)
  return isObject(value) && typeof value['id'] === 'string'
}

/** Fields of a request that name this one request or moment; they decide nothing. */
const NAMES = new Set(['id', 'issuedAt'])

const saysTheSame = (then: Said, now: Said): boolean =>
  then.payload.equals(now.payload) || changesOf(parsed(then), parsed(now)).length === 0

const parsed = ({ topic, payload }: Said): unknown => {
  const value = valueOf(payload)
  if (!topic.endsWith('/request') || !isObject(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([name]) => !NAMES.has(name)))
}

const valueOf = (payload: Buffer): unknown => {
  try {
    return JSON.parse(payload.toString('utf8')) as unknown
  } catch {
    return { base64: payload.toString('base64') }
  }
}

const shown = (payload: Buffer): unknown =>
  payload.length <= LONG_PAYLOAD
    ? valueOf(payload)
    : { cut: true, bytes: payload.length, text: payload.toString('utf8', 0, 500) }

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const MOST_CHANGES = 50

/** What differs between two values of JSON, field by field; a field that only one of them has lacks the other side. */
export const changesOf = (then: unknown, now: unknown, path = '', into: Change[] = []): Change[] => {
  if (into.length >= MOST_CHANGES || Object.is(then, now)) return into
  if (isObject(then) && isObject(now)) {
    for (const name of new Set([...Object.keys(then), ...Object.keys(now)]))
      changesOf(then[name], now[name], path === '' ? name : `${path}.${name}`, into)
    return into
  }
  if (Array.isArray(then) && Array.isArray(now) && then.length === now.length) {
    then.forEach((each: unknown, i) => changesOf(each, now[i], `${path}[${i}]`, into))
    return into
  }
  into.push({
    field: path === '' ? 'payload' : path,
    ...(then === undefined ? {} : { then }),
    ...(now === undefined ? {} : { now }),
  })
  return into
}
