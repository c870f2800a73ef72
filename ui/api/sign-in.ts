// Signing in elsewhere and coming back, and a new token before the old one ends: calls that are made outside of a session.
import { bareAnswer, noAnswer, Problem } from './problem.ts'
import { isRecord, readError, readToken } from './read.ts'
import { isExpired, type Session } from './session.ts'

const DEADLINE_MS = 15_000
const BINDER = 'millrace.binder'
const STAY = 'millrace.binder.stay'

/** A system one can sign in at besides with a password. */
export interface Issuer {
  id: string
  title: string
}

/** Rejects with a `Problem`. */
const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
  let response: Response
  let body: unknown
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.timeout(DEADLINE_MS), cache: 'no-store' })
    body = await response.json().catch(() => undefined)
  } catch (error) {
    throw noAnswer(error)
  }
  if (response.ok) return body
  throw new Problem(response.status, readError(body) ?? bareAnswer(response.status))
}

const sessionOf = (body: unknown, username: string | undefined): Session => {
  const token = readToken(body)
  const name = isRecord(body) && typeof body['username'] === 'string' ? body['username'] : username
  if (!token || name === undefined) {
    throw new Problem(0, {
      code: 'UNREADABLE',
      message: 'The hub answered in a way this app does not know: reload it.',
      details: {},
    })
  }
  return { token: token.token, username: name, expiresAt: Date.now() + token.expiresIn * 1000 }
}

/** Where one can sign in; none when the hub has no answer to that. */
export const issuers = async (): Promise<Issuer[]> => {
  const body = await call('/api/login').catch(() => undefined)
  const list: unknown[] = isRecord(body) && Array.isArray(body['issuers']) ? body['issuers'] : []
  return list.flatMap((one) =>
    isRecord(one) && typeof one['id'] === 'string' && typeof one['title'] === 'string'
      ? [{ id: one['id'], title: one['title'] }]
      : [],
  )
}

/** Leaves for an issuer. What it comes back with is worth something only in this tab, which keeps a secret meanwhile. */
export const leaveFor = (issuer: string, stay: boolean): void => {
  const bytes = crypto.getRandomValues(new Uint8Array(32))
  const binder = btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '')
  sessionStorage.setItem(BINDER, binder)
  sessionStorage.setItem(STAY, stay ? '1' : '')
  location.assign(`/api/login/oidc?${new URLSearchParams({ issuer, binder }).toString()}`)
}

/** Whether this page was opened by an issuer that sent somebody back. */
export const isBroughtBack = (): boolean => location.hash.startsWith('#oidc=')

/** What an issuer sent back with this page, once: it is gone from the address afterwards. */
export const broughtBack = (): { code: string; binder: string; stay: boolean } | undefined => {
  const [, code] = /^#oidc=([\w-]{1,64})$/.exec(location.hash) ?? []
  if (code === undefined) return undefined
  history.replaceState(history.state, '', location.pathname + location.search)
  // A tab that did not leave has no secret; the hub then says what is wrong.
  const binder = sessionStorage.getItem(BINDER) ?? 'x'.repeat(43)
  const stay = sessionStorage.getItem(STAY) === '1'
  sessionStorage.removeItem(BINDER)
  sessionStorage.removeItem(STAY)
  return { code, binder, stay }
}

/** The session for what was brought back. Rejects with a `Problem`. */
export const arrive = async ({ code, binder }: { code: string; binder: string }): Promise<Session> =>
  sessionOf(
    await call('/api/login/oidc/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code, binder }),
    }),
    undefined,
  )

const BEFORE_MS = 5 * 60_000
const AGAIN_MS = 30_000
/** setTimeout counts in 32 bits. */
const LONGEST_MS = 2 ** 31 - 1

/** Gets a new token for a session five minutes before it ends (half way, when it is shorter). Returns what stops it. */
export const renewing = (session: Session, renewed: (next: Session) => void): (() => void) => {
  if (session.expiresAt === 0) return () => undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  const left = session.expiresAt - Date.now()
  const renew = async (): Promise<void> => {
    if (stopped || isExpired(session, Date.now())) return
    try {
      const headers = { authorization: `Bearer ${session.token}` }
      const next = sessionOf(await call('/api/me/token', { method: 'POST', headers }), session.username)
      if (!stopped) renewed(next)
    } catch (error) {
      // Whoever is refused signs in again when the session ends; a hub that does not answer is asked again.
      if (error instanceof Problem && error.status !== 0 && error.status < 500 && error.status !== 429) return
      if (!stopped) timer = setTimeout(() => void renew(), AGAIN_MS)
    }
  }
  timer = setTimeout(() => void renew(), Math.min(LONGEST_MS, Math.max(left / 2, left - BEFORE_MS, 0)))
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
