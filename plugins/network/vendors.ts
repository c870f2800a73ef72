// Makers that answer on a UDP port of their own: what is asked, what is heard, who documents it. Nothing that changes anything.
import { z } from 'zod'
import { factsOf, type Word } from './finding.ts'
import { type HttpMessage, lifeOf, readHttpMessage, searchMessage } from './http-message.ts'
import { SSDP } from './ssdp.ts'
import { line } from './words.ts'

export interface Vendor {
  title: string
  /** Where it is asked, and where what it says by itself arrives. */
  port: number
  /** Whether it says something by itself; `groups` are joined for that. */
  listens: boolean
  groups: readonly string[]
  /** What is asked of everybody, by broadcast or in a group; undefined when listening is enough. */
  ask?: { to: 'broadcast' | string; bytes: () => Buffer }
  /** Who says how it is spoken. */
  source: string
  /** Reads an answer; undefined when it is none. `now` in ms since 1970. */
  read(bytes: Buffer, from: string, now: number): Word | undefined
}

/** What asks only now and then may miss a thing for a while: gone after it was silent for this. */
const SILENT_MS = 45 * 60_000
const DAY_MS = 86_400_000

const Mac = z.string().regex(/^[0-9a-f:-]{12,17}$/i)
const plainMac = (mac: string): string => mac.toLowerCase().replace(/[^0-9a-f]/g, '')

const json = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

/** The Kasa protocol's autokey cipher: each byte with the one before, the first with 171. */
export const kasaCipher = {
  hide: (text: string): Buffer => {
    let key = 171
    return Buffer.from(Buffer.from(text, 'utf8').map((byte) => (key = byte ^ key)))
  },
  show: (bytes: Buffer): Buffer => {
    let key = 171
    return Buffer.from(
      bytes.map((byte) => {
        const shown = byte ^ key
        key = byte
        return shown
      }),
    )
  },
}

/** Of what a Kasa device tells only this; it also tells where it stands on the earth, which is not kept. */
const Kasa = z.object({
  system: z.object({
    get_sysinfo: z.object({
      alias: z.string().max(200).optional(),
      model: z.string().max(100).optional(),
      mac: Mac.optional(),
      mic_mac: Mac.optional(),
      sw_ver: z.string().max(100).optional(),
    }),
  }),
})

const readKasa: Vendor['read'] = (bytes, from, now) => {
  const read = Kasa.safeParse(json(kasaCipher.show(bytes)))
  if (!read.success) return undefined
  const { alias, model, mac, mic_mac, sw_ver } = read.data.system.get_sysinfo
  const id = mac ?? mic_mac
  if (id === undefined) return undefined
  return {
    kind: 'found',
    finding: {
      source: 'udp',
      key: `udp:kasa:${plainMac(id)}`,
      kind: 'kasa',
      name: line(alias ?? '', 64) || line(model ?? '', 64) || 'Kasa device',
      addresses: [from],
      port: 9999,
      what: 'Kasa on UDP 9999',
      facts: factsOf({ model, version: sw_ver }, ['model', 'version'], line),
      from,
      until: now + SILENT_MS,
    },
  }
}

const LIFX = { header: 36, getService: 2, stateService: 3, udp: 1, protocol: 1024, tagged: 0x3400, addressed: 0x1400 }

const lifxQuestion = (): Buffer => {
  const bytes = Buffer.alloc(LIFX.header)
  bytes.writeUInt16LE(LIFX.header, 0)
  bytes.writeUInt16LE(LIFX.tagged, 2)
  // A source other than 0 asks for an answer to this address alone.
  bytes.writeUInt32LE(2, 4)
  bytes.writeUInt16LE(LIFX.getService, 32)
  return bytes
}

