// Who is not in the building: judged by the address at the other end of the connection, never by what a client says of itself.
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Peer } from '../../access/peer.ts'

/** This machine and private networks (RFC 1918, RFC 3927, RFC 4193, RFC 4291). */
export const PRIVATE: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]

/** Tailscale's own: whoever comes through it may be anywhere, though the second looks private. */
const OVERLAYS = ['100.64.0.0/10', 'fd7a:115c:a1e0::/48']

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** Whether a text is a network such as `192.168.1.0/24`. */
export const isNetwork = (text: string): boolean => {
  const [address = '', bits = '', more] = text.split('/')
  const most = isIP(address) === 6 ? 128 : 32
  return isIP(address) !== 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= most
}

const listOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    list.addSubnet(address, Number(bits), familyOf(address))
  }
  return list
}

/** Networks that the machine is in with an IPv6 address: neighbours there come with public addresses. They change, so they are read each time. */
const ownNetworks = (): string[] =>
  Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one?.family === 'IPv6' && one.cidr !== null && !one.internal ? [one.cidr] : []))

/**
 * Says why somebody counts as remote; undefined for a peer in one of the networks. Without a list those are this machine's, and
 * private ones but for overlays. What cannot be decided is remote.
 */
export const openRemote = (
  networks: readonly string[] | undefined,
  own: () => readonly string[] = ownNetworks,
): ((peer: Peer) => string | undefined) => {
  const named = listOf(networks ?? PRIVATE)
  const overlays = listOf(networks === undefined ? OVERLAYS : [])
  return ({ address, passedOn }) => {
    if (passedOn) return 'a proxy stands in between, so nobody knows where it comes from'
    // An IPv4 address on a socket that takes both families.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
    if (isIP(plain) === 0) return 'its address is not known'
    const family = familyOf(plain)
    const isHere =
      !overlays.check(plain, family) &&
      (named.check(plain, family) ||
        (networks === undefined && family === 'ipv6' && listOf(own()).check(plain, family)))
    return isHere ? undefined : `${plain} is in none of the networks of this place`
  }
}
