// The few calls with which the journal writes, as promises; a test may hand in a disk that is full.
import { close, fdatasync, ftruncate, write } from 'node:fs'

export interface Disk {
  /** Writes all or part of `bytes` at `position`; resolves to how many were written. */
  write(fd: number, bytes: Uint8Array, position: number): Promise<number>
  sync(fd: number): Promise<void>
  truncate(fd: number, length: number): Promise<void>
  close(fd: number): Promise<void>
}

export const realDisk: Disk = {
  write: (fd, bytes, position) =>
    new Promise((resolve, reject) =>
      write(fd, bytes, 0, bytes.length, position, (error, n) => (error ? reject(error) : resolve(n))),
    ),
  sync: (fd) => new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
  truncate: (fd, length) =>
    new Promise((resolve, reject) => ftruncate(fd, length, (error) => (error ? reject(error) : resolve()))),
  close: (fd) => new Promise((resolve, reject) => close(fd, (error) => (error ? reject(error) : resolve()))),
}

const MOST_TRIES = 8

/** Writes all of `bytes` at `position`: what a short write leaves is written next. Rejects when nothing more goes in. */
export const writeAll = async (disk: Disk, fd: number, bytes: Uint8Array, position: number): Promise<void> => {
  let [done, idle] = [0, 0]
  while (done < bytes.length) {
    try {
      const n = await disk.write(fd, done === 0 ? bytes : bytes.subarray(done), position + done)
      idle = n > 0 ? 0 : idle + 1
      done += n
    } catch (error) {
      if (!isPassing(error)) throw error
      idle++
    }
    if (idle >= MOST_TRIES) throw new Error(`after ${done} of ${bytes.length} bytes the disk takes no more`)
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'EINTR' || error.code === 'EAGAIN')
