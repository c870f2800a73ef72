// History for flows that are brought up to date: the journal read once, and each message given to whoever heard it then.
import { setTimeout as pause } from 'node:timers/promises'
import { TopicTrie } from '../bus/trie.ts'
import { reasonOf } from '../errors.ts'
import type { Entry, Journal } from '../journal/entry.ts'
import type { Item } from './frame.ts'
import type { Input } from './host.ts'

/** A run of messages that an edge of a run did not get. */
export interface Skip {
  /** Which `from(…)` of the flow, counted from 0. */
  edge: number
  from: number
  to: number
}

/** A flow that hears its past. */
export interface Listener {
  readonly inputs: readonly Input[]
  /** After this seq, up to that one. */
  readonly after: number
  readonly upTo: number
  readonly skips: readonly Skip[]
  /** Seqs that it gets otherwise. */
  readonly except: ReadonlySet<number>
  take(item: Item): void
  /** Resolves when it can bear more. */
  room(): Promise<void>
  /** All was given, or nothing more can be read. */
  done(error?: Error): void
}

interface Reader {
  readonly to: Listener
  readonly skips: Map<number, Skip[]>
}

const TRIES = 3
const AGAIN_MS = 200

/** Gives every listener its past. Returns what ends it early. Never throws. */
export const readHistory = (journal: Pick<Journal, 'read'>, listeners: readonly Listener[]): (() => void) => {
  const trie = new TopicTrie<{ reader: Reader; edge: number; index: number }>()
  const open = new Set<Reader>()
  let ended = false

  for (const to of listeners) {
    if (to.upTo <= to.after || to.inputs.length === 0) {
      to.done()
      continue
    }
    const reader: Reader = { to, skips: Map.groupBy(to.skips, ({ edge }) => edge) }
    open.add(reader)
    for (const [index, { filter, edge }] of to.inputs.entries()) trie.add(filter, { reader, edge, index })
  }

  const give = (entry: Entry): void => {
    const { seq, at, topic, origin, payload } = entry
    const edges = trie.match(topic)
    if (edges.length === 0) return
    for (const [reader, mine] of Map.groupBy(edges, (each) => each.reader)) {
      const { to } = reader
      if (seq <= to.after || seq > to.upTo || to.except.has(seq)) continue
      const skip = mine.filter(({ index }) => isSkipped(reader.skips.get(index), seq)).map(({ edge }) => edge)
      if (skip.length < mine.length) to.take({ seq, at, topic, origin, payload, skip })
    }
  }

  const read = async (fromSeq: number, toSeq: number): Promise<Entry[]> => {
    for (let tries = 1; ; tries++) {
      try {
        return await journal.read({ fromSeq, toSeq, kinds: ['message'] })
      } catch (error) {
        if (tries >= TRIES || ended) throw error
        await pause(AGAIN_MS * tries, undefined, { ref: false })
      }
    }
  }

  const run = async (): Promise<void> => {
    const last = Math.max(...[...open].map(({ to }) => to.upTo))
    let next = Math.min(...[...open].map(({ to }) => to.after)) + 1
    let page = read(next, last)
    while (!ended && open.size > 0) {
      const entries = await page
      const end = entries.at(-1)
      if (end !== undefined) {
        next = end.seq + 1
        // The next page is read while this one is given.
        if (next <= last) page = read(next, last)
        page.catch(() => {})
      }
      for (const entry of entries) give(entry)
      for (const reader of open) {
        if (end !== undefined && reader.to.upTo >= next) continue
        open.delete(reader)
        reader.to.done()
      }
      await Promise.all([...open].map(({ to }) => to.room()))
    }
  }

  if (open.size > 0) {
    run().catch((error: unknown) => {
      const failed = error instanceof Error ? error : new Error(reasonOf(error))
      for (const { to } of open) to.done(failed)
      open.clear()
    })
  }
  return () => {
    ended = true
    open.clear()
  }
}

const isSkipped = (skips: readonly Skip[] | undefined, seq: number): boolean => {
  if (skips === undefined) return false
  // Runs stand in order and do not overlap.
  let low = 0
  let high = skips.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const skip = skips[middle]
    if (skip === undefined) return false
    if (seq < skip.from) high = middle - 1
    else if (seq > skip.to) low = middle + 1
    else return true
  }
  return false
}
