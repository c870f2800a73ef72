// The external broker: the site's own (Mosquitto, EMQX, NATS) carries the messages, the hub is one client of it.
import type { Duplex } from 'node:stream'
import type { LookupFunction } from 'node:net'
import type { Envelope } from '../bus/envelope.ts'
import { type Clock, wallClock } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Health, Log } from '../health/report.ts'
import type { TopicTable } from '../topics/table.ts'
import { type Broker, type Intake, type MqttRights, noCounts } from './broker.ts'
import { openEchoes } from './external-echo.ts'
import { type Arriving, type LineLimits, openLine } from './external-line.ts'
import type { Outbox } from './external-outbox.ts'
import { openReplay, type Replay } from './external-replay.ts'
import { openSource, ownBytes, untilOf } from './external-source.ts'
import { openLineHealth } from './external-state.ts'
import type { BrokerAddress } from './external-url.ts'
import { quietly } from './quiet.ts'

export interface ExternalBrokerOptions {
  address: BrokerAddress
  /** Always the same for this hub: the other broker keeps its session while the hub is away. */
  clientId: string
  /** What to subscribe to: the hub's prefix, and the facts of other conventions that rows or plugins read. */
  filters: readonly string[]
  table: TopicTable
  intake: Intake
  outbox: Outbox
  /** The hub's retained set at the start. */
  retained: Iterable<Pick<Envelope, 'topic' | 'payload'>>
  /** A broker without listeners for the people on the web port, whose clients the other broker does not know. */
  local?: Broker | undefined
  rights?: Pick<MqttRights, 'onRevoked'> | undefined
  ca?: string | undefined
  lookup?: LookupFunction | undefined
  limits?: Partial<LineLimits>
  /** How long the start waits for the retained set of the other broker, ms. */
  firstMs?: number
  log: Log
  health: Health
  clock?: Clock
}

export interface ExternalBroker extends Broker {
  /** A message of somebody on the web port, already accepted: the other broker gets it too. */
  carry(envelope: Envelope): Promise<void>
}

const PART = 'broker'
const FIRST_MS = 4000
/** Without "no local" the echoes of an earlier run come with the session's queue; then nobody can tell them from a bypass. */
const OLD_ECHO_MS = 15_000

/**
 * Connects, reads the retained set and goes on by itself. Resolves when that set is read, when the first attempt has
 * failed, or after `firstMs`: the hub starts without its broker and says so. Never throws for what the network does.
 */
