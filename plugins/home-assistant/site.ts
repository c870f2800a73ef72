// A socket that must not leave the site, in this plugin's words.
import { isIP } from 'node:net'
import { isSiteAddress, Recoverable, siteLookup } from '#hub/plugin'

const outside = (host: string): Recoverable =>
  new Recoverable(
    'POLICY_ERROR',
    `${host} is not on the site, and OFFLINE_MODE is on: set OFFLINE_MODE=0 to allow it.`,
    { host },
  )

/** Throws POLICY_ERROR for an address (not a name) outside the site. */
export const demandLocal = (hostname: string): void => {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isSiteAddress(host)) throw outside(host)
}

/** Resolves names whose addresses are all on the site, and refuses the others. `resolve` is the system's, but for tests. */
export const localLookup = (resolve?: Parameters<typeof siteLookup>[0]) => siteLookup(resolve, outside)
