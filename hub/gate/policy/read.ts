// Reads the text of a policy. What is wrong with it is told with field and line.
import { isMap, isNode, LineCounter, parseDocument } from 'yaml'
import { reasonOf } from '../../errors.ts'
import { type Policy, policyOf } from './policy.ts'
import { PolicyFile } from './schema.ts'

/** A policy that can be used, or the first things wrong with it, each with its line. */
export type Read = { ok: true; policy: Policy } | { ok: false; wrong: { field: string; line: number; why: string }[] }

const MAX_BYTES = 256 * 1024
const MAX_TOLD = 10

export const readPolicy = (text: string): Read => {
  if (Buffer.byteLength(text) > MAX_BYTES)
    return { ok: false, wrong: [{ field: '', line: 1, why: `is larger than ${MAX_BYTES} bytes` }] }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    return {
      ok: false,
      wrong: document.errors
        .slice(0, MAX_TOLD)
        .map(({ pos, message }) => ({ field: '', line: lines.linePos(pos[0]).line, why: message.slice(0, 300) })),
    }
  }
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const [above, key] = [path.slice(0, length - 1), path[length - 1]]
      const parent: unknown = above.length === 0 ? document.contents : document.getIn(above, true)
      const named = isMap(parent)
        ? parent.items.find((item) => String(item.key) === String(key))?.key
        : document.getIn(path.slice(0, length), true)
      if (isNode(named) && named.range) return lines.linePos(named.range[0]).line
    }
    return 1
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 }) ?? {}
  } catch (error) {
    return { ok: false, wrong: [{ field: '', line: 1, why: reasonOf(error).slice(0, 300) }] }
  }
  const parsed = PolicyFile.safeParse(value)
  if (parsed.success) return { ok: true, policy: policyOf(parsed.data) }
  return {
    ok: false,
    wrong: parsed.error.issues.slice(0, MAX_TOLD).map((issue) => {
      const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path
      const why = issue.code === 'unrecognized_keys' ? 'is not known here' : issue.message
      return { field: path.map(String).join('.'), line: lineOf(path), why }
    }),
  }
}

/** `rules.2.hazard (line 14): …; …` */
export const wrongInWords = (wrong: readonly { field: string; line: number; why: string }[]): string =>
  wrong.map(({ field, line, why }) => `${field === '' ? '' : `${field} `}(line ${line}): ${why}`).join('; ')
