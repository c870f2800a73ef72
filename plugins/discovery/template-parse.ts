// Reads a template of Home Assistant's dialect (a part of Jinja) into a tree. What is outside that part is named, never guessed.

export type Expression =
  | { k: 'literal'; value: string | number | boolean | null }
  | { k: 'name'; name: string }
  | { k: 'item'; of: Expression; key: Expression }
  | { k: 'call'; name: string; of?: Expression; kind: 'filter' | 'method' | 'function' | 'test'; args: Expression[] }
  | { k: 'not'; of: Expression }
  | { k: 'minus'; of: Expression }
  | { k: 'two'; op: string; a: Expression; b: Expression }
  | { k: 'if'; test: Expression; yes: Expression; no?: Expression }
  | { k: 'list'; items: Expression[] }
  | { k: 'dict'; entries: [Expression, Expression][] }

export type Part =
  | { k: 'text'; text: string }
  | { k: 'say'; what: Expression }
  | { k: 'set'; name: string; to: Expression }
  | { k: 'branch'; cases: { test?: Expression; parts: Part[] }[] }

/** The template uses something that is not supported; the message says what. */
export class Unsupported extends Error {}

const MAX_CHARS = 4000
const MAX_NODES = 600
const MAX_NESTED = 24

interface Token {
  kind: 'name' | 'number' | 'text' | 'sign' | 'end'
  text: string
}

const TOKEN =
  /\s*(?:(?<name>[A-Za-z_]\w*)|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<sign>\/\/|==|!=|<=|>=|\*\*|[-+*/%~|.,:()[\]{}<>=]))/y

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }
const unquoted = (text: string): string =>
  text.slice(1, -1).replace(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char)

const tokensOf = (source: string): Token[] => {
  const tokens: Token[] = []
  let at = 0
  while (source.slice(at).trim() !== '') {
    TOKEN.lastIndex = at
    const groups = TOKEN.exec(source)?.groups
    if (groups === undefined) throw new Unsupported(`'${source.slice(at).trim().slice(0, 20)}'`)
    at = TOKEN.lastIndex
    const { name, number, text, sign } = groups
    if (name !== undefined) tokens.push({ kind: 'name', text: name })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else if (text !== undefined) tokens.push({ kind: 'text', text: unquoted(text) })
    else tokens.push({ kind: 'sign', text: sign ?? '' })
  }
  return tokens
}

const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
  ['null', null],
])
/** From loosest to tightest. */
const LEVELS: readonly (readonly string[])[] = [
  ['==', '!=', '<', '<=', '>', '>=', 'in', 'not in'],
  ['~'],
  ['+', '-'],
  ['*', '/', '//', '%'],
]

/** Parses one expression after another out of one template, within one bound of nodes. */
const expressions = () => {
  let nodes = 0

  const node = <E extends Expression>(made: E): E => {
    if (++nodes > MAX_NODES) throw new Unsupported(`more than ${MAX_NODES} parts`)
    return made
  }

  return (source: string): Expression => {
    const tokens = tokensOf(source)
    let at = 0
    let nested = 0
    const peek = (ahead = 0): Token => tokens[at + ahead] ?? { kind: 'end', text: '' }
    const isNext = (text: string): boolean => peek().text === text && peek().kind !== 'text'
    const take = (text: string): boolean => {
      if (!isNext(text)) return false
      at += 1
      return true
    }
    const must = (text: string): void => {
      if (!take(text)) throw new Unsupported(`'${peek().text || 'its end'}' where '${text}' should be`)
    }
    const name = (): string => {
      const { kind, text } = peek()
      if (kind !== 'name') throw new Unsupported(`'${text || 'its end'}' where a name should be`)
      at += 1
      return text
    }
    const deeper = <T>(read: () => T): T => {
      if (++nested > MAX_NESTED) throw new Unsupported(`nesting deeper than ${MAX_NESTED}`)
      const made = read()
      nested -= 1
      return made
    }

    const list = (end: string): Expression[] => {
      const items: Expression[] = []
      while (!take(end)) {
        if (items.length > 0) must(',')
        if (take(end)) break
        // A named argument such as default(value=1) means the same in its place.
        if (peek().kind === 'name' && peek(1).text === '=' && peek(1).kind === 'sign') at += 2
        items.push(whole())
      }
      return items
    }

    const dict = (): Expression => {
      const entries: [Expression, Expression][] = []
      while (!take('}')) {
        if (entries.length > 0) must(',')
        if (take('}')) break
        const key = whole()
        must(':')
        entries.push([key, whole()])
      }
      return node({ k: 'dict', entries })
    }

    const atom = (): Expression => {
      const { kind, text } = peek()
      at += 1
      if (kind === 'number') return node({ k: 'literal', value: Number(text) })
      if (kind === 'text') return node({ k: 'literal', value: text })
      if (kind === 'sign' && text === '(') {
        const inner = deeper(whole)
        must(')')
        return inner
      }
      if (kind === 'sign' && text === '[') return node({ k: 'list', items: deeper(() => list(']')) })
      if (kind === 'sign' && text === '{') return deeper(dict)
      if (kind !== 'name') throw new Unsupported(`'${text || 'its end'}' where a value should be`)
      const constant = CONSTANTS.get(text)
      if (constant !== undefined) return node({ k: 'literal', value: constant })
      if (take('(')) return node({ k: 'call', kind: 'function', name: text, args: deeper(() => list(')')) })
      return node({ k: 'name', name: text })
    }

    const postfix = (): Expression => {
      let of = atom()
      for (;;) {
        if (take('.')) {
          const key = peek().kind === 'number' ? (tokens[at++]?.text ?? '') : name()
          of = take('(')
            ? node({ k: 'call', kind: 'method', name: key, of, args: deeper(() => list(')')) })
            : node({ k: 'item', of, key: { k: 'literal', value: key } })
        } else if (take('[')) {
          if (isNext(':')) throw new Unsupported('slices')
          const key = deeper(whole)
          if (isNext(':')) throw new Unsupported('slices')
          must(']')
          of = node({ k: 'item', of, key })
        } else return of
      }
    }

    const unary = (): Expression => {
      if (take('-')) return node({ k: 'minus', of: deeper(unary) })
      if (take('+')) return deeper(unary)
      let of = postfix()
      for (;;) {
        if (take('|')) {
          const filter = name()
          of = node({ k: 'call', kind: 'filter', name: filter, of, args: take('(') ? deeper(() => list(')')) : [] })
        } else if (take('is')) {
          const isNot = take('not')
          const test = name()
          const call = node({ k: 'call', kind: 'test', name: test, of, args: take('(') ? deeper(() => list(')')) : [] })
          of = isNot ? node({ k: 'not', of: call }) : call
        } else return of
      }
    }

    const operator = (level: readonly string[]): string | undefined => {
      if (peek().kind === 'text') return undefined
      if (level.includes('not in') && peek().text === 'not' && peek(1).text === 'in') {
        at += 2
        return 'not in'
      }
      const found = level.find((op) => op === peek().text)
      if (found !== undefined) at += 1
      return found
    }

    const binary = (level: number): Expression => {
      const signs = LEVELS[level]
      if (signs === undefined) return unary()
      let a = binary(level + 1)
      for (let op = operator(signs); op !== undefined; op = operator(signs)) {
        a = node({ k: 'two', op, a, b: binary(level + 1) })
      }
      return a
    }

    const negation = (): Expression => (take('not') ? node({ k: 'not', of: deeper(negation) }) : binary(0))
    const joined = (word: 'and' | 'or', next: () => Expression): Expression => {
      let a = next()
      while (take(word)) a = node({ k: 'two', op: word, a, b: next() })
      return a
    }
    const whole = (): Expression => {
      const yes = joined('or', () => joined('and', negation))
      if (!take('if')) return yes
      const test = joined('or', () => joined('and', negation))
      return node({ k: 'if', test, yes, ...(take('else') ? { no: deeper(whole) } : {}) })
    }

    const made = whole()
    if (peek().kind !== 'end') throw new Unsupported(`'${peek().text.slice(0, 20)}'`)
    return made
  }
}

