// What templates may call: filters, tests, functions and methods, each total and bounded. Values are those of JSON, and undefined.

export type Value = unknown

/** A value the template insisted on is not there: the entity keeps what it had. */
export class Missing extends Error {}

/** The template asked for more than it may have. */
export class TooMuch extends Error {}

export const MAX_TEXT = 16_384

const isList = (value: Value): value is Value[] => Array.isArray(value)
export const isRecord = (value: Value): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const bounded = (text: string): string => {
  if (text.length > MAX_TEXT) throw new TooMuch(`more than ${MAX_TEXT} characters`)
  return text
}

/** A value as a template prints it: Python's words for true, false and none. */
export const textOf = (value: Value): string => {
  if (typeof value === 'string') return value
  if (value === undefined) return ''
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number') return String(value)
  return bounded(JSON.stringify(value))
}

/** No number of a device is written longer. It also keeps the search below from trying every way to part a long row of digits. */
const MAX_NUMBER = 100

/** A number, or undefined for what is none. Text is read as Python's float() reads it. */
export const numberOf = (value: Value): number | undefined => {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string' || value.length > MAX_NUMBER) return undefined
  if (!/^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(value)) return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

const mustNumber = (value: Value): number => {
  const number = numberOf(value)
  if (number === undefined) throw new Missing('not a number')
  return number
}

export const isTrue = (value: Value): boolean => {
  if (isList(value)) return value.length > 0
  if (isRecord(value)) return Object.keys(value).length > 0
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== ''
}

/** Own properties only: no template reaches a prototype. */
export const itemOf = (of: Value, key: Value): Value => {
  if (isList(of) || typeof of === 'string') {
    const index = typeof key === 'number' || (typeof key === 'string' && /^\d+$/.test(key)) ? Number(key) : undefined
    return index === undefined ? undefined : of.at(index)
  }
  if (!isRecord(of)) return undefined
  const name = textOf(key)
  return Object.hasOwn(of, name) ? of[name] : undefined
}

const same = (a: Value, b: Value): boolean => {
  if (typeof a === 'object' && a !== null) return JSON.stringify(a) === JSON.stringify(b)
  return (typeof a === 'boolean' ? Number(a) : a) === (typeof b === 'boolean' ? Number(b) : b)
}

const has = (inside: Value, what: Value): boolean => {
  if (typeof inside === 'string') return inside.includes(textOf(what))
  if (isRecord(inside)) return Object.hasOwn(inside, textOf(what))
  if (!isList(inside)) return false
  if (typeof what !== 'object' || what === null) return inside.some((item) => same(item, what))
  const text = JSON.stringify(what)
  return inside.some((item) => typeof item === 'object' && item !== null && JSON.stringify(item) === text)
}

const order = (a: Value, b: Value): number => {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  if (typeof a === 'string' || typeof b === 'string') throw new Missing('a text is not compared with a number')
  return mustNumber(a) - mustNumber(b)
}

const divided = (a: number, b: number): number => {
  if (b === 0) throw new Missing('divided by zero')
  return a / b
}

/** What an operator makes of two values. Undefined for an operator that is not known. */
export const operators: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  '==': same,
  '!=': (a, b) => !same(a, b),
  '<': (a, b) => order(a, b) < 0,
  '<=': (a, b) => order(a, b) <= 0,
  '>': (a, b) => order(a, b) > 0,
  '>=': (a, b) => order(a, b) >= 0,
  in: (a, b) => has(b, a),
  'not in': (a, b) => !has(b, a),
  '~': (a, b) => bounded(textOf(a) + textOf(b)),
  '+': (a, b) => (typeof a === 'string' && typeof b === 'string' ? bounded(a + b) : mustNumber(a) + mustNumber(b)),
  '-': (a, b) => mustNumber(a) - mustNumber(b),
  '*': (a, b) => mustNumber(a) * mustNumber(b),
  '/': (a, b) => divided(mustNumber(a), mustNumber(b)),
  '//': (a, b) => Math.floor(divided(mustNumber(a), mustNumber(b))),
  '%': (a, b) => {
    const [x, y] = [mustNumber(a), mustNumber(b)]
    divided(x, y)
    return ((x % y) + y) % y
  },
}

const or = (fallback: Value[], found: number | undefined): Value => {
  if (found !== undefined) return found
  if (fallback.length > 0) return fallback[0]
  throw new Missing('not a number')
}

const places = (value: Value): number => Math.max(-12, Math.min(12, Math.trunc(numberOf(value) ?? 0)))
const rounded = (value: Value, digits: Value, how: Value): Value => {
  const scale = 10 ** places(digits)
  const way = how === 'floor' ? Math.floor : how === 'ceil' ? Math.ceil : Math.round
  const number = way(mustNumber(value) * scale) / scale
  return Number.isFinite(number) ? number : undefined
}

