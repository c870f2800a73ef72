// Two payloads, field by field.
import { isRecord } from '../api/read.ts'

export interface FieldDiff {
  /** Such as `payload.level` or `items[2]`; '' for the payload itself. */
  path: string
  then?: unknown
  now?: unknown
  kind: 'same' | 'changed' | 'only then' | 'only now'
}

/** So many fields are listed; a payload with more is cut there. */
export const MOST_FIELDS = 200
const MOST_DEEP = 8

const isDeep = (value: unknown): value is Record<string, unknown> | unknown[] =>
  (isRecord(value) && Object.keys(value).length > 0) || (Array.isArray(value) && value.length > 0)

const leaves = (value: unknown, path: string, depth: number, into: Map<string, unknown>): Map<string, unknown> => {
  if (into.size >= MOST_FIELDS) return into
  if (!isDeep(value) || depth >= MOST_DEEP) return into.set(path, value)
  if (Array.isArray(value)) for (const [n, one] of value.entries()) leaves(one, `${path}[${n}]`, depth + 1, into)
  else
    for (const [key, one] of Object.entries(value)) leaves(one, path === '' ? key : `${path}.${key}`, depth + 1, into)
  return into
}

const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The fields of both payloads, those that differ first. `undefined` is no payload at all. */
export const payloadDiff = (then: unknown, now: unknown): FieldDiff[] => {
  const before = then === undefined ? new Map<string, unknown>() : leaves(then, '', 0, new Map())
  const after = now === undefined ? new Map<string, unknown>() : leaves(now, '', 0, new Map())
  const fields = [...new Set([...before.keys(), ...after.keys()])].map((path): FieldDiff => {
    if (!after.has(path)) return { path, then: before.get(path), kind: 'only then' }
    if (!before.has(path)) return { path, now: after.get(path), kind: 'only now' }
    const [was, is] = [before.get(path), after.get(path)]
    return { path, then: was, now: is, kind: equal(was, is) ? 'same' : 'changed' }
  })
  return [...fields.filter(({ kind }) => kind !== 'same'), ...fields.filter(({ kind }) => kind === 'same')]
}

/** A value as short text. */
export const valueText = (value: unknown): string =>
  value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value)
