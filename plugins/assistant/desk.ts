// The hub's own routes, called with the token of whoever speaks, and what their answers say.

/** The hub's own routes about approvals, called with the person's own token. */
export interface Desk {
  /** Answers with the status and the body. */
  call(method: 'GET' | 'POST', url: string, body?: Record<string, unknown>): Promise<{ status: number; body: unknown }>
}

export const field = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined

export const textOf = (body: unknown, name: string): string | undefined => {
  const value = field(body, name)
  return typeof value === 'string' ? value : undefined
}

/** One line of at most `most` characters, without control characters. */
export const line = (text: string, most: number): string =>
  text
    .replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .slice(0, most)
    .toWellFormed()
    .replace(/\ufffd/g, '')

/** Why a route refused. */
export const whyOf = (body: unknown): string => line(textOf(field(body, 'error'), 'message') ?? '', 300)
