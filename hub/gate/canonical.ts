// Canonical JSON: one text for one value, whatever the order of its keys, so that it can be hashed and compared.
import { createHash } from 'node:crypto'

/** JSON with sorted keys and no spaces; `undefined` properties are left out, as in JSON. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((item) => (item === undefined ? 'null' : canonical(item))).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** What a repeated request must have in common with the first: device, intent and payload. */
export const digestOf = (device: string, intent: string, payload: Record<string, unknown>): string =>
  sha256(canonical([device, intent, payload]))

/** The value when its JSON has at most `bytes`, else the beginning of its JSON. */
export const shortened = (value: unknown, bytes = 2048): unknown => {
  const text = Buffer.from(canonical(value))
  return text.length <= bytes ? value : `${text.subarray(0, bytes - 10).toString()}…`
}
