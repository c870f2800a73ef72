// Redaction: what is allowed into logs, error events and error bodies.
import { Secret } from './secret.ts'

export const HIDDEN = '[hidden]'

const SECRET_KEY =
  /pass(word|wd|phrase|code)?$|^pwd$|secret|token|authori[sz]ation|api[-_]?key|private[-_]?key|access[-_]?key|^key$|cookie|credential|signature|^jwt$|^pin$|claim[-_]?code/i
/** Names that sound like secrets and hold none. */
const HARMLESS = /^(token_type|tokenType|credentialId|clientId|keyId|publicKey|tokens)$/
const IN_TEXT: readonly [RegExp, string][] = [
  [/\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${HIDDEN}`],
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@]{1,200}:[^\s/@]{1,500}@/gi, `$1${HIDDEN}@`],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, HIDDEN],
  // An API key of this hub.
  [/\bmr_[0-9a-zA-Z]{6,}_[A-Za-z0-9_-]{16,}/g, HIDDEN],
  // `password=x`, `"token": "x"`; not the sentence `password: must have at least 10 characters`.
  [
    /(password|passwd|secret|token|api[-_]?key|access[-_]?code)(["']?\s{0,8}[=:]\s{0,8}["']?)(?!\s*(?:must|is|has|needs|may|cannot|should)\b)[^\s"'&,;}]{1,500}/gi,
    `$1$2${HIDDEN}`,
  ],
]

const MAX_DEPTH = 6
const MAX_ENTRIES = 100
const MAX_TEXT = 8_000

/** Whether a field of this name holds something nobody may read. */
export const isSecretName = (name: string): boolean => SECRET_KEY.test(name) && !HARMLESS.test(name)

/** The text without tokens, passwords and user info of URLs, cut at `most` characters. */
export const redactText = (text: string, most = MAX_TEXT): string => {
  // PostgreSQL refuses NUL in text.
  const sound = text.replaceAll('\0', '\uFFFD')
  let clean = sound.length > most ? `${sound.slice(0, most)}… (${sound.length} characters)` : sound
  for (const [pattern, instead] of IN_TEXT) clean = clean.replace(pattern, instead)
  return clean
}

/** A copy that is safe to print as JSON: secrets hidden, cycles, depth and size cut, bytes counted. Never throws. */
export const redact = (value: unknown, depth = 0, seen: readonly object[] = []): unknown => {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Secret) return HIDDEN
  if (seen.includes(value)) return '[circular]'
  if (depth >= MAX_DEPTH) return '[deeper]'
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  const inside = [...seen, value]
  try {
    if (value instanceof Error) return redactError(value, depth, inside)
    if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => redact(item, depth + 1, inside))
    const entries = value instanceof Map ? [...value].map(([k, v]) => [String(k), v] as const) : Object.entries(value)
    return Object.fromEntries(
      entries
        .slice(0, MAX_ENTRIES)
        .map(([key, item]) => [
          key,
          isSecretName(key) && item !== null && item !== undefined ? HIDDEN : redact(item, depth + 1, inside),
        ]),
    )
  } catch {
    return '[unreadable]'
  }
}

const redactError = (error: Error, depth: number, seen: readonly object[]): unknown => ({
  name: error.name,
  message: redactText(error.message),
  ...('code' in error ? { code: redact(error.code, depth + 1, seen) } : {}),
  ...('details' in error ? { details: redact(error.details, depth + 1, seen) } : {}),
  ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
  ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1, seen) }),
})
