// What the hub and the process of flows say to each other, beside items and outputs.
import { z } from 'zod'

/** First byte of each body from the hub. `lane`: items for one flow alone, its past or its own lane. */
export const TO_CHILD = { items: 1, control: 2, retained: 3, lane: 4 } as const
/** First byte of each entry of an answer, after its four doubles: items done, ms of CPU time since the last answer, next timer, resident bytes. */
export const FROM_CHILD = { output: 1, event: 2, lane: 3 } as const
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
  /** Limits of memory, MiB: from 60 % of one, accounts are kept of who takes how much. */
  heapMb: z.number(),
  rssMb: z.number(),
  /** Where the hub stands, for schedules. */
  site: z
    .strictObject({ timezone: z.string(), latitude: z.number().exactOptional(), longitude: z.number().exactOptional() })
    .exactOptional(),
  /** A descriptor lent by the hub that says whose turn it is, even when this process is gone. */
  markerFd: z.number().int(),
})
export type Setup = z.output<typeof Setup>

const Values = z.record(z.string(), z.unknown())

export const Control = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('setup'), setup: Setup }),
  /** Loads a flow's file and defines it, beside others of the same name; answered by `loaded` or `unloadable`. */
  z.strictObject({
    do: z.literal('load'),
    flow: z.number().int(),
    name: z.string(),
    file: z.string(),
    version: z.string(),
    /** Its text: what runs is this, whatever the file holds by then. */
    source: z.string(),
    /** Logical time at which it is defined. */
    at: z.number(),
    params: Values,
  }),
  /** Subscribes to a defined flow; the retained messages came before. Answered by `started`. */
  z.strictObject({
    do: z.literal('start'),
    flow: z.number().int(),
    at: z.number(),
    since: z.number(),
    kept: Values,
    /** What it keeps after its history, when that is known. */
    keptNow: Values.optional(),
    /** Outputs up to this number were said before. */
    mutedTo: z.number(),
    /** Says nothing until `speak`. */
    silent: z.boolean(),
    /** Its items come by its own lane. */
    apart: z.boolean(),
    /** Stops that one in the same step, and goes on with what it kept. */
    replaces: z.number().int().optional(),
  }),
  z.strictObject({ do: z.literal('stop'), flow: z.number().int() }),
  z.strictObject({ do: z.literal('apart'), flow: z.number().int(), on: z.boolean() }),
  /** Answered by `speaks`. */
  z.strictObject({ do: z.literal('speak'), flow: z.number().int() }),
  /** Says whose turn it is before every turn, not only of those that are young. */
  z.strictObject({ do: z.literal('mark'), all: z.boolean() }),
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
    params: z.strictObject({ schema: Values, values: Values }).optional(),
  }),
  /** `kept` is what it begins with. */
  z.strictObject({ event: z.literal('started'), flow: z.number().int(), kept: Values }),
  /** It was silent; from now on it speaks, beginning after output `n`. */
  z.strictObject({
    event: z.literal('speaks'),
    flow: z.number().int(),
    n: z.number(),
    at: z.number(),
  }),
  /** A change of kept state; without a value the key is forgotten. */
  z.strictObject({
    event: z.literal('kept'),
    flow: z.number().int(),
    n: z.number(),
    at: z.number(),
    cause: z.number(),
    key: z.string(),
    value: z.unknown(),
  }),
  /** Kept state that no longer fits its schema. */
  z.strictObject({
    event: z.literal('setAside'),
    flow: z.number().int(),
    key: z.string(),
    value: z.unknown(),
    constraint: z.string(),
  }),
  /** The longest wait it asked for until now, ms: how far back a warm-up must reach. */
  z.strictObject({ event: z.literal('waits'), flow: z.number().int(), ms: z.number() }),
  /** What a flow that used much time used of the last second, and its longest turn; ms. */
  z.strictObject({
    event: z.literal('busy'),
    flow: z.number().int(),
    ms: z.number(),
    longest: z.number(),
  }),
  /** One of its turns took so long, ms. */
  z.strictObject({ event: z.literal('long'), flow: z.number().int(), ms: z.number() }),
  /** Memory is running out, and it took most of what was taken, MiB. */
  z.strictObject({ event: z.literal('heavy'), flow: z.number().int(), mib: z.number() }),
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
