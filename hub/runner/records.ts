// The records of flows in the journal: each start, what was kept, what was skipped. From them a run goes on where an earlier hub left it.
import { z } from 'zod'
import type { Entry, Journal, NoteKind } from '../journal/entry.ts'
import type { Skip } from './history.ts'
import type { Run } from './state.ts'

const Values = z.record(z.string(), z.unknown())

/** A recorded start. `since` and `sinceAt`: an approximate run heard what came after that in silence, and spoke from `seq` on, after output `n`. */
export const FlowStart = z.object({
  flow: z.string(),
  version: z.string(),
  params: Values.default({}),
  seq: z.number(),
  at: z.number(),
  kept: Values.default({}),
  since: z.number().optional(),
  sinceAt: z.number().optional(),
  n: z.number().optional(),
  approximate: z.string().optional(),
})
export type FlowStart = z.output<typeof FlowStart>

/** The start of a run as it is noted. */
export const startOf = (flow: string, run: Run): FlowStart => ({
  flow,
  version: run.file.version,
  params: run.params?.values ?? {},
  seq: run.seq,
  at: run.at,
  kept: { ...run.kept },
  ...(run.warm === undefined
    ? {}
    : {
        since: run.warm.seq,
        sinceAt: run.warm.at,
        n: run.n,
        ...(run.approximate === undefined ? {} : { approximate: run.approximate }),
      }),
})

const FlowKeep = z.object({
  flow: z.string(),
  key: z.string(),
  value: z.unknown(),
  n: z.number(),
  at: z.number(),
  cause: z.number().default(0),
})
const FlowSkip = z.object({ flow: z.string(), edge: z.number(), from: z.number(), to: z.number() })

/** What is known of a flow's last run. */
export interface LastRun {
  start: FlowStart
  /** Number of the last output or keep change that was recorded. */
  n: number
  kept: Record<string, unknown>
  skips: Skip[]
  /** Its longest wait, as far as it was marked, ms. */
  longest: number
}

/** What was noted of a run at a moment, so that less has to be read. */
export const Mark = z.object({ start: FlowStart, n: z.number(), kept: Values, longest: z.number() })
export type Mark = z.output<typeof Mark>
export const Marks = z.object({ seq: z.number(), flows: z.record(z.string(), Mark) })
export type Marks = z.output<typeof Marks>

/** Notes of starts that are looked through, newest first, for those of the flows there are. */
const STARTS = 10_000

const bodyOf = <T>(schema: z.ZodType<T>, entry: Entry): T | undefined => {
  try {
    return schema.safeParse(JSON.parse(entry.payload.toString())).data
  } catch {
    return undefined
  }
}

/** Every entry that fits, in order, page by page. */
export async function* pages(
  journal: Pick<Journal, 'read'>,
  query: { fromSeq: number; topic?: string; kinds: ('message' | 'note')[] },
): AsyncGenerator<Entry[]> {
  for (let { fromSeq } = query; ;) {
    const entries = await journal.read({ ...query, fromSeq })
    const last = entries.at(-1)
    if (last === undefined) return
    yield entries
    fromSeq = last.seq + 1
  }
}

const note = (kind: NoteKind): string => `!${kind}`

/** The last run of each of the flows that has one, by id. */
export const lastRuns = async (
  journal: Pick<Journal, 'read'>,
  ids: readonly string[],
  marks: Marks | undefined,
): Promise<Map<string, LastRun>> => {
  const runs = new Map<string, LastRun>()
  const notedAt = new Map<string, number>()
  const isWanted = new Set(ids)
  const starts = await journal.read({ topic: note('flow-start'), kinds: ['note'], backwards: true, limit: STARTS })
  for (const entry of starts) {
    const start = bodyOf(FlowStart, entry)
    if (start === undefined || !isWanted.has(start.flow) || runs.has(start.flow)) continue
    runs.set(start.flow, { start, n: start.n ?? 0, kept: { ...start.kept }, skips: [], longest: 0 })
    notedAt.set(start.flow, entry.seq)
  }
  // The journal may have forgotten a start; its mark has not.
  for (const [id, { start, n, kept }] of Object.entries(marks?.flows ?? {}))
    if (isWanted.has(id) && !runs.has(id)) runs.set(id, { start, n, kept: { ...kept }, skips: [], longest: 0 })
  if (runs.size === 0) return runs
  const known = (id: string): Mark | undefined => {
    const mark = marks?.flows[id]
    return mark !== undefined && mark.start.seq === runs.get(id)?.start.seq ? mark : undefined
  }
  // What stands before the note of its start was said by the run before.
  const first = new Map<string, number>()
  for (const [id, run] of runs) {
    const mark = known(id)
    if (mark !== undefined) {
      run.n = mark.n
      run.kept = { ...mark.kept }
      run.longest = mark.longest
    }
    first.set(id, Math.max(notedAt.get(id) ?? 0, mark === undefined ? 0 : (marks?.seq ?? 0)) + 1)
  }
  const from = Math.min(...first.values())
  for await (const entries of pages(journal, { fromSeq: from, kinds: ['message'] })) {
    for (const { origin, n, seq } of entries) {
      if (n === 0 || !origin.startsWith('flow:')) continue
      const id = origin.slice(5)
      const run = runs.get(id)
      if (run !== undefined && seq >= (first.get(id) ?? Infinity) && n > run.n) run.n = n
    }
  }
  for await (const entries of pages(journal, { fromSeq: from, topic: note('flow-keep'), kinds: ['note'] })) {
    for (const entry of entries) {
      const kept = bodyOf(FlowKeep, entry)
      const run = kept === undefined ? undefined : runs.get(kept.flow)
      if (kept === undefined || run === undefined || entry.seq < (first.get(kept.flow) ?? Infinity)) continue
      run.n = Math.max(run.n, kept.n)
      put(run.kept, kept.key, kept.value)
    }
  }
  const firstStart = Math.min(...[...runs.values()].map(({ start }) => start.since ?? start.seq)) + 1
  for await (const entries of pages(journal, { fromSeq: firstStart, topic: note('flow-skip'), kinds: ['note'] })) {
    for (const entry of entries) {
      const skip = bodyOf(FlowSkip, entry)
      const run = skip === undefined ? undefined : runs.get(skip.flow)
      if (skip !== undefined && run !== undefined && skip.to > (run.start.since ?? run.start.seq)) run.skips.push(skip)
    }
  }
  return runs
}

/** A change of kept state, in place; without a value the key is forgotten. */
export const put = (kept: Record<string, unknown>, key: string, value: unknown): void => {
  if (value === undefined) Reflect.deleteProperty(kept, key)
  else kept[key] = value
}

/** What a run kept when it had heard all up to `seq`, at `at` by its own clock, ms. */
export const keptAt = async (
  journal: Pick<Journal, 'read'>,
  id: string,
  run: { seq: number; kept: Readonly<Record<string, unknown>> },
  { seq, at }: { seq: number; at: number },
): Promise<Record<string, unknown>> => {
  const kept = { ...run.kept }
  for await (const entries of pages(journal, { fromSeq: run.seq + 1, topic: note('flow-keep'), kinds: ['note'] })) {
    for (const entry of entries) {
      const change = bodyOf(FlowKeep, entry)
      if (change?.flow === id && change.cause <= seq && change.at <= at) put(kept, change.key, change.value)
    }
  }
  return kept
}
