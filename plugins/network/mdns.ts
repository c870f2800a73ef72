// Multicast DNS on one network: the library that speaks it, behind a door that looks at a datagram before it is decoded.
import { createSocket } from 'node:dgram'
import multicastDns from 'multicast-dns'
import type { Net } from './nets.ts'
import { type Answer, queriesOf, type KnownAnswer, type Question, readPacket } from './packet.ts'

export interface MdnsLink {
  /** Asks everybody on the network; nothing before the socket is open. */
  ask(questions: readonly Question[], known: readonly KnownAnswer[]): void
  close(): Promise<void>
}

export interface MdnsParts {
  net: Net
  /** 5353, but in tests. */
  port: number
  admits(bytes: number, source: string): boolean
  heard(answers: readonly Answer[], source: string): void
  /** What does not read as a DNS message. */
  unread(source: string): void
  opened(): void
  /** The port cannot be had, or the network cannot be joined. */
  failed(error: Error): void
}

/** RFC 6762 3. */
const GROUP = '224.0.0.251'

/**
 * Opens the port and joins the group. RFC 6762 11: messages leave with TTL 255, which no router passes on for this
 * group, and answers count only from port 5353 (6) of an address on the network itself.
 */
export const openMdns = ({ net, port, admits, heard, unread, opened, failed }: MdnsParts): MdnsLink => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const speaker = multicastDns({
    socket,
    port,
    ip: GROUP,
    // Bound to its own address a socket would not hear the group on Linux.
    bind: '0.0.0.0',
    interface: net.address,
    ttl: 255,
    loopback: true,
  })
  // The library decodes whatever comes; its listener is put behind the door.
  const decoders = socket.listeners('message')
  socket.removeAllListeners('message')
  socket.on('message', (bytes, from) => {
    if (from.port !== port || !admits(bytes.length, from.address)) return
    for (const decode of decoders) Reflect.apply(decode, socket, [bytes, from])
  })
  let isOpen = false
  let isClosed = false
  speaker.on('ready', () => {
    isOpen = true
    if (!isClosed) opened()
  })
  speaker.on('error', (error) => {
    if (!isClosed) failed(error)
  })
  let decoding = ''
  socket.prependListener('message', (_bytes, from) => {
    decoding = from.address
  })
  speaker.on('warning', (error) => {
    // Of the socket's own troubles those with a code; the others are messages that could not be decoded.
    if (isClosed) return
    if ('code' in error && 'syscall' in error) failed(error)
    else unread(decoding)
  })
  speaker.on('response', (packet, from) => {
    const answers = isClosed ? undefined : readPacket(packet)
    if (answers !== undefined) heard(answers, from.address)
  })
  return {
    ask(questions, known) {
      if (!isOpen || isClosed || questions.length === 0) return
      try {
        for (const query of queriesOf(questions, known))
          speaker.query({ ...query, type: 'query' }, (error) => {
            if (error !== null && error !== undefined && !isClosed) failed(error)
          })
      } catch (error) {
        // What the library cannot encode must not end the hub.
        failed(error instanceof Error ? error : new Error(String(error)))
      }
    },
    close: () =>
      new Promise((done) => {
        isClosed = true
        speaker.destroy(done)
      }),
  }
}
