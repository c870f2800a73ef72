// The one shape of every answer that is not 2xx (EB-7), from whatever was thrown: no stack, no secret, the field named.
import type { Clock } from '../clock.ts'
import { iso } from '../clock.ts'
import { type Details, type ErrorCode, Recoverable, STATUS_OF } from '../errors.ts'
import { HIDDEN, isSecretName, redact, redactText } from '../health/redact.ts'

export interface ErrorBody {
  error: { code: ErrorCode; message: string; details: Details; correlation_id: string; timestamp: string }
}

export interface Refusal {
  status: number
  code: ErrorCode
  message: string
  details: Details
  /** Nobody foresaw it: to be logged with its stack and reported. */
  unforeseen: boolean
}

/** The parts of a request that schemas look at. */
export interface Asked {
  params?: unknown
  query?: unknown
  body?: unknown
  headers?: unknown
}

const CODE_OF_STATUS: Record<number, ErrorCode> = {
  400: 'VALIDATION_ERROR',
  401: 'AUTH_ERROR',
  403: 'POLICY_ERROR',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  410: 'GONE',
  413: 'TOO_LARGE',
  422: 'UNKNOWN_INTENT',
  429: 'RATE_LIMITED',
  502: 'CONNECTION_ERROR',
  503: 'UNAVAILABLE',
  504: 'CONNECTION_ERROR',
}
/** What the web framework says, in words that say what to do. */
const SAID: Record<string, string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE:
    'This content type is not accepted here: send application/json (or a form to /token).',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON.',
  FST_ERR_CTP_EMPTY_JSON_BODY:
    'The body is empty, but its content type says JSON: send a JSON document, or leave the content type out.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says.',
  FST_ERR_BAD_URL: 'The address is not a valid URL.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the address is too long.',
}
const UNFORESEEN = 'Something went wrong inside the hub. Its log has the details under this correlation id.'
const MAX_ISSUES = 10

/** What to answer to something thrown in a handler, a hook or the framework. */
export const refusalOf = (thrown: unknown, asked: Asked, bodyLimit: number): Refusal => {
  if (thrown instanceof Recoverable) {
    const status = STATUS_OF[thrown.code]
    return {
      status,
      code: thrown.code,
      message: redactText(thrown.message),
      details: safeDetails(thrown.details),
      unforeseen: thrown.code === 'INTERNAL_ERROR',
    }
  }
  const issues = issuesOf(thrown)
  if (issues !== undefined) return invalid(issues, asked)
  const status = statusOf(thrown)
  if (status === undefined || status >= 500) {
    const code = status === undefined ? 'INTERNAL_ERROR' : (CODE_OF_STATUS[status] ?? 'INTERNAL_ERROR')
    return { status: STATUS_OF[code], code, message: UNFORESEEN, details: {}, unforeseen: true }
  }
  const code = CODE_OF_STATUS[status] ?? 'VALIDATION_ERROR'
  if (status === 413) {
    return {
      status,
      code,
      message: `The body is larger than ${bodyLimit} bytes.`,
      details: { field: 'body', constraint: `at most ${bodyLimit} bytes` },
      unforeseen: false,
    }
  }
  const known =
    thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? SAID[thrown.code] : undefined
  const message = known ?? redactText(thrown instanceof Error ? thrown.message : 'The request was refused.', 500)
  return { status, code, message, details: {}, unforeseen: false }
}

/** The body of a refusal. */
export const bodyOf = (
  { code, message, details }: Pick<Refusal, 'code' | 'message' | 'details'>,
  correlation: string,
  clock: Pick<Clock, 'now'>,
): ErrorBody => ({
  error: { code, message, details, correlation_id: correlation, timestamp: iso(clock.now()) },
})

interface Issue {
  path: string[]
  message: string
  part: string
}

/** The issues of a request that did not fit its schema, as fastify carries them; undefined for any other error. */
const issuesOf = (thrown: unknown): Issue[] | undefined => {
  if (!(thrown instanceof Error) || !('validation' in thrown) || !Array.isArray(thrown.validation)) return undefined
  const part =
    'validationContext' in thrown && typeof thrown.validationContext === 'string' ? thrown.validationContext : 'body'
  return thrown.validation.slice(0, MAX_ISSUES).map((issue: unknown) => {
    const path = textOf(issue, 'instancePath').split('/').filter(Boolean)
    const params = typeof issue === 'object' && issue !== null && 'params' in issue ? issue.params : undefined
    const stray =
      typeof params === 'object' && params !== null && 'keys' in params && Array.isArray(params.keys) ? params.keys : []
    const message = textOf(issue, 'message') || 'is not valid'
    return {
      path: stray.length > 0 ? [...path, String(stray[0])] : path,
      message: stray.length > 0 ? 'is not known here' : message,
      part,
    }
  })
}

const textOf = (from: unknown, key: string): string => {
  const value: unknown = typeof from === 'object' && from !== null && key in from ? Reflect.get(from, key) : undefined
  return typeof value === 'string' ? value : ''
}

const PARTS: Record<string, keyof Asked> = { params: 'params', querystring: 'query', body: 'body', headers: 'headers' }

const invalid = (issues: Issue[], asked: Asked): Refusal => {
  const told = issues.map(({ path, message, part }) => {
    const root = asked[PARTS[part] ?? 'body']
    const value = path.reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
      root,
    )
    const hidden = path.some(isSecretName) && value !== undefined
    return { field: path.join('.') || part, value: hidden ? HIDDEN : echo(value), constraint: redactText(message, 500) }
  })
  const [first, ...more] = told
  const { field, value, constraint } = first ?? { field: 'body', value: undefined, constraint: 'is not valid' }
  return {
    status: 400,
    code: 'VALIDATION_ERROR',
    message: `${field}: ${constraint}`,
    details: {
      field,
      ...(value === undefined ? {} : { value }),
      constraint,
      ...(more.length === 0
        ? {}
        : { more: more.map(({ field: at, constraint: why }) => ({ field: at, constraint: why })) }),
    },
    unforeseen: false,
  }
}

const MAX_ECHO = 200

/** A value as it may be repeated: without secrets, and short. */
const echo = (value: unknown): unknown => {
  const clean = redact(value)
  if (typeof clean === 'string') return clean.length > MAX_ECHO ? `${clean.slice(0, MAX_ECHO)}…` : clean
  if (typeof clean !== 'object' || clean === null) return clean
  const text = JSON.stringify(clean)
  return text.length > MAX_ECHO ? `${text.slice(0, MAX_ECHO)}…` : clean
}

const safeDetails = (details: Details): Details => {
  const secretField = details.field !== undefined && details.field.split('.').some(isSecretName)
  const clean = redact({
    ...details,
    ...('value' in details ? { value: secretField ? HIDDEN : echo(details.value) } : {}),
  })
  return typeof clean === 'object' && clean !== null ? { ...clean } : {}
}

const statusOf = (thrown: unknown): number | undefined => {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined
  const { statusCode } = thrown
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 600 ? statusCode : undefined
}
