// Walks through the journal's segments from where it stood, so far and no further than the writer has vouched for.
import { closeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { BLOCK_MAGIC, endOf, HEAD_BYTES, readBlockHead, readFileHead } from '../record.ts'
import { openIfThere, readSpan } from '../span.ts'

/** A segment, and up to where its content is certain. */
export interface SegmentEnd {
  path: string
  firstSeq: number
  salt: number
  size: number
}

/** A segment by its name and its salt. */
export type SegmentName = Pick<SegmentEnd, 'firstSeq' | 'salt'>

/** Up to where the journal was read: a byte in a segment, and the segment before that. A `firstSeq` of 0 stands for none. */
export interface Place extends SegmentName {
  offset: number
  before: SegmentName
}

const NONE: SegmentName = { firstSeq: 0, salt: 0 }
export const BEGIN: Place = { ...NONE, offset: 0, before: NONE }

/**
 * The place to go on from in a journal that was opened with these segments; undefined when it is another journal, or was
 * emptied. Retention may have taken the segment of the place, and a power cut its end or all of it: then it is drawn back.
 */
export const resumed = (place: Place, segments: readonly SegmentEnd[]): Place | undefined => {
  if (place.firstSeq === 0) return place
  const last = segments.at(-1)
  if (last === undefined) return undefined
  const same = segments.find(({ firstSeq }) => firstSeq === place.firstSeq)
  if (same !== undefined)
    return same.salt === place.salt ? { ...place, offset: Math.min(place.offset, same.size) } : undefined
  if (last.firstSeq > place.firstSeq) return place
  const { firstSeq, salt } = place.before
  return last.firstSeq === firstSeq && last.salt === salt
    ? { firstSeq, salt, offset: last.size, before: NONE }
    : undefined
}

/**
 * Reads whole blocks from `place` on, about `mostBytes`, and gives each entry (`bytes`, where it begins) to `take`.
 * Returns the place after them, and how much was read: 0 at the end. Damaged blocks are passed over, as they are by every reader of the journal; segments that
 * were deleted meanwhile are left out.
 */
export const walk = (
  place: Place,
  segments: readonly SegmentEnd[],
  mostBytes: number,
  take: (bytes: Buffer, at: number, isSnapshot: boolean) => void,
): { place: Place; bytes: number } => {
  let now = place
  let left = mostBytes
  for (const { path, firstSeq, salt, size } of segments) {
    if (firstSeq < now.firstSeq) continue
    if (left <= 0) break
    const from = firstSeq === now.firstSeq ? now.offset : 0
    if (size - from < HEAD_BYTES) continue
    const to = Math.min(size, from + Math.max(left, HEAD_BYTES))
    const read = readPart(path, from, to, size)
    if (read === undefined) continue
    const used = blocksIn(read, from === 0 ? headOf(read) : 0, salt, size - from, take)
    left -= used
    const before = now.firstSeq === firstSeq ? now.before : { firstSeq: now.firstSeq, salt: now.salt }
    now = { firstSeq, salt, offset: from + used, before }
    // The rest of this segment comes before the next one.
    if (size - now.offset >= HEAD_BYTES) break
  }
  return { place: now, bytes: mostBytes - left }
}

/** The bytes of a file; more than asked for when the last block would not fit otherwise. Undefined when the file is gone. */
const readPart = (path: string, from: number, to: number, size: number): Buffer | undefined => {
  const fd = openIfThere(path)
  if (fd === undefined) return undefined
  try {
    const part = readSpan(fd, from, to)
    const skip = from === 0 ? headOf(part) : 0
    const head = readBlockHead(part, skip)
    const needed = head === undefined ? 0 : skip + head.headLength + head.bodyLength
    return needed <= part.length || from + needed > size ? part : readSpan(fd, from, from + needed)
  } finally {
    closeSync(fd)
  }
}

const headOf = (file: Buffer): number => readFileHead(file)?.length ?? HEAD_BYTES

/** Gives the entries of whole blocks; returns up to where they reach. `room`: what the segment has from here on; a block that claims more is none. */
const blocksIn = (
  bytes: Buffer,
  from: number,
  salt: number,
  room: number,
  take: (bytes: Buffer, at: number, isSnapshot: boolean) => void,
): number => {
  const isEnd = bytes.length >= room
  let at = from
  while (at + HEAD_BYTES <= bytes.length) {
    const block = readBlockHead(bytes, at)
    const body = at + (block?.headLength ?? 0)
    const end = body + (block?.bodyLength ?? 0)
    if (block === undefined || block.salt !== salt || end > room) {
      const next = nextHead(bytes, at + 1, salt)
      if (next === undefined) return isEnd ? bytes.length : Math.max(at + 1, bytes.length - HEAD_BYTES)
      at = next
      continue
    }
    if (end > bytes.length) return at
    if (crc32(bytes.subarray(body, end)) === block.bodyCrc)
      for (let entry = body; entry < end; entry = endOf(bytes, entry)) take(bytes, entry, block.snapshot)
    at = end
  }
  return at
}

const nextHead = (bytes: Buffer, from: number, salt: number): number | undefined => {
  for (let at = bytes.indexOf(BLOCK_MAGIC, from); at >= 0; at = bytes.indexOf(BLOCK_MAGIC, at + 1)) {
    if (readBlockHead(bytes, at)?.salt === salt) return at
  }
  return undefined
}