const listOf = (value: Value): Value[] => (isList(value) ? value : typeof value === 'string' ? [...value] : [])
const lengthOf = (value: Value): number => (isRecord(value) ? Object.keys(value).length : listOf(value).length)
const swapped = (text: Value, from: Value, to: Value): string => {
  const [all, old, fresh] = [textOf(text), textOf(from), textOf(to)]
  if (old === '') return all
  const pieces = all.split(old)
  if (all.length + pieces.length * fresh.length > MAX_TEXT) throw new TooMuch(`more than ${MAX_TEXT} characters`)
  return pieces.join(fresh)
}
const parsed = (value: Value): Value => {
  try {
    return JSON.parse(textOf(value))
  } catch {
    throw new Missing('not JSON')
  }
}
const json = (value: Value): string => bounded(JSON.stringify(value ?? null))
const titled = (value: Value): string =>
  textOf(value).replace(/[^\W\d_]+/g, (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())
const TRUTHS: ReadonlyMap<string, boolean> = new Map(
  ['true', 'yes', 'on', 'enable', '1']
    .map((word): [string, boolean] => [word, true])
    .concat(['false', 'no', 'off', 'disable', '0'].map((word): [string, boolean] => [word, false])),
)

export type Word = (of: Value, args: Value[]) => Value

const either: Word = (of, [fallback = '', always]) =>
  of === undefined || (isTrue(always) && !isTrue(of)) ? fallback : of
const extreme =
  (pick: (...numbers: number[]) => number): Word =>
  (of) =>
    pick(...listOf(of).slice(0, 1000).map(mustNumber))

export const filters: Readonly<Record<string, Word>> = {
  float: (of, args) => or(args, numberOf(of)),
  int: (of, args) => {
    const number = numberOf(of)
    return or(args, number === undefined ? undefined : Math.trunc(number))
  },
  round: (of, [digits, how]) => rounded(of, digits, how),
  abs: (of) => Math.abs(mustNumber(of)),
  multiply: (of, [by]) => mustNumber(of) * mustNumber(by),
  add: (of, [by]) => mustNumber(of) + mustNumber(by),
  default: either,
  d: either,
  is_defined: (of) => {
    if (of === undefined) throw new Missing('not defined')
    return of
  },
  upper: (of) => textOf(of).toUpperCase(),
  lower: (of) => textOf(of).toLowerCase(),
  title: titled,
  capitalize: (of) => textOf(of).charAt(0).toUpperCase() + textOf(of).slice(1).toLowerCase(),
  trim: (of) => textOf(of).trim(),
  string: textOf,
  bool: (of, args) => {
    const found = typeof of === 'boolean' ? of : TRUTHS.get(textOf(of).toLowerCase())
    if (found !== undefined) return found
    if (args.length > 0) return args[0]
    throw new Missing('neither yes nor no')
  },
  tojson: json,
  to_json: json,
  from_json: parsed,
  replace: (of, [from, to]) => swapped(of, from, to),
  length: lengthOf,
  count: lengthOf,
  first: (of) => listOf(of)[0],
  last: (of) => listOf(of).at(-1),
  list: (of) => listOf(of),
  join: (of, [between]) => bounded(listOf(of).slice(0, 1000).map(textOf).join(textOf(between))),
  min: extreme(Math.min),
  max: extreme(Math.max),
  sum: (of) =>
    listOf(of)
      .slice(0, 1000)
      .map(mustNumber)
      .reduce((a, b) => a + b, 0),
  iif: (of, [yes = true, no = false, none = no]) => (of === null ? none : isTrue(of) ? yes : no),
}

export const tests: Readonly<Record<string, Word>> = {
  defined: (of) => of !== undefined,
  undefined: (of) => of === undefined,
  none: (of) => of === null,
  number: (of) => typeof of === 'number',
  integer: (of) => Number.isInteger(of),
  float: (of) => typeof of === 'number' && !Number.isInteger(of),
  string: (of) => typeof of === 'string',
  boolean: (of) => typeof of === 'boolean',
  mapping: isRecord,
  sequence: (of) => isList(of) || typeof of === 'string',
  iterable: (of) => isList(of) || isRecord(of) || typeof of === 'string',
  true: (of) => of === true,
  false: (of) => of === false,
  in: (of, [inside]) => has(inside, of),
  eq: (of, [other]) => same(of, other),
  even: (of) => mustNumber(of) % 2 === 0,
  odd: (of) => Math.abs(mustNumber(of) % 2) === 1,
}

const asFilter =
  (name: keyof typeof filters): Word =>
  (_, [of, ...args]) =>
    filters[name]?.(of, args)

export const functions: Readonly<Record<string, Word>> = {
  float: asFilter('float'),
  int: asFilter('int'),
  bool: asFilter('bool'),
  iif: asFilter('iif'),
  is_number: (_, [of]) => numberOf(of) !== undefined,
  min: (_, args) => filters['min']?.(args.length === 1 ? args[0] : args, []),
  max: (_, args) => filters['max']?.(args.length === 1 ? args[0] : args, []),
}

const startsWith: Word = (of, [head]) => textOf(of).startsWith(textOf(head))
const endsWith: Word = (of, [tail]) => textOf(of).endsWith(textOf(tail))

export const methods: Readonly<Record<string, Word>> = {
  get: (of, [key, fallback = null]) => itemOf(of, key) ?? fallback,
  split: (of, [by]) => (by === undefined ? textOf(of).trim().split(/\s+/) : textOf(of).split(textOf(by) || ' ')),
  lower: (of) => textOf(of).toLowerCase(),
  upper: (of) => textOf(of).toUpperCase(),
  title: titled,
  strip: (of) => textOf(of).trim(),
  replace: (of, [from, to]) => swapped(of, from, to),
  startswith: startsWith,
  endswith: endsWith,
}
