// Peers on 127.0.0.1 that announce themselves: an mDNS responder, SSDP and vendor devices. They can leave, move, lie, repeat and flood.
import { createSocket, type RemoteInfo } from 'node:dgram'
import type { Answer, Packet } from 'dns-packet'
import multicastDns from 'multicast-dns'

export const LOOPBACK = '127.0.0.1'
const MDNS_GROUP = '224.0.0.251'

export interface FakeService {
  /** Such as `_ipp._tcp`. */
  type: string
  name: string
  host: string
  port: number
  addresses: string[]
  txt?: readonly string[]
  /** Seconds. */
  ttl?: number
}

export interface FakeResponder {
  services: FakeService[]
  /** Queries it heard, with whom from. */
  heard: { packet: Packet; from: RemoteInfo }[]
  /** How many answers it sent because of questions. */
  answered: number
  announce(service: FakeService): Promise<void>
  /** Says that a service leaves: its pointer with TTL 0. */
  leave(service: FakeService): Promise<void>
  send(packet: Packet): Promise<void>
  close(): Promise<void>
}

const fullName = ({ name, type }: FakeService): string => `${name}.${type}.local`

/** All records of a service; the flush bit on those that are its own alone (RFC 6762 10.2). */
export const recordsOf = (service: FakeService): Answer[] => {
  const { type, host, port, addresses, txt = [], ttl = 4500 } = service
  const short = Math.min(ttl, 120)
  return [
    { type: 'PTR', class: 'IN', name: `${type}.local`, ttl, data: fullName(service) },
    { type: 'SRV', class: 'IN', name: fullName(service), ttl: short, flush: true, data: { target: host, port } },
    { type: 'TXT', class: 'IN', name: fullName(service), ttl, flush: true, data: [...txt] },
    ...addresses.map((data): Answer => ({ type: 'A', class: 'IN', name: host, ttl: short, flush: true, data })),
  ]
}

/** A responder that answers questions about its services, but not those whose answer is known (RFC 6762 7.1). */
export const fakeResponder = async (port: number, services: FakeService[] = []): Promise<FakeResponder> => {
  const socket = multicastDns({ port, ip: MDNS_GROUP, bind: '0.0.0.0', interface: LOOPBACK, ttl: 255, loopback: true })
  await new Promise<void>((done, fail) => {
    socket.once('ready', done)
    socket.on('error', fail)
  })
  const send = (packet: Packet): Promise<void> =>
    new Promise((done, fail) =>
      socket.respond({ ...packet, answers: packet.answers ?? [] }, (error) => (error ? fail(error) : done())),
    )
  const fake: FakeResponder = {
    services,
    heard: [],
    answered: 0,
    announce: (service) => {
      if (!fake.services.includes(service)) fake.services.push(service)
      return send({ answers: recordsOf(service) })
    },
    leave: (service) => {
      fake.services = fake.services.filter((one) => one !== service)
      const [pointer] = recordsOf(service)
      return send({ answers: pointer === undefined ? [] : [{ ...pointer, ttl: 0 } as Answer] })
    },
    send,
    close: () => new Promise((done) => socket.destroy(done)),
  }
  socket.on('query', (packet, from) => {
    fake.heard.push({ packet, from })
    const known = (packet.answers ?? []).map((one) => (one.type === 'PTR' ? one.data.toLowerCase() : ''))
    const answers = (packet.questions ?? []).flatMap(({ name, type }) =>
      fake.services.flatMap((service) => {
        const [pointer, ...rest] = recordsOf(service)
        const isBrowsed = type === 'PTR' && name.toLowerCase() === `${service.type}.local`.toLowerCase()
        if (isBrowsed && pointer !== undefined && !known.includes(fullName(service).toLowerCase()))
          return [pointer, ...rest]
        return type === 'PTR'
          ? []
          : rest.filter((one) => one.type === type && one.name.toLowerCase() === name.toLowerCase())
      }),
    )
    if (answers.length === 0) return
    fake.answered += 1
    void send({ answers })
  })
  return fake
}

export interface FakeDatagrams {
  port: number
  heard: { bytes: Buffer; from: RemoteInfo }[]
  /** Says something to a group or an address. */
  say(bytes: Buffer | string, port: number, to: string): Promise<void>
  close(): Promise<void>
}

/** A device on a UDP port of its own (or any, for 0) that answers what it hears; `undefined` for silence. */
export const fakeDatagrams = async (
  port: number,
  answer: (bytes: Buffer) => Buffer | string | undefined = () => undefined,
  groups: readonly string[] = [],
  address = port === 0 ? LOOPBACK : '0.0.0.0',
): Promise<FakeDatagrams> => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  await new Promise<void>((done, fail) => {
    socket.once('error', fail)
    socket.bind(port, address, done)
  })
  socket.setMulticastInterface(LOOPBACK)
  socket.setMulticastTTL(1)
  socket.setBroadcast(true)
  for (const group of groups) socket.addMembership(group, LOOPBACK)
  const send = (bytes: Buffer | string, toPort: number, to: string): Promise<void> =>
    new Promise((done, fail) => socket.send(bytes, toPort, to, (error) => (error ? fail(error) : done())))
  const fake: FakeDatagrams = {
    port: socket.address().port,
    heard: [],
    say: send,
    close: () => new Promise((done) => socket.close(() => done())),
  }
  socket.on('message', (bytes, from) => {
    fake.heard.push({ bytes, from })
    const said = answer(bytes)
    if (said !== undefined) void send(said, from.port, from.address)
  })
  return fake
}

/** Header lines as a message of SSDP. */
export const httpMessage = (start: string, headers: Readonly<Record<string, string>>): string =>
  [start, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')

/** A UDP port that was free a moment ago. */
export const freeUdpPort = async (): Promise<number> => {
  const socket = createSocket('udp4')
  await new Promise<void>((done, fail) => {
    socket.once('error', fail)
    socket.bind(0, LOOPBACK, done)
  })
  const { port } = socket.address()
  await new Promise<void>((done) => socket.close(() => done()))
  return port
}
