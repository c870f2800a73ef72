// What the gate answers, as an error a route can throw; and the times it is asked with.
import { type ErrorCode, Invalid, Recoverable } from '../errors.ts'
import type { Answer } from './gate.ts'

const CODE_OF: Record<Exclude<Answer['http'], 202>, ErrorCode> = {
  400: 'VALIDATION_ERROR',
  403: 'POLICY_ERROR',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  410: 'GONE',
  422: 'UNKNOWN_INTENT',
  503: 'UNAVAILABLE',
}

/** The answer when it is a yes; throws the Recoverable of a refusal, with the command's id in its details. */
export const accepted = (answer: Answer): Answer => {
  if (answer.http === 202) return answer
  const { commandId, near, field, reason } = answer
  throw new Recoverable(CODE_OF[answer.http], reason ?? 'The gate refused the request.', {
    commandId,
    ...(field === undefined ? {} : { field }),
    ...(near === undefined ? {} : { near }),
  })
}

/** ms since 1970 of a time in a query. Throws Invalid naming the field. */
export const timeOf = (field: string, text: string | undefined): number | undefined => {
  const at = text === undefined ? undefined : Date.parse(text)
  if (Number.isNaN(at)) throw new Invalid(field, text, 'must be a time in ISO 8601, such as 2026-01-31T08:00:00Z')
  return at
}
