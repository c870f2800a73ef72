// The journal: the hub's black box. Opens it, writes through the writer, reads through the reader thread.
import { unlink } from 'node:fs/promises'
import { Fatal, Invalid, Recoverable } from '../errors.ts'
import { type Disk, realDisk } from './disk.ts'
import type { Entry, Journal, NoteKind, Query } from './entry.ts'
import { isExact, isFilter } from '../bus/filters.ts'
import { decodeEntry, endOf, topicBitOf } from './record.ts'
import { openReading, type Reading } from './reading.ts'
import { kindsOf, MOST_ENTRIES, type Stretch, wanted } from './scan.ts'
import { openSegments, type Segment } from './segments.ts'
import { openSequence, type Sequence } from './sequence.ts'
import { openSeries, type Series, type SeriesOptions } from './series/open.ts'
import type { SegmentEnd } from './series/walk.ts'
import { Writer } from './writer.ts'

export interface JournalOptions {
  /** `process`: acknowledged entries survive kill -9. `power`: they survive a power cut, at the price of one fdatasync per commit. */
  durability: 'process' | 'power'
  /** A new segment is begun beyond this size. Default 64 MiB. */
  segmentBytes?: number
  /** Stamps notes. */
  clock: { stamp(): number }
  /** The retained set; each segment begins with it. Asked at an `append`, before its entry is taken. Entries carry their own seq and stamp, 0 when unknown. */
  snapshot?: () => Iterable<Omit<Entry, 'kind'>>
  /** Nothing can be written at present; the message says what to do. May be called again while it lasts. */
  onBroken?: (error: Error) => void
  /** It can write again. */
  onHealed?: () => void
  /** Part of the journal is damaged and was passed over; one sentence each. */
  onDamaged?: (sentence: string) => void
  /** How long to wait before trying a broken disk again. Default 2,000 ms. */
  healMs?: number
  disk?: Disk
  /** Values of devices are rolled up for charts; not without this. */
  series?: SeriesOptions
}

/** Opens the journal in `dir`, which is made when missing. Throws Fatal when the folder cannot be used or was written by a newer version. */
export const openJournal = async (dir: string, options: JournalOptions): Promise<Journal> => {
  const { onBroken = () => {}, onDamaged = () => {} } = options
  const opened = openedSafely(dir)
  for (const sentence of opened.damage) onDamaged(sentence)
  const last = opened.segments.at(-1)
  const sequence = openSequence(dir, last?.lastSeq ?? 0, (reason) =>
    onBroken(
      new Recoverable(
        'UNAVAILABLE',
        `The journal's ${reason}. Repair the disk: after a crash numbers might come twice.`,
      ),
    ),
  )
  const writer = new Writer(
    {
      dir,
      disk: options.disk ?? realDisk,
      power: options.durability === 'power',
      segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
      snapshot: options.snapshot ?? (() => []),
      onBroken,
      onHealed: options.onHealed ?? (() => {}),
      healMs: options.healMs ?? 2000,
    },
    opened.segments,
    opened.fd,
  )
  return new SegmentJournal(
    opened.segments,
    writer,
    sequence,
    openReading(),
    options.clock,
    onDamaged,
    opened.truncatedBytes,
    options.series,
  )
}

const openedSafely = (dir: string): ReturnType<typeof openSegments> => {
  try {
    return openSegments(dir)
  } catch (error) {
    if (error instanceof Fatal) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new Fatal(
      `The journal in ${dir} cannot be opened (${reason}). Give the hub's user the right to read and write the files there.`,
      error,
    )
  }
}

const SCAN_SEGMENTS = 4

class SegmentJournal implements Journal {
  readonly lastSeq: number
  readonly lastAt: number
  readonly #segments: Segment[]
  readonly #writer: Writer
  readonly #sequence: Sequence
  readonly #reading: Reading
  readonly #clock: { stamp(): number }
  readonly #onDamaged: (sentence: string) => void
  readonly #truncatedBytes: number
  readonly #known = new Set<string>()
  readonly series?: Series

