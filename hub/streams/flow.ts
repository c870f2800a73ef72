// A flow is a pure function from the hub's messages to the messages it wants published.
import type { Observable } from 'rxjs'
import { z } from '../topics/row.ts'
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

/** The numbers and words of a flow that people may change, each a zod schema with `.default(…)` and `.describe(…)`. */
export type ParamFields = Readonly<Record<string, z.ZodType>>

/** The values of params, by name. */
export type ParamValues<P extends ParamFields> = { readonly [K in keyof P]: z.output<P[K]> }

/** Messages in, messages out; nothing else. Runs isolated, on the logical clock. */
export interface Flow<Out extends Topic = Topic> {
  (from: From, params: Readonly<Record<string, unknown>>): Observable<Message<Out>>
  /** What `params` must be; the host checks the values before it calls the flow. */
  readonly params?: z.ZodObject
}

/** Declares a flow. Pure: no `Date`, no `Math.random`, no `async`. */
export function flow(define: (from: From) => Observable<Message>): Flow
/** Declares a flow with params: values that people may change without touching its code. */
export function flow<const P extends ParamFields>(
  settings: { params: P },
  define: (from: From, params: ParamValues<P>) => Observable<Message>,
): Flow
export function flow<P extends ParamFields>(
  first: { params: P } | ((from: From) => Observable<Message>),
  define?: (from: From, params: ParamValues<P>) => Observable<Message>,
): Flow {
  if (typeof first === 'function') return first
  if (define === undefined) throw new Error('flow({ params }, (from, params) => …): the function is missing')
  // The host parses the values with this very schema before it calls the function.
  const typed = (from: From, values: Readonly<Record<string, unknown>>) => define(from, values as ParamValues<P>)
  return Object.assign(typed, { params: z.strictObject(first.params) })
}
