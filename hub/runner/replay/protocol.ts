// What the hub and the process of a replay say to each other: one order, then lines of JSON until the report.
import { z } from 'zod'
import { Report } from './report.ts'

const File = z.strictObject({
  /** Path of the flow's file. */
  file: z.string(),
  /** Of its content. */
  version: z.string(),
})

/** The whole job. Times in ms since 1970. */
export const Order = z.strictObject({
  /** Id of the flow, as it is in the journal. */
  flow: z.string(),
  now: File,
  /** Another version that runs beside it; without it the record is what is compared with. */
  other: File.optional(),
  against: z.string(),
  since: z.number(),
  until: z.number(),
  params: z.record(z.string(), z.unknown()).optional(),
  journalDir: z.string(),
  prefix: z.string(),
  topicFiles: z.array(z.string()),
  /** MQTT filters of topics that are not journalled. */
  except: z.array(z.string()),
  /** Where the hub stands, for times of the day and the sun. */
  site: z
    .strictObject({ timezone: z.string(), latitude: z.number().optional(), longitude: z.number().optional() })
    .optional(),
  /** The outputs of the range are wanted, too. */
  tellOutputs: z.boolean(),
  /** ms that a flow's file may take to load. */
  loadMs: z.number(),
})
export type Order = z.output<typeof Order>

export const Told = z.discriminatedUnion('say', [
  z.strictObject({ say: z.literal('progress'), part: z.number(), messages: z.number(), at: z.number() }),
  z.strictObject({
    say: z.literal('output'),
    at: z.number(),
    cause: z.number(),
    n: z.number(),
    topic: z.string(),
    /** Base64. */
    payload: z.string(),
  }),
  z.strictObject({ say: z.literal('report'), report: Report }),
  z.strictObject({ say: z.literal('failed'), message: z.string(), place: z.string().optional() }),
])
export type Told = z.output<typeof Told>
export type ToldOutput = Extract<Told, { say: 'output' }>
