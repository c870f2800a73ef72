// The past of one value of a device, as the hub rolled it up: asked for, and read.
import { bareAnswer, noAnswer, Problem } from '../api/problem.ts'
import { count, instant, isRecord, readError, text } from '../api/read.ts'
import { keptSession } from '../api/session.ts'

/** A stretch of time. Times in ms since 1970 by the hub's clock. */
export interface PastPoint {
  at: number
  min: number
  max: number
  /** Of a switch: the share of the time it was on, 0 to 1. */
  mean: number
  last: number
  /** How many readings. */
  n: number
}

export interface Past {
  isSwitch: boolean
  /** How long a point is, in ms. */
  step: number
  from: number
  to: number
  /** The newest message that is in it; 0 for none. */
  upTo: number
  /** Older messages are still being worked through. */
  isBehind: boolean
  points: PastPoint[]
}

const DEADLINE_MS = 15_000

const readPoint = (value: unknown): PastPoint[] => {
  if (!isRecord(value)) return []
  const at = instant(value['at'])
  if (at === 0) return []
  const [min, max, mean, last] = [value['min'], value['max'], value['mean'], value['last']].map(count)
  return [{ at, min: min ?? 0, max: max ?? 0, mean: mean ?? 0, last: last ?? 0, n: count(value['n']) }]
}

/** Reads the hub's answer; undefined when it is none. */
export const readPast = (body: unknown): Past | undefined => {
  if (!isRecord(body) || !Array.isArray(body['points'])) return undefined
  const step = count(body['seconds']) * 1000
  const kind = text(body['kind'])
  const upTo = isRecord(body['upTo']) ? instant(body['upTo']['at']) : 0
  if (step <= 0 || (kind !== 'number' && kind !== 'switch')) return undefined
  return {
    isSwitch: kind === 'switch',
    step,
    from: instant(body['from']),
    to: instant(body['to']),
    upTo,
    isBehind: body['behind'] === true,
    points: body['points'].flatMap(readPoint),
  }
}

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** Asks for at most `points` points of a value, from `ms` ago until now. Undefined when the hub has nothing of it. Rejects with a `Problem`. */
export const readPastOf = async (
  { device, field, ms, points }: { device: string; field: string; ms: number; points: number },
  signal: AbortSignal,
): Promise<Past | undefined> => {
  const query = new URLSearchParams({ field, from: `${Math.round(ms / 1000)}s`, points: String(points) })
  const path = `/api/devices/${encodeURIComponent(device)}/series?${query.toString()}`
  const token = keptSession()?.token
  let answer: Response
  let body: string
  try {
    answer = await fetch(path, {
      headers: { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
      cache: 'no-store',
    })
    body = await answer.text()
  } catch (error) {
    throw noAnswer(error)
  }
  if (answer.status === 404) return undefined
  if (!answer.ok) throw new Problem(answer.status, readError(parsed(body)) ?? bareAnswer(answer.status))
  const past = readPast(parsed(body))
  if (past === undefined)
    throw new Problem(0, {
      code: 'UNREADABLE',
      message: "The hub's answer is not what this app expects. Reload the page; the hub may be newer.",
      details: {},
    })
  return past
}
