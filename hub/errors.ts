// Errors: something that may pass (Recoverable) or something a person must mend (Fatal). The message says what to do.

/** The codes of error bodies and their HTTP status (EB-7). */
export const STATUS_OF = {
  VALIDATION_ERROR: 400,
  AUTH_ERROR: 401,
  POLICY_ERROR: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  GONE: 410,
  TOO_LARGE: 413,
  UNKNOWN_INTENT: 422,
  RATE_LIMITED: 429,
  PLANNING_ERROR: 500,
  EXECUTION_ERROR: 500,
  INTERNAL_ERROR: 500,
  CONNECTION_ERROR: 502,
  UNAVAILABLE: 503,
} as const
export type ErrorCode = keyof typeof STATUS_OF

/** What is wrong with which value; becomes `details` of an error body. */
export interface Details {
  field?: string
  value?: unknown
  constraint?: string
  [more: string]: unknown
}

/** It may pass: retry, wait, or ask otherwise. */
export class Recoverable extends Error {
  readonly code: ErrorCode
  readonly details: Details
  constructor(code: ErrorCode, message: string, details: Details = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.details = details
  }
}

/** It will not pass by itself: the hub does not start, or stops. `message` says what a person has to do. */
export class Fatal extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
  }
}

/** Input from outside that does not fit: names the field, its value and the constraint. */
export class Invalid extends Recoverable {
  constructor(field: string, value: unknown, constraint: string) {
    super('VALIDATION_ERROR', `${field}: ${constraint}`, { field, value, constraint })
  }
}

/** Nobody with this name and secret. */
export class Unauthenticated extends Recoverable {
  constructor(message = 'Log in first: send a token from POST /token as "Authorization: Bearer …".') {
    super('AUTH_ERROR', message)
  }
}

/** Known, but without the right. `reason` says which right is missing. */
export class Forbidden extends Recoverable {
  constructor(reason: string, details: Details = {}) {
    super('POLICY_ERROR', reason, details)
  }
}

/** There is no such thing. */
export class Missing extends Recoverable {
  constructor(what: string) {
    super('NOT_FOUND', what)
  }
}

/** The text of whatever was thrown. */
export const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))
