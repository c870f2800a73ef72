// Checks a payload against the JSON Schema a device declared. What the hub cannot check exactly it does not pretend to check: such a schema is refused by name.
// Semantics: JSON Schema 2020-12 (a keyword binds only values of its type; `format` is an annotation), without references and conditionals.
import { isShallow } from '../topics/depth.ts'
import { canonical } from './canonical.ts'

/** The first thing wrong with a payload, or with the schema itself. */
export type Mismatch = { field: string; constraint: string; unusable?: true }

type Json = Record<string, unknown>
type Check = (value: unknown, path: string, work: Work) => Mismatch | undefined

/** What checking one payload has cost so far. Counted and not timed, so that the same payload has the same answer on a busy machine. */
interface Work {
  left: number
  /** Canonical forms made so far. */
  texts: Map<object, string>
}

const MAX_BYTES = 32_768
const MAX_SCHEMA_DEPTH = 12
const MAX_PATTERN = 200
/** Schemas within a schema. */
const MAX_PARTS = 256
const MAX_PATTERNS = 32
/** Steps for one payload, each some 100 ns: a few milliseconds at most. */
const MAX_STEPS = 20_000
/** Longer strings are not put before a device's own regular expression. */
const MAX_MATCHED = 300

const ANNOTATIONS = new Set([
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$schema',
  '$id',
  '$comment',
  'format',
  'unit',
])
const TYPES: Record<string, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  object: (value) => isObject(value),
  array: (value) => Array.isArray(value),
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const at = (path: string, key: string | number): string => (path === '' ? String(key) : `${path}.${key}`)

/** A device's schema is wrong or beyond what is checked here. */
class Unusable extends Error {}

/**
 * The check of one intent's payload. `{}` declares that the intent takes no payload; `{ "type": "object" }` takes any.
 * A schema that cannot be checked gives a check that always fails with `unusable`.
 */
export const payloadCheck = (schema: Json): ((payload: Json) => Mismatch | undefined) => {
  if (Object.keys(schema).length === 0) {
    return (payload) => {
      const [first] = Object.keys(payload)
      return first === undefined
        ? undefined
        : { field: first, constraint: 'is not expected: this intent takes no payload' }
    }
  }
  try {
    if (!isShallow(schema, MAX_SCHEMA_DEPTH)) throw new Unusable(`nests more than ${MAX_SCHEMA_DEPTH} levels`)
    if (JSON.stringify(schema).length > MAX_BYTES) throw new Unusable(`is longer than ${MAX_BYTES} characters`)
    const check = compile(schema, { parts: 0, patterns: 0 })
    return (payload) => {
      try {
        return check(payload, '', { left: MAX_STEPS, texts: new Map() })
      } catch (error) {
        return unusable(error)
      }
    }
  } catch (error) {
    const always = unusable(error)
    return () => always
  }
}

const unusable = (error: unknown): Mismatch => {
  if (!(error instanceof Unusable)) throw error
  return { field: '', constraint: `the device's schema ${error.message}`, unusable: true }
}

const spend = (work: Work, steps: number): void => {
  work.left -= steps
  if (work.left < 0) throw new Unusable('takes too long to check with this payload')
}

/** The canonical form of a value, made once. */
const textOf = (value: unknown, work: Work): string => {
  const made = typeof value === 'object' && value !== null ? work.texts.get(value) : undefined
  const text = made ?? canonical(value)
  spend(work, made === undefined ? 1 + text.length / 10 : 1)
  if (made === undefined && typeof value === 'object' && value !== null) work.texts.set(value, text)
  return text
}

/** What compiling one schema has come to. */
interface Size {
  parts: number
  patterns: number
}

