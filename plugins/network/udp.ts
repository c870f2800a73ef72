// A UDP socket on one network: bound, in a group or not, with everything it hears going through the door.
import { createSocket } from 'node:dgram'
import type { Net } from './nets.ts'

export interface UdpLink {
  send(bytes: Buffer, port: number, address: string): void
  close(): Promise<void>
}

export interface UdpParts {
  net: Net
  /** 0 for any free one: then answers to a question come there and nothing else is heard. */
  port: number
  /** Multicast groups to join. */
  groups: readonly string[]
  admits(bytes: number, source: string): boolean
  heard(bytes: Buffer, from: { address: string; port: number }): void
  opened(): void
  failed(error: Error): void
}

/** Multicast leaves with TTL 1 and does not pass a router; broadcast goes to the network's own address. */
export const openUdp = ({ net, port, groups, admits, heard, opened, failed }: UdpParts): UdpLink => {
  const socket = createSocket({ type: 'udp4', reuseAddr: port !== 0 })
  let isOpen = false
  let isClosed = false
  const fail = (error: Error): void => {
    if (!isClosed) failed(error)
  }
  socket.on('error', fail)
  socket.on('message', (bytes, from) => {
    if (!isClosed && admits(bytes.length, from.address)) heard(bytes, from)
  })
  // A socket that hears a group or a broadcast must be bound to all addresses; the door knows which network it is for.
  socket.bind(port, port === 0 ? net.address : '0.0.0.0', () => {
    try {
      socket.setMulticastTTL(1)
      socket.setMulticastInterface(net.address)
      socket.setBroadcast(true)
      for (const group of groups) socket.addMembership(group, net.address)
      isOpen = true
      opened()
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)))
    }
  })
  return {
    send(bytes, toPort, address) {
      if (isOpen && !isClosed) socket.send(bytes, toPort, address, (error) => error !== null && fail(error))
    },
    close: () =>
      new Promise((done) => {
        isClosed = true
        socket.close(() => done())
      }),
  }
}
