// One copy of some steps for each value of a topic parameter: one per camera, one per printer.
import { Observable, type OperatorFunction, Subject, type Subscription } from 'rxjs'
import { turnNow } from './realm.ts'

/** A flow that meets more has forgotten to let them end. */
const MOST_GROUPS = 10_000

interface Group<M> {
  heard: number
  timer: number
  /** Absent for a group of an earlier run, of which only kept values are left. */
  steps?: { messages: Subject<M>; running: Subscription }
}

/**
 * Runs a separate copy of `steps` for each value of a topic parameter. What `keep` keeps inside belongs to the group. With
 * `expire` (ms) a group ends when nothing came for so long: its steps complete, its timers stop, what it kept is forgotten.
 */
export const per =
  <M extends { params: object }, K extends keyof M['params'] & string, R>(
    param: K,
    steps: (group: Observable<M>) => Observable<R>,
    { expire = Infinity }: { expire?: number } = {},
  ): OperatorFunction<M, R> =>
  (source) =>
    new Observable((out) => {
      const { clock, keeper } = turnNow('per')
      const outer = clock.group
      const prefix = `${outer}${param}=`
      const groups = new Map<string, Group<M>>()
      const nameOf = (value: string) => `${prefix}${value}/`

      const end = (value: string, { steps: left }: Group<M>): void => {
        groups.delete(value)
        clock.within(nameOf(value), () => {
          left?.messages.complete()
          left?.running.unsubscribe()
        })
        if (left !== undefined) out.remove(left.running)
        keeper.forget(nameOf(value))
      }
      // One timer per group, set again only when it finds that something came meanwhile.
      const watch = (value: string, group: Group<M>, wait: number): void => {
        const look = (): void => {
          const left = group.heard + expire - clock.now
          if (left > 0) watch(value, group, left)
          else end(value, group)
        }
        group.timer = clock.set(look, wait, false)
      }
      const add = (value: string): Group<M> => {
        if (groups.size >= MOST_GROUPS)
          throw new Error(`per('${param}'): more than ${MOST_GROUPS} groups; let them end, with { expire }`)
        const group: Group<M> = { heard: clock.now, timer: 0 }
        groups.set(value, group)
        if (expire < Infinity) watch(value, group, expire)
        return group
      }
      const begin = (): NonNullable<Group<M>['steps']> => {
        const messages = new Subject<M>()
        const running = steps(messages).subscribe({
          // What leaves the group belongs to whatever is around it.
          next: (result) => clock.within(outer, () => out.next(result)),
          error: (error: unknown) => out.error(error),
        })
        out.add(running)
        return { messages, running }
      }

      out.add(() => {
        for (const { timer } of groups.values()) clock.clear(timer)
      })
      if (expire < Infinity) {
        for (const key of keeper.keys(prefix)) {
          const value = key.slice(prefix.length, key.indexOf('/', prefix.length))
          if (!groups.has(value)) add(value)
        }
      }
      return source.subscribe({
        next: (message) => {
          try {
            const value = String((message.params as Readonly<Record<string, string>>)[param])
            const group = groups.get(value) ?? add(value)
            group.heard = clock.now
            clock.within(nameOf(value), () => (group.steps ??= begin()).messages.next(message))
          } catch (error) {
            out.error(error)
          }
        },
        error: (error: unknown) => out.error(error),
        complete: () => {
          for (const [value, group] of groups) clock.within(nameOf(value), () => group.steps?.messages.complete())
          out.complete()
        },
      })
    })
