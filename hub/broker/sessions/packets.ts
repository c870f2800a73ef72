// Messages as the store keeps them: what aedes gave, and its JSON for the file.
import type { StoredPacket } from '../persistence.ts'
import { OVERHEAD } from './schema.ts'
import type { Change } from './writing.ts'

/** A packet as aedes hands it in and wants it back. */
export interface Packet extends StoredPacket {
  cmd?: string
  retain?: boolean
  dup?: boolean
  clientId?: string
  /** Whose will it is, for after a restart. */
  origin?: string
  nl?: boolean
  reasonCode?: number
  /** MQTT 5 properties; they may hold bytes (correlation data). */
  properties?: object
}

/** What the queues that have a message in memory share of it. */
export interface Body {
  /** In how many queues in memory it waits. */
  receivers: number
  /** It waits in queues whose place is in the file only. */
  elsewhere: boolean
  /** How it gets into the file, as long as that is not done. */
  stored: Change | undefined
}

// Beside topic and payload, which have columns of their own. `messageId` belongs to a queue's entry.
const KEPT = [
  'cmd',
  'qos',
  'retain',
  'dup',
  'clientId',
  'origin',
  'nl',
  'brokerId',
  'brokerCounter',
  'messageExpiry',
  'properties',
] as const

/** A copy of what must outlive the call, with the fields aedes expects of a packet. */
export const copyOf = (packet: Packet): Packet => {
  const copy: Packet = {
    cmd: packet.cmd ?? 'publish',
    ...(packet.brokerId === undefined ? {} : { brokerId: packet.brokerId }),
    brokerCounter: packet.brokerCounter ?? 0,
    topic: packet.topic,
    payload: packet.payload,
    qos: packet.qos,
    retain: packet.retain ?? false,
    dup: packet.dup ?? false,
  }
  if (packet.clientId !== undefined) copy.clientId = packet.clientId
  if (packet.nl !== undefined) copy.nl = packet.nl
  if (packet.messageExpiry !== undefined) copy.messageExpiry = packet.messageExpiry
  if (packet.properties !== undefined) copy.properties = packet.properties
  return copy
}

/** About what a message takes. */
export const bytesOf = (packet: Packet): number => packet.topic.length + packet.payload.length + OVERHEAD

/** The same with a payload that keeps no larger buffer alive: it came as a part of all that was read from a socket. */
export const kept = (packet: Packet): Packet => {
  const { payload } = packet
  const isPart = payload instanceof Uint8Array && payload.buffer.byteLength > 2 * payload.length + OVERHEAD
  return isPart ? { ...packet, payload: Buffer.from(payload) } : packet
}

const BYTES = '\u0000bytes'

/** The JSON of a packet's fields. */
export const textOf = (packet: Packet): string =>
  JSON.stringify(Object.fromEntries(KEPT.map((key) => [key, marked(packet[key])])))

/** The packet of a row. */
export const packetOf = (row: { topic: string; packet: string; payload: Uint8Array }): Packet => {
  const fields: unknown = JSON.parse(row.packet, (_, value: unknown) =>
    isMarked(value) ? Buffer.from(value[BYTES], 'base64') : value,
  )
  return { ...(fields as Omit<Packet, 'topic' | 'payload'>), topic: row.topic, payload: bufferOf(row.payload) }
}

export const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Payloads reach the file as bytes, also those somebody publishes as text. */
export const payloadOf = (packet: Packet): Uint8Array =>
  packet.payload instanceof Uint8Array ? packet.payload : Buffer.from(String(packet.payload))

const marked = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { [BYTES]: bufferOf(value).toString('base64') }
  if (Array.isArray(value)) return value.map(marked)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, marked(inner)]))
  }
  return value
}

const isMarked = (value: unknown): value is { [BYTES]: string } =>
  typeof value === 'object' && value !== null && BYTES in value && typeof value[BYTES] === 'string'
