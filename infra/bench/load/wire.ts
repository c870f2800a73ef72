// An MQTT 3.1.1 client on a bare socket, cheaper than any broker it talks to: packets are made beforehand, and only headers are read.
import { connect, type Socket } from 'node:net'
import { generate } from 'mqtt-packet'
import type { Entrance } from '../brokers.ts'

export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBACK = 9
export const PINGRESP = 13
export const DISCONNECT = 14

/** A whole packet within `bytes`: its type, flags, and where what follows the fixed header begins and ends. */
export type Take = (type: number, flags: number, bytes: Buffer, at: number, end: number) => void

/** Cuts a stream of bytes into packets. */
export const packets = (take: Take): ((chunk: Buffer) => void) => {
  let rest: Buffer | undefined
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    rest = undefined
    for (let from = 0; from < bytes.length;) {
      let [length, shift, at] = [0, 0, from + 1]
      let byte = 0x80
      for (; byte >= 0x80 && at < bytes.length && shift < 28; at++, shift += 7) {
        byte = bytes[at] ?? 0
        length |= (byte & 0x7f) << shift
      }
      if (byte >= 0x80 || at + length > bytes.length) {
        rest = bytes.subarray(from)
        return
      }
      const first = bytes[from] ?? 0
      take(first >> 4, first & 15, bytes, at, at + length)
      from = at + length
    }
  }
}

/** The packet identifier of a PUBLISH above QoS 0, and where its payload begins. */
export const publishParts = (flags: number, bytes: Buffer, at: number): { id: number; payload: number } => {
  const after = at + 2 + bytes.readUInt16BE(at)
  return (flags & 6) === 0 ? { id: 0, payload: after } : { id: bytes.readUInt16BE(after), payload: after + 2 }
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export const answer = (type: number, id: number): Buffer =>
  Buffer.from([(type << 4) | (type === PUBREL ? 2 : 0), 2, id >> 8, id & 255])

export interface Client {
  socket: Socket
  sessionPresent: boolean
}

export interface Opening {
  id: string
  clean?: boolean
  /** Where it comes from: any 127.x.y.z. */
  address?: string
  keepalive?: number
  take?: Take
  /** Called once when an accepted connection is over. */
  gone?: () => void
}

/** Connects and logs in. Rejects when refused, broken or silent for 30 s. */
export const open = (entrance: Entrance, opening: Opening): Promise<Client> =>
  new Promise((done, failed) => {
    const { id, clean = true, address, keepalive = 0, take, gone } = opening
    const { port, username, password } = entrance
    let accepted = false
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      ...(address === undefined ? {} : { localAddress: address }),
    })
    const fail = (why: string) => {
      clearTimeout(late)
      socket.destroy()
      failed(new Error(`${id}: ${why}`))
    }
    const late = setTimeout(() => fail('no CONNACK'), 30_000)
    const read = packets((type, flags, bytes, at, end) => {
      if (type !== CONNACK) return take?.(type, flags, bytes, at, end)
      if (bytes[at + 1] !== 0) return fail(`refused with ${bytes[at + 1]}`)
      clearTimeout(late)
      accepted = true
      done({ socket, sessionPresent: bytes[at] === 1 })
    })
    socket.on('data', read)
    socket.on('error', (error) => {
      if (!accepted) fail(error.message)
    })
    socket.on('close', () => {
      if (accepted) gone?.()
      else fail('closed')
    })
    socket.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean,
        clientId: id,
        keepalive,
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password: Buffer.from(password) }),
      }),
    )
  })

export const subscribePacket = (filter: string, qos: 0 | 1 | 2): Buffer =>
  generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos }] })

export const publishPacket = (
  topic: string,
  payload: string | Buffer,
  qos: 0 | 1 | 2,
  id = 0,
  retain = false,
): Buffer =>
  generate({ cmd: 'publish', topic, payload, qos, retain, dup: false, ...(qos === 0 ? {} : { messageId: id }) })

/** Connects, subscribes and waits for SUBACK. Rejects when the subscription is refused. */
export const subscribe = async (
  entrance: Entrance,
  opening: Opening,
  filter: string,
  qos: 0 | 1 | 2,
): Promise<Client> => {
  let heard: (code: number) => void = () => {}
  const granted = new Promise<number>((done) => (heard = done))
  const client = await open(entrance, {
    ...opening,
    take(type, flags, bytes, at, end) {
      if (type === SUBACK) heard(bytes[at + 2] ?? 0x80)
      else opening.take?.(type, flags, bytes, at, end)
    },
  })
  client.socket.write(subscribePacket(filter, qos))
  const code = await within(30_000, granted, `no SUBACK for ${filter}`)
  if (code > 2) throw new Error(`${filter} is refused with ${code}`)
  return client
}

/** Says goodbye and waits until the connection is closed. */
export const leave = ({ socket }: Client): Promise<void> =>
  new Promise((done) => {
    if (socket.destroyed) return done()
    socket.once('close', () => done())
    socket.resume()
    socket.end(Buffer.from([0xe0, 0]))
    setTimeout(() => socket.destroy(), 2000).unref()
  })

export const within = async <T>(ms: number, wanted: Promise<T>, why: string): Promise<T> => {
  let late: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, failed) => {
    late = setTimeout(() => failed(new Error(`${why} within ${ms} ms`)), ms)
  })
  return Promise.race([wanted, tooLate]).finally(() => clearTimeout(late))
}
