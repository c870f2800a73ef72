// One POST to a peer a person configured: bounded in time, no redirects, the certificate checked, and off the site only where that was allowed.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { type CredentialRecord, isSiteAddress, reasonOf, Recoverable, siteLookup } from '#hub/plugin'

export interface Post {
  credential: CredentialRecord
  /** Below the base address. */
  path: string
  headers: Record<string, string>
  body: string
  timeoutMs: number
  /** OFFLINE_MODE: the peer may not be outside the site. */
  offline: boolean
  signal?: AbortSignal
}

/** What came of a try: it was taken, it may work later, or it never will. */
export type Posted =
  { kind: 'taken' } | { kind: 'later'; why: string; afterMs?: number } | { kind: 'never'; why: string }

const OFF_SITE = 'is not on this site, and OFFLINE_MODE is on: set OFFLINE_MODE=0 to allow it'
const offSite = (host: string): Recoverable => new Recoverable('POLICY_ERROR', `${host} ${OFF_SITE}`)

/** Checks the address at the moment it is used, so that a name cannot lead elsewhere later. */
const onSite = siteLookup(undefined, offSite)

const MOST_WAIT_MS = 3_600_000
const MOST_ANSWER = 64 * 1024

/** `Retry-After` in ms: seconds or a date (RFC 9110, 10.2.3), an hour at most. */
export const retryAfterMs = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  const seconds = Number(header)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.min(MOST_WAIT_MS, Math.max(0, ms))
}

/** Sends once. Never rejects; no answer holds a secret. */
export const post = ({ credential, path, headers, body, timeoutMs, offline, signal }: Post): Promise<Posted> =>
  new Promise((resolve) => {
    const base = credential.baseUrl.replace(/\/+$/, '')
    const url = new URL(path === '' ? base : `${base}/${path.replace(/^\/+/, '')}`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (offline && isIP(host) !== 0 && !isSiteAddress(host))
      return resolve({ kind: 'never', why: `${host} ${OFF_SITE}` })
    const late = AbortSignal.timeout(timeoutMs)
    const secure = url.protocol === 'https:'
    const send = secure ? httpsRequest : httpRequest
    const fail = (error: unknown): void => {
      if (error instanceof Recoverable) return resolve({ kind: 'never', why: error.message })
      resolve({ kind: 'later', why: late.aborted ? `no answer in ${timeoutMs} ms` : reasonOf(error).slice(0, 200) })
    }
    const outgoing = send(
      url,
      {
        method: 'POST',
        agent: false,
        signal: signal === undefined ? late : AbortSignal.any([late, signal]),
        headers: { 'user-agent': 'millrace', 'content-length': Buffer.byteLength(body), ...headers },
        ...(offline ? { lookup: onSite } : {}),
        ...(secure
          ? { rejectUnauthorized: credential.verifyTls, ...(credential.ca === undefined ? {} : { ca: credential.ca }) }
          : {}),
      },
      (incoming) => {
        let bytes = 0
        incoming.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > MOST_ANSWER) incoming.destroy(new Error('the answer is too long'))
        })
        incoming.on('error', fail)
        incoming.on('end', () => {
          const status = incoming.statusCode ?? 0
          if (status >= 200 && status < 300) return resolve({ kind: 'taken' })
          const afterMs = retryAfterMs(incoming.headers['retry-after'], Date.now())
          const why = `it answered ${status}`
          if (status === 429 || status === 408 || status >= 500)
            return resolve({ kind: 'later', why, ...(afterMs === undefined ? {} : { afterMs }) })
          resolve({ kind: 'never', why })
        })
      },
    )
    outgoing.on('error', fail)
    outgoing.end(body)
  })
