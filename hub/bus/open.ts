// The one way in: every publish, from an MQTT client or from inside, gets its place, its stamp and its record here, and goes past everyone who listens.
import { Observable } from 'rxjs'
import type { Broker, Intake, Verdict } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { Forbidden, Invalid, Recoverable, reasonOf } from '../errors.ts'
import type { Health } from '../health/report.ts'
import type { Entry, Journal } from '../journal/entry.ts'
import { isCleared } from '../streams/cleared.ts'
import type { Heard } from '../streams/message.ts'
import type { Writer } from '../topics/row.ts'
import { firstIssue, type TopicMatch, type TopicTable } from '../topics/table.ts'
import type { Arrival, Bus, PublishOptions } from './bus.ts'
import { openDispatch } from './dispatch.ts'
import type { Draft, Envelope } from './envelope.ts'
import { originOf, type Principal } from './principal.ts'
import { openRetained } from './retained.ts'
import { openThreads } from './threads.ts'
import { TopicTrie } from './trie.ts'

/** The hub's own topics may hold this much; other people's are bounded by the broker's packet limit (BR-5). */
const SMALL_PAYLOAD = 64 * 1024
/** Rows with these writers come from outside the hub. */
const SIZED: ReadonlySet<Writer> = new Set<Writer>(['owner', 'requester'])
/** Decoded on arrival because the hub itself needs what is inside: who asks for what, and which command an ack answers. */
const EAGER = new Set(['devices/{device}/request', 'devices/{device}/ack', 'safety/stop'])

export interface BusParts {
  table: TopicTable
  journal: Journal
  clock: Clock
  health: Health
  mayPublish(who: Principal, topic: string): Verdict
  /** One owner per device: may this origin write the device's own topics? */
  mayOwn(origin: string, device: string): Verdict
  /** MQTT filters that are not journalled. */
  journalExcept?: readonly string[]
}

export interface OpenBus extends Bus, Intake {
  /** Where messages made inside are delivered to MQTT clients; before this they reach only the hub. */
  connect(broker: Pick<Broker, 'deliver'>): void
  /** Takes over the retained set of an earlier run. */
  restore(stored: Iterable<{ topic: string; payload: Buffer; qos: number }>): void
  /** The retained set as journal entries, for the snapshot a segment begins with. */
  snapshot(): Iterable<Envelope>
}

/** Topics remembered. */
const KNOWN = 20_000

interface Known {
  /** The same string each time. */
  readonly topic: string
  readonly match: TopicMatch | undefined
  /** Not for the journal. */
  readonly isExcepted: boolean
  /** The only origin that may publish it, when that is the flow of its name; otherwise ''. */
  readonly flow: string
}

