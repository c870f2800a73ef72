// The numbers and switches in a message: its top-level fields, and `{ value, unit }` pairs among them.
import { isPersonalField } from './personal.ts'

export interface Reading {
  field: string
  value: number
  isSwitch: boolean
}

/** Longer names are not followed. */
export const FIELD_LENGTH = 64
/** What is beyond is no measurement, and its sum might not be a number. */
const GREATEST = 1e100
/** Payloads of the hub's own topics hold at most this much. */
const MOST_BYTES = 64 * 1024
const KNOWN = 10_000

/** Whether a name may become a series: not too long, printable, not about people. Remembers what it found for a bounded number of names. */
const mayBeKept = (() => {
  const known = new Map<string, boolean>()
  return (field: string): boolean => {
    const before = known.get(field)
    if (before !== undefined) return before
    if (known.size >= KNOWN) known.clear()
    const may =
      field.length > 0 && field.length <= FIELD_LENGTH && !/[\p{Cc}\p{Cs}]/u.test(field) && !isPersonalField(field)
    known.set(field, may)
    return may
  }
})()

/** The readings of a payload in its own order; none when it is no JSON object. */
export const readingsOf = (payload: Buffer): Reading[] => {
  if (payload.length === 0 || payload.length > MOST_BYTES) return []
  const document = parsed(payload)
  if (!isRecord(document)) return []
  const found: Reading[] = []
  for (const field of Object.keys(document)) {
    const raw = document[field]
    const value = isRecord(raw) ? raw['value'] : raw
    const isSwitch = typeof value === 'boolean'
    const number = isSwitch ? Number(value) : value
    // Adding 0 makes -0 a plain 0.
    if (typeof number === 'number' && Math.abs(number) <= GREATEST && mayBeKept(field))
      found.push({ field, value: number + 0, isSwitch })
  }
  return found
}

/** The kind in an announcement; undefined when it has none. */
export const kindOf = (payload: Buffer): string | undefined => {
  if (payload.length === 0 || payload.length > MOST_BYTES) return undefined
  const document = parsed(payload)
  const kind = isRecord(document) ? document['kind'] : undefined
  return typeof kind === 'string' ? kind : undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const parsed = (payload: Buffer): unknown => {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined
  }
}
