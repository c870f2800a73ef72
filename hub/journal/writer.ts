// The writer commits whatever gathered while the last commit was under way: one block, one write, then the acknowledgements in order.
import { closeSync, rmSync } from 'node:fs'
import { Recoverable, reasonOf } from '../errors.ts'
import { type Disk, writeAll } from './disk.ts'
import type { Entry } from './entry.ts'
import { Encoder } from './record.ts'
import { beginSegment, type Segment } from './segments.ts'
import { addMark } from './survey.ts'

export interface WriterOptions {
  dir: string
  disk: Disk
  power: boolean
  segmentBytes: number
  /** The retained set as it is before the entry that opens a segment. */
  snapshot: () => Iterable<Omit<Entry, 'kind'>>
  onBroken: (error: Error) => void
  onHealed: () => void
  healMs: number
}

interface Waiting {
  entry: Entry
  done: ((error?: Error) => void) | undefined
  bytes: number
  /** This entry opens a segment, which begins with this snapshot. */
  opens?: Entry[]
}

const MOST_WAITING = 200_000
const MOST_WAITING_BYTES = 256 * 1024 * 1024
const BATCH_ENTRIES = 4096
const BATCH_BYTES = 4 * 1024 * 1024
const SNAPSHOT_BLOCK_BYTES = 1024 * 1024
const STALL_MS = 10_000
const PROBE = Buffer.alloc(64 * 1024)

const sizeOf = (entry: Entry): number =>
  entry.payload.length + entry.topic.length + entry.origin.length + entry.correlation.length + 64

export class Writer {
  readonly #options: WriterOptions
  readonly #segments: Segment[]
  readonly #encoder = new Encoder()
  #fd: number | undefined
  #queue: Waiting[] = []
  #batch: Waiting[] = []
  #waitingBytes = 0
  /** Bytes until the next segment, as planned when entries come in. */
  #room: number
  #running: Promise<void> | undefined
  #sealing: Promise<unknown> = Promise.resolve()
  #commitSince = 0
  #closed = false
  #heal: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout
  /** Why nothing can be written at present. */
  broken: string | undefined
  refused = 0
  commits = 0

  constructor(options: WriterOptions, segments: Segment[], fd: number | undefined) {
    this.#options = options
    this.#segments = segments
    this.#fd = fd
    this.#room = this.#roomLeft()
    this.#watch = setInterval(() => this.#watchStall(), STALL_MS / 2).unref()
  }

  get waiting(): number {
    return this.#queue.length + this.#batch.length
  }

