// A span of a segment's file, read into memory.
import { openSync, readSync } from 'node:fs'

/** The file descriptor, or undefined when the file is not there (retention may have deleted it). */
export const openIfThere = (path: string): number | undefined => {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** The bytes from one offset to another; fewer when the file ends before. */
export const readSpan = (fd: number, from: number, to: number): Buffer => {
  const bytes = Buffer.allocUnsafe(to - from)
  let got = 0
  while (got < bytes.length) {
    const n = readSync(fd, bytes, got, bytes.length - got, from + got)
    if (n === 0) break
    got += n
  }
  return bytes.subarray(0, got)
}
