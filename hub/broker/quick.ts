// Reads the packets that come most, PUBLISH of QoS 0 or 1 without properties and PUBACK, straight from the bytes of a connection.
import { isUtf8 } from 'node:buffer'
import type { Link, Packet, ParsedPacket } from './engine.ts'

const PUBACK = 0x40
const PUBLISH = 0x30
const DUP = 0x08
const RETAIN = 0x01
const WILDCARDS = [0x23, 0x2b]
const SLASH = 0x2f
/** Topics remembered, of these many bytes at most. A power of two. */
const SLOTS = 4096
const LONGEST = 256

/** The topic a PUBLISH names; undefined for what is too unusual to be decided here. */
export type TopicNames = (bytes: Uint8Array, from: number, to: number) => string | undefined

/**
 * Topics by their bytes, so that the same topic is the same string each time. A slot has room for one, so nobody can make
 * a search long. `most` is the number of levels beyond which a topic is refused.
 */
export const openTopicNames = (most: number): TopicNames => {
  const slots = new Array<{ bytes: Uint8Array; topic: string } | undefined>(SLOTS).fill(undefined)
  return (bytes, from, to) => {
    const length = to - from
    if (length > LONGEST) return undefined
    let hash = length
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const known = slots[slot]
    if (known !== undefined && known.bytes.length === length) {
      let same = 0
      while (same < length && known.bytes[same] === bytes[from + same]) same++
      if (same === length) return known.topic
    }
    const own = Buffer.from(bytes.subarray(from, to))
    if (!isOrdinary(own, most)) return undefined
    const topic = own.toString()
    slots[slot] = { bytes: own, topic }
    return topic
  }
}

const isOrdinary = (topic: Buffer, most: number): boolean => {
  let levels = 1
  for (const byte of topic) {
    if (byte === 0 || WILDCARDS.includes(byte)) return false
    if (byte === SLASH) levels++
  }
  return topic.length > 0 && levels <= most && isUtf8(topic)
}

/** A PUBLISH as the parser would emit it. */
type Arrived = Packet & Pick<ParsedPacket, 'length'>

/**
 * Emits the packets at the begin of `chunk` as `parser` would, as long as they are ordinary ones, whole and within `limit`
 * bytes; returns how many bytes they had. Everything behind them, legal or not, is for the parser. To be called while no
 * packet is half parsed.
 */
export const quickPackets = (link: Link, chunk: Buffer, limit: number, topics: TopicNames): number => {
  const parser = link._parser
  const isVersion5 = link.version === 5
  let at = 0
  while (at + 4 <= chunk.length && !link.closed) {
    const head = chunk[at] ?? 0
    if (head === PUBACK) {
      const messageId = idAt(chunk, at + 2)
      if (chunk[at + 1] !== 2 || messageId === 0) break
      at += 4
      parser.emit('packet', { cmd: 'puback', length: 2, messageId, reasonCode: 0 })
      continue
    }
    const qos = (head >> 1) & 3
    if ((head & 0xf0) !== PUBLISH || qos > 1 || (qos === 0 && (head & DUP) !== 0)) break

    let length = chunk[at + 1] ?? 0
    let from = at + 2
    if (length > 127) {
      const second = chunk[from++] ?? 0
      // In two bytes, as few as possible. [MQTT-1.5.5-1]
      if (second === 0 || second > 127) break
      length = (length & 127) | (second << 7)
    }
    const end = from + length
    const idBytes = qos === 0 ? 0 : 2
    const topicEnd = from + 2 + idAt(chunk, from)
    const fieldsEnd = topicEnd + idBytes + (isVersion5 ? 1 : 0)
    if (end > chunk.length || end - at > limit || fieldsEnd > end) break
    if (isVersion5 && chunk[fieldsEnd - 1] !== 0) break
    const messageId = idBytes === 0 ? 0 : idAt(chunk, topicEnd)
    if (idBytes > 0 && messageId === 0) break
    const topic = topics(chunk, from + 2, topicEnd)
    if (topic === undefined) break

    const packet: Arrived = {
      cmd: 'publish',
      retain: (head & RETAIN) !== 0,
      qos: qos === 0 ? 0 : 1,
      dup: (head & DUP) !== 0,
      length,
      topic,
      payload: chunk.subarray(fieldsEnd, end),
    }
    if (idBytes > 0) packet.messageId = messageId
    at = end
    parser.emit('packet', packet)
  }
  return at
}

const idAt = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
