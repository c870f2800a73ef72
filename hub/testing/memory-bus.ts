// A bus in memory for tests: the whole Bus interface with seq, stamps, retained set, rights by row and commits, and everything that travelled kept to look at.
import { Observable } from 'rxjs'
import { type Verdict, YES } from '../broker/broker.ts'
import { matches } from '../bus/filters.ts'
import type { Arrival, Bus, EdgeView, PublishOptions } from '../bus/bus.ts'
import type { Envelope } from '../bus/envelope.ts'
import { type Principal, originOf } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Forbidden, Invalid } from '../errors.ts'
import type { Heard, Message, Params, Topic } from '../streams/message.ts'
import { core } from '../topics/core.ts'
import type { TopicRows } from '../topics/row.ts'
import { firstIssue, topicTable } from '../topics/table.ts'

export interface MemoryBus extends Bus {
  readonly prefix: string
  /** Everything accepted, in order. */
  readonly log: readonly Envelope[]
  /** The payloads of a topic so far, in order. */
  said<T extends Topic>(topic: T, where?: Partial<Params<T>>): Heard<T>[]
  /** Resolves with the next message of a topic that fits; rejects after `within` ms (2000). */
  next<T extends Topic>(topic: T, fits?: (heard: Heard<T>) => boolean, within?: number): Promise<Heard<T>>
  /** While true nothing is committed; what waits is committed when it is set to false. */
  stall: boolean
  /** While set, the journal fails with this. */
  failing: Error | undefined
}

interface Listener {
  edge: EdgeView
  bound: number
  waiting: Envelope[]
  take: (envelope: Envelope) => void
}

export interface MemoryBusOptions {
  clock: Clock
  prefix?: string
  tables?: readonly TopicRows[]
  /** One owner per device, as the registry answers it. */
  mayOwn?: (origin: string, device: string) => Verdict
  firstSeq?: number
}

