// The few stream operators RxJS does not have under a name a flow would use.
import {
  distinctUntilChanged,
  filter,
  map,
  type MonoTypeOperatorFunction,
  type Observable,
  type OperatorFunction,
  pipe,
  scan,
  switchMap,
  timer,
  timestamp,
} from 'rxjs'
import type { From, FromOptions } from './flow.ts'
import type { Heard, Topic } from './message.ts'

/** Durations in ms. */
export const seconds = (n: number): number => n * 1000
export const minutes = (n: number): number => n * 60_000
export const hours = (n: number): number => n * 3_600_000

/** Emits the last `count` values each time they all fell within `ms`. */
export const countWithin = <T>(count: number, ms: number): OperatorFunction<T, [T, ...T[]]> =>
  pipe(
    timestamp<T>(),
    scan<{ value: T; timestamp: number }, { value: T; timestamp: number }[]>(
      (recent, next) => [...recent, next].filter((x) => next.timestamp - x.timestamp < ms).slice(-count),
      [],
    ),
    filter((recent) => recent.length === count),
    map((recent) => recent.map((x) => x.value) as [T, ...T[]]),
  )

/** Emits a value once nothing newer has come for `ms`: "and it stayed that way". A newer value starts the wait again. */
export const quietFor = <T>(ms: number): MonoTypeOperatorFunction<T> =>
  switchMap((value) => timer(ms).pipe(map(() => value)))

/** Emits when `is` changes from false (or nothing yet) to true. */
export const onEdge = <T>(is: (value: T) => boolean): MonoTypeOperatorFunction<T> =>
  pipe(
    map((value: T) => ({ value, on: is(value) })),
    distinctUntilChanged((a, b) => a.on === b.on),
    filter(({ on }) => on),
    map(({ value }) => value),
  )

/** True at or above `high`, false at or below `low`, unchanged between; emits on each change. */
export const hysteresis = ({ low, high }: { low: number; high: number }): OperatorFunction<number, boolean> =>
  pipe(
    scan<number, boolean | undefined>((on, n) => (n >= high ? true : n <= low ? false : on), undefined),
    filter((on) => on !== undefined),
    distinctUntilChanged(),
  )

/** `latestOf(from, topic)`: the retained values first, then every change. */
export const latestOf = <T extends Topic>(from: From, topic: T, options?: FromOptions<T>): Observable<Heard<T>> =>
  from.latest(topic, options)
