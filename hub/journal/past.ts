// Reads the journal's files beside a hub that writes them, or without one: in order, in constant memory, changing nothing.
import { Buffer } from 'node:buffer'
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Fatal, reasonOf } from '../errors.ts'
import type { Entry } from './entry.ts'
import {
  BLOCK_MAGIC,
  type BlockHead,
  decodeEntry,
  endOf,
  FORMAT_VERSION,
  HEAD_BYTES,
  readBlockHead,
  readFileHead,
} from './record.ts'

/** A block of a segment. `bytes` from `from` to `to` are its entries; they are good until the next block is asked for. */
export interface PastBlock {
  readonly head: BlockHead
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

/** Which blocks to read. Times in ms; bounds are inclusive and of whole blocks: entries beyond them may come along. */
export interface Span {
  fromSeq?: number
  toSeq?: number
  since?: number
  until?: number
  /** Snapshots are left out unless asked for. */
  snapshots?: boolean
  /** A block whose topics cannot be among these bits (`topicBitOf`) is passed over. Default: every topic. */
  mask?: number
}

export interface PastSegment {
  readonly path: string
  readonly firstSeq: number
  /** Stamp of its first entry, ms. */
  readonly createdAt: number
  readonly bytes: number
}

export interface Past {
  /** Oldest first. */
  readonly segments: readonly PastSegment[]
  /** The least `seq` there is; 0 in an empty journal. */
  readonly firstSeq: number
  readonly firstAt: number
  /** Stamp of the last entry that was on disk when this was opened. */
  readonly lastAt: number
  readonly lastSeq: number
  /** Stretches that could not be read, one sentence each. */
  readonly damage: readonly string[]
  blocks(span: Span): Generator<PastBlock, void, undefined>
  /** Entries of a span, decoded. Their payloads are copies. */
  entries(span: Span, wanted: (bytes: Buffer, at: number) => boolean): Generator<Entry, void, undefined>
  /** How many bytes a span takes on disk, roughly: whole segments. */
  sizeOf(span: Span): number
  /** The retained messages with topics that `fits`, as they were when `seq` had been taken, in the order of their seq. */
  retainedAt(seq: number, fits: (topic: string) => boolean): Map<string, Entry>
}

const NAME = /^\d{16}\.log$/
const CHUNK_BYTES = 1 << 20
const MOST_DAMAGE = 20

/** Opens the journal in `dir` for reading. Throws Fatal with what to do when there is none. */
export const openPast = (dir: string): Past => {
  const segments = namesIn(dir).flatMap((name) => headOf(join(dir, name)) ?? [])
  return new SegmentPast(segments)
}

const namesIn = (dir: string): string[] => {
  try {
    return readdirSync(dir)
      .filter((name) => NAME.test(name))
      .sort()
  } catch (error) {
    throw new Fatal(
      `There is no journal to read in ${dir} (${reasonOf(error)}). Start a hub first, or set DATA_DIR to the folder of one.`,
      error,
    )
  }
}

/** What the head of a segment says; undefined when the segment is gone or holds nothing yet. */
const headOf = (path: string): PastSegment | undefined => {
  const fd = openIfThere(path)
  if (fd === undefined) return undefined
  try {
    const bytes = Buffer.alloc(HEAD_BYTES)
    const got = readSync(fd, bytes, 0, HEAD_BYTES, 0)
    const { size, mtimeMs } = fstatSync(fd)
    if (size <= HEAD_BYTES || got < HEAD_BYTES) return undefined
    const head = readFileHead(bytes)
    if (head !== undefined && head.version > FORMAT_VERSION)
      throw new Fatal(
        `${path} was written by a newer Millrace (journal format ${head.version}, this one knows ${FORMAT_VERSION}). Read it with that version.`,
      )
    return {
      path,
      firstSeq: Number.parseInt(path.slice(-20), 10),
      createdAt: head?.createdAt ?? mtimeMs,
      bytes: size,
    }
  } finally {
    closeSync(fd)
  }
}

const openIfThere = (path: string): number | undefined => {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

class SegmentPast implements Past {
  readonly segments: readonly PastSegment[]
  readonly firstSeq: number
  readonly firstAt: number
  readonly lastAt: number
  readonly lastSeq: number
  readonly #damage: string[] = []

  constructor(segments: readonly PastSegment[]) {
    this.segments = segments
    this.firstSeq = segments[0]?.firstSeq ?? 0
    this.firstAt = segments[0]?.createdAt ?? 0
    const end = { seq: 0, at: this.firstAt }
    // The last segment may hold nothing but its snapshot.
    for (const segment of segments.slice(-2)) {
      for (const { head } of this.#walk(segment, segment.bytes, { snapshots: false }, true)) {
        end.seq = Math.max(end.seq, head.lastSeq)
        end.at = Math.max(end.at, head.lastAt)
      }
    }
    this.lastAt = end.at
    this.lastSeq = end.seq
  }

  get damage(): readonly string[] {
    return this.#damage
  }

  *blocks(span: Span): Generator<PastBlock, void, undefined> {
    for (const segment of this.#within(span)) yield* this.#walk(segment, sizeNow(segment), span, false)
  }

  *entries(span: Span, wanted: (bytes: Buffer, at: number) => boolean): Generator<Entry, void, undefined> {
    for (const { bytes, from, to } of this.blocks(span)) {
      for (let at = from; at < to; at = endOf(bytes, at)) {
        if (!wanted(bytes, at)) continue
        const entry = decodeEntry(bytes, at)
        if (entry !== undefined) yield { ...entry, payload: Buffer.from(entry.payload) }
      }
    }
  }

  sizeOf(span: Span): number {
    return this.#within(span).reduce((sum, { bytes }) => sum + bytes, 0)
  }

  retainedAt(seq: number, fits: (topic: string) => boolean): Map<string, Entry> {
    const found = new Map<string, Entry>()
    // A segment begins with the set as it was before its first message.
    const first = this.segments.findLast(({ firstSeq }) => firstSeq <= seq + 1) ?? this.segments[0]
    if (first === undefined) return found
    for (const { head, bytes, from, to } of this.blocks({ fromSeq: first.firstSeq, toSeq: seq, snapshots: true })) {
      // Later segments repeat what is known by then.
      if (head.snapshot && head.firstSeq !== first.firstSeq) continue
      for (let at = from; at < to; at = endOf(bytes, at)) {
        const entry = decodeEntry(bytes, at)
        if (entry === undefined) continue
        if (entry.kind !== 'retained' && entry.seq > seq) continue
        // A hub that starts takes its retained messages over without their places.
        if (entry.kind === 'note' && entry.topic === '!hub-start') {
          for (const [topic, kept] of found) found.set(topic, { ...kept, seq: 0, at: 0 })
        }
        if (entry.kind === 'note' || !entry.retain || !fits(entry.topic)) continue
        found.delete(entry.topic)
        if (entry.payload.length > 0) found.set(entry.topic, { ...entry, payload: Buffer.from(entry.payload) })
      }
    }
    return found
  }

  /** A segment ends where the next one begins. */
  #within({ fromSeq = -Infinity, toSeq = Infinity, since = -Infinity, until = Infinity }: Span): PastSegment[] {
    return this.segments.filter((segment, i) => {
      const next = this.segments[i + 1]
      if (segment.firstSeq > toSeq || segment.createdAt > until) return false
      return next === undefined || (next.firstSeq > fromSeq && next.createdAt >= since)
    })
  }

  *#walk(
    segment: PastSegment,
    size: number,
    { fromSeq = -Infinity, toSeq = Infinity, since = -Infinity, until = Infinity, snapshots = false, mask = -1 }: Span,
    headsOnly: boolean,
  ): Generator<PastBlock, void, undefined> {
    const fd = openIfThere(segment.path)
    if (fd === undefined) return this.#note(`${segment.path} was deleted while it was being read.`)
    try {
      const file = new Window(fd, size)
      const head = readFileHead(file.at(0, HEAD_BYTES))
      const start = head?.length ?? HEAD_BYTES
      const salt = head?.salt ?? readBlockHead(file.at(start, HEAD_BYTES), 0)?.salt ?? 0
      for (let offset = start; offset + HEAD_BYTES <= size;) {
        const block = readBlockHead(file.at(offset, HEAD_BYTES), 0)
        if (block === undefined || block.salt !== salt) {
          const next = nextBlock(file, offset + 1, salt)
          // The end of a file that is being written looks like this, too.
          if (next === undefined) return
          this.#note(`${segment.path} is damaged from byte ${offset} to ${next}; the rest of it is read.`)
          offset = next
          continue
        }
        const end = offset + block.headLength + block.bodyLength
        if (end > size) return
        const isWanted =
          (snapshots || !block.snapshot) &&
          block.lastSeq >= fromSeq &&
          block.firstSeq <= toSeq &&
          block.lastAt >= since &&
          block.firstAt <= until &&
          (block.mask & mask) !== 0
        if (!block.snapshot && (block.firstSeq > toSeq || block.firstAt > until)) return
        if (isWanted && headsOnly) yield { head: block, bytes: NOTHING, from: 0, to: 0 }
        else if (isWanted) {
          const bytes = file.at(offset, end - offset)
          const [from, to] = [block.headLength, end - offset]
          if (crc32(bytes.subarray(from, to)) === block.bodyCrc) yield { head: block, bytes, from, to }
          else if (end < size) this.#note(`${segment.path} is damaged from byte ${offset} to ${end}.`)
        }
        offset = end
      }
    } finally {
      closeSync(fd)
    }
  }

  #note(sentence: string): void {
    if (this.#damage.length < MOST_DAMAGE && !this.#damage.includes(sentence)) this.#damage.push(sentence)
  }
}

const NOTHING = Buffer.alloc(0)
const ENTRY_BYTES = 32
const FIELD_BYTES = 5
const ORIGIN = 1

/** Whether the entry at `at` came from this origin, without decoding it: the origin is the first field after the topic. */
export const hasOrigin = (bytes: Buffer, at: number, origin: Buffer): boolean => {
  const field = at + ENTRY_BYTES + bytes.readUInt16LE(at + 6)
  if (field + FIELD_BYTES + origin.length > endOf(bytes, at)) return false
  if (bytes[field] !== ORIGIN || bytes.readUInt32LE(field + 1) !== origin.length) return false
  const from = field + FIELD_BYTES
  return bytes.compare(origin, 0, origin.length, from, from + origin.length) === 0
}

/** Whether the entry at `at` is marked to be retained. */
export const isRetained = (bytes: Buffer, at: number): boolean => ((bytes[at + 5] ?? 0) & 4) !== 0

/** It may have grown since the journal was opened, or be gone: then it is as large as it was. */
const sizeNow = ({ path, bytes }: PastSegment): number => statSync(path, { throwIfNoEntry: false })?.size ?? bytes

/** The next offset where a whole block stands. */
const nextBlock = (file: Window, from: number, salt: number): number | undefined => {
  for (let offset = from; offset + HEAD_BYTES <= file.size;) {
    const bytes = file.at(offset, Math.min(CHUNK_BYTES, file.size - offset))
    const hit = bytes.indexOf(BLOCK_MAGIC)
    if (hit < 0) {
      offset += Math.max(1, bytes.length - BLOCK_MAGIC.length + 1)
      continue
    }
    offset += hit
    if (offset + HEAD_BYTES > file.size) return undefined
    const block = readBlockHead(file.at(offset, HEAD_BYTES), 0)
    if (block?.salt === salt) return offset
    offset++
  }
  return undefined
}

/** A file, read in large chunks. */
class Window {
  readonly size: number
  readonly #fd: number
  #chunk = NOTHING
  #whole = NOTHING
  #from = 0

  constructor(fd: number, size: number) {
    this.#fd = fd
    this.size = size
  }

  /** The bytes from `offset`, at least `length` of them unless the file ends before; good until the next call. */
  at(offset: number, length: number): Buffer {
    if (offset < this.#from || offset + length > this.#from + this.#chunk.length) {
      const want = Math.max(0, Math.min(Math.max(length, CHUNK_BYTES), this.size - offset))
      if (this.#whole.length < want) this.#whole = Buffer.allocUnsafeSlow(want)
      let got = 0
      while (got < want) {
        const n = readSync(this.#fd, this.#whole, got, want - got, offset + got)
        if (n === 0) break
        got += n
      }
      this.#chunk = this.#whole.subarray(0, got)
      this.#from = offset
    }
    return this.#chunk.subarray(offset - this.#from)
  }
}
