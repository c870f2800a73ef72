// What the journal keeps: messages as they came, and notes of what the hub itself did.
import type { Envelope } from '../bus/envelope.ts'
import type { Series } from './series/open.ts'

/** `message`: travelled through the hub. `retained`: part of the snapshot a segment begins with. `note`: a record of the hub's own, its topic `!kind`. */
export const KINDS = ['message', 'retained', 'note'] as const
export type Kind = (typeof KINDS)[number]

/** An entry on disk: the envelope and what kind of record it is. */
export interface Entry extends Omit<Envelope, 'bad' | 'message'> {
  kind: Kind
}

/** What the hub notes beside messages; the payload is JSON. Replay needs them: starts, versions and kept state of flows, skipped ranges, steps of the clock. */
export const NOTES = [
  'hub-start',
  'hub-stop',
  'flow-start',
  'flow-stop',
  'flow-quarantine',
  'flow-params',
  'flow-keep',
  'flow-skip',
  'clock-step',
] as const
export type NoteKind = (typeof NOTES)[number]

/**
 * Which entries to read. Times in ms; `topic` is an MQTT filter over full topics. Bounds are inclusive.
 * `kinds` is messages and notes unless given. Entries of kind `retained` carry the seq and stamp of the message that set
 * the value (seq 0 when unknown); they are found by the place of the snapshot they stand in, not by their own seq.
 */
export interface Query {
  since?: number
  until?: number
  fromSeq?: number
  toSeq?: number
  topic?: string
  kinds?: readonly Kind[]
  /** Newest first. */
  backwards?: boolean
  limit?: number
}

/** Append-only, in the order of `seq`. */
export interface Journal {
  /** The last `seq` on disk when the journal was opened. Use `reserve` to get new ones. */
  readonly lastSeq: number
  readonly lastAt: number
  /** The next `seq`. Reserved in persisted blocks: never given twice, whatever happens. */
  reserve(): number
  /** Appends; `done` is called once the entry survives a kill (`process`) or a power cut (`power`), in order; with an error when it cannot be written. */
  append(entry: Entry, done?: (error?: Error) => void): void
  /** Writes a note with a fresh seq. */
  note(kind: NoteKind, payload: unknown, done?: (error?: Error) => void): number
  /**
   * Reads from disk and from what is still being written, in a worker thread. One read gives at most 10,000 entries and
   * 32 MiB, whatever the limit: ask again from the last `seq` + 1 until nothing comes.
   */
  read(query: Query): Promise<Entry[]>
  get(seq: number): Promise<Entry | undefined>
  /** The entry and its causes, newest first; at most `limit` (100). */
  why(seq: number, limit?: number): Promise<Entry[]>
  /** Deletes whole segments older than `after` (ms) or beyond `maxBytes`; returns how many. */
  retain(bounds: { maxBytes: number; after: number }): Promise<number>
  stats(): {
    segments: number
    bytes: number
    firstSeq: number
    lastSeq: number
    waiting: number
    truncatedBytes: number
    refused?: number
    broken?: string
  }
  /** What charts are drawn from, where it is kept. */
  readonly series?: Pick<Series, 'past' | 'now'>
  close(): Promise<void>
}