const compile = (schema: unknown, size: Size): Check => {
  if (++size.parts > MAX_PARTS) throw new Unusable(`has more than ${MAX_PARTS} parts`)
  if (schema === true) return () => undefined
  if (schema === false) return (_, path) => ({ field: path, constraint: 'is not allowed' })
  if (!isObject(schema)) throw new Unusable('holds something that is no schema')
  const checks = Object.entries(schema).flatMap(([key, value]) => {
    if (ANNOTATIONS.has(key) || key.startsWith('x-')) return []
    const keyword = Object.hasOwn(KEYWORDS, key) ? KEYWORDS[key] : undefined
    if (keyword === undefined) throw new Unusable(`uses '${key}', which the hub does not check`)
    return [keyword(value, schema, size)]
  })
  return (value, path, work) => {
    spend(work, 1 + checks.length)
    for (const check of checks) {
      const wrong = check(value, path, work)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
}

const numberOf = (value: unknown, key: string): number => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Unusable(`gives ${key} no number`)
  return value
}
const listOf = (value: unknown, key: string): unknown[] => {
  if (!Array.isArray(value) || value.length === 0) throw new Unusable(`gives ${key} no list`)
  return value
}
const schemasOf = (value: unknown, key: string, size: Size): [string, Check][] => {
  if (!isObject(value)) throw new Unusable(`gives ${key} no object`)
  return Object.entries(value).map(([name, inner]) => [name, compile(inner, size)])
}

const holds =
  <T>(is: (value: unknown) => value is T, fits: (value: T, work: Work) => boolean, constraint: string): Check =>
  (value, path, work) =>
    is(value) && !fits(value, work) ? { field: path, constraint } : undefined

const isNumber = (value: unknown): value is number => typeof value === 'number'
const isString = (value: unknown): value is string => typeof value === 'string'
const isArray = (value: unknown): value is unknown[] => Array.isArray(value)
const lengthOf = (text: string, work: Work): number => {
  spend(work, text.length / 10)
  let length = 0
  for (const _ of text) length++
  return length
}
const namesOf = (value: Json, work: Work): string[] => {
  const names = Object.keys(value)
  spend(work, names.length / 2)
  return names
}

const KEYWORDS: Record<string, (value: unknown, schema: Json, size: Size) => Check> = {
  type: (value) => {
    const types = Array.isArray(value) ? value : [value]
    const tests = types.map((type) => {
      const test = typeof type === 'string' && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
      if (test === undefined) throw new Unusable(`names a type that JSON has not`)
      return test
    })
    const constraint = `must be ${types.join(' or ')}`
    return (given, path) => (tests.some((test) => test(given)) ? undefined : { field: path, constraint })
  },
  enum: (value) => {
    const allowed = new Set(listOf(value, 'enum').map((item) => canonical(item)))
    const constraint = `must be one of ${[...allowed].join(', ').slice(0, 300)}`
    return (given, path, work) => (allowed.has(textOf(given, work)) ? undefined : { field: path, constraint })
  },
  const: (value) => {
    const only = canonical(value)
    return (given, path, work) =>
      textOf(given, work) === only ? undefined : { field: path, constraint: `must be ${only.slice(0, 300)}` }
  },
  minimum: (value) =>
    holds(isNumber, (n) => n >= numberOf(value, 'minimum'), `must be at least ${numberOf(value, 'minimum')}`),
  maximum: (value) =>
    holds(isNumber, (n) => n <= numberOf(value, 'maximum'), `must be at most ${numberOf(value, 'maximum')}`),
  exclusiveMinimum: (value) =>
    holds(
      isNumber,
      (n) => n > numberOf(value, 'exclusiveMinimum'),
      `must be more than ${numberOf(value, 'exclusiveMinimum')}`,
    ),
  exclusiveMaximum: (value) =>
    holds(
      isNumber,
      (n) => n < numberOf(value, 'exclusiveMaximum'),
      `must be less than ${numberOf(value, 'exclusiveMaximum')}`,
    ),
  multipleOf: (value) => {
    const step = numberOf(value, 'multipleOf')
    if (step <= 0) throw new Unusable('gives multipleOf no positive number')
    // 0.3 / 0.1 is not 3 in binary: a millionth of a step is close enough.
    return holds(isNumber, (n) => Math.abs(n / step - Math.round(n / step)) < 1e-6, `must be a multiple of ${step}`)
  },
  minLength: (value) =>
    holds(
      isString,
      (s, work) => lengthOf(s, work) >= numberOf(value, 'minLength'),
      `must have at least ${numberOf(value, 'minLength')} characters`,
    ),
  maxLength: (value) =>
    holds(
      isString,
      (s, work) => lengthOf(s, work) <= numberOf(value, 'maxLength'),
      `must have at most ${numberOf(value, 'maxLength')} characters`,
    ),
  pattern: (value, _, size) => {
    if (++size.patterns > MAX_PATTERNS) throw new Unusable(`has more than ${MAX_PATTERNS} patterns`)
    const { regex, steps } = tame(value)
    return holds(
      isString,
      (s, work) => {
        if (s.length > MAX_MATCHED) return false
        spend(work, 1 + steps(s.length) / 100)
        return regex.test(s)
      },
      `must match ${regex.source}`,
    )
  },
  minItems: (value) =>
    holds(
      isArray,
      (a) => a.length >= numberOf(value, 'minItems'),
      `must have at least ${numberOf(value, 'minItems')} items`,
    ),
  maxItems: (value) =>
    holds(
      isArray,
      (a) => a.length <= numberOf(value, 'maxItems'),
      `must have at most ${numberOf(value, 'maxItems')} items`,
    ),
  uniqueItems: (value) =>
    holds(
      isArray,
      (a, work) => value !== true || new Set(a.map((item) => textOf(item, work))).size === a.length,
      'must not hold an item twice',
    ),
  items: (value, _, size) => {
    const check = compile(value, size)
    return (given, path, work) =>
      isArray(given) ? first(given.entries(), ([i, item]) => check(item, at(path, i), work)) : undefined
  },
  required: (value) => {
    const names = (Array.isArray(value) ? value : []).map((name) => {
      if (typeof name !== 'string') throw new Unusable('gives required no list of names')
      return name
    })
    return (given, path, work) => {
      if (!isObject(given)) return undefined
      spend(work, names.length / 2)
      const missing = names.find((name) => !Object.hasOwn(given, name))
      return missing === undefined ? undefined : { field: at(path, missing), constraint: 'is required' }
    }
  },
  properties: (value, _, size) => {
    const checks = schemasOf(value, 'properties', size)
    return (given, path, work) =>
      isObject(given)
        ? first(checks, ([name, check]) =>
            Object.hasOwn(given, name) ? check(given[name], at(path, name), work) : undefined,
          )
        : undefined
  },
  additionalProperties: (value, schema, size) => {
    const named = new Set(isObject(schema['properties']) ? Object.keys(schema['properties']) : [])
    const check = compile(value, size)
    return (given, path, work) =>
      isObject(given)
        ? first(namesOf(given, work), (name) =>
            named.has(name) ? undefined : check(given[name], at(path, name), work),
          )
        : undefined
  },
  minProperties: (value) =>
    holds(
      isObject,
      (o, work) => namesOf(o, work).length >= numberOf(value, 'minProperties'),
      `must have at least ${numberOf(value, 'minProperties')} fields`,
    ),
  maxProperties: (value) =>
    holds(
      isObject,
      (o, work) => namesOf(o, work).length <= numberOf(value, 'maxProperties'),
      `must have at most ${numberOf(value, 'maxProperties')} fields`,
    ),
  allOf: (value, _, size) => {
    const checks = listOf(value, 'allOf').map((inner) => compile(inner, size))
    return (given, path, work) => first(checks, (check) => check(given, path, work))
  },
  anyOf: (value, _, size) => {
    const checks = listOf(value, 'anyOf').map((inner) => compile(inner, size))
    return (given, path, work) =>
      checks.some((check) => check(given, path, work) === undefined)
        ? undefined
        : { field: path, constraint: 'fits none of the forms the device allows' }
  },
  oneOf: (value, _, size) => {
    const checks = listOf(value, 'oneOf').map((inner) => compile(inner, size))
    return (given, path, work) =>
      checks.filter((check) => check(given, path, work) === undefined).length === 1
        ? undefined
        : { field: path, constraint: 'must fit exactly one of the forms the device allows' }
  },
  not: (value, _, size) => {
    const check = compile(value, size)
    return (given, path, work) =>
      check(given, path, work) === undefined ? { field: path, constraint: 'has a form the device excludes' } : undefined
  },
}

const first = <T>(items: Iterable<T>, check: (item: T) => Mismatch | undefined): Mismatch | undefined => {
  for (const item of items) {
    const wrong = check(item)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/**
 * A regular expression from a device, if it cannot be made to run for long: no alternatives (each doubles the ways to
 * match), no repeated groups, no back references or look-around, one part of variable length, or two when it is anchored
 * at the start. `steps` is what a match costs at most, by the length of the text.
 */
const tame = (value: unknown): { regex: RegExp; steps: (length: number) => number } => {
  if (typeof value !== 'string' || value.length > MAX_PATTERN)
    throw new Unusable(`gives pattern no text of at most ${MAX_PATTERN} characters`)
  const plain = value
    .replace(/\\[\s\S]/g, (escape) => (/[1-9k]/.test(escape[1] ?? '') ? '(?' : 'x'))
    .replace(/\[[^\]]*\]/g, 'x')
  const variable = plain.match(/[*+?]|\{\d+,\d*\}/g)?.length ?? 0
  const counts = [...plain.matchAll(/\{(\d+)(?:,(\d+))?/g)]
    .flatMap(([, least, most]) => [Number(least), Number(most ?? 0)])
    .reduce((sum, n) => sum + n, 0)
  const allowed = value.startsWith('^') ? 2 : 1
  if (/\||\)[*+?{]|\(\?/.test(plain) || variable > allowed || counts > 2 * MAX_MATCHED)
    throw new Unusable(`has a pattern that could take long to match: ${value}`)
  try {
    // At worst the rest of the pattern is tried after every length of its variable parts, or from every start.
    const steps = (length: number) => (variable < allowed ? length : length ** 2 / 2) * (plain.length + counts)
    return { regex: new RegExp(value, 'u'), steps }
  } catch {
    throw new Unusable(`has a pattern that is no regular expression: ${value}`)
  }
}
