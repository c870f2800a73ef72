// The journal's format on disk: a file head, then blocks (one per commit), in each block the entries.
//
// All numbers are little-endian. `f64` is an IEEE 754 double: exact for whole numbers up to 2^53.
//
// File head, 64 bytes
//    0  8 bytes  'MILLRACE'
//    8  u16      format version (1). A reader refuses a greater one.
//   10  u16      length of this head
//   12  u32      salt: random per file, repeated in each block head
//   16  f64      seq of the first entry (the file's name, too)
//   24  f64      when the file was begun, ms since 1970
//   32  28 bytes zero, for later
//   60  u32      CRC-32 of bytes 0–59
//
// Block head, 64 bytes
//    0  4 bytes  'MRB1'
//    4  u16      length of this head
//    6  u16      flags: 1 = part of the snapshot a file begins with, 2 = the last part of it
//    8  u32      length of the body
//   12  u32      CRC-32 of the body
//   16  f64      least seq of the entries (in a snapshot: that of the file head)
//   24  f64      greatest seq
//   32  f64      least `at`
//   40  f64      greatest `at`
//   48  u32      number of entries
//   52  u32      topic mask: the bits of all topics in the block, see `topicBit`
//   56  u32      the file's salt, so that a payload that looks like a block is never taken for one
//   60  u32      CRC-32 of bytes 0–59
//
// Entry
//    0  u32      length of what follows
//    4  u8       kind: 0 message, 1 retained, 2 note. An entry of another kind is skipped.
//    5  u8       flags: bits 0–1 QoS, bit 2 retain; the others zero, for later
//    6  u16      length of the topic
//    8  f64      seq; in a snapshot that of the message which set the value, 0 when that is not known
//   16  f64      at
//   24  f64      cause
//   32  bytes    topic, UTF-8
//   then fields until the end: u8 tag, u32 length, bytes. An unknown tag is skipped; an absent field is '' or 0.
//      1 origin (UTF-8)   2 correlation (UTF-8)   3 payload   4 n (f64)
import { crc32 } from 'node:zlib'
import { type Entry, type Kind, KINDS } from './entry.ts'

export const FORMAT_VERSION = 1
export const HEAD_BYTES = 64
export const BLOCK_MAGIC = Buffer.from('MRB1')
const FILE_MAGIC = Buffer.from('MILLRACE')
const ENTRY_BYTES = 32
const FIELD_BYTES = 5
const ORIGIN = 1
const CORRELATION = 2
const PAYLOAD = 3
const N = 4
const SNAPSHOT = 1
const SNAPSHOT_END = 2

export interface FileHead {
  version: number
  length: number
  salt: number
  firstSeq: number
  createdAt: number
}

export interface BlockHead {
  headLength: number
  snapshot: boolean
  /** The last block of a snapshot. */
  snapshotEnd: boolean
  bodyLength: number
  bodyCrc: number
  firstSeq: number
  lastSeq: number
  firstAt: number
  lastAt: number
  count: number
  mask: number
  salt: number
}

/** The head of a new file. */
export const fileHead = ({ salt, firstSeq, createdAt }: Pick<FileHead, 'salt' | 'firstSeq' | 'createdAt'>): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES)
  FILE_MAGIC.copy(head, 0)
  head.writeUInt16LE(FORMAT_VERSION, 8)
  head.writeUInt16LE(HEAD_BYTES, 10)
  head.writeUInt32LE(salt, 12)
  head.writeDoubleLE(firstSeq, 16)
  head.writeDoubleLE(createdAt, 24)
  head.writeUInt32LE(crc32(head.subarray(0, 60)), 60)
  return head
}

/** Reads a file head; undefined when it is damaged. The version is the caller's to judge. */
export const readFileHead = (head: Buffer): FileHead | undefined => {
  if (head.length < HEAD_BYTES || head.compare(FILE_MAGIC, 0, 8, 0, 8) !== 0) return undefined
  if (head.readUInt32LE(60) !== crc32(head.subarray(0, 60))) return undefined
  return {
    version: head.readUInt16LE(8),
    length: head.readUInt16LE(10),
    salt: head.readUInt32LE(12),
    firstSeq: head.readDoubleLE(16),
    createdAt: head.readDoubleLE(24),
  }
}

