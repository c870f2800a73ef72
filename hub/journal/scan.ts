// A scan reads spans of segments and keeps the entries a query asks for, as the bytes they have on disk.
import { closeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Entry, Kind, Query } from './entry.ts'
import { anyMatcher } from '../bus/filters.ts'
import { BLOCK_MAGIC, endOf, HEAD_BYTES, kindAt, readBlockHead, seqAt, stampAt, topicAt } from './record.ts'
import { openIfThere, readSpan } from './span.ts'

/** Spans of one segment: `spans` is offset, end, offset, end … in ascending order, each beginning with a block head. */
export interface Stretch {
  path: string
  salt: number
  spans: Float64Array
}

export interface Found {
  /** The entries, one after the other as on disk, in the order asked for. */
  bytes: Buffer
  count: number
  /** More was asked for than one read gives: what follows is left for the next one. */
  full: boolean
  /** Damaged blocks that were passed over. */
  damaged: { path: string; offset: number }[]
}

/** What one read gives at most. */
export const MOST_ENTRIES = 10_000
export const MOST_BYTES = 32 * 1024 * 1024

const USUAL_KINDS: readonly Kind[] = ['message', 'note']

export const kindsOf = (query: Query): readonly Kind[] => query.kinds ?? USUAL_KINDS

/** Whether an entry in memory is asked for. */
export const wanted = (query: Query): ((entry: Entry) => boolean) => {
  const kinds = kindsOf(query)
  const fits = anyMatcher(query.topic === undefined ? [] : [query.topic])
  const { since = -Infinity, until = Infinity, fromSeq = -Infinity, toSeq = Infinity } = query
  return (entry) =>
    kinds.includes(entry.kind) &&
    (entry.kind === 'retained' ||
      (entry.seq >= fromSeq && entry.seq <= toSeq && entry.at >= since && entry.at <= until)) &&
    fits(entry.topic)
}

/** A snapshot is read whole, since it has no places to go on from; everything else within MOST_ENTRIES and MOST_BYTES. Reads the stretches, which stand in ascending order; `query.backwards` reads them from the end. Segments deleted meanwhile are left out. */
export const scan = (stretches: readonly Stretch[], query: Query): Found => {
  const whole = kindsOf(query).every((kind) => kind === 'retained')
  const limit = Math.min(query.limit ?? Infinity, whole ? Infinity : MOST_ENTRIES)
  const most = whole ? Infinity : MOST_BYTES
  const backwards = query.backwards === true
  const pick = picker(query)
  const found: Buffer[] = []
  const damaged: Found['damaged'] = []
  let total = 0
  let full = false
  const order = backwards ? stretches.toReversed() : stretches
  walk: for (const { path, salt, spans } of order) {
    const fd = openIfThere(path)
    if (fd === undefined) continue
    try {
      for (let i = 0; i < spans.length; i += 2) {
        const k = backwards ? spans.length - 2 - i : i
        const [from, to] = [spans[k] ?? 0, spans[k + 1] ?? 0]
        const hits = entriesIn(readSpan(fd, from, to), salt, pick, (offset) =>
          damaged.push({ path, offset: from + offset }),
        )
        for (const hit of backwards ? hits.reverse() : hits) {
          full = found.length >= limit || (total + hit.length > most && found.length > 0)
          if (full) break walk
          found.push(hit)
          total += hit.length
        }
        if (found.length >= limit) break walk
      }
    } finally {
      closeSync(fd)
    }
  }
  return { bytes: Buffer.concat(found, total), count: found.length, full, damaged }
}

/** Whether the entry at an offset is asked for, decoding as little as possible. */
const picker = (query: Query): ((bytes: Buffer, at: number) => boolean) => {
  const kinds = kindsOf(query)
  const fits = anyMatcher(query.topic === undefined ? [] : [query.topic])
  const { since = -Infinity, until = Infinity, fromSeq = -Infinity, toSeq = Infinity } = query
  return (bytes, at) => {
    const kind = kindAt(bytes, at)
    if (kind === undefined || !kinds.includes(kind)) return false
    if (kind !== 'retained') {
      const seq = seqAt(bytes, at)
      const stamp = stampAt(bytes, at)
      if (seq < fromSeq || seq > toSeq || stamp < since || stamp > until) return false
    }
    return query.topic === undefined || fits(topicAt(bytes, at))
  }
}

/** The wanted entries of the blocks in a span. A damaged body is passed over; after a damaged head the next whole one is looked for. */
const entriesIn = (
  bytes: Buffer,
  salt: number,
  pick: (bytes: Buffer, at: number) => boolean,
  damage: (offset: number) => void,
): Buffer[] => {
  const hits: Buffer[] = []
  let at = 0
  while (at + HEAD_BYTES <= bytes.length) {
    const block = readBlockHead(bytes, at)
    if (block === undefined || block.salt !== salt) {
      damage(at)
      at = nextHead(bytes, at + 1, salt)
      continue
    }
    const from = at + block.headLength
    const to = from + block.bodyLength
    if (to > bytes.length || crc32(bytes.subarray(from, to)) !== block.bodyCrc) damage(at)
    else
      for (let e = from; e < to; e = endOf(bytes, e)) if (pick(bytes, e)) hits.push(bytes.subarray(e, endOf(bytes, e)))
    at = to
  }
  return hits
}

const nextHead = (bytes: Buffer, from: number, salt: number): number => {
  for (let at = bytes.indexOf(BLOCK_MAGIC, from); at >= 0; at = bytes.indexOf(BLOCK_MAGIC, at + 1)) {
    if (readBlockHead(bytes, at)?.salt === salt) return at
  }
  return bytes.length
}
