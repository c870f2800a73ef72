// What the broker must remember of one client between its connections.
import type { Packet } from './packets.ts'
import { Queue } from './queue.ts'
import { DO } from './schema.ts'
import type { Options } from './subscriptions.ts'
import { type Change, change } from './writing.ts'

export interface Session {
  readonly id: string
  readonly subscriptions: Map<string, Options>
  readonly queue: Queue
  /** QoS 2 messages received and not yet released, by packet identifier. */
  readonly incoming: Map<number, Packet>
  /** The principal it belongs to, such as `device:dust`. */
  owner: string | undefined
  /** Session Expiry Interval of MQTT 5, in seconds; undefined for clients of MQTT 3. */
  expiry: number | undefined
  /** A client has connected to it; otherwise only its owner is noted. */
  begun: boolean
  /** When it ends unless its client connects, ms; undefined while it is connected. */
  deadline: number | undefined
}

/** A new one. What is in the file up to row `last` is none of its. */
export const session = (id: string, last: number): Session => ({
  id,
  subscriptions: new Map(),
  queue: new Queue(last),
  incoming: new Map(),
  owner: undefined,
  expiry: undefined,
  begun: false,
  deadline: undefined,
})

/** The change that brings the session's own row up to date. */
export const rowOf = ({ id, owner, expiry, deadline }: Session): Change =>
  change(DO.session, id, owner ?? null, expiry ?? null, deadline ?? null)

export const isEmpty = ({ subscriptions, queue, incoming, owner, begun }: Session): boolean =>
  subscriptions.size === 0 && queue.size === 0 && incoming.size === 0 && owner === undefined && !begun

/** How long a session outlives its connection, ms. `0xffffffff` means for ever, which is bounded by `most`. */
export const lifeOf = ({ expiry }: Session, most: number): number =>
  expiry === undefined ? most : Math.min(expiry * 1000, most)