const readLifx: Vendor['read'] = (bytes, from, now) => {
  if (bytes.length !== LIFX.header + 5 || bytes.readUInt16LE(0) !== bytes.length) return undefined
  if ((bytes.readUInt16LE(2) & 0x0fff) !== LIFX.protocol || bytes.readUInt16LE(32) !== LIFX.stateService)
    return undefined
  const port = bytes.readUInt32LE(37)
  const id = bytes.subarray(8, 14).toString('hex')
  if (bytes.readUInt8(36) !== LIFX.udp || port < 1 || port > 65_535 || id === '000000000000') return undefined
  return {
    kind: 'found',
    finding: {
      source: 'udp',
      key: `udp:lifx:${id}`,
      kind: 'lifx',
      name: `LIFX ${id.slice(-6)}`,
      addresses: [from],
      port,
      what: 'LIFX on UDP 56700',
      facts: {},
      from,
      until: now + SILENT_MS,
    },
  }
}

const Wiz = z.object({ method: z.literal('getPilot'), result: z.object({ mac: Mac }) })

const readWiz: Vendor['read'] = (bytes, from, now) => {
  const read = Wiz.safeParse(json(bytes))
  if (!read.success) return undefined
  const id = plainMac(read.data.result.mac)
  return {
    kind: 'found',
    finding: {
      source: 'udp',
      key: `udp:wiz:${id}`,
      kind: 'wiz',
      name: `WiZ ${id.slice(-6)}`,
      addresses: [from],
      port: 38_899,
      what: 'WiZ on UDP 38899',
      facts: {},
      from,
      until: now + SILENT_MS,
    },
  }
}

const YEELIGHT = { group: '239.255.255.250', port: 1982 } as const

const readYeelight: Vendor['read'] = (bytes, from, now) => {
  const message = readHttpMessage(bytes)
  const id = /^0x([0-9a-f]{1,16})$/i.exec(message?.headers.get('id') ?? '')?.[1]?.toLowerCase()
  const [, address, port] = /^yeelight:\/\/([\d.]{7,15}):(\d{1,5})$/.exec(message?.headers.get('location') ?? '') ?? []
  if (message === undefined || id === undefined || address !== from || !isPort(port)) return undefined
  return {
    kind: 'found',
    finding: {
      source: 'udp',
      key: `udp:yeelight:${id}`,
      kind: 'yeelight',
      name: line(message.headers.get('name') ?? '', 64) || `Yeelight ${id.slice(-6)}`,
      addresses: [from],
      port: Number(port),
      what: 'Yeelight on UDP 1982',
      facts: factsOf(
        { model: message.headers.get('model'), version: message.headers.get('fw_ver') },
        ['model', 'version'],
        line,
      ),
      from,
      until: now + lifeOf(message),
    },
  }
}
const isPort = (text: string | undefined): boolean => Number(text) >= 1 && Number(text) <= 65_535

/** CoIoT's code 0.30 for a state said to everybody, and its option that names the device. */
const COIOT = { said: 30, device: 3332 }

/** Options of a CoAP message (RFC 7252 3.1) up to the payload; undefined when they do not read as such. */
export const coapOptions = (bytes: Buffer, start: number): { number: number; value: Buffer }[] | undefined => {
  const options: { number: number; value: Buffer }[] = []
  let number = 0
  for (let at = start; at < bytes.length && bytes[at] !== 0xff;) {
    const first = bytes.readUInt8(at)
    at += 1
    const parts = [first >> 4, first & 15].map((nibble) => {
      if (nibble < 13) return nibble
      const size = nibble === 13 ? 1 : 2
      if (nibble === 15 || at + size > bytes.length) return undefined
      const more = size === 1 ? bytes.readUInt8(at) + 13 : bytes.readUInt16BE(at) + 269
      at += size
      return more
    })
    const [delta, length] = parts
    if (delta === undefined || length === undefined || at + length > bytes.length || options.length >= 32)
      return undefined
    number += delta
    options.push({ number, value: bytes.subarray(at, at + length) })
    at += length
  }
  return options
}

const readShelly: Vendor['read'] = (bytes, from, now) => {
  if (bytes.length < 8 || bytes.readUInt8(0) >> 6 !== 1 || bytes.readUInt8(1) !== COIOT.said) return undefined
  const tokens = bytes.readUInt8(0) & 15
  const options = tokens > 8 ? undefined : coapOptions(bytes, 4 + tokens)
  const named = options?.find(({ number }) => number === COIOT.device)?.value.toString('utf8')
  const [, model, id] = /^([\w.-]{1,32})#([0-9A-Fa-f]{4,16})#\d{1,3}$/.exec(named ?? '') ?? []
  if (model === undefined || id === undefined) return undefined
  return {
    kind: 'found',
    finding: {
      source: 'udp',
      key: `udp:shelly:${id.toLowerCase()}`,
      kind: 'shelly',
      name: `Shelly ${model} ${id.slice(-6)}`,
      addresses: [from],
      port: 80,
      what: 'CoIoT on UDP 5683',
      facts: { model },
      from,
      // Those on a battery speak every few hours.
      until: now + DAY_MS / 2,
    },
  }
}

