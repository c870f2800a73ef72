// The bus: where every accepted message goes past everyone inside. Trie dispatch, a bounded edge per listener, one way in.
import type { Observable } from 'rxjs'
import type { Heard, Message, Params, Topic } from '../streams/message.ts'
import type { Overload } from '../streams/flow.ts'
import type { Envelope } from './envelope.ts'
import type { Principal } from './principal.ts'

/** A heard message with the envelope it came in. */
export type Arrival<T extends Topic = Topic> = Heard<T> & { envelope: Envelope }

export interface EdgeView {
  /** Who listens, for the graph and the counters: `flow:dust-starts-extractor`, `plugin:x`, `gate`. */
  name: string
  topic: string
  in: number
  dropped: number
  depth: number
}

export interface PublishOptions {
  cause?: number
  correlation?: string
  /** For topics without a row, of other conventions: whether it is retained. Default no. */
  retain?: boolean
  /** For outputs of flows: their number since the recorded start. */
  n?: number
  /** `commit`: nobody gets it before the journal has it (a `cmd` that is not of the stop class). Default `accept`. */
  after?: 'accept' | 'commit'
  /** Asked once more when a message that waits for the journal could go out; false keeps it in. */
  still?: () => boolean
  /** Called once when the journal has it, or with the error. */
  committed?: (error?: Error) => void
}

export interface Bus {
  /** Decoded messages of a topic, for parts of the hub and plugins. Only payloads that fit the schema arrive. Never re-entrant: what a listener publishes is heard after it returns. */
  from<T extends Topic>(
    topic: T,
    edge: { name: string; overload?: Overload; where?: Partial<Params<T>> },
  ): Observable<Arrival<T>>
  /** Undecoded envelopes that match an MQTT filter (full topic), for the runner. Retained payloads that were found bad are left out. */
  raw(filter: string, edge: { name: string; overload?: Overload }, take: (envelope: Envelope) => void): () => void
  /** Publishes from inside as `who`. Throws Forbidden (no right), Invalid (payload against schema). QoS and retain come from the topic's row. */
  publish<T extends Topic>(who: Principal, message: Message<T>, options?: PublishOptions): Envelope
  /** The same with a full MQTT topic and JSON bytes, for outputs that come from the flows' process. */
  publishBytes(who: Principal, topic: string, payload: Buffer, options?: PublishOptions): Envelope
  /** The retained set: by full topic, updated as messages are accepted. */
  retained(filter: string): Envelope[]
  edges(): EdgeView[]
  counters(): { accepted: number; refused: number; bad: number; delivered: number; dropped: number; retained: number }
}
