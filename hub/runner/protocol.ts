// What the hub and the process of flows say to each other, beside items and outputs.
import { z } from 'zod'

/** First byte of each body from the hub. */
export const TO_CHILD = { items: 1, control: 2, retained: 3 } as const
/** First byte of each entry of an answer, after its four doubles: items done, stamp of the last one, next timer, resident bytes. */
export const FROM_CHILD = { output: 1, event: 2 } as const
export const ANSWER_HEAD = 4

/** The first control message: what the process needs to know before any flow. */
export const Setup = z.strictObject({
  prefix: z.string(),
  /** Paths of the plugins' topics.ts. */
  topicFiles: z.array(z.string()),
  /** Flow files may import each other below this folder. */
  flowsDir: z.string(),
  /** Logical time at the beginning, ms. */
  at: z.number(),
  /** ms that a flow file may take to load. */
  loadMs: z.number(),
  /** A descriptor lent by the hub that says whose turn it is, even when this process is gone. */
  markerFd: z.number().int().optional(),
})
export type Setup = z.output<typeof Setup>

export const Control = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('setup'), setup: Setup }),
  /** Loads a flow's file and defines it; answered by `loaded` or `unloadable`. */
  z.strictObject({ do: z.literal('load'), flow: z.number().int(), file: z.string(), version: z.string() }),
  /** Subscribes to a defined flow; the retained messages came before. */
  z.strictObject({ do: z.literal('start'), flow: z.number().int(), since: z.number(), n: z.number().int() }),
  z.strictObject({ do: z.literal('stop'), flow: z.number().int() }),
  /** Outputs are counted and not said, while history runs again. */
  z.strictObject({ do: z.literal('quiet'), on: z.boolean() }),
])
export type Control = z.output<typeof Control>

const Thrown = { message: z.string(), stack: z.string().optional(), place: z.string().optional() }

export const ChildEvent = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('ready') }),
  z.strictObject({
    event: z.literal('loaded'),
    flow: z.number().int(),
    inputs: z.array(
      z.strictObject({
        edge: z.number().int(),
        topic: z.string(),
        filter: z.string(),
        latest: z.boolean(),
        overload: z.union([z.literal('latest'), z.strictObject({ dropOldest: z.number() })]),
      }),
    ),
  }),
  /** `place` is file:line in the flow's folder. */
  z.strictObject({ event: z.literal('unloadable'), flow: z.number().int(), ...Thrown }),
  z.strictObject({ event: z.literal('failed'), flow: z.number().int(), cause: z.number(), ...Thrown }),
  z.strictObject({ event: z.literal('ended'), flow: z.number().int() }),
  z.strictObject({
    event: z.literal('bad'),
    seq: z.number(),
    topic: z.string(),
    origin: z.string(),
    field: z.string(),
    constraint: z.string(),
  }),
  /** Something threw between turns and no flow could be named. */
  z.strictObject({ event: z.literal('stray'), ...Thrown }),
])
export type ChildEvent = z.output<typeof ChildEvent>
/** What was thrown; `place` is file:line in the folder of flows. */
export interface Thrown {
  message: string
  stack?: string | undefined
  place?: string | undefined
}