const BAMBU = 'urn:bambulab-com:device:3dprinter:1'

const readBambu: Vendor['read'] = (bytes, from, now) => {
  const message = readHttpMessage(bytes)
  const serial = /^[\w-]{6,40}$/.exec(message?.headers.get('usn') ?? '')?.[0]
  if (message === undefined || serial === undefined || typeOf(message) !== BAMBU) return undefined
  if (message.headers.get('location') !== from) return undefined
  return {
    kind: 'found',
    finding: {
      source: 'udp',
      key: `udp:bambu:${serial.toLowerCase()}`,
      kind: 'bambu',
      name: line(message.headers.get('devname.bambu.com') ?? '', 64) || `Bambu ${serial.slice(-6)}`,
      addresses: [from],
      port: 8883,
      what: `Bambu Lab's announcement`,
      facts: factsOf(
        {
          serial,
          model: message.headers.get('devmodel.bambu.com'),
          version: message.headers.get('devversion.bambu.com'),
        },
        ['serial', 'model', 'version'],
        line,
      ),
      from,
      until: now + lifeOf(message),
    },
  }
}
const typeOf = ({ headers, start }: HttpMessage): string | undefined => headers.get(start === 'notify' ? 'nt' : 'st')

export const VENDOR_IDS = ['kasa', 'yeelight', 'shelly', 'bambu', 'bambu-1990', 'lifx', 'wiz'] as const
export type VendorId = (typeof VENDOR_IDS)[number]

const bambu: Omit<Vendor, 'port' | 'title'> = {
  listens: true,
  groups: [SSDP.group],
  source: 'https://contentnation.net/en/grumpydevelop/bl-knowledge',
  read: readBambu,
}

export const VENDORS: Readonly<Record<VendorId, Vendor>> = {
  kasa: {
    title: 'TP-Link Kasa',
    port: 9999,
    listens: false,
    groups: [],
    ask: { to: 'broadcast', bytes: () => kasaCipher.hide('{"system":{"get_sysinfo":{}}}') },
    source: 'https://github.com/whitslack/kasa',
    read: readKasa,
  },
  yeelight: {
    title: 'Yeelight',
    port: YEELIGHT.port,
    listens: true,
    groups: [YEELIGHT.group],
    ask: { to: YEELIGHT.group, bytes: () => searchMessage({ ...YEELIGHT, target: 'wifi_bulb', seconds: 3 }) },
    source: 'Yeelight WiFi Light Inter-Operation Specification, 3',
    read: readYeelight,
  },
  shelly: {
    title: 'Shelly of the first generation (CoIoT)',
    port: 5683,
    listens: true,
    groups: ['224.0.1.187'],
    source:
      'https://shelly-api-docs.shelly.cloud/gen1/docs/coiot/v1/CoIoT%20for%20Shelly%20devices%20(rev%201.0)%20.pdf',
    read: readShelly,
  },
  bambu: { title: 'Bambu Lab', port: 2021, ...bambu },
  'bambu-1990': { title: 'Bambu Lab, second port', port: 1990, ...bambu },
  lifx: {
    title: 'LIFX',
    port: 56_700,
    listens: false,
    groups: [],
    ask: { to: 'broadcast', bytes: lifxQuestion },
    source: 'https://lan.developer.lifx.com/docs/communicating-with-device',
    read: readLifx,
  },
  wiz: {
    title: 'WiZ',
    port: 38_899,
    listens: false,
    groups: [],
    ask: { to: 'broadcast', bytes: () => Buffer.from('{"method":"getPilot","params":{}}') },
    source: 'https://pub.dev/packages/wiz',
    read: readWiz,
  },
}
