// Which web pages may call: the hub's own, and those on the allow-list (ID-10).
import { isIP } from 'node:net'
import { isSiteName } from '../health/site.ts'

/**
 * Whether a request with this `Origin` may go on. None at all is not a browser page (devices, scripts); the hub's own page has
 * the same host as the request, and that host is an address or a name of a local network: a page of a public name that was
 * made to resolve to this hub is none of ours. Anything else must be on the list. `null` (a sandboxed page, a file) is never allowed.
 */
export const originAllowed = (
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean => {
  if (origin === undefined) return true
  const from = URL.parse(origin)
  if (from === null || (from.protocol !== 'http:' && from.protocol !== 'https:')) return false
  return (
    (host !== undefined && from.host === host.toLowerCase() && isLocalHost(from.hostname)) ||
    allowed.some((one) => URL.parse(one)?.origin === from.origin)
  )
}

const isLocalHost = (hostname: string): boolean => isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || isSiteName(hostname)
