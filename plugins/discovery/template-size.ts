// How large a value of a template is: about what it comes to as text. A list that holds one list twice is twice as large, however little memory it takes.

/** Deeper than any device nests; beyond it a value counts as endless. */
const MAX_DEPTH = 64
/** Of lists and records, which no template changes once they are made. */
const known = new WeakMap<object, number>()

/** In characters; Infinity for what is nested too deep. Whatever is part of a larger value is measured once. */
export const sizeOf = (value: unknown, depth = 0): number => {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 8
  const before = known.get(value)
  if (before !== undefined) return before
  if (depth >= MAX_DEPTH) return Infinity
  let size = 2
  if (Array.isArray(value)) for (const item of value) size += sizeOf(item, depth + 1) + 1
  else for (const [key, item] of Object.entries(value)) size += key.length + 4 + sizeOf(item, depth + 1)
  known.set(value, size)
  return size
}

/** Words that look at a value and neither walk through it nor print it. */
const LIGHT = new Set(['get', 'default', 'd', 'is_defined', 'iif', 'first', 'length', 'count'])

export const isLight = (kind: string, name: string): boolean =>
  kind === 'test' ? name !== 'in' && name !== 'eq' : LIGHT.has(name)
