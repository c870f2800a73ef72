// A message is a topic with its parameters filled in and a payload of that topic's type.

/** Every topic the hub knows, with the type of its payload. The core table and each plugin's `topics.ts` add to it by `declare module '#hub'`. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- filled by declaration merging
export interface Topics {}

/** A topic address such as `devices/{device}/state`. */
export type Topic = keyof Topics & string

/** The payload of a topic. */
export type Payload<T extends Topic> = Topics[T]

/** `'devices/{device}/state'` → `{ device: string }`. */
export type Params<T extends string> = T extends `${string}{${infer P}}${infer Rest}`
  ? { [K in P | keyof Params<Rest>]: string }
  : // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- no parameters
    {}

/** What a flow or a plugin wants published. */
export type Message<T extends Topic = Topic> = { [K in T]: { topic: K; params: Params<K>; payload: Payload<K> } }[T]

/** A message that was heard: `seq` is its place in the hub's order, `at` its stamp in ms since 1970, `origin` the principal that sent it. */
export type Heard<T extends Topic = Topic> = {
  [K in T]: { topic: K; params: Params<K>; payload: Payload<K>; seq: number; at: number; origin: string }
}[T]

/** Makes a message. A wrong topic, parameter or payload does not compile. */
export const message = <T extends Topic>(topic: T, params: Params<T>, payload: Payload<T>): Message<T> => ({
  topic,
  params,
  payload,
})
