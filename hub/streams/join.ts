// Two things that belong together because they happened near each other.
import { defer, map, merge, mergeMap, type Observable, type OperatorFunction, timestamp } from 'rxjs'

/** So many wait on each side for their partner; the oldest are forgotten. */
const MOST_WAITING = 1000

interface Waiting<T> {
  value: T
  at: number
}

/** Takes the oldest that still fits out of a list. */
const take = <T>(list: Waiting<T>[], since: number, fits: (value: T) => boolean): Waiting<T> | undefined => {
  while (list[0] !== undefined && list[0].at <= since) list.shift()
  const i = list.findIndex(({ value }) => fits(value))
  return i < 0 ? undefined : list.splice(i, 1)[0]
}

/**
 * Pairs each value with one of `others` that came less than `ms` before or after it: `[value, other]`, each in one pair at
 * most, the oldest first. `same` says which belong together: give it wherever there is more than one of either.
 */
export const joinWithin = <A, B>(
  others: Observable<B>,
  ms: number,
  same: (value: A, other: B) => boolean = () => true,
): OperatorFunction<A, [A, B]> => {
  return (values) =>
    defer(() => {
      const left: Waiting<A>[] = []
      const right: Waiting<B>[] = []
      const wait = <T>(list: Waiting<T>[], one: Waiting<T>): [] => {
        list.push(one)
        if (list.length > MOST_WAITING) list.shift()
        return []
      }
      return merge(
        values.pipe(
          timestamp(),
          map(({ value, timestamp: at }): [A, B][] => {
            const other = take(right, at - ms, (b) => same(value, b))
            return other === undefined ? wait(left, { value, at }) : [[value, other.value]]
          }),
        ),
        others.pipe(
          timestamp(),
          map(({ value, timestamp: at }): [A, B][] => {
            const one = take(left, at - ms, (a) => same(a, value))
            return one === undefined ? wait(right, { value, at }) : [[one.value, value]]
          }),
        ),
      ).pipe(mergeMap((pairs) => pairs))
    })
}
