// What belongs to the site: loopback, private and link-local addresses, and names that only a local network resolves.
import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Recoverable } from '../errors.ts'

const local = new BlockList()
// RFC 1122 loopback, RFC 1918 private, RFC 3927 and RFC 4291 link-local, RFC 4193 unique local. Not 100.64/10: that is the provider's.
local.addSubnet('127.0.0.0', 8, 'ipv4')
local.addSubnet('10.0.0.0', 8, 'ipv4')
local.addSubnet('172.16.0.0', 12, 'ipv4')
local.addSubnet('192.168.0.0', 16, 'ipv4')
local.addSubnet('169.254.0.0', 16, 'ipv4')
local.addAddress('::1', 'ipv6')
local.addSubnet('fc00::', 7, 'ipv6')
local.addSubnet('fe80::', 10, 'ipv6')

/** Whether an IP address is on the site. IPv4 inside IPv6 (`::ffff:10.0.0.1`) counts as the IPv4 address it is. */
export const isSiteAddress = (address: string): boolean => {
  const family = isIP(address)
  return family !== 0 && local.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Whether a host name is of a kind that only the local network answers for; what it resolves to is checked again at the call. */
export const isSiteName = (host: string): boolean => {
  const name = host.toLowerCase().replace(/\.$/, '')
  return !name.includes('.') || /\.(local|localhost|lan|home|internal|home\.arpa|test)$/.test(name)
}

/** Throws POLICY_ERROR when OFFLINE_MODE forbids to call this host. `hostname` as in a URL (IPv6 in brackets or bare). */
export const demandSite = (hostname: string): void => {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) === 0 ? isSiteName(host) : isSiteAddress(host)) return
  throw offSite(host)
}

const offSite = (host: string): Recoverable =>
  new Recoverable(
    'POLICY_ERROR',
    `OFFLINE_MODE is on: no call leaves the site, and ${host} is not on it. Set OFFLINE_MODE=0 to allow it.`,
    { host },
  )

type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** A resolver for sockets that refuses names whose addresses are not all on the site, so that a name cannot lead outside. `refused` says it in the caller's words. */
export const siteLookup =
  (resolve: Resolve = lookup, refused: (host: string) => Recoverable = offSite): LookupFunction =>
  (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, [], 0)
      const [first] = addresses
      if (first === undefined || !addresses.every(({ address }) => isSiteAddress(address))) {
        return done(refused(hostname), [], 0)
      }
      if (options.all === true) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
