// A flow is a pure function from the hub's messages to the messages it wants published.
import type { Observable } from 'rxjs'
import type { Heard, Message, Params, Topic } from './message.ts'

/** What a full edge does: keep the newest only, or forget the oldest beyond `n`. Drops are counted and shown. */
export type Overload = 'latest' | { dropOldest: number }

/** `where` narrows a topic to given parameters (`{ device: 'dust' }`), so that nothing else crosses into the flow. Default overload: `{ dropOldest: 1000 }`. */
export interface FromOptions<T extends Topic> {
  where?: Partial<Params<T>>
  overload?: Overload
}

/** `from(topic)` gives live messages in the order of `seq`, never the retained one; `from.latest(topic)` starts with the retained values as of the flow's position. */
export interface From {
  <T extends Topic>(topic: T, options?: FromOptions<T>): Observable<Heard<T>>
  latest<T extends Topic>(topic: T, options?: FromOptions<T>): Observable<Heard<T>>
}

/** Messages in, messages out; nothing else. Runs isolated, on the logical clock. */
export type Flow<Out extends Topic = Topic> = (from: From) => Observable<Message<Out>>

/** Declares a flow. Pure: no `Date`, no `Math.random`, no `async`. */
export const flow = (define: (from: From) => Observable<Message>): Flow => define

/** `latestOf(from, topic)`: the retained values first, then every change. */
export const latestOf = <T extends Topic>(from: From, topic: T, options?: FromOptions<T>): Observable<Heard<T>> =>
  from.latest(topic, options)