/** Reads a block head at `offset`; undefined when there is none or it is damaged. */
export const readBlockHead = (bytes: Buffer, offset: number): BlockHead | undefined => {
  if (bytes.length - offset < HEAD_BYTES || bytes.compare(BLOCK_MAGIC, 0, 4, offset, offset + 4) !== 0) return undefined
  if (bytes.readUInt32LE(offset + 60) !== crc32(bytes.subarray(offset, offset + 60))) return undefined
  const flags = bytes.readUInt16LE(offset + 6)
  return {
    headLength: bytes.readUInt16LE(offset + 4),
    snapshot: (flags & SNAPSHOT) !== 0,
    snapshotEnd: (flags & SNAPSHOT_END) !== 0,
    bodyLength: bytes.readUInt32LE(offset + 8),
    bodyCrc: bytes.readUInt32LE(offset + 12),
    firstSeq: bytes.readDoubleLE(offset + 16),
    lastSeq: bytes.readDoubleLE(offset + 24),
    firstAt: bytes.readDoubleLE(offset + 32),
    lastAt: bytes.readDoubleLE(offset + 40),
    count: bytes.readUInt32LE(offset + 48),
    mask: bytes.readUInt32LE(offset + 52),
    salt: bytes.readUInt32LE(offset + 56),
  }
}

/** Which of the 32 bits of a topic mask stands for this topic: FNV-1a over its UTF-8 bytes, folded. */
export const topicBit = (bytes: Uint8Array, from: number, to: number): number => {
  let hash = 0x811c9dc5
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return (1 << ((hash ^ (hash >>> 15)) & 31)) >>> 0
}

/** The mask bit of a topic given as text. */
export const topicBitOf = (topic: string): number => {
  const bytes = Buffer.from(topic)
  return topicBit(bytes, 0, bytes.length)
}

/** At most how many bytes an entry takes; for bounds, and for room in the buffer. */
export const roomFor = (entry: Entry): number =>
  ENTRY_BYTES +
  4 * FIELD_BYTES +
  8 +
  3 * (entry.topic.length + entry.origin.length + entry.correlation.length) +
  entry.payload.length

/** A block as bytes, and what the index keeps of it. `bytes` is only good until the next one is made from the same scratch. */
export interface Block {
  bytes: Buffer
  firstSeq: number
  lastSeq: number
  firstAt: number
  lastAt: number
  mask: number
}

/** Whether a block carries messages, or part of the snapshot that stands before the message `seq`. */
export type Part = { of: 'messages' } | { of: 'snapshot'; seq: number; at: number; last: boolean }

/** Turns entries into blocks, over and over in one growing buffer: while one block is being written, no other may be made. */
export class Encoder {
  #scratch = Buffer.allocUnsafe(1 << 18)

  block(entries: readonly Entry[], salt: number, part: Part): Block {
    let at = HEAD_BYTES
    let mask = 0
    let [firstSeq, lastSeq, firstAt, lastAt] = [Infinity, 0, Infinity, 0]
    for (const entry of entries) {
      const begin = at
      at = this.#entry(entry, at)
      mask |= topicBit(this.#scratch, begin + ENTRY_BYTES, begin + ENTRY_BYTES + this.#scratch.readUInt16LE(begin + 6))
      if (entry.seq < firstSeq) firstSeq = entry.seq
      if (entry.seq > lastSeq) lastSeq = entry.seq
      if (entry.at < firstAt) firstAt = entry.at
      if (entry.at > lastAt) lastAt = entry.at
    }
    if (part.of === 'snapshot') [firstSeq, lastSeq, firstAt, lastAt] = [part.seq, part.seq, part.at, part.at]
    const bytes = this.#scratch.subarray(0, at)
    BLOCK_MAGIC.copy(bytes, 0)
    bytes.writeUInt16LE(HEAD_BYTES, 4)
    bytes.writeUInt16LE(part.of === 'messages' ? 0 : SNAPSHOT | (part.last ? SNAPSHOT_END : 0), 6)
    bytes.writeUInt32LE(at - HEAD_BYTES, 8)
    bytes.writeUInt32LE(crc32(bytes.subarray(HEAD_BYTES)), 12)
    bytes.writeDoubleLE(firstSeq, 16)
    bytes.writeDoubleLE(lastSeq, 24)
    bytes.writeDoubleLE(firstAt, 32)
    bytes.writeDoubleLE(lastAt, 40)
    bytes.writeUInt32LE(entries.length, 48)
    bytes.writeUInt32LE(mask >>> 0, 52)
    bytes.writeUInt32LE(salt, 56)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
    return { bytes, firstSeq, lastSeq, firstAt, lastAt, mask: mask >>> 0 }
  }

  /** Writes one entry at `at`; returns where it ends. */
  #entry(entry: Entry, at: number): number {
    const need = at + roomFor(entry)
    if (need > this.#scratch.length) {
      const wider = Buffer.allocUnsafe(Math.max(this.#scratch.length * 2, need))
      this.#scratch.copy(wider, 0, 0, at)
      this.#scratch = wider
    }
    const out = this.#scratch
    const topicBytes = out.write(entry.topic, at + ENTRY_BYTES, 'utf8')
    out[at + 4] = KINDS.indexOf(entry.kind)
    out[at + 5] = entry.qos | (entry.retain ? 4 : 0)
    out.writeUInt16LE(topicBytes, at + 6)
    out.writeDoubleLE(entry.seq, at + 8)
    out.writeDoubleLE(entry.at, at + 16)
    out.writeDoubleLE(entry.cause, at + 24)
    let end = at + ENTRY_BYTES + topicBytes
    if (entry.origin !== '') end = this.#text(ORIGIN, entry.origin, end)
    if (entry.correlation !== '') end = this.#text(CORRELATION, entry.correlation, end)
    if (entry.n !== 0) {
      out[end] = N
      out.writeUInt32LE(8, end + 1)
      end = out.writeDoubleLE(entry.n, end + FIELD_BYTES)
    }
    if (entry.payload.length > 0) {
      out[end] = PAYLOAD
      out.writeUInt32LE(entry.payload.length, end + 1)
      out.set(entry.payload, end + FIELD_BYTES)
      end += FIELD_BYTES + entry.payload.length
    }
    out.writeUInt32LE(end - at - 4, at)
    return end
  }

  #text(tag: number, text: string, at: number): number {
    const length = this.#scratch.write(text, at + FIELD_BYTES, 'utf8')
    this.#scratch[at] = tag
    this.#scratch.writeUInt32LE(length, at + 1)
    return at + FIELD_BYTES + length
  }
}

/** The parts of an entry a scan looks at before it decodes the rest. `at` is where the entry begins, `end` where it ends. */
export const endOf = (bytes: Buffer, at: number): number => at + 4 + bytes.readUInt32LE(at)
export const kindAt = (bytes: Buffer, at: number): Kind | undefined => KINDS[bytes[at + 4] ?? 255]
export const seqAt = (bytes: Buffer, at: number): number => bytes.readDoubleLE(at + 8)
export const stampAt = (bytes: Buffer, at: number): number => bytes.readDoubleLE(at + 16)
export const topicAt = (bytes: Buffer, at: number): string =>
  bytes.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + bytes.readUInt16LE(at + 6))