const TAG = /\{\{-?([\s\S]*?)-?\}\}|\{%-?([\s\S]*?)-?%\}|\{#[\s\S]*?#\}/g

interface Open {
  cases: { test?: Expression; parts: Part[] }[]
  parts: Part[]
}

/** The parts of a template. Throws Unsupported. */
export const parseTemplate = (source: string): Part[] => {
  if (source.length > MAX_CHARS) throw new Unsupported(`more than ${MAX_CHARS} characters`)
  const expression = expressions()
  const top: Part[] = []
  const open: Open[] = []
  const here = (): Part[] => open.at(-1)?.parts ?? top
  const say = (text: string): void => {
    if (text !== '') here().push({ k: 'text', text })
  }
  const inner = (word: string): Open => {
    const last = open.at(-1)
    if (last === undefined) throw new Unsupported(`'${word}' without 'if'`)
    return last
  }

  const statement = (source: string): void => {
    const [, word = '', rest = ''] = /^\s*(\w+)([\s\S]*)$/.exec(source) ?? []
    switch (word) {
      case 'if': {
        if (open.length >= MAX_NESTED) throw new Unsupported(`nesting deeper than ${MAX_NESTED}`)
        const parts: Part[] = []
        const cases = [{ test: expression(rest), parts }]
        here().push({ k: 'branch', cases })
        open.push({ cases, parts })
        return
      }
      case 'elif':
      case 'else': {
        const last = inner(word)
        last.parts = []
        last.cases.push({ ...(word === 'elif' ? { test: expression(rest) } : {}), parts: last.parts })
        return
      }
      case 'endif':
        inner(word)
        open.pop()
        return
      case 'set': {
        const [, name = '', value = ''] = /^\s*(\w+)\s*=([\s\S]*)$/.exec(rest) ?? []
        if (name === '') throw new Unsupported('set without a name and a value')
        here().push({ k: 'set', name, to: expression(value) })
        return
      }
      default:
        throw new Unsupported(`'${(word || source.trim()).slice(0, 20)}'`)
    }
  }

  let at = 0
  let trimNext = false
  for (const match of source.matchAll(TAG)) {
    const [tag, said, stated] = match
    let text = source.slice(at, match.index)
    if (trimNext) text = text.trimStart()
    say(/^\{[{%#]-/.test(tag) ? text.trimEnd() : text)
    trimNext = /-[}%#]\}$/.test(tag)
    at = match.index + tag.length
    if (said !== undefined) here().push({ k: 'say', what: expression(said) })
    else if (stated !== undefined) statement(stated)
  }
  const last = source.slice(at)
  if (/\{[{%#]/.test(last)) throw new Unsupported('a tag that does not end')
  say(trimNext ? last.trimStart() : last)
  if (open.length > 0) throw new Unsupported("an 'if' that does not end")
  return top
}