export const openExternalBroker = async (options: ExternalBrokerOptions): Promise<ExternalBroker> => {
  const { address, table, intake, outbox, local, health, log } = options
  const clock = options.clock ?? wallClock()
  const warn = quietly(log, clock.now)
  const sourceOf = openSource({ table, origin: 'external', requests: true })
  const echoes = openEchoes(clock)
  /** The last payload of each retained topic, whoever it came from. */
  const last = new Map([...options.retained].map(({ topic, payload }) => [topic, payload]))
  /** Topics whose last retained message is the hub's. */
  const ours = new Set<string>()
  const counts = { refused: 0 }
  const isOurs = (topic: string) => {
    const by = table.match(topic)?.row.by
    return ours.has(topic) || by === 'hub' || by === 'flow'
  }
  const state = openLineHealth(health, PART, clock.now, () => {
    const { waiting } = outbox.sizes()
    return waiting === 0 ? '' : `${waiting} messages wait for it.`
  })
  let replay: Replay | undefined
  /** Retained topics that were published either way since the line is up. */
  const fresh = new Set<string>()
  let session = { isPresent: true, since: 0 }
  const { promise: first, resolve: begun } = Promise.withResolvers<void>()

  const keep = (topic: string, payload: Buffer, mine: boolean): void => {
    if (payload.length === 0) last.delete(topic)
    else last.set(topic, payload)
    if (replay?.isOn === true) fresh.add(topic)
    if (mine && payload.length > 0) ours.add(topic)
    else ours.delete(topic)
  }

  const refuse = (topic: string, why: string): void => {
    counts.refused++
    warn('external-message-refused', topic, { topic, why })
  }

  const bypassed = (topic: string): void => {
    counts.refused++
    // Under 3.1.1 a queue that waited for the hub holds the echoes of its earlier run.
    if (line.protocol === 4 && session.isPresent && clock.now() - session.since < OLD_ECHO_MS) {
      return warn('external-old-echo', topic, { topic })
    }
    const what = `Somebody other than the hub publishes ${topic} on ${address.said}: nothing inside has heard it, but a device may have. Let only the hub write commands there: node hub/start.js acl prints the rules.`
    state.note('bypass', what)
    health.report({
      source: 'broker',
      type: 'GateBypassed',
      severity: 'critical',
      category: 'authentication',
      message: what,
      details: { topic, broker: address.said },
    })
  }

  const stray = (topic: string): void => {
    counts.refused++
    const what = `${topic} is retained on ${address.said} but must not be: every client that subscribes gets it again. Clear it: mosquitto_pub -r -n -t '${topic}'.`
    state.note('stray', what)
    warn('external-stray-retained', topic, { topic })
    health.report({
      source: 'broker',
      type: 'StrayRetained',
      severity: 'error',
      category: 'validation',
      message: what,
      details: { topic },
    })
  }

  /** The retained set of the other broker; what the hub knows already, or has newer in its outbox, is no news. */
  const isNews = (topic: string, payload: Buffer): boolean => {
    replay?.heard(topic)
    return last.get(topic)?.equals(payload) !== true && !outbox.holds(topic)
  }

  const take = ({ topic, payload, qos, retain }: Arriving, done: (error?: Error) => void): void => {
    if (line.protocol === 4 && !retain && echoes.isEcho(topic, payload)) return done()
    const source = sourceOf(topic)
    const row = source.match?.row
    if (retain && row !== undefined && !row.retain) {
      stray(topic)
      return done()
    }
    if (retain && !isNews(topic, payload)) return done()
    if (!source.take) {
      if (retain && isOurs(topic)) return done()
      if (source.bypass) bypassed(topic)
      else refuse(topic, source.why)
      return done()
    }
    const draft = { topic, payload: ownBytes(payload), qos, retain: row?.retain ?? retain, origin: source.origin }
    const kept = Promise.withResolvers<void>()
    const envelope = intake.accept(draft, (error) => (error ? kept.reject(error) : kept.resolve()))
    if (envelope === undefined) {
      counts.refused++
      return done()
    }
    if (envelope.retain && envelope.bad !== true) keep(topic, envelope.payload, false)
    // People on the web port are shown it; whether they get it does not decide about its acknowledgement.
    local?.deliver(envelope).catch((error: unknown) => warn('local-delivery', 'failed', { why: reasonOf(error) }))
    kept.promise.then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }

  const carry = ({ topic, payload, qos, retain, bad }: Envelope): Promise<void> => {
    const isRetained = retain && bad !== true
    if (isRetained) keep(topic, payload, true)
    const message = { topic, payload, qos, retain: isRetained }
    if (qos === 0) {
      line.send(message)
      return Promise.resolve()
    }
    const until = untilOf(table.match(topic), payload)
    const stored = outbox.add(until === undefined ? message : { ...message, until })
    line.pump()
    return stored
  }

  /** The other broker has lost its memory: what the hub says of itself and of its plugins' devices is said again. */
  const restore = (there: ReadonlySet<string>): void => {
    for (const [topic, payload] of last) {
      if (there.has(topic) || fresh.has(topic) || !isOurs(topic) || outbox.holds(topic)) continue
      outbox
        .add({ topic, payload, qos: 1, retain: true })
        .catch((error: unknown) => warn('external-not-stored', 'outbox', { why: reasonOf(error) }))
    }
    line.pump()
  }

  const line = openLine({
    address,
    clientId: options.clientId,
    variable: 'BROKER_URL',
    filters: options.filters,
    rap: false,
    outbox,
    ca: options.ca,
    lookup: options.lookup,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    log,
    clock,
    take,
    up({ isPresent }) {
      session = { isPresent, since: clock.now() }
      state.up()
      replay?.stop()
      fresh.clear()
      replay = openReplay((there) => {
        if (!isPresent) restore(there)
        begun()
      })
    },
    down(sentence) {
      replay?.stop()
      state.down(sentence)
      begun()
    },
    sending({ topic, payload }) {
      if (line.protocol === 4) echoes.sent(topic, payload)
    },
    refused({ message, filter }, why) {
      const topic = message?.topic ?? filter ?? ''
      const verb = message === undefined ? 'read' : 'publish'
      const what = `The broker at ${address.said} does not let the hub ${verb} ${topic} (${why}). Give its user the rights that node hub/start.js acl prints.`
      state.note('refused', what)
      health.report({
        source: 'broker',
        type: 'ExternalRefused',
        severity: 'error',
        category: 'configuration',
        message: what,
        details: { topic },
      })
    },
  })

  const gone = (clientId: string): void =>
    health.report({
      source: 'broker',
      type: 'RevokedElsewhere',
      severity: 'warning',
      category: 'authentication',
      message: `The rights of ${clientId} were taken away here, but ${address.said} does not know it. Take it out there too: mosquitto_passwd -D <file> ${clientId}, install the rules of node hub/start.js acl, and restart or reload that broker.`,
      details: { clientId },
    })
  const unhear = options.rights?.onRevoked((origin, clientId) => {
    if (origin.startsWith('device:')) gone(clientId === '' ? origin.slice('device:'.length) : clientId)
  })

  const late = setTimeout(begun, options.firstMs ?? FIRST_MS)
  await first
  clearTimeout(late)

  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    unhear?.()
    replay?.stop()
    state.close()
    await line.close()
    await local?.close()
  }

  return {
    ports: { mqtt: undefined, mqtts: undefined, ws: undefined },
    carry,
    async deliver(envelope) {
      await Promise.all([carry(envelope), local?.deliver(envelope)])
    },
    storedRetained: async () => [...last].map(([topic, payload]) => ({ topic, payload, qos: 1 as const })),
    async purge(clientId) {
      gone(clientId)
      await local?.purge(clientId)
    },
    /** Only those of the web port: the other broker does not say who is connected to it. */
    clients: () => local?.clients() ?? [],
    disconnect: async (clientId, how) => {
      await local?.disconnect?.(clientId, how)
    },
    lastError: (clientId) => local?.lastError?.(clientId),
    counters() {
      const here = local?.counters() ?? noCounts()
      const { connects, received, sent, dropped, refused } = line.counts()
      return {
        ...here,
        connected: here.connected + (line.isUp ? 1 : 0),
        connects: here.connects + connects,
        refusedPublishes: here.refusedPublishes + counts.refused + refused,
        dropped: here.dropped + dropped,
        received: here.received + received,
        delivered: here.delivered + sent,
      }
    },
    handle(stream: Duplex, from) {
      if (local) return local.handle(stream, from)
      stream.on('error', () => {})
      stream.destroy()
    },
    close: () => (closed ??= close()),
  }
}
