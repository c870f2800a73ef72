// A message is a topic with its parameters filled in and a payload of that topic's type.

/** Every topic the hub knows, with the type of its payload. The core table and each plugin's `topics.ts` add to it by `declare module '#hub'`. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- filled by declaration merging
export interface Topics {}

/** A topic address such as `devices/{device}/state`. */
export type Topic = keyof Topics & string

/** The payload of a topic. */
export type Payload<T extends Topic> = Topics[T]

/** What is known of this hub: empty until `npm run types` has written `devices`, each id with the intents it can be asked. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- filled by declaration merging
export interface Known {}

type Intents = Known extends { devices: infer D } ? D : Record<string, string>

/** The id of a device; any text while nothing is known of this hub. */
export type DeviceName = Extract<keyof Intents, string>

/** What a device can be asked; any text while nothing is known of this hub. */
export type IntentOf<D extends DeviceName> = Extract<Intents[D], string>

/** `'devices/{device}/state'` → `{ device: string }`. */
export type Params<T extends string> = T extends `${string}{${infer P}}${infer Rest}`
  ? { [K in P | keyof Params<Rest>]: K extends 'device' ? DeviceName : string }
  : // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- no parameters
    {}

/** What a flow or a plugin wants published. */
export type Message<T extends Topic = Topic> = { [K in T]: { topic: K; params: Params<K>; payload: Payload<K> } }[T]

/** A message that was heard: `seq` is its place in the hub's order, `at` its stamp in ms since 1970, `origin` the principal that sent it. */
export type Heard<T extends Topic = Topic> = {
  [K in T]: { topic: K; params: Params<K>; payload: Payload<K>; seq: number; at: number; origin: string }
}[T]

/** The payload of a topic, narrowed by the device it goes to: a request may only ask for what that one can do. */
export type PayloadTo<T extends Topic, D extends DeviceName> = T extends 'devices/{device}/request'
  ? Omit<Payload<T>, 'intent'> & { intent: IntentOf<D> }
  : Payload<T>

type ParamsTo<T extends Topic, D extends DeviceName> = T extends `${string}{device}${string}`
  ? Omit<Params<T>, 'device'> & { device: D }
  : Params<T>

/** Makes a message. A wrong topic, parameter or payload does not compile. */
export const message = <const T extends Topic, const D extends DeviceName = DeviceName>(
  topic: T,
  params: ParamsTo<T, D>,
  payload: PayloadTo<T, NoInfer<D>>,
): Message<T> =>
  // What is narrower than a topic's parameters and payload fits them; the compiler cannot follow it through the conditions.
  ({ topic, params, payload }) as unknown as Message<T>