/** Listeners are called on a microtask, never from inside `publish`. */
export const memoryBus = ({
  clock,
  prefix = 'jarvis',
  tables = [core],
  mayOwn = () => YES,
  firstSeq = 1,
}: MemoryBusOptions): MemoryBus => {
  const table = topicTable(tables, prefix)
  const listeners = new Set<Listener>()
  const log: Envelope[] = []
  const kept = new Map<string, Envelope>()
  const counts = { accepted: 0, refused: 0, bad: 0, delivered: 0, dropped: 0 }
  let seq = firstSeq
  let stall = false
  let failing: Error | undefined
  let draining = false
  let held: (() => void)[] = []

  const drain = () => {
    draining = false
    for (const listener of [...listeners]) {
      const now = listener.waiting
      listener.waiting = []
      for (const envelope of now) if (listeners.has(listener)) listener.take(envelope)
    }
  }

  const dispatch = (envelope: Envelope): void => {
    for (const listener of listeners) {
      if (!matches(listener.edge.topic, envelope.topic)) continue
      listener.edge.in++
      counts.delivered++
      listener.waiting.push(envelope)
      if (listener.waiting.length > listener.bound) {
        listener.waiting.shift()
        listener.edge.dropped++
        counts.dropped++
      }
    }
    if (!draining) queueMicrotask(drain)
    draining = true
  }

  const listen = (filter: string, name: string, bound: number, take: (envelope: Envelope) => void): (() => void) => {
    const listener: Listener = { edge: { name, topic: filter, in: 0, dropped: 0, depth: 0 }, bound, waiting: [], take }
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  const decoded = (envelope: Envelope): Heard | undefined => {
    const match = table.match(envelope.topic)
    if (match === undefined || envelope.bad || envelope.payload.length === 0) return undefined
    const result = table.decode(match.row, envelope.payload)
    if (!result.ok) {
      envelope.bad = true
      counts.bad++
      return undefined
    }
    // The table matched topic and payload: this is where bytes become a type.
    return {
      topic: match.key,
      params: match.params,
      payload: result.payload,
      seq: envelope.seq,
      at: envelope.at,
      origin: envelope.origin,
    } as unknown as Heard
  }

  const refuse = (origin: string, topic: string, why: string): never => {
    counts.refused++
    throw new Forbidden(`${origin} may not publish ${topic}: ${why}`)
  }

  const publishBytes = (who: Principal, topic: string, payload: Buffer, options: PublishOptions = {}): Envelope => {
    const origin = originOf(who)
    const match = table.match(topic)
    const by = match?.row.by
    if ((by === 'gate' || by === 'hub') && who.kind !== by) refuse(origin, topic, `only the ${by} publishes this topic`)
    if (by === 'owner' && who.kind !== 'hub') {
      const verdict = mayOwn(origin, match?.params['device'] ?? '')
      if (!verdict.ok) refuse(origin, topic, verdict.reason)
    }
    const envelope: Envelope = {
      seq: seq++,
      at: clock.stamp(),
      topic,
      payload,
      qos: match?.row.qos ?? 1,
      retain: match?.row.retain ?? options.retain ?? false,
      origin,
      cause: options.cause ?? 0,
      correlation: options.correlation ?? '',
      n: options.n ?? 0,
    }
    counts.accepted++
    decoded(envelope)
    if (envelope.retain && !envelope.bad) {
      if (payload.length === 0) kept.delete(topic)
      else kept.set(topic, envelope)
    }
    log.push(envelope)
    const late = options.after === 'commit'
    if (!late) dispatch(envelope)
    const commit = () => {
      if (late && failing === undefined && (options.still?.() ?? true)) dispatch(envelope)
      options.committed?.(failing)
    }
    if (stall) held.push(commit)
    else queueMicrotask(commit)
    return envelope
  }

  const from = <T extends Topic>(topic: T, { name, overload, where }: Parameters<Bus['from']>[1]) =>
    new Observable<Arrival<T>>((out) => {
      const bound = overload === 'latest' ? 1 : (overload?.dropOldest ?? 1000)
      return listen(table.filterOf(topic, where), name, bound, (envelope) => {
        const heard = decoded(envelope)
        // The filter is this topic's own, so what was decoded is of this topic.
        if (heard?.topic === topic) out.next({ ...heard, envelope } as unknown as Arrival<T>)
      })
    })

  const said = <T extends Topic>(topic: T, where: Partial<Params<T>> = {}): Heard<T>[] =>
    log
      .filter((envelope) => matches(table.filterOf(topic, where as Record<string, string>), envelope.topic))
      .flatMap((envelope) => decoded(envelope) ?? [])
      .filter((heard) => heard.topic === topic) as unknown as Heard<T>[]

  return {
    prefix,
    log,
    said,
    from: from,
    raw: (filter, { name, overload }, take) =>
      listen(filter, name, overload === 'latest' ? 1 : (overload?.dropOldest ?? 1000), (envelope) => {
        if (!envelope.bad) take(envelope)
      }),
    publish<T extends Topic>(who: Principal, message: Message<T>, options?: PublishOptions) {
      const row = table.rows.get(message.topic)
      if (row === undefined) throw new Invalid('topic', message.topic, 'no topic table knows it')
      const result = row.payload.safeParse(message.payload)
      if (!result.success) {
        const { field, value, constraint } = firstIssue(result.error, message.payload)
        throw new Invalid(field, value, constraint)
      }
      const params = message.params as Record<string, string>
      return publishBytes(
        who,
        table.address(message.topic, params),
        Buffer.from(JSON.stringify(message.payload)),
        options,
      )
    },
    publishBytes,
    retained: (filter) => [...kept.values()].filter((envelope) => matches(filter, envelope.topic)),
    edges: () => [...listeners].map(({ edge, waiting }) => ({ ...edge, depth: waiting.length })),
    counters: () => ({ ...counts, retained: kept.size }),
    next: (topic, fits = () => true, within = 2000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          heard.unsubscribe()
          reject(new Error(`no fitting message on ${topic} within ${within} ms`))
        }, within)
        const heard = from(topic, { name: 'test' }).subscribe((arrival) => {
          if (!fits(arrival)) return
          clearTimeout(timer)
          heard.unsubscribe()
          resolve(arrival)
        })
      }),
    get stall() {
      return stall
    },
    set stall(value) {
      stall = value
      if (stall) return
      const now = held
      held = []
      for (const commit of now) commit()
    },
    get failing() {
      return failing
    },
    set failing(error) {
      failing = error
    },
  }
}
