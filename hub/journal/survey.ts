// A survey walks through a segment's block heads: where it may be read, where it ends, and what in it is damaged.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { BLOCK_MAGIC, type BlockHead, type FileHead, HEAD_BYTES, readBlockHead, readFileHead } from './record.ts'

/** One per 64 KiB: from where to read for a seq or a time, and which topics may follow. */
export interface Mark {
  offset: number
  seq: number
  at: number
  /** Greatest seq and stamp up to the next mark. */
  lastSeq: number
  lastAt: number
  mask: number
}

export interface Survey {
  /** Undefined when the file head is damaged; `salt` is then taken from the first block. */
  head: FileHead | undefined
  salt: number
  marks: Mark[]
  /** Where the last good block ends. */
  end: number
  /** Where the snapshot at the begin ends; 0 while it is not complete. */
  snapshotEnd: number
  fileBytes: number
  lastSeq: number
  lastAt: number
  /** Stretches before `end` that are not readable. */
  damaged: { from: number; to: number }[]
}

export const MARK_BYTES = 64 * 1024
const CHUNK_BYTES = 1 << 20

/** Reads a file in large chunks, as its head needs little and its walk nearly all. */
class Window {
  readonly #fd: number
  readonly size: number
  #chunk = Buffer.alloc(0)
  #from = 0

  constructor(fd: number) {
    this.#fd = fd
    this.size = fstatSync(fd).size
  }

  /** The bytes from `offset`, at least `length` of them unless the file ends before. */
  at(offset: number, length: number): Buffer {
    if (offset < this.#from || offset + length > this.#from + this.#chunk.length) {
      const want = Math.max(0, Math.min(Math.max(length, CHUNK_BYTES), this.size - offset))
      if (this.#chunk.buffer.byteLength < want || this.#chunk.length === 0) this.#chunk = Buffer.allocUnsafeSlow(want)
      const whole = Buffer.from(this.#chunk.buffer, 0, want)
      let got = 0
      while (got < want) {
        const n = readSync(this.#fd, whole, got, want - got, offset + got)
        if (n === 0) break
        got += n
      }
      this.#chunk = whole.subarray(0, got)
      this.#from = offset
    }
    return this.#chunk.subarray(offset - this.#from)
  }
}

/** Adds a block to a segment's marks. */
export const addMark = (
  marks: Mark[],
  offset: number,
  block: Pick<BlockHead, 'firstSeq' | 'firstAt' | 'lastSeq' | 'lastAt' | 'mask'>,
): void => {
  const last = marks.at(-1)
  if (last !== undefined && offset - last.offset < MARK_BYTES) {
    last.mask = (last.mask | block.mask) >>> 0
    last.lastSeq = Math.max(last.lastSeq, block.lastSeq)
    last.lastAt = Math.max(last.lastAt, block.lastAt)
    return
  }
  marks.push({
    offset,
    seq: block.firstSeq,
    at: block.firstAt,
    lastSeq: block.lastSeq,
    lastAt: block.lastAt,
    mask: block.mask,
  })
}

/**
 * Surveys a segment. With `bodies` every body is checked, otherwise heads only. A damaged stretch is passed over by looking
 * for the next whole block with the file's salt; what follows the last good block is left for the caller to cut.
 */
export const survey = (path: string, bodies: boolean): Survey => {
  const fd = openSync(path, 'r')
  try {
    const file = new Window(fd)
    const head = readFileHead(file.at(0, HEAD_BYTES))
    const start = head?.length ?? HEAD_BYTES
    const salt = head?.salt ?? readBlockHead(file.at(start, HEAD_BYTES), 0)?.salt ?? 0
    const found: Survey = {
      head,
      salt,
      marks: [],
      end: start,
      snapshotEnd: 0,
      fileBytes: file.size,
      lastSeq: 0,
      lastAt: head?.createdAt ?? 0,
      damaged: [],
    }
    for (let offset = start; offset < file.size;) {
      const block = blockAt(file, offset, salt, bodies)
      if (block === undefined) {
        const next = nextBlock(file, offset + 1, salt)
        if (next === undefined) break
        found.damaged.push({ from: offset, to: next })
        offset = next
        continue
      }
      addMark(found.marks, offset, block)
      offset += block.headLength + block.bodyLength
      found.end = offset
      if (block.snapshotEnd) found.snapshotEnd = offset
      if (!block.snapshot) found.lastSeq = Math.max(found.lastSeq, block.lastSeq)
      found.lastAt = Math.max(found.lastAt, block.lastAt)
    }
    return found
  } finally {
    closeSync(fd)
  }
}

const blockAt = (file: Window, offset: number, salt: number, bodies: boolean): BlockHead | undefined => {
  const block = readBlockHead(file.at(offset, HEAD_BYTES), 0)
  if (block === undefined || block.salt !== salt) return undefined
  const from = offset + block.headLength
  if (from + block.bodyLength > file.size) return undefined
  if (bodies && crc32(file.at(from, block.bodyLength).subarray(0, block.bodyLength)) !== block.bodyCrc) return undefined
  return block
}

/** The next offset where a whole block stands. */
const nextBlock = (file: Window, offset: number, salt: number): number | undefined => {
  while (offset + HEAD_BYTES <= file.size) {
    const bytes = file.at(offset, Math.min(CHUNK_BYTES, file.size - offset))
    const hit = bytes.indexOf(BLOCK_MAGIC)
    if (hit < 0) {
      offset += Math.max(1, bytes.length - BLOCK_MAGIC.length + 1)
      continue
    }
    if (blockAt(file, offset + hit, salt, true) !== undefined) return offset + hit
    offset += hit + 1
  }
  return undefined
}
