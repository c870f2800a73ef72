// Runs templates of Home Assistant's dialect: the part that devices use, within bounds of steps and size, and nothing that reaches outside.
import { type Expression, parseTemplate, type Part, Unsupported } from './template-parse.ts'
import { isLight, sizeOf } from './template-size.ts'
import {
  bounded,
  filters,
  functions,
  isTrue,
  itemOf,
  methods,
  Missing,
  numberOf,
  operators,
  tests,
  textOf,
  TooMuch,
  type Value,
  type Word,
} from './template-words.ts'

/** A template ready to run; `problem` says why it cannot. */
export type Template = { run: (names: Readonly<Record<string, Value>>) => string | undefined } | { problem: string }

const MAX_STEPS = 4000
/** Characters that are read or written count as one step. */
const CHARACTERS_A_STEP = 256
/** Of a list or record that a template makes, as text. */
const MAX_SIZE = 65_536
const KNOWN = 5000

const TABLES: Readonly<Record<'filter' | 'test' | 'function' | 'method', Readonly<Record<string, Word>>>> = {
  filter: filters,
  test: tests,
  function: functions,
  method: methods,
}

const wordOf = (kind: keyof typeof TABLES, name: string): Word | undefined => {
  const table = TABLES[kind]
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** Throws Unsupported for a word that is not known, so that it is said when the device announces itself and not at its first message. */
const check = (expression: Expression): void => {
  switch (expression.k) {
    case 'literal':
    case 'name':
      return
    case 'item':
      check(expression.of)
      check(expression.key)
      return
    case 'call':
      if (wordOf(expression.kind, expression.name) === undefined)
        throw new Unsupported(`the ${expression.kind} '${expression.name.slice(0, 40)}'`)
      if (expression.of !== undefined) check(expression.of)
      expression.args.forEach(check)
      return
    case 'not':
    case 'minus':
      check(expression.of)
      return
    case 'two':
      if (expression.op !== 'and' && expression.op !== 'or' && !Object.hasOwn(operators, expression.op))
        throw new Unsupported(`'${expression.op}'`)
      check(expression.a)
      check(expression.b)
      return
    case 'if':
      check(expression.test)
      check(expression.yes)
      if (expression.no !== undefined) check(expression.no)
      return
    case 'list':
      expression.items.forEach(check)
      return
    case 'dict':
      for (const [key, value] of expression.entries) {
        check(key)
        check(value)
      }
  }
}

const checkParts = (parts: readonly Part[]): void => {
  for (const part of parts) {
    if (part.k === 'say') check(part.what)
    else if (part.k === 'set') check(part.to)
    else if (part.k === 'branch')
      for (const { test, parts: inner } of part.cases) {
        if (test !== undefined) check(test)
        checkParts(inner)
      }
  }
}

/** One run: names and what it may still cost. */
const runner = (given: Readonly<Record<string, Value>>) => {
  const names = new Map<string, Value>(Object.entries(given))
  let steps = 0
  let out = ''

  const spend = (n: number): void => {
    steps += n
    if (steps > MAX_STEPS) throw new TooMuch(`more than ${MAX_STEPS} steps`)
  }
  /** Has a value paid for before something walks through it. */
  const paid = (value: Value): Value => {
    if (typeof value === 'string' || typeof value === 'object') spend(sizeOf(value) / CHARACTERS_A_STEP)
    return value
  }
  const made = <T extends object>(value: T): T => {
    if (sizeOf(value) > MAX_SIZE) throw new TooMuch(`more than ${MAX_SIZE} characters`)
    return value
  }

  const of = (expression: Expression): Value => {
    spend(1)
    switch (expression.k) {
      case 'literal':
        return expression.value
      case 'name':
        return names.get(expression.name)
      case 'item':
        return itemOf(of(expression.of), paid(of(expression.key)))
      case 'call': {
        const { kind, name } = expression
        const pay = isLight(kind, name) ? (value: Value): Value => value : paid
        const self = expression.of === undefined ? undefined : pay(of(expression.of))
        return wordOf(kind, name)?.(
          self,
          expression.args.map((one) => pay(of(one))),
        )
      }
      case 'not':
        return !isTrue(of(expression.of))
      case 'minus': {
        const number = numberOf(of(expression.of))
        if (number === undefined) throw new Missing('not a number')
        return -number
      }
      case 'two': {
        const a = of(expression.a)
        if (expression.op === 'and') return isTrue(a) ? of(expression.b) : a
        if (expression.op === 'or') return isTrue(a) ? a : of(expression.b)
        return operators[expression.op]?.(paid(a), paid(of(expression.b)))
      }
      case 'if':
        if (isTrue(of(expression.test))) return of(expression.yes)
        return expression.no === undefined ? undefined : of(expression.no)
      case 'list':
        return made(expression.items.map(of))
      case 'dict':
        return made(Object.fromEntries(expression.entries.map(([key, value]) => [textOf(paid(of(key))), of(value)])))
    }
  }

  const run = (parts: readonly Part[]): void => {
    for (const part of parts) {
      if (part.k === 'text') out = bounded(out + part.text)
      else if (part.k === 'say') out = bounded(out + textOf(paid(of(part.what))))
      else if (part.k === 'set') names.set(part.name, of(part.to))
      else {
        const taken = part.cases.find(({ test }) => test === undefined || isTrue(of(test)))
        if (taken !== undefined) run(taken.parts)
      }
    }
  }

  return (parts: readonly Part[]): string => {
    run(parts)
    return out.trim()
  }
}

const made = new Map<string, Template>()

/**
 * Compiles a template. `run` gives its text, trimmed, or undefined when a value it needs is not there or it asked for
 * more than it may have: then whatever it was for stays as it is.
 */
export const template = (source: string): Template => {
  const known = made.get(source)
  if (known !== undefined) return known
  const fresh = compile(source)
  if (made.size >= KNOWN) made.clear()
  if (source.length <= 1000) made.set(source, fresh)
  return fresh
}

const compile = (source: string): Template => {
  try {
    const parts = parseTemplate(source)
    checkParts(parts)
    return {
      run: (names) => {
        try {
          return runner(names)(parts)
        } catch (error) {
          if (error instanceof Missing || error instanceof TooMuch || error instanceof RangeError) return undefined
          throw error
        }
      },
    }
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    return { problem: `template not supported: ${error.message}` }
  }
}
