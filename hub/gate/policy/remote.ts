// Who is not in the building: judged by the address at the other end of the connection, never by what a client says of itself.
import { BlockList, isIP } from 'node:net'
import type { Peer } from '../../access/peer.ts'

/** This machine and private networks (RFC 1918, RFC 3927, RFC 4193, RFC 4291). Tailscale's 100.64.0.0/10 is not one of them. */
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

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** Whether a text is a network such as `192.168.1.0/24`. */
export const isNetwork = (text: string): boolean => {
  const [address = '', bits = '', more] = text.split('/')
  const most = isIP(address) === 6 ? 128 : 32
  return isIP(address) !== 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= most
}

/** Says why somebody counts as remote; undefined for a peer in one of the networks. What cannot be decided is remote. */
export const openRemote = (networks: readonly string[]): ((peer: Peer) => string | undefined) => {
  const local = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    local.addSubnet(address, Number(bits), familyOf(address))
  }
  return ({ address, passedOn }) => {
    if (passedOn) return 'a proxy stands in between, so nobody knows where it comes from'
    // An IPv4 address on a socket that takes both families.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
    if (isIP(plain) === 0) return 'its address is not known'
    return local.check(plain, familyOf(plain)) ? undefined : `${plain} is in none of the networks of this place`
  }
}
