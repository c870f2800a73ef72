// SSDP: what UPnP devices say of themselves. Their description is never fetched: its address is shown, a person opens it.
import type { Word } from './finding.ts'
import { type HttpMessage, lifeOf, readHttpMessage } from './http-message.ts'
import { mayBeItsAddress } from './nets.ts'
import { line } from './words.ts'

export const SSDP = { group: '239.255.255.250', port: 1900 } as const

interface Target {
  pattern: RegExp
  kind: string
}

/** By type (`NT`, `ST`); `urn:arksine.github.io:device:Moonraker:1` is Moonraker's own (moonraker/components/zeroconf.py). */
const TYPES: readonly Target[] = [
  { pattern: /^urn:arksine\.github\.io:device:Moonraker:/i, kind: 'moonraker' },
  { pattern: /^urn:schemas-upnp-org:device:InternetGatewayDevice:/i, kind: 'router' },
  { pattern: /^urn:schemas-upnp-org:device:MediaRenderer:/i, kind: 'media' },
  { pattern: /^urn:schemas-upnp-org:device:Printer:/i, kind: 'printer' },
]
/** By who says it (`SERVER`). */
const SERVERS: readonly Target[] = [
  { pattern: /\bMoonraker\b/i, kind: 'moonraker' },
  { pattern: /\bOctoPrint\b/i, kind: 'octoprint' },
  { pattern: /\bIpBridge\b/, kind: 'hue' },
]

const kindOf = ({ headers }: HttpMessage): string => {
  const type = headers.get('nt') ?? headers.get('st') ?? ''
  const server = headers.get('server') ?? ''
  return (
    TYPES.find(({ pattern }) => pattern.test(type))?.kind ??
    (headers.has('hue-bridgeid') ? 'hue' : undefined) ??
    SERVERS.find(({ pattern }) => pattern.test(server))?.kind ??
    'upnp'
  )
}

/**
 * A page of the thing itself: http(s), a bare address that is the one it spoke from, no login in it. Anything else is no
 * link: it could lead a person or a program somewhere the thing chose.
 */
export const ownPage = (location: string | undefined, from: string): { url: string; port: number } | undefined => {
  if (location === undefined || location.length > 300 || !URL.canParse(location)) return undefined
  const url = new URL(location)
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined
  if (url.hostname.replace(/^\[|\]$/g, '') !== from || !mayBeItsAddress(from, from)) return undefined
  return { url: url.href, port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)) }
}

/** Reads one datagram of SSDP; undefined when it is none that says something of a device. `now` in ms since 1970. */
export const readSsdp = (bytes: Buffer, from: string, now: number): Word | undefined => {
  const message = readHttpMessage(bytes)
  if (message === undefined) return undefined
  const { headers, start } = message
  const uuid = /^uuid:([\w-]{1,64})(?:::|$)/i.exec(headers.get('usn') ?? '')?.[1]?.toLowerCase()
  if (uuid === undefined) return undefined
  const key = `ssdp:${uuid}`
  const says = headers.get('nts')
  if (start === 'notify' && says === 'ssdp:byebye') return { kind: 'ended', key, from }
  if (start === 'notify' && says !== 'ssdp:alive' && says !== 'ssdp:update') return undefined
  const type = headers.get(start === 'notify' ? 'nt' : 'st')
  if (type === undefined) return undefined
  const page = ownPage(headers.get('location'), from)
  const server = line(headers.get('server') ?? '', 100)
  return {
    kind: 'found',
    finding: {
      source: 'ssdp',
      key,
      kind: kindOf(message),
      name: server.slice(0, 64) || `UPnP device at ${from}`,
      addresses: [from],
      ...(page === undefined ? {} : { port: page.port, url: page.url }),
      what: line(type, 80),
      facts: server === '' ? {} : { server },
      from,
      until: now + lifeOf(message),
    },
  }
}
