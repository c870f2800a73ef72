// The heads of a flow: where its messages come in, narrowed and, for `from.latest`, remembered by topic.
import { Observable, Subject } from 'rxjs'
import type { LogicalClock } from '../streams/clock.ts'
import type { FromOptions, Overload } from '../streams/flow.ts'
import type { Heard, Topic } from '../streams/message.ts'
import type { TopicMatch, TopicTable } from '../topics/table.ts'
import type { Input } from './host-contract.ts'

/** One `from(…)` of `F`, a flow. */
export interface Head<F> {
  readonly flow: F
  readonly input: Input
  readonly where: Readonly<Record<string, string>>
  readonly subject: Subject<Heard>
  /** For `from.latest`: the last message of each retained topic. */
  readonly last?: Map<string, Heard>
}

/** Edges of flow f are numbered from f * 1024. */
const EDGES_PER_FLOW = 1024
const DEFAULT_OVERLOAD: Overload = { dropOldest: 1000 }

/** The next head of a flow with `heads.length` of them. Throws when the topic or what narrows it is unknown. */
export const headOf = <F extends { readonly number: number; readonly heads: readonly Head<F>[] }, T extends Topic>(
  table: TopicTable,
  flow: F,
  topic: T,
  wanted: FromOptions<T>,
  latest: boolean,
): Head<F> => {
  const { heads, number } = flow
  if (heads.length >= EDGES_PER_FLOW) throw new Error(`a flow may call from() at most ${EDGES_PER_FLOW} times`)
  const row = table.rows.get(topic)
  if (row === undefined) throw new Error(`no topic table knows '${topic}'`)
  const where = namedIn(topic, wanted.where)
  const input: Input = {
    edge: number * EDGES_PER_FLOW + heads.length,
    topic,
    filter: table.filterOf(topic, where),
    latest,
    overload: wanted.overload ?? DEFAULT_OVERLOAD,
  }
  return { flow, input, where, subject: new Subject(), ...(latest && row.retain ? { last: new Map() } : {}) }
}

/** The last message of each retained topic, in their order, each as its own cause; then what comes. */
export const startingWithLast = ({ flow, last, subject }: Head<{ readonly clock: LogicalClock }>): Observable<Heard> =>
  last === undefined
    ? subject
    : new Observable((out) => {
        for (const heard of [...last.values()].sort((a, b) => a.seq - b.seq))
          flow.clock.because(heard.seq, () => out.next(heard))
        return subject.subscribe(out)
      })

/** The typed view of a head: the host routes by `topic`, so that only messages of T arrive here. */
export const heardBy = <T extends Topic>(messages: Observable<Heard>): Observable<Heard<T>> =>
  new Observable<unknown>((out) => messages.subscribe(out)) as Observable<Heard<T>>

/** Whether a head hears this topic. */
export const isFor = ({ input, where }: Head<unknown>, { key, params }: TopicMatch): boolean =>
  input.topic === key && Object.entries(where).every(([name, value]) => params[name] === value)

const namedIn = (topic: string, where: object | undefined): Record<string, string> => {
  const named: Record<string, string> = {}
  for (const [name, value] of Object.entries(where ?? {})) {
    if (value === undefined) continue
    if (!topic.includes(`{${name}}`)) throw new Error(`where.${name}: '${topic}' has no such parameter`)
    if (typeof value !== 'string' || !/^[^/+#\0]+$/.test(value))
      throw new Error(`where.${name} must be one topic level`)
    named[name] = value
  }
  return named
}
