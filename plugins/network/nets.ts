// The networks this machine is on: where is searched, and which source addresses belong there.
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { isIPv4 } from 'node:net'
import { isSiteAddress } from '#hub/plugin'

export interface Net {
  /** The machine's own address on it. */
  address: string
  /** Bits of the network part. */
  prefix: number
  /** Where a message to everybody on it goes. */
  broadcast: string
}

/** Interfaces by name, as node:os lists them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>

const toNumber = (address: string): number => address.split('.').reduce((n, part) => n * 256 + Number(part), 0)
const toText = (n: number): string => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.')
const maskOf = (prefix: number): number => (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0)
const isRouted = (prefix: number): boolean => Number.isInteger(prefix) && prefix >= 1 && prefix <= 30

/**
 * The networks to search: those of the addresses in `wanted`, or all private IPv4 ones but loopback when it is empty. A
 * public address is never used. `missing` are wanted addresses this machine does not have now.
 */
export const netsOf = (
  wanted: readonly string[],
  interfaces: Interfaces = networkInterfaces(),
): { nets: Net[]; missing: string[] } => {
  const nets = Object.values(interfaces)
    .flatMap((infos) => infos ?? [])
    .filter(({ family, address }) => family === 'IPv4' && isSiteAddress(address))
    .filter(({ internal, address }) => (wanted.length === 0 ? !internal : wanted.includes(address)))
    .map(({ address, cidr }) => ({ address, prefix: Number(cidr?.split('/')[1]) }))
    .filter(({ prefix }) => isRouted(prefix))
    .map(({ address, prefix }) => ({
      address,
      prefix,
      broadcast: toText((toNumber(address) | ~maskOf(prefix)) >>> 0),
    }))
  return { nets, missing: wanted.filter((one) => !nets.some(({ address }) => address === one)) }
}

/** Whether an address belongs to a network. */
export const isOn = ({ address, prefix }: Net, other: string): boolean =>
  isIPv4(other) && (toNumber(address) & maskOf(prefix)) >>> 0 === (toNumber(other) & maskOf(prefix)) >>> 0

/** The network a source belongs to, the narrowest one first; undefined when it is on none of them. */
export const netOf = (nets: readonly Net[], source: string): Net | undefined =>
  nets.filter((net) => isOn(net, source)).sort((a, b) => b.prefix - a.prefix)[0]

/** An address a found thing may give as its own: on the site, and loopback only when it spoke over loopback. */
export const mayBeItsAddress = (address: string, source: string): boolean =>
  isSiteAddress(address) && (!isLoopback(address) || isLoopback(source))

const isLoopback = (address: string): boolean => /^127\./.test(address) || address === '::1'