  constructor(
    segments: Segment[],
    writer: Writer,
    sequence: Sequence,
    reading: Reading,
    clock: { stamp(): number },
    onDamaged: (sentence: string) => void,
    truncatedBytes: number,
    series: SeriesOptions | undefined,
  ) {
    this.#segments = segments
    this.#writer = writer
    this.#sequence = sequence
    this.#reading = reading
    this.#clock = clock
    this.#onDamaged = onDamaged
    this.#truncatedBytes = truncatedBytes
    this.lastSeq = segments.at(-1)?.lastSeq ?? 0
    this.lastAt = segments.at(-1)?.lastAt ?? 0
    if (series !== undefined) this.series = openSeries(() => this.#ends(), series)
  }

  reserve(): number {
    return this.#sequence.next()
  }

  append(entry: Entry, done?: (error?: Error) => void): void {
    this.#writer.append(entry, done)
  }

  note(kind: NoteKind, payload: unknown, done?: (error?: Error) => void): number {
    const seq = this.reserve()
    this.append(
      {
        kind: 'note',
        seq,
        at: Math.max(this.lastAt, this.#clock.stamp()),
        topic: `!${kind}`,
        payload: Buffer.from(JSON.stringify(payload ?? null)),
        qos: 0,
        retain: false,
        origin: 'hub',
        cause: 0,
        correlation: '',
        n: 0,
      },
      done,
    )
    return seq
  }

  async read(query: Query): Promise<Entry[]> {
    if (query.topic !== undefined && !isFilter(query.topic)) {
      throw new Invalid('topic', query.topic, 'must be an MQTT topic filter: + for one level, # only at the end')
    }
    const backwards = query.backwards === true
    const most = kindsOf(query).every((kind) => kind === 'retained') ? Infinity : MOST_ENTRIES
    const limit = Math.min(query.limit ?? most, most)
    // What is on disk and what waits is taken in the same turn, so that nothing is missed or given twice.
    const waiting = this.#writer.entries().filter(wanted(query))
    const last = this.#segments.at(-1)
    const tail = last === undefined ? undefined : stretchOf(last, query)
    const order = this.#overlapping(query)
    const found: Entry[] = backwards ? waiting.reverse().slice(0, limit) : []
    if (backwards) order.reverse()
    for (let i = 0; i < order.length && found.length < limit; i += SCAN_SEGMENTS) {
      const group = order.slice(i, i + SCAN_SEGMENTS)
      for (const segment of group) await this.#surveyed(segment)
      const stretches = group
        .map((segment) => (segment === last ? tail : stretchOf(segment, query)))
        .filter((stretch) => stretch !== undefined)
      if (backwards) stretches.reverse()
      const more = await this.#scan(stretches, { ...query, limit: limit - found.length })
      for (const entry of more.entries) found.push(entry)
      if (more.full) return found
    }
    return backwards ? found : [...found, ...waiting.slice(0, Math.max(0, limit - found.length))]
  }

  async get(seq: number): Promise<Entry | undefined> {
    const [entry] = await this.read({ fromSeq: seq, toSeq: seq, limit: 1 })
    return entry
  }

  async why(seq: number, limit = 100): Promise<Entry[]> {
    const chain: Entry[] = []
    const seen = new Set<number>()
    for (let next = seq; next > 0 && chain.length < limit && !seen.has(next);) {
      seen.add(next)
      const entry = await this.get(next)
      if (entry === undefined) break
      chain.push(entry)
      next = entry.cause
    }
    return chain
  }

  async retain({ maxBytes, after }: { maxBytes: number; after: number }): Promise<number> {
    let gone = 0
    let total = this.#bytes()
    for (;;) {
      const [oldest, next] = this.#segments
      if (oldest === undefined || next === undefined) return gone
      if (total <= maxBytes && next.createdAt >= after) return gone
      await unlink(oldest.path)
      this.#segments.splice(this.#segments.indexOf(oldest), 1)
      total -= oldest.size
      gone++
    }
  }

  stats(): ReturnType<Journal['stats']> {
    const last = this.#segments.at(-1)
    return {
      segments: this.#segments.length,
      bytes: this.#bytes(),
      firstSeq: this.#segments[0]?.firstSeq ?? 0,
      lastSeq: last?.lastSeq ?? 0,
      waiting: this.#writer.waiting,
      truncatedBytes: this.#truncatedBytes,
      refused: this.#writer.refused,
      ...(this.#writer.broken === undefined ? {} : { broken: this.#writer.broken }),
    }
  }

  async close(): Promise<void> {
    await this.series?.close()
    await this.#writer.close()
    await this.#sequence.close()
    await this.#reading.close()
  }

  /** The segments as far as they are acknowledged: what lies beyond may yet be taken back. */
  #ends(): SegmentEnd[] {
    return this.#segments.map(({ path, firstSeq, salt, size }) => ({ path, firstSeq, salt, size }))
  }

  #bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0)
  }

  /** Segments that may hold what is asked for, oldest first. A segment ends where the next one begins. */
  #overlapping({ since = -Infinity, until = Infinity, fromSeq = -Infinity, toSeq = Infinity }: Query): Segment[] {
    return this.#segments.filter((segment, i) => {
      const next = this.#segments[i + 1]
      if (segment.firstSeq > toSeq || segment.createdAt > until) return false
      return next === undefined || (next.firstSeq > fromSeq && next.createdAt >= since)
    })
  }

  async #surveyed(segment: Segment): Promise<void> {
    if (segment.marks !== undefined) return
    const found = await this.#reading.survey(segment.path).catch((error: unknown) => {
      if (this.#segments.includes(segment)) throw error
      return undefined
    })
    if (found === undefined) return
    segment.marks = found.marks
    segment.size = found.end
    segment.snapshotBytes = found.snapshotEnd
    segment.lastSeq = found.lastSeq
    segment.lastAt = found.lastAt
    for (const { from, to } of found.damaged) this.#damaged(segment.path, from, `to ${to}`)
    if (found.fileBytes > found.end) this.#damaged(segment.path, found.end, 'to its end')
  }

  async #scan(stretches: Stretch[], query: Query): Promise<{ entries: Entry[]; full: boolean }> {
    if (stretches.length === 0) return { entries: [], full: false }
    const { bytes, count, damaged, full } = await this.#reading.scan(stretches, query)
    for (const { path, offset } of damaged) this.#damaged(path, offset, 'on')
    const entries: Entry[] = []
    for (let at = 0; at < bytes.length && entries.length < count; at = endOf(bytes, at)) {
      const entry = decodeEntry(bytes, at)
      if (entry !== undefined) entries.push(entry)
    }
    return { entries, full }
  }

  #damaged(path: string, from: number, to: string): void {
    const key = `${path}:${from}`
    if (this.#known.has(key) || this.#known.size > 10_000) return
    this.#known.add(key)
    this.#onDamaged(`${path} is damaged from byte ${from} ${to}; the rest of it is read.`)
  }
}

/** Where in a surveyed segment to look. */
const stretchOf = (segment: Segment, query: Query): Stretch | undefined => {
  const { since = -Infinity, until = Infinity, fromSeq = -Infinity, toSeq = Infinity, topic } = query
  const bit = topic !== undefined && isExact(topic) ? topicBitOf(topic) : 0
  const retained = kindsOf(query).includes('retained')
  const spans: number[] = []
  const marks = segment.marks ?? []
  marks.forEach((mark, i) => {
    const inSnapshot = retained && mark.offset < segment.snapshotBytes
    const inRange = mark.lastSeq >= fromSeq && mark.seq <= toSeq && mark.lastAt >= since && mark.at <= until
    if (!(inSnapshot || inRange) || (bit !== 0 && (mark.mask & bit) === 0)) return
    spans.push(mark.offset, marks[i + 1]?.offset ?? segment.size)
  })
  return spans.length === 0 ? undefined : { path: segment.path, salt: segment.salt, spans: new Float64Array(spans) }
}
