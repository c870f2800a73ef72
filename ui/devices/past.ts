// The past of one value of a device, as the hub rolled it up.
import { count, instant, isRecord, text } from '../api/read.ts'

/** What is asked for: at most `points` points of a value, from `ms` ago until now. */
export interface PastQuery {
  device: string
  field: string
  ms: number
  points: number
}

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
