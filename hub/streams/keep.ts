// What a flow remembers for good: through restarts, new versions and the end of the journal.
import { Observable, type OperatorFunction } from 'rxjs'
import type { z } from '../topics/row.ts'
import { turnNow } from './realm.ts'

/**
 * Like `scan`, with a memory that outlives restarts: emits each new value. `name` is one in the flow, and one in each group of
 * `per`. Each change is recorded. A value from before that does not fit `schema` is set aside and reported; then `initial` is used.
 */
export const keep =
  <M, T>(
    name: string,
    schema: z.ZodType<T>,
    initial: NoInfer<T>,
    step: (kept: T, message: M) => NoInfer<T>,
  ): OperatorFunction<M, T> =>
  (messages) =>
    new Observable((out) => {
      const { keeper, clock } = turnNow('keep')
      const kept = keeper.open(`${clock.group}${name}`, schema, initial)
      out.add(() => kept.close())
      return messages.subscribe({
        next: (message) => {
          try {
            kept.put(step(kept.value, message))
          } catch (error) {
            return out.error(error)
          }
          out.next(kept.value)
        },
        error: (error: unknown) => out.error(error),
        complete: () => out.complete(),
      })
    })
