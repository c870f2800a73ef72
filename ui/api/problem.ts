// A problem is what went wrong with a call, in words for the person in front of the screen.
import type { ErrorBody } from './types.ts'

/** What the hub answered, or that it did not answer (`status` 0). */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly details: ErrorBody['details']
  readonly correlationId: string | undefined
  constructor(status: number, body: ErrorBody, cause?: unknown) {
    super(body.message, cause === undefined ? undefined : { cause })
    this.name = 'Problem'
    this.status = status
    this.code = body.code
    this.details = body.details
    this.correlationId = body.correlationId
  }
}

/** No answer from the hub: it is down, or this device is not on its network. */
export const noAnswer = (cause: unknown): Problem =>
  new Problem(
    0,
    {
      code: 'NO_ANSWER',
      message: 'The hub does not answer. Check that it is running and that this device is on its network.',
      details: {},
    },
    cause,
  )

const WORDS: Record<number, string> = {
  401: 'Your session has ended. Sign in again.',
  403: 'Your role does not allow this. Ask an administrator.',
  404: 'The hub does not know this, or the device is offline.',
  429: 'Too many requests from this account. Wait a minute and try again.',
  502: 'Something between this page and the hub does not answer.',
  503: 'The hub is not ready yet. Try again in a moment.',
}

/** An answer without the hub's own error body. */
export const bareAnswer = (status: number): ErrorBody => ({
  code: `HTTP_${status}`,
  message: WORDS[status] ?? `The hub answered with status ${status}. Look at its log.`,
  details: {},
})

/** The sentence to show for whatever was thrown. */
export const sentence = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))
