// What the journal says of one flow: when it was started, with what, what it did not get, and when it was interrupted.
import { z } from 'zod'
import type { Past } from '../../journal/past.ts'
import type { Entry } from '../../journal/entry.ts'
import { kindAt, topicAt, topicBitOf } from '../../journal/record.ts'

const Json = z.record(z.string(), z.unknown())

const StartNote = z.looseObject({
  flow: z.string(),
  version: z.string().default(''),
  seq: z.number(),
  at: z.number(),
  params: Json.optional(),
  kept: Json.optional(),
  /** Where its history began when it was warmed up. */
  since: z.number().optional(),
  sinceAt: z.number().optional(),
  approximate: z.unknown().optional(),
})
const SkipNote = z.looseObject({
  flow: z.string(),
  topic: z.string(),
  from: z.number(),
  to: z.number(),
  edge: z.number().int().optional(),
})
const StopNote = z.looseObject({ flow: z.string(), version: z.string().default(''), reason: z.string().default('') })

export interface RecordedStart {
  /** Messages with a greater seq were heard. */
  readonly seq: number
  readonly at: number
  readonly version: string
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly kept: Readonly<Record<string, unknown>> | undefined
  /** It began with a part of its history, in silence: after this seq. */
  readonly warmed: { readonly seq: number; readonly at: number } | undefined
  readonly isApproximate: boolean
  /** Place of the note itself. */
  readonly noted: { readonly seq: number; readonly at: number }
}

export interface RecordedSkip {
  readonly topic: string
  readonly from: number
  readonly to: number
  readonly edge: number | undefined
}

export interface RecordedStop {
  readonly seq: number
  readonly at: number
  readonly reason: string
}

export interface Story {
  /** The last one at or before the range's beginning, and those within it. */
  readonly starts: readonly RecordedStart[]
  readonly skips: readonly RecordedSkip[]
  readonly stops: readonly RecordedStop[]
  /** When the flow or the hub came back after an interruption, ms: what was due before came later. */
  readonly returns: readonly number[]
}

const KINDS = ['!flow-start', '!flow-stop', '!flow-quarantine', '!flow-skip', '!hub-start'] as const
const isKind = (topic: string): topic is (typeof KINDS)[number] => (KINDS as readonly string[]).includes(topic)
const maskOf = (topics: readonly string[]): number => topics.reduce((mask, topic) => mask | topicBitOf(topic), 0)
const MASK = maskOf(KINDS)
const START_MASK = maskOf(['!flow-start'])
const KEEP_MASK = maskOf(['!flow-keep'])
const PARAMS_MASK = maskOf(['!flow-params'])
/** A run of dropped messages is noted when it ends. */
const LATE_NOTES_MS = 10 * 60_000

const isNote =
  (...topics: readonly string[]) =>
  (bytes: Buffer, at: number): boolean =>
    kindAt(bytes, at) === 'note' && topics.includes(topicAt(bytes, at))

/** Reads the story of `flow` for the range from `since` to `until`, ms. */
export const storyOf = (past: Past, flow: string, since: number, until: number): Story => {
  const begin = startBefore(past, flow, since)
  const starts: RecordedStart[] = begin === undefined ? [] : [begin]
  const skips: RecordedSkip[] = []
  const stops: RecordedStop[] = []
  const returns: number[] = []
  const from = begin === undefined ? { since } : { fromSeq: begin.noted.seq + 1 }
  for (const note of past.entries({ ...from, until: until + LATE_NOTES_MS, mask: MASK }, isNote(...KINDS))) {
    if (note.seq <= (begin?.noted.seq ?? 0) || !isKind(note.topic)) continue
    if (note.topic === '!hub-start') {
      returns.push(note.at)
      continue
    }
    const body: unknown = JSON.parse(note.payload.toString())
    if (!isOf(flow, body)) continue
    if (note.topic === '!flow-start' && note.at <= until) {
      const start = startOf(note, body)
      if (start !== undefined) starts.push(start)
      returns.push(note.at)
    } else if (note.topic === '!flow-skip') {
      const skip = SkipNote.safeParse(body)
      if (skip.success) skips.push({ ...skip.data, edge: skip.data.edge })
    } else if (note.topic === '!flow-stop' || note.topic === '!flow-quarantine') {
      const stop = StopNote.safeParse(body)
      if (stop.success && note.at <= until) stops.push({ seq: note.seq, at: note.at, reason: stop.data.reason })
    }
  }
  return { starts, skips, stops, returns }
}

/** The last start noted at or before `at`, looked for from there backwards, one segment after the other. */
const startBefore = (past: Past, flow: string, at: number): RecordedStart | undefined => {
  const segments = past.segments.filter(({ createdAt }) => createdAt <= at)
  for (let i = segments.length - 1; i >= 0; i--) {
    const next = past.segments[i + 1]
    let found: RecordedStart | undefined
    const span = {
      fromSeq: segments[i]?.firstSeq ?? 0,
      ...(next === undefined ? {} : { toSeq: next.firstSeq - 1 }),
      until: at,
      mask: START_MASK,
    }
    for (const note of past.entries(span, isNote('!flow-start'))) {
      if (note.at > at) break
      const body: unknown = JSON.parse(note.payload.toString())
      if (isOf(flow, body)) found = startOf(note, body) ?? found
    }
    if (found !== undefined) return found
  }
  return undefined
}

/** The kept state of a flow as it was when `seq` had been taken, as far as the journal knows. */
export const keptAt = (past: Past, flow: string, seq: number): Record<string, unknown> => {
  const kept: Record<string, unknown> = {}
  for (const note of past.entries({ toSeq: seq, mask: KEEP_MASK | START_MASK }, isNote('!flow-keep', '!flow-start'))) {
    if (note.seq > seq) break
    const body: unknown = JSON.parse(note.payload.toString())
    if (!isOf(flow, body)) continue
    if (note.topic === '!flow-start') Object.assign(kept, startOf(note, body)?.kept)
    else if ('key' in body && typeof body.key === 'string') {
      if ('value' in body) kept[body.key] = body.value
      else Reflect.deleteProperty(kept, body.key)
    }
  }
  return kept
}

/** Place of the first change of the flow's params by a person, up to `toSeq`; undefined when it always ran with those of its file. */
export const firstParamsSet = (past: Past, flow: string, toSeq: number): number | undefined => {
  for (const note of past.entries({ toSeq, mask: PARAMS_MASK }, isNote('!flow-params'))) {
    if (note.seq <= toSeq && isOf(flow, JSON.parse(note.payload.toString()))) return note.seq
  }
  return undefined
}

const isOf = (flow: string, body: unknown): body is object =>
  typeof body === 'object' && body !== null && 'flow' in body && body.flow === flow

const startOf = (note: Entry, body: object): RecordedStart | undefined => {
  const parsed = StartNote.safeParse(body)
  if (!parsed.success) return undefined
  const { seq, at, version, params, kept, since, sinceAt = at, approximate } = parsed.data
  return {
    seq,
    at,
    version,
    params,
    kept,
    warmed: since === undefined ? undefined : { seq: since, at: sinceAt },
    isApproximate: approximate !== undefined && approximate !== false,
    noted: { seq: note.seq, at: note.at },
  }
}
