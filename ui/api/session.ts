// Who is signed in on this device. The token lives in this tab, or on the device where that was asked for.
import { isRecord } from './read.ts'

export interface Session {
  token: string
  username: string
  /** ms since 1970 by this device's clock; 0 for a key that does not expire here. */
  expiresAt: number
}

const KEY = 'millrace.session'

const parse = (text: string | null): Session | undefined => {
  if (text === null) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value)) return undefined
    const { token, username, expiresAt } = value
    if (typeof token !== 'string' || typeof username !== 'string' || typeof expiresAt !== 'number') return undefined
    return { token, username, expiresAt }
  } catch {
    return undefined
  }
}

export const isExpired = (session: Session, now: number): boolean => session.expiresAt !== 0 && session.expiresAt <= now

/** The session kept in this tab or on this device, unless it has run out. */
export const keptSession = (now = Date.now()): Session | undefined => {
  const session = parse(sessionStorage.getItem(KEY)) ?? parse(localStorage.getItem(KEY))
  return session && !isExpired(session, now) ? session : undefined
}

/** Keeps a session: on the device when `stay`, otherwise in this tab. */
export const keepSession = (session: Session, stay: boolean): void => {
  forgetSession()
  const place = stay ? localStorage : sessionStorage
  place.setItem(KEY, JSON.stringify(session))
}

/** Keeps a renewed session where the one before is kept. */
export const renewSession = (session: Session): void =>
  keepSession(session, parse(sessionStorage.getItem(KEY)) === undefined && localStorage.getItem(KEY) !== null)

export const forgetSession = (): void => {
  sessionStorage.removeItem(KEY)
  localStorage.removeItem(KEY)
}

/** A path inside this app to return to after signing in; anything else becomes '/'. */
export const safeReturn = (path: string | null): string =>
  path !== null && /^\/(?![/\\])/.test(path) && !path.startsWith('/login') && !path.startsWith('/claim') ? path : '/'
