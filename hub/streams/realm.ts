// Whose turn it is in this realm. Set by the host around each turn of a flow; read by time, by `per`, `keep`, `schedule` and `ask`.
import type { z } from '../topics/row.ts'
import type { LogicalClock } from './clock.ts'

/** When something happens day by day: a cron pattern in the site's time zone, or so long (ms) after sunrise or sunset; before, when negative. */
export type Moment = string | { readonly sunrise: number } | { readonly sunset: number }

/** Knows the site's time zone and sky. */
export interface Calendar {
  /** The first time after `now` (both in ms since 1970); undefined when there is none. Throws when the moment says nothing. */
  after(when: Moment, now: number): number | undefined
}

/** One value that outlives restarts. */
export interface KeptValue<T> {
  readonly value: T
  /** Keeps a new value and returns it as it will be read again: by its schema, through JSON, frozen. Throws when it does not fit. */
  put(value: T): T
  /** Nobody uses the key any more; its value stays. */
  close(): void
}

/** What a flow keeps, by key. */
export interface Keeper {
  /** Throws when the key is in use. A value that does not fit the schema is set aside and `initial` is used. */
  open<T>(key: string, schema: z.ZodType<T>, initial: T): KeptValue<T>
  /** The keys that begin with `prefix`. */
  keys(prefix: string): string[]
  /** Forgets the keys that begin with `prefix`. */
  forget(prefix: string): void
}

/** A flow that has its turn. */
export interface Turn {
  readonly number: number
  readonly clock: LogicalClock
  readonly keeper: Keeper
  readonly calendar: Calendar
  /** The next id of a request: made of the flow, its recorded start and a count, and so the same in a replay. */
  nextId(): string
}

/** One per process. `at` is the latest time that any flow has seen: what a clock shows between turns. */
export const realm: { turn: Turn | undefined; at: number } = { turn: undefined, at: 0 }

/** The turn that runs now. Throws between turns, where only promises and module code can be. */
export const turnNow = (what: string): Turn => {
  if (realm.turn === undefined)
    throw new Error(`${what} outside a turn: promises and async functions are not for flows`)
  return realm.turn
}
