// One POST to a peer a person configured: bounded in time, no redirects, the certificate checked, and off the site only where that was allowed.
import { lookup } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { type CredentialRecord, reasonOf, Recoverable } from '#hub/plugin'

export interface Post {
  credential: CredentialRecord
  /** Below the base address. */
  path: string
  headers: Record<string, string>
  body: string
  timeoutMs: number
  /** Whether the peer may be outside the site. */
  leaveSite: boolean
  signal?: AbortSignal
}

/** What came of a try: it was taken, it may work later, or it never will. */
export type Posted =
  { kind: 'taken' } | { kind: 'later'; why: string; afterMs?: number } | { kind: 'never'; why: string }

const site = new BlockList()
// RFC 1122, 1918, 3927, 4193, 4291: loopback, private, link-local.
for (const [net, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const)
  site.addSubnet(net, bits, 'ipv4')
site.addAddress('::1', 'ipv6')
site.addSubnet('fc00::', 7, 'ipv6')
site.addSubnet('fe80::', 10, 'ipv6')
const isOnSite = (address: string): boolean =>
  isIP(address) !== 0 && site.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')

const OFF_SITE = 'is not on this site: set plugins.notify.leaveSite to true to allow it'
const offSite = (host: string): Recoverable => new Recoverable('POLICY_ERROR', `${host} ${OFF_SITE}`)

/** Checks the address at the moment it is used, so that a name cannot lead elsewhere later. */
const siteLookup: LookupFunction = (host, options, done) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return done(error, '', 0)
    const [first] = addresses
    if (first === undefined || !addresses.every(({ address }) => isOnSite(address))) return done(offSite(host), '', 0)
    if (options.all === true) done(null, addresses)
    else done(null, first.address, first.family)
  })
}

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
export const post = ({ credential, path, headers, body, timeoutMs, leaveSite, signal }: Post): Promise<Posted> =>
  new Promise((resolve) => {
    const base = credential.baseUrl.replace(/\/+$/, '')
    const url = new URL(path === '' ? base : `${base}/${path.replace(/^\/+/, '')}`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (!leaveSite && isIP(host) !== 0 && !isOnSite(host)) return resolve({ kind: 'never', why: `${host} ${OFF_SITE}` })
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
        ...(leaveSite ? {} : { lookup: siteLookup }),
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
