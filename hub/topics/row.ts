// A row of the topic table: what travels on an address, how, and who may write it.
import { z } from 'zod'

export { z }

/**
 * Who writes a topic. `owner`: the device's credential or plugin; `requester`: any principal whose role has the right;
 * `gate` and `hub`: only these; `flow`: the flow whose id is in the topic; `plugin`: the plugin that brings the row; `answering plugin`: only the plugin that
 * answers a gate's command (native command topics); `granted`: whoever was given the filter with a credential.
 */
export type Writer = 'owner' | 'requester' | 'flow' | 'gate' | 'hub' | 'plugin' | 'answering plugin' | 'granted'

export interface TopicRow<P extends z.ZodType = z.ZodType> {
  /** Schema of the JSON payload. No defaults and no transforms: what travels is what is read. */
  payload: P
  qos: 0 | 1
  retain: boolean
  by: Writer
  /** One line for the docs. */
  about: string
  /** Other people's convention, outside the prefix: something that is so, or something to be done. */
  native?: 'fact' | 'command'
}

export type TopicRows = Readonly<Record<string, TopicRow>>

/** A table of topics, typed. */
export const topics = <const R extends TopicRows>(rows: R): R => rows

/** The payload types of a table, for `declare module '#hub' { interface Topics extends PayloadsOf<typeof rows> {} }`. */
export type PayloadsOf<R extends TopicRows> = { [K in keyof R]: z.output<R[K]['payload']> }