  /** What is not on disk yet, in order. */
  entries(): Entry[] {
    return [...this.#batch, ...this.#queue].map(({ entry }) => entry)
  }

  append(entry: Entry, done: ((error?: Error) => void) | undefined): void {
    const reason = this.#closed ? 'The journal is closed.' : (this.broken ?? this.#tooMuch())
    if (reason !== undefined) {
      this.refused++
      if (done !== undefined) process.nextTick(tell, done, new Recoverable('UNAVAILABLE', reason))
      return
    }
    const item: Waiting = { entry, done, bytes: sizeOf(entry) }
    if (this.#room <= 0) {
      item.opens = this.#takeSnapshot()
      this.#room = Math.max(
        this.#options.segmentBytes,
        item.opens.reduce((sum, kept) => sum + sizeOf(kept), 0),
      )
    }
    this.#room -= item.bytes
    this.#waitingBytes += item.bytes
    this.#enqueue(item)
    if (this.#running === undefined) this.#running = this.#afterThisTurn()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#watch)
    clearTimeout(this.#heal)
    await this.#running
    await this.#sealing
    if (this.#fd === undefined) return
    await this.#options.disk.sync(this.#fd).catch(() => undefined)
    await this.#options.disk.close(this.#fd)
    this.#fd = undefined
  }

  #tooMuch(): string | undefined {
    if (this.waiting < MOST_WAITING && this.#waitingBytes < MOST_WAITING_BYTES) return undefined
    return `The disk under ${this.#options.dir} is too slow: ${this.waiting} entries wait to be written. Publish less, or use a faster disk.`
  }

  /** Entries come in the order of seq; one that was numbered earlier and comes later (a report made while its cause was still on its way) is put where it belongs. */
  #enqueue(item: Waiting): void {
    let at = this.#queue.length
    while (at > 0 && (this.#queue[at - 1]?.entry.seq ?? 0) > item.entry.seq) at--
    if (at === this.#queue.length) {
      this.#queue.push(item)
      return
    }
    const next = this.#queue[at]
    if (item.opens === undefined && next?.opens !== undefined) {
      item.opens = next.opens
      delete next.opens
    }
    this.#queue.splice(at, 0, item)
  }

  #takeSnapshot(): Entry[] {
    const kept: Entry[] = []
    for (const envelope of this.#options.snapshot()) kept.push({ ...envelope, kind: 'retained' })
    return kept
  }

  #roomLeft(): number {
    const last = this.#segments.at(-1)
    if (last === undefined || this.#fd === undefined) return 0
    return Math.max(this.#options.segmentBytes, last.snapshotBytes) - (last.size - last.snapshotBytes)
  }

  async #afterThisTurn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#queue.length > 0) await this.#commit()
    this.#running = undefined
  }

  #take(): Waiting[] {
    let [n, bytes] = [0, 0]
    while (n < this.#queue.length && n < BATCH_ENTRIES && bytes < BATCH_BYTES) {
      const item = this.#queue[n]
      if (item === undefined || (n > 0 && item.opens !== undefined)) break
      bytes += item.bytes
      n++
    }
    return this.#queue.splice(0, n)
  }

  async #commit(): Promise<void> {
    const batch = (this.#batch = this.#take())
    this.#commitSince = performance.now()
    try {
      const opens = batch[0]?.opens
      const first = batch[0]?.entry
      if (opens !== undefined && first !== undefined) await this.#roll(first, opens)
      await this.#write(batch)
    } catch (error) {
      await this.#break(error)
      return
    } finally {
      this.#commitSince = 0
    }
    this.commits++
    for (const { bytes, done } of batch) {
      this.#waitingBytes -= bytes
      if (done !== undefined) tell(done)
    }
  }

  async #write(batch: Waiting[]): Promise<void> {
    const { disk, power } = this.#options
    const segment = this.#segments.at(-1)
    if (segment === undefined || this.#fd === undefined) throw new Error('no segment is open')
    const block = this.#encoder.block(
      batch.map(({ entry }) => entry),
      segment.salt,
      { of: 'messages' },
    )
    await writeAll(disk, this.#fd, block.bytes, segment.size)
    if (power) await disk.sync(this.#fd)
    addMark((segment.marks ??= []), segment.size, block)
    segment.size += block.bytes.length
    segment.lastSeq = Math.max(segment.lastSeq, block.lastSeq)
    segment.lastAt = Math.max(segment.lastAt, block.lastAt)
    // In the same turn as the new size, so that a read finds each entry either on disk or among the waiting.
    this.#batch = []
  }

  /** Begins a segment with its snapshot; the one before is synced and closed while this one is already written to. */
  async #roll(first: Entry, snapshot: Entry[]): Promise<void> {
    const { dir, disk, power } = this.#options
    const { segment, fd, head } = beginSegment(dir, first.seq, first.at, power)
    try {
      await writeAll(disk, fd, head, 0)
      for (let from = 0, whole = false; !whole;) {
        const to = endOfPart(snapshot, from)
        whole = to >= snapshot.length
        const part = { of: 'snapshot', seq: segment.firstSeq, at: segment.createdAt, last: whole } as const
        const block = this.#encoder.block(snapshot.slice(from, to), segment.salt, part)
        await writeAll(disk, fd, block.bytes, segment.size)
        addMark((segment.marks ??= []), segment.size, block)
        segment.size += block.bytes.length
        from = to
      }
      if (power) await disk.sync(fd)
    } catch (error) {
      closeSync(fd)
      rmSync(segment.path, { force: true })
      throw error
    }
    segment.snapshotBytes = segment.size
    const old = this.#fd
    this.#fd = fd
    this.#segments.push(segment)
    if (old !== undefined) this.#sealing = this.#sealing.then(() => this.#seal(old))
  }

  async #seal(fd: number): Promise<void> {
    await this.#options.disk.sync(fd).catch((error: unknown) => this.#options.onBroken(this.#sentence(error)))
    await this.#options.disk.close(fd)
  }

  #sentence(error: unknown): Recoverable {
    const { dir } = this.#options
    const sentence = `The journal cannot write to ${dir} (${reasonOf(error)}). Nothing is acknowledged until it can: free some space or repair the disk; it then goes on by itself.`
    return new Recoverable('UNAVAILABLE', sentence, {}, error)
  }

  /** Cuts back to the last good block, refuses what waits, and tries again later. */
  async #break(error: unknown): Promise<void> {
    const wrong = this.#sentence(error)
    this.broken = wrong.message
    const refused = [...this.#batch, ...this.#queue]
    this.#batch = []
    this.#queue = []
    this.#waitingBytes = 0
    this.refused += refused.length
    await this.#cutBack().catch(() => undefined)
    this.#room = this.#roomLeft()
    this.#options.onBroken(wrong)
    for (const { done } of refused) if (done !== undefined) tell(done, wrong)
    this.#tryLater()
  }

  async #cutBack(): Promise<void> {
    const last = this.#segments.at(-1)
    if (last !== undefined && this.#fd !== undefined) await this.#options.disk.truncate(this.#fd, last.size)
  }

  #tryLater(): void {
    if (this.#closed) return
    this.#heal = setTimeout(() => void this.#probe(), this.#options.healMs).unref()
  }

  async #probe(): Promise<void> {
    const last = this.#segments.at(-1)
    try {
      if (last !== undefined && this.#fd !== undefined) {
        await writeAll(this.#options.disk, this.#fd, PROBE, last.size)
        await this.#cutBack()
      }
    } catch {
      await this.#cutBack().catch(() => undefined)
      this.#tryLater()
      return
    }
    this.broken = undefined
    this.#options.onHealed()
  }

  #watchStall(): void {
    if (this.#commitSince === 0 || performance.now() - this.#commitSince < STALL_MS) return
    this.#commitSince = performance.now()
    this.#options.onBroken(this.#sentence(new Error(`a write has not ended for ${STALL_MS / 1000} s`)))
  }
}

/** Where a part of a snapshot ends that begins at `from`: after about 1 MiB. */
const endOfPart = (snapshot: readonly Entry[], from: number): number => {
  let to = from
  for (let bytes = 0; to < snapshot.length && bytes < SNAPSHOT_BLOCK_BYTES; to++) {
    const entry = snapshot[to]
    if (entry !== undefined) bytes += sizeOf(entry)
  }
  return to
}

/** A throw of the listener is its own: it reaches the process as an uncaught error and does not stop the writer. */
const tell = (done: (error?: Error) => void, error?: Error): void => {
  try {
    done(error)
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown
    })
  }
}
