// Checks a payload against the JSON Schema a device declared. What the hub cannot check exactly it does not pretend to check: such a schema is refused by name.
// Semantics: JSON Schema 2020-12 (a keyword binds only values of its type; `format` is an annotation), without references and conditionals.
import { canonical, isShallow } from './canonical.ts'

/** The first thing wrong with a payload, or with the schema itself. */
export type Mismatch = { field: string; constraint: string; unusable?: true }

type Json = Record<string, unknown>
type Check = (value: unknown, path: string) => Mismatch | undefined

const MAX_BYTES = 32_768
const MAX_SCHEMA_DEPTH = 12
const MAX_PATTERN = 200
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
    const check = compile(schema)
    return (payload) => check(payload, '')
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    const constraint = `the device's schema ${error.message}`
    return () => ({ field: '', constraint, unusable: true })
  }
}

const compile = (schema: unknown): Check => {
  if (schema === true) return () => undefined
  if (schema === false) return (_, path) => ({ field: path, constraint: 'is not allowed' })
  if (!isObject(schema)) throw new Unusable('holds something that is no schema')
  const checks = Object.entries(schema).flatMap(([key, value]) => {
    if (ANNOTATIONS.has(key) || key.startsWith('x-')) return []
    const keyword = Object.hasOwn(KEYWORDS, key) ? KEYWORDS[key] : undefined
    if (keyword === undefined) throw new Unusable(`uses '${key}', which the hub does not check`)
    return [keyword(value, schema)]
  })
  return (value, path) => {
    for (const check of checks) {
      const wrong = check(value, path)
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
const schemasOf = (value: unknown, key: string): [string, Check][] => {
  if (!isObject(value)) throw new Unusable(`gives ${key} no object`)
  return Object.entries(value).map(([name, inner]) => [name, compile(inner)])
}

const holds =
  <T>(is: (value: unknown) => value is T, fits: (value: T) => boolean, constraint: string): Check =>
  (value, path) =>
    is(value) && !fits(value) ? { field: path, constraint } : undefined

const isNumber = (value: unknown): value is number => typeof value === 'number'
const isString = (value: unknown): value is string => typeof value === 'string'
const isArray = (value: unknown): value is unknown[] => Array.isArray(value)
const lengthOf = (text: string): number => [...text].length

const KEYWORDS: Record<string, (value: unknown, schema: Json) => Check> = {
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
    const allowed = new Set(listOf(value, 'enum').map(canonical))
    const constraint = `must be one of ${[...allowed].join(', ').slice(0, 300)}`
    return (given, path) => (allowed.has(canonical(given)) ? undefined : { field: path, constraint })
  },
  const: (value) => {
    const only = canonical(value)
    return (given, path) =>
      canonical(given) === only ? undefined : { field: path, constraint: `must be ${only.slice(0, 300)}` }
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
      (s) => lengthOf(s) >= numberOf(value, 'minLength'),
      `must have at least ${numberOf(value, 'minLength')} characters`,
    ),
  maxLength: (value) =>
    holds(
      isString,
      (s) => lengthOf(s) <= numberOf(value, 'maxLength'),
      `must have at most ${numberOf(value, 'maxLength')} characters`,
    ),
  pattern: (value) => {
    const regex = tame(value)
    return holds(isString, (s) => s.length <= MAX_MATCHED && regex.test(s), `must match ${regex.source}`)
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
    holds(isArray, (a) => value !== true || new Set(a.map(canonical)).size === a.length, 'must not hold an item twice'),
  items: (value) => {
    const check = compile(value)
    return (given, path) =>
      isArray(given) ? first(given.entries(), ([i, item]) => check(item, at(path, i))) : undefined
  },
  required: (value) => {
    const names = (Array.isArray(value) ? value : []).map((name) => {
      if (typeof name !== 'string') throw new Unusable('gives required no list of names')
      return name
    })
    return (given, path) => {
      if (!isObject(given)) return undefined
      const missing = names.find((name) => !Object.hasOwn(given, name))
      return missing === undefined ? undefined : { field: at(path, missing), constraint: 'is required' }
    }
  },
  properties: (value) => {
    const checks = schemasOf(value, 'properties')
    return (given, path) =>
      isObject(given)
        ? first(checks, ([name, check]) =>
            Object.hasOwn(given, name) ? check(given[name], at(path, name)) : undefined,
          )
        : undefined
  },
  additionalProperties: (value, schema) => {
    const named = new Set(isObject(schema['properties']) ? Object.keys(schema['properties']) : [])
    const check = compile(value)
    return (given, path) =>
      isObject(given)
        ? first(Object.entries(given), ([name, inner]) => (named.has(name) ? undefined : check(inner, at(path, name))))
        : undefined
  },
  minProperties: (value) =>
    holds(
      isObject,
      (o) => Object.keys(o).length >= numberOf(value, 'minProperties'),
      `must have at least ${numberOf(value, 'minProperties')} fields`,
    ),
  maxProperties: (value) =>
    holds(
      isObject,
      (o) => Object.keys(o).length <= numberOf(value, 'maxProperties'),
      `must have at most ${numberOf(value, 'maxProperties')} fields`,
    ),
  allOf: (value) => {
    const checks = listOf(value, 'allOf').map(compile)
    return (given, path) => first(checks, (check) => check(given, path))
  },
  anyOf: (value) => {
    const checks = listOf(value, 'anyOf').map(compile)
    return (given, path) =>
      checks.some((check) => check(given, path) === undefined)
        ? undefined
        : { field: path, constraint: 'fits none of the forms the device allows' }
  },
  oneOf: (value) => {
    const checks = listOf(value, 'oneOf').map(compile)
    return (given, path) =>
      checks.filter((check) => check(given, path) === undefined).length === 1
        ? undefined
        : { field: path, constraint: 'must fit exactly one of the forms the device allows' }
  },
  not: (value) => {
    const check = compile(value)
    return (given, path) =>
      check(given, path) === undefined ? { field: path, constraint: 'has a form the device excludes' } : undefined
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
 * A regular expression from a device, if it cannot be made to run for long: no repeated groups, no back references or
 * look-around, one part of variable length, or two when it is anchored at the start.
 */
const tame = (value: unknown): RegExp => {
  if (typeof value !== 'string' || value.length > MAX_PATTERN)
    throw new Unusable(`gives pattern no text of at most ${MAX_PATTERN} characters`)
  const plain = value
    .replace(/\\[\s\S]/g, (escape) => (/[1-9k]/.test(escape[1] ?? '') ? '(?' : 'x'))
    .replace(/\[[^\]]*\]/g, 'x')
  const variable = plain.match(/[*+?]|\{\d+,\d*\}/g)?.length ?? 0
  const counts = [...plain.matchAll(/\{(\d+)/g)].some(([, n]) => Number(n) > MAX_MATCHED)
  if (/\)[*+?{]|\(\?/.test(plain) || variable > (value.startsWith('^') ? 2 : 1) || counts)
    throw new Unusable(`has a pattern that could take long to match: ${value}`)
  try {
    return new RegExp(value, 'u')
  } catch {
    throw new Unusable(`has a pattern that is no regular expression: ${value}`)
  }
}
