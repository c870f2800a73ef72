// The message that ends what a retained topic says: it goes out with an empty payload, and the topic is retained no more.
import type { Message, Params, Topic } from './message.ts'

/** Stands in the payload of such a message. */
const CLEARED = Symbol('cleared')

/** Clears a retained topic (MQTT 5.0 and 3.1.1, clause 3.3.1.3: a retained message of zero bytes). The hub refuses it on a topic that is not retained. */
export const cleared = <const T extends Topic>(topic: T, params: Params<T>): Message<T> =>
  // No payload of the topic's type can say this; only the bus looks at it, before the schema.
  ({ topic, params, payload: CLEARED }) as unknown as Message<T>

export const isCleared = ({ payload }: { payload: unknown }): boolean => payload === CLEARED