/** Whether the topic of the entry at `at` begins with these bytes, without decoding it. */
export const topicBegins = (bytes: Buffer, at: number, begin: Buffer): boolean => {
  const from = at + ENTRY_BYTES
  return (
    bytes.readUInt16LE(at + 6) >= begin.length && bytes.compare(begin, 0, begin.length, from, from + begin.length) === 0
  )
}

/** The payload of the entry at `at`, without decoding the rest. Shares the memory of `bytes`. */
export const payloadAt = (bytes: Buffer, at: number): Buffer => {
  const end = endOf(bytes, at)
  for (let field = at + ENTRY_BYTES + bytes.readUInt16LE(at + 6); field + FIELD_BYTES <= end;) {
    const from = field + FIELD_BYTES
    const to = from + bytes.readUInt32LE(field + 1)
    if (to > end) break
    if (bytes[field] === PAYLOAD) return bytes.subarray(from, to)
    field = to
  }
  return NOTHING
}

const QOS = [0, 1, 2] as const

/** Decodes the entry at `at`; undefined when it is of a kind this version does not know. Its payload shares the memory of `bytes`. */
export const decodeEntry = (bytes: Buffer, at: number): Entry | undefined => {
  const kind = kindAt(bytes, at)
  if (kind === undefined) return undefined
  const end = endOf(bytes, at)
  const flags = bytes[at + 5] ?? 0
  let [origin, correlation, n] = ['', '', 0]
  let payload: Buffer = NOTHING
  let field = at + ENTRY_BYTES + bytes.readUInt16LE(at + 6)
  while (field + FIELD_BYTES <= end) {
    const from = field + FIELD_BYTES
    const to = from + bytes.readUInt32LE(field + 1)
    if (to > end) break
    const tag = bytes[field]
    if (tag === PAYLOAD) payload = bytes.subarray(from, to)
    else if (tag === ORIGIN) origin = bytes.toString('utf8', from, to)
    else if (tag === CORRELATION) correlation = bytes.toString('utf8', from, to)
    else if (tag === N) n = bytes.readDoubleLE(from)
    field = to
  }
  return {
    kind,
    seq: seqAt(bytes, at),
    at: stampAt(bytes, at),
    cause: bytes.readDoubleLE(at + 24),
    topic: topicAt(bytes, at),
    payload,
    qos: QOS[flags & 3] ?? 0,
    retain: (flags & 4) !== 0,
    origin,
    correlation,
    n,
  }
}
const NOTHING = Buffer.alloc(0)
