// The topic table at work: from a full MQTT topic to its row and parameters and back, and from bytes to a checked payload.
import type { z } from 'zod'
import { isShallow, MAX_DEPTH } from './depth.ts'
import type { TopicRow, TopicRows } from './row.ts'

/** A topic found in the table. `key` is its template, such as `devices/{device}/state`. */
export interface TopicMatch {
  readonly key: string
  readonly row: TopicRow
  readonly params: Readonly<Record<string, string>>
}

/** A payload that fits, or the first thing that does not. */
export type Decoded = { ok: true; payload: unknown } | { ok: false; field: string; constraint: string; value?: unknown }

export interface TopicTable {
  readonly prefix: string
  readonly rows: ReadonlyMap<string, TopicRow>
  /** The row of a full topic; undefined when the table does not know it. */
  match(topic: string): TopicMatch | undefined
  /** The full topic of a template: prefix (unless native) and parameters filled in. Throws when one is missing or not a topic level. */
  address(key: string, params: Readonly<Record<string, string>>): string
  /** The MQTT filter of a template, narrowed to given parameters. */
  filterOf(key: string, where?: Readonly<Record<string, string | undefined>>): string
  /** JSON bytes against the row's schema. */
  decode(row: TopicRow, payload: Uint8Array | string): Decoded
}

interface Level {
  fixed: Map<string, Level>
  any?: { level: Level; name: string }
  key?: string
}

const MEMO = 20_000
const LEVEL = /^[^/+#\0]+$/
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Joins tables under one prefix. Throws when two tables claim the same address. */
export const topicTable = (tables: readonly TopicRows[], prefix: string): TopicTable => {
  const rows = new Map<string, TopicRow>()
  const root: Level = { fixed: new Map() }
  for (const [key, row] of tables.flatMap((table) => Object.entries(table))) {
    if (rows.has(key)) throw new Error(`two topic tables bring '${key}'`)
    rows.set(key, row)
    insert(root, row.native === undefined ? `${prefix}/${key}` : key, key)
  }
  const rowOf = (key: string): TopicRow => {
    const row = rows.get(key)
    if (row === undefined) throw new Error(`no topic table knows '${key}'`)
    return row
  }
  const full = (key: string) => (rowOf(key).native === undefined ? `${prefix}/${key}` : key)
  const memo = new Map<string, TopicMatch | undefined>()
  /** Each template as its fixed pieces and the names between them, so that filling it in is a few joins. */
  const pieces = new Map<string, string[]>()
  const piecesOf = (key: string): string[] => {
    const known = pieces.get(key)
    if (known !== undefined) return known
    const made = full(key).split(/[{}]/)
    pieces.set(key, made)
    return made
  }

  return {
    prefix,
    rows,
    match(topic) {
      const known = memo.get(topic)
      if (known !== undefined || memo.has(topic)) return known
      const params: Record<string, string> = {}
      const key = find(root, topic.split('/'), 0, params)
      const found = key === undefined ? undefined : { key, row: rowOf(key), params }
      if (memo.size >= MEMO) memo.clear()
      memo.set(topic, found)
      return found
    },
    address(key, params) {
      let topic = ''
      for (const [i, piece] of piecesOf(key).entries()) {
        const value = i % 2 === 0 ? piece : params[piece]
        if (value === undefined || (i % 2 === 1 && !LEVEL.test(value))) {
          throw new Error(`'${key}' needs ${piece} to be one topic level, not '${value ?? ''}'`)
        }
        topic += value
      }
      return topic
    },
    filterOf: (key, where = {}) => full(key).replace(/\{(\w+)\}/g, (_, name: string) => where[name] ?? '+'),
    decode,
  }
}

const decode = (row: TopicRow, payload: Uint8Array | string): Decoded => {
  let value: unknown
  try {
    value = JSON.parse(typeof payload === 'string' ? payload : utf8.decode(payload))
  } catch (error) {
    return { ok: false, field: '', constraint: error instanceof SyntaxError ? 'must be JSON' : 'must be JSON in UTF-8' }
  }
  if (!isShallow(value))
    return { ok: false, field: '', constraint: `must not be nested deeper than ${MAX_DEPTH} levels` }
  const parsed = row.payload.safeParse(value)
  return parsed.success ? { ok: true, payload: parsed.data } : { ok: false, ...firstIssue(parsed.error, value) }
}

/** The first thing wrong with a value: its path, what it must be, and what it is. */
export const firstIssue = (
  error: z.core.$ZodError,
  input: unknown,
): { field: string; constraint: string; value?: unknown } => {
  const issue = error.issues[0]
  if (issue === undefined) return { field: '', constraint: 'is not valid' }
  const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path
  const value = keys.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key], input)
  return { field: keys.map(String).join('.'), constraint: issue.message, ...(value === undefined ? {} : { value }) }
}

const insert = (root: Level, template: string, key: string): void => {
  let at = root
  for (const part of template.split('/')) {
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined) {
      const next = at.fixed.get(part) ?? { fixed: new Map() }
      at.fixed.set(part, next)
      at = next
    } else {
      at.any ??= { level: { fixed: new Map() }, name }
      if (at.any.name !== name)
        throw new Error(`'${key}' calls a level {${name}} that another topic calls {${at.any.name}}`)
      at = at.any.level
    }
  }
  at.key = key
}

const find = (at: Level, parts: readonly string[], i: number, params: Record<string, string>): string | undefined => {
  const part = parts[i]
  if (part === undefined) return at.key
  const fixed = at.fixed.get(part)
  const key = fixed && find(fixed, parts, i + 1, params)
  if (key !== undefined || at.any === undefined || part === '') return key
  const found = find(at.any.level, parts, i + 1, params)
  if (found !== undefined) params[at.any.name] = part
  return found
}
