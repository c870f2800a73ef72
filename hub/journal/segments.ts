// The journal's files: one segment after the other, named by the seq of the first entry; only the last one grows.
import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { Fatal, reasonOf } from '../errors.ts'
import { FORMAT_VERSION, fileHead, HEAD_BYTES, readFileHead } from './record.ts'
import { type Mark, survey } from './survey.ts'

export interface Segment {
  path: string
  firstSeq: number
  createdAt: number
  salt: number
  /** Where the last good block ends, as far as is known before a survey: the file's size. */
  size: number
  snapshotBytes: number
  lastSeq: number
  lastAt: number
  /** Undefined until an older segment is surveyed, at the first read that needs it. */
  marks: Mark[] | undefined
}

export interface Opened {
  segments: Segment[]
  /** Of the last segment, for writing; undefined when there is none. */
  fd: number | undefined
  /** What was cut off the last segment, in bytes. */
  truncatedBytes: number
  damage: string[]
}

const NAME = /^\d{16}\.log$/
export const nameOf = (seq: number): string => `${String(seq).padStart(16, '0')}.log`

/** Opens the segments in `dir`, which is made when missing; cuts a torn tail off the last one. Throws Fatal with what to do. */
export const openSegments = (dir: string): Opened => {
  const paths = listed(dir).map((name) => join(dir, name))
  const opened: Opened = { segments: [], fd: undefined, truncatedBytes: 0, damage: [] }
  while (paths.length > 0 && opened.fd === undefined) openLast(paths.pop() ?? '', opened)
  opened.segments.unshift(...paths.map((path) => older(path, opened.damage)))
  return opened
}

const listed = (dir: string): string[] => {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    chmodSync(dir, 0o700)
    return readdirSync(dir)
      .filter((name) => NAME.test(name))
      .sort()
  } catch (error) {
    throw new Fatal(
      `The journal cannot use the folder ${dir} (${reasonOf(error)}). Give the hub's user the right to read and write there, or set DATA_DIR to a folder it may write.`,
      error,
    )
  }
}

const firstSeqOf = (path: string): number => Number.parseInt(path.slice(-20), 10)

/** An older segment: its head is read, nothing else. */
const older = (path: string, damage: string[]): Segment => {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(HEAD_BYTES)
    readSync(fd, bytes, 0, HEAD_BYTES, 0)
    const head = readFileHead(bytes)
    if (head === undefined) damage.push(`The head of ${path} is damaged; what can be read of it is still read.`)
    else refuseNewer(path, head.version)
    const { size, mtimeMs } = statSync(path)
    return {
      path,
      firstSeq: firstSeqOf(path),
      createdAt: head?.createdAt ?? mtimeMs,
      salt: head?.salt ?? survey(path, false).salt,
      size,
      snapshotBytes: 0,
      lastSeq: 0,
      lastAt: 0,
      marks: undefined,
    }
  } finally {
    closeSync(fd)
  }
}

/** The last segment: every body is checked, and what follows the last good block is cut off. One that never got beyond its snapshot is removed. */
const openLast = (path: string, opened: Opened): void => {
  const found = survey(path, true)
  if (found.head !== undefined) refuseNewer(path, found.head.version)
  else if (found.marks.length > 0)
    opened.damage.push(`The head of ${path} is damaged; what can be read of it is still read.`)
  for (const { from, to } of found.damaged)
    opened.damage.push(`${path} is damaged from byte ${from} to ${to}; the rest of it is read.`)
  if (found.snapshotEnd === 0 && found.lastSeq === 0) {
    // Begun and never finished: messages only follow a whole snapshot, so nothing acknowledged can be in it.
    rmSync(path)
    opened.truncatedBytes += found.fileBytes
    return
  }
  const fd = openSync(path, constants.O_RDWR)
  if (found.fileBytes > found.end) {
    ftruncateSync(fd, found.end)
    fsyncSync(fd)
    opened.truncatedBytes += found.fileBytes - found.end
  }
  opened.fd = fd
  opened.segments.push({
    path,
    firstSeq: firstSeqOf(path),
    createdAt: found.head?.createdAt ?? found.marks[0]?.at ?? 0,
    salt: found.salt,
    size: found.end,
    snapshotBytes: found.snapshotEnd,
    lastSeq: Math.max(found.lastSeq, firstSeqOf(path) - 1),
    lastAt: found.lastAt,
    marks: found.marks,
  })
}

const refuseNewer = (path: string, version: number): void => {
  if (version <= FORMAT_VERSION) return
  throw new Fatal(
    `${path} was written by a newer Millrace (journal format ${version}, this one knows ${FORMAT_VERSION}). Start the newer version again, or set DATA_DIR to another folder.`,
  )
}

/** Begins a segment: the file with its head. The folder is synced when `power` must not lose the name. */
export const beginSegment = (
  dir: string,
  firstSeq: number,
  createdAt: number,
  power: boolean,
): { segment: Segment; fd: number; head: Buffer } => {
  const path = join(dir, nameOf(firstSeq))
  const salt = randomBytes(4).readUInt32LE(0)
  const fd = openSync(path, 'wx+', 0o600)
  if (power) syncFolder(dir)
  const segment = {
    path,
    firstSeq,
    createdAt,
    salt,
    size: HEAD_BYTES,
    snapshotBytes: 0,
    lastSeq: firstSeq - 1,
    lastAt: createdAt,
    marks: [],
  }
  return { segment, fd, head: fileHead({ salt, firstSeq, createdAt }) }
}

const syncFolder = (dir: string): void => {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
