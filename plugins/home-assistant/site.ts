// Which addresses are on the site, for a socket that must not leave it.
import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Recoverable } from '#hub/plugin'

const local = new BlockList()
// RFC 1122 loopback, RFC 1918 private, RFC 3927 and RFC 4291 link-local, RFC 4193 unique local.
local.addSubnet('127.0.0.0', 8, 'ipv4')
local.addSubnet('10.0.0.0', 8, 'ipv4')
local.addSubnet('172.16.0.0', 12, 'ipv4')
local.addSubnet('192.168.0.0', 16, 'ipv4')
local.addSubnet('169.254.0.0', 16, 'ipv4')
local.addAddress('::1', 'ipv6')
local.addSubnet('fc00::', 7, 'ipv6')
local.addSubnet('fe80::', 10, 'ipv6')

const isLocal = (address: string): boolean => {
  const family = isIP(address)
  return family !== 0 && local.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

const outside = (host: string): Recoverable =>
  new Recoverable('POLICY_ERROR', `${host} is not on the site: set offSite for this plugin to allow it.`, { host })

/** Throws POLICY_ERROR for an address (not a name) outside the site. */
export const demandLocal = (hostname: string): void => {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isLocal(host)) throw outside(host)
}

type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Resolves names whose addresses are all on the site, and refuses the others. */
export const localLookup =
  (resolve: Resolve = lookup): LookupFunction =>
  (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error !== null) done(error, [], 0)
      else if (first === undefined || !addresses.every(({ address }) => isLocal(address)))
        done(outside(hostname), [], 0)
      else if (options.all === true) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