export const openBus = (parts: BusParts): OpenBus => {
  const { table, journal, clock, health } = parts
  const retained = openRetained()
  const threads = openThreads()
  const except = new TopicTrie<true>()
  for (const filter of parts.journalExcept ?? []) except.add(filter, true)
  const counts = { accepted: 0, refused: 0, bad: 0, normalised: 0 }
  let broker: Pick<Broker, 'deliver'> | undefined
  /** What is known of a topic, found once: many messages have few topics. */
  const known = new Map<string, Known>()
  const knownOf = (topic: string): Known => {
    const before = known.get(topic)
    if (before !== undefined) return before
    const match = table.match(topic)
    const found: Known = {
      topic,
      match,
      isExcepted: except.match(topic).length > 0,
      flow: match?.row.by === 'flow' ? `flow:${match.params['flow'] ?? ''}` : '',
    }
    if (known.size >= KNOWN) known.clear()
    known.set(topic, found)
    return found
  }
  const undelivered = (error: unknown): void =>
    health.report({ source: 'broker', type: 'DeliveryFailed', message: reasonOf(error), category: 'system' })
  const give = (envelope: Envelope): void => {
    line.dispatch(envelope)
    broker?.deliver(envelope).catch(undelivered)
  }
  const line = openDispatch((name, error) =>
    health.report({ source: name, type: 'ListenerError', message: reasonOf(error), category: 'system' }),
  )

  const refuse = (draft: Draft, reason: string): undefined => {
    counts.refused++
    health.metrics.count('publishes_refused_total', 'Publishes refused by policy', { by: kindOf(draft.origin) })
    health.report({
      source: 'broker',
      type: 'PublishRefused',
      severity: 'warning',
      category: 'validation',
      message: `${draft.origin} may not publish ${draft.topic}: ${reason}`,
      details: { topic: draft.topic, origin: draft.origin },
    })
  }

  const spoil = (envelope: Envelope, wrong: { field: string; constraint: string; value?: unknown }): void => {
    if (envelope.bad) return
    envelope.bad = true
    counts.bad++
    health.report({
      source: 'broker',
      type: 'PayloadInvalid',
      severity: 'warning',
      category: 'validation',
      message: `${envelope.topic} from ${envelope.origin}: ${wrong.field || 'payload'} ${wrong.constraint}`,
      details: {
        topic: envelope.topic,
        origin: envelope.origin,
        seq: envelope.seq,
        field: wrong.field,
        constraint: wrong.constraint,
      },
    })
  }

  /** Decodes once; undefined when it does not fit, or is no topic of ours. */
  const decoded = (envelope: Envelope, match = table.match(envelope.topic)): Heard | undefined => {
    if (envelope.message !== undefined) return envelope.message
    if (envelope.bad || match === undefined || envelope.payload.length === 0) return undefined
    const result = table.decode(match.row, envelope.payload)
    if (!result.ok) {
      spoil(envelope, result)
      return undefined
    }
    return (envelope.message = heardOf(match, envelope, result.payload))
  }

  /** The reason a draft is refused, if any; what the policy of its row makes of its QoS and retain flag. */
  const judge = (draft: Draft, { match, flow }: Known): string | undefined => {
    if (match === undefined) return undefined
    const { key, row, params } = match
    if ((row.by === 'gate' || row.by === 'hub') && draft.origin !== row.by)
      return `only the ${row.by} publishes this topic`
    if (row.by === 'owner') {
      const verdict = parts.mayOwn(draft.origin, params['device'] ?? '')
      if (!verdict.ok) return verdict.reason
    }
    if (row.by === 'flow' && draft.origin !== flow) return 'only the flow of that name publishes this topic'
    if (row.native === undefined && SIZED.has(row.by) && draft.payload.length > SMALL_PAYLOAD) {
      return `the payload has ${draft.payload.length} bytes, the limit here is ${SMALL_PAYLOAD}`
    }
    if (key === 'devices/{device}/cmd' && draft.retain) return 'a command is never retained'
    return undefined
  }

  const normal = (draft: Draft, match: TopicMatch | undefined): { qos: 0 | 1 | 2; retain: boolean } => {
    if (match === undefined) return draft
    const qos = draft.qos < match.row.qos ? match.row.qos : draft.qos
    const retain = match.row.retain
    if (qos !== draft.qos || retain !== draft.retain) counts.normalised++
    return { qos, retain }
  }

  /** Whether a retained message finds room. */
  const roomFor = (envelope: Envelope): boolean => {
    if (envelope.bad) return false
    if (retained.fits(envelope)) return true
    health.report({
      source: 'broker',
      type: 'RetainedFull',
      severity: 'error',
      category: 'resource',
      message: `${envelope.topic} is delivered but not retained: the hub keeps at most 100,000 retained topics and 256 MiB, a tenth of it for one device. Clear topics that are not used any more (publish an empty retained payload).`,
    })
    return false
  }

  const enter = (
    draft: Draft,
    { topic, match, isExcepted }: Known,
    committed: ((error?: Error) => void) | undefined,
  ): Envelope => {
    const { qos, retain } = normal(draft, match)
    const base: Envelope = {
      seq: journal.reserve(),
      at: clock.stamp(),
      topic,
      payload: draft.payload,
      qos,
      retain,
      origin: draft.origin,
      cause: draft.cause ?? 0,
      correlation: draft.correlation ?? '',
      n: draft.n ?? 0,
    }
    const message = match !== undefined && (retain || EAGER.has(match.key)) ? decoded(base, match) : undefined
    const placed = match === undefined ? base : threads.place(base, match, message)
    const envelope = retain && !roomFor(placed) ? { ...placed, retain: false } : placed
    counts.accepted++
    if (isExcepted) {
      if (committed !== undefined) setImmediate(committed)
    } else journal.append(entryOf(envelope), committed)
    // After the append: a segment that begins with this entry begins with the set as it was before.
    if (envelope.retain) retained.set(envelope)
    return envelope
  }

  const publishBytes = (who: Principal, topic: string, payload: Buffer, options: PublishOptions = {}): Envelope => {
    const its = knownOf(topic)
    const { match } = its
    // The topic's own flow: the same string, found once.
    const origin =
      who.kind === 'flow' && its.flow.length === who.id.length + 5 && its.flow.endsWith(who.id)
        ? its.flow
        : originOf(who)
    const draft: Draft = {
      topic,
      payload,
      origin,
      qos: match?.row.qos ?? 1,
      retain: match?.row.retain ?? options.retain ?? false,
      cause: options.cause ?? 0,
      correlation: options.correlation ?? '',
      n: options.n ?? 0,
    }
    const verdict = who.kind === match?.row.by ? undefined : parts.mayPublish(who, topic)
    const reason = verdict?.ok === false ? verdict.reason : judge(draft, its)
    if (reason !== undefined) {
      counts.refused++
      throw new Forbidden(`${origin} may not publish ${topic}: ${reason}`, { field: 'topic', value: topic })
    }
    if (options.after !== 'commit') {
      const envelope = enter(draft, its, options.committed)
      give(envelope)
      return envelope
    }
    const envelope = enter(draft, its, (error) => {
      if (error === undefined && (options.still?.() ?? true)) give(envelope)
      options.committed?.(error)
    })
    return envelope
  }

  return {
    accept(draft, committed) {
      const its = knownOf(draft.topic)
      const reason = judge(draft, its)
      if (reason !== undefined) return refuse(draft, reason)
      const envelope = enter(draft, its, committed)
      line.dispatch(envelope)
      return envelope
    },

    publish(who, message, options) {
      const row = table.rows.get(message.topic)
      if (row === undefined) throw new Invalid('topic', message.topic, 'no topic table knows it')
      if (isCleared(message)) {
        if (!row.retain) throw new Invalid('topic', message.topic, 'is not retained, so there is nothing to clear')
        return publishBytes(who, table.address(message.topic, message.params), Buffer.alloc(0), options)
      }
      const parsed = row.payload.safeParse(message.payload)
      if (!parsed.success) {
        const { field, constraint, value } = firstIssue(parsed.error, message.payload)
        throw new Invalid(field, value, constraint)
      }
      const topic = table.address(message.topic, message.params)
      return publishBytes(who, topic, Buffer.from(JSON.stringify(message.payload)), options)
    },

    publishBytes,

    from: (topic, { name, overload, where }) =>
      new Observable((out) => {
        const filter = table.filterOf(topic, where as Record<string, string | undefined> | undefined)
        return line.listen(filter, { name, overload }, (envelope) => {
          const message = decoded(envelope)
          // The match is by this topic's own filter, so the decoded message is of this topic.
          if (message?.topic === topic) out.next({ ...message, envelope } as Arrival<typeof topic>)
        })
      }),

    raw: (filter, options, take) =>
      line.listen(filter, options, (envelope) => {
        if (!envelope.bad) take(envelope)
      }),

    retained(filter) {
      const trie = new TopicTrie<true>()
      trie.add(filter, true)
      return [...retained.all()].filter((envelope) => trie.match(envelope.topic).length > 0)
    },

    edges: line.edges,
    counters: () => ({
      accepted: counts.accepted,
      refused: counts.refused,
      bad: counts.bad,
      delivered: line.edges().reduce((n, edge) => n + edge.in, 0),
      dropped: line.edges().reduce((n, edge) => n + edge.dropped, 0),
      retained: retained.size,
    }),

    connect(to) {
      broker = to
    },
    restore(stored) {
      for (const { topic, payload, qos } of stored) {
        const base: Envelope = {
          seq: 0,
          at: 0,
          topic,
          payload,
          qos: qos === 2 || qos === 1 ? qos : 0,
          retain: true,
          origin: 'hub',
          cause: 0,
          correlation: '',
          n: 0,
        }
        const match = table.match(topic)
        if (match === undefined || decoded(base, match) !== undefined) retained.set(base)
      }
    },
    snapshot: () => retained.all(),
  }
}

const kindOf = (origin: string): string => origin.split(':')[0] ?? origin

const heardOf = ({ key, params }: TopicMatch, { seq, at, origin }: Envelope, payload: unknown): Heard =>
  // The table matched the topic to its row and the payload to the row's schema: this is where bytes become a type.
  ({ topic: key, params, payload, seq, at, origin }) as unknown as Heard

const entryOf = ({ seq, at, topic, payload, qos, retain, origin, cause, correlation, n }: Envelope): Entry => ({
  kind: 'message',
  seq,
  at,
  topic,
  payload,
  qos,
  retain,
  origin,
  cause,
  correlation,
  n,
})

/** For callers that hold only an error: was it a refusal of the sender, or trouble of ours? */
export const isRefusal = (error: unknown): boolean => error instanceof Recoverable && error.code === 'POLICY_ERROR'
