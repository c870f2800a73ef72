// What a replay tells: the decisions of then and now, side by side, and how far they can be trusted.
import { z } from 'zod'

export const ROW_KINDS = ['same', 'changed', 'only then', 'only now', 'unanswered then'] as const
export type RowKind = (typeof ROW_KINDS)[number]

const Change = z.object({
  field: z.string().describe('Path in the payload; `(time)` and `(order)` for when and in which order it was said'),
  then: z.unknown().optional(),
  now: z.unknown().optional(),
})
export type Change = z.output<typeof Change>

const Row = z.object({
  at: z.string().describe('When it was said now, else then; ISO 8601 UTC'),
  seq: z.number().optional().describe('Of the recorded output'),
  cause: z.number().describe('seq of the message it answers; 0 for none'),
  topic: z.string(),
  kind: z.enum(ROW_KINDS),
  then: z.unknown().optional(),
  now: z.unknown().optional(),
  changes: z.array(Change).optional().describe('Field by field, where both said something'),
  beyond: z.boolean().describe('After the first difference the recorded world is no longer what would have happened'),
})
export type Row = z.output<typeof Row>

const Failure = z.object({
  message: z.string(),
  place: z.string().optional().describe('file.ts:line'),
  at: z.string(),
  cause: z.number(),
})
export type Failure = z.output<typeof Failure>

export const Report = z.object({
  flow: z.string(),
  version: z.string().describe('Of the file that ran now'),
  against: z.string().describe('`recorded`, a revision or a file'),
  since: z.string(),
  until: z.string(),
  exact: z.boolean(),
  why: z.string().optional().describe('Why it is not exact, or what else one should know'),
  messages: z.number().describe('Messages of the range that the flow heard'),
  read: z.number().describe('Entries of the journal that were looked at, those before the range included'),
  tookMs: z.number(),
  thenCount: z.number(),
  nowCount: z.number(),
  same: z.number(),
  changed: z.number(),
  onlyThen: z.number(),
  onlyNow: z.number(),
  unanswered: z.number(),
  isSame: z.boolean(),
  firstDifference: z.object({ at: z.string(), cause: z.number() }).optional(),
  rows: z.array(Row),
  more: z.object({ same: z.number(), different: z.number() }).describe('Rows that are counted and not listed'),
  starts: z
    .array(z.object({ at: z.string(), seq: z.number(), version: z.string() }))
    .describe('Recorded starts of the flow that were followed'),
  params: z.record(z.string(), z.unknown()).optional().describe('Of the flow that ran now'),
  failure: Failure.optional().describe('The flow threw now'),
  failureThen: Failure.optional().describe('The other version threw, or the recorded one did'),
  notes: z.array(z.string()),
})
export type Report = z.output<typeof Report>
