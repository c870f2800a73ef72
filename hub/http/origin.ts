// Which web pages may call: the hub's own, and those on the allow-list (ID-10).

/**
 * Whether a request with this `Origin` may go on. None at all is not a browser page (devices, scripts); the hub's own page has
 * the same host as the request; anything else must be on the list. `null` (a sandboxed page, a file) is never allowed.
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
    (host !== undefined && from.host === host.toLowerCase()) ||
    allowed.some((one) => URL.parse(one)?.origin === from.origin)
  )
}
