// Sequence numbers, reserved on disk ahead of their use, so that none is ever given twice: not after a crash that lost the tail, not after old segments are gone.
import { closeSync, fdatasync, fstatSync, fsyncSync, openSync, readSync, write, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Fatal, reasonOf } from '../errors.ts'

// The file holds two slots, written in turn, so that one is whole whatever happens while the other is written; written in
// place, because a full disk must not keep a stop command from getting its number.
// Slot, 32 bytes little-endian: 0 u32 'MRSQ', 4 u32 zero, 8 f64 count of writes, 16 f64 last seq reserved, 24 u32 zero, 28 u32 CRC-32 of bytes 0–27.
const SLOT_BYTES = 32
const MAGIC = Buffer.from('MRSQ')
const LEAST_BLOCK = 10_000
const MOST_BLOCK = 1_000_000
const FAST_MS = 1000
/** Where the file is lost: more than any earlier run can have reserved beyond what it wrote. */
const LEAP = 2 * MOST_BLOCK

export interface Sequence {
  /** The next number. */
  next(): number
  close(): Promise<void>
}

interface Slot {
  writes: number
  reserved: number
}

/**
 * Opens `seq` in `dir`. `lastSeq` is the greatest number found in the journal. `failed` hears of a block that could not be
 * stored: numbers are given all the same (a stop must pass), and might come again after a crash.
 */
export const openSequence = (dir: string, lastSeq: number, failed: (reason: string) => void): Sequence => {
  const path = join(dir, 'seq')
  const fd = openFile(path)
  const before = readSlots(fd)
  const lost = before === undefined && (lastSeq > 0 || fstatSync(fd).size > 0)
  let last = Math.max(lastSeq, before?.reserved ?? 0) + (lost ? LEAP : 0)
  let reserved = last
  let writes = before?.writes ?? 0
  let block = LEAST_BLOCK
  let storing: Promise<void> | undefined
  let storedAt = 0

  const storeNow = (upTo: number): void => {
    try {
      const slot = slotOf({ writes: ++writes, reserved: upTo })
      writeSync(fd, slot, 0, SLOT_BYTES, (writes % 2) * SLOT_BYTES)
      fsyncSync(fd)
    } catch (error) {
      failed(`numbers cannot be reserved in ${path} (${reasonOf(error)})`)
    }
    reserved = upTo
  }

  const storeAhead = (): void => {
    const now = performance.now()
    if (now - storedAt < FAST_MS) block = Math.min(block * 2, MOST_BLOCK)
    storedAt = now
    const upTo = reserved + block
    const slot = slotOf({ writes: ++writes, reserved: upTo })
    storing = new Promise<void>((resolve) => {
      const end = (error: Error | null) => {
        if (error === null) reserved = Math.max(reserved, upTo)
        else failed(`numbers cannot be reserved in ${path} (${reasonOf(error)})`)
        storing = undefined
        resolve()
      }
      write(fd, slot, 0, SLOT_BYTES, (writes % 2) * SLOT_BYTES, (error) => (error ? end(error) : fdatasync(fd, end)))
    })
  }

  try {
    storeFirst(fd, path, last + block, writes)
    writes += 2
    reserved = last + block
  } catch (error) {
    closeSync(fd)
    throw error
  }

  return {
    next: () => {
      if (reserved - last < block / 2 && storing === undefined) storeAhead()
      if (last >= reserved) storeNow(last + block)
      return ++last
    },
    close: async () => {
      await storing
      closeSync(fd)
    },
  }
}

const openFile = (path: string): number => {
  try {
    return openSync(path, 'r+', 0o600)
  } catch {
    try {
      return openSync(path, 'wx+', 0o600)
    } catch (error) {
      throw new Fatal(
        `The journal cannot write ${path} (${reasonOf(error)}). Give the hub's user the right to write there.`,
        error,
      )
    }
  }
}

/** Writes both slots, so that the file has its full size from the begin. */
const storeFirst = (fd: number, path: string, reserved: number, writes: number): void => {
  try {
    for (const count of [writes + 1, writes + 2]) {
      writeSync(fd, slotOf({ writes: count, reserved }), 0, SLOT_BYTES, (count % 2) * SLOT_BYTES)
      fsyncSync(fd)
    }
  } catch (error) {
    throw new Fatal(
      `The journal cannot write ${path} (${reasonOf(error)}). Free some space or repair the disk, then start again.`,
      error,
    )
  }
}

const slotOf = ({ writes, reserved }: Slot): Buffer => {
  const slot = Buffer.alloc(SLOT_BYTES)
  MAGIC.copy(slot)
  slot.writeDoubleLE(writes, 8)
  slot.writeDoubleLE(reserved, 16)
  slot.writeUInt32LE(crc32(slot.subarray(0, 28)), 28)
  return slot
}

/** The newer of the two slots; undefined when neither is whole. */
const readSlots = (fd: number): Slot | undefined => {
  const bytes = Buffer.alloc(2 * SLOT_BYTES)
  readSync(fd, bytes, 0, bytes.length, 0)
  return [0, SLOT_BYTES]
    .map((at) => bytes.subarray(at, at + SLOT_BYTES))
    .filter((slot) => slot.compare(MAGIC, 0, 4, 0, 4) === 0 && slot.readUInt32LE(28) === crc32(slot.subarray(0, 28)))
    .map((slot) => ({ writes: slot.readDoubleLE(8), reserved: slot.readDoubleLE(16) }))
    .sort((a, b) => b.writes - a.writes)[0]
}
