// The bridge: the broker inside stays, and a site's old one is joined to it both ways, within configured filters and never past the gate.
import type { LookupFunction } from 'node:net'
import { anyMatcher, isFilter } from '../bus/filters.ts'
import type { Envelope } from '../bus/envelope.ts'
import type { OpenBus } from '../bus/open.ts'
import { type Clock, wallClock } from '../clock.ts'
import { Fatal } from '../errors.ts'
import type { Health, Log } from '../health/report.ts'
import type { TopicTable } from '../topics/table.ts'
import type { Broker } from './broker.ts'
import { openEchoes, openLoopGuard } from './external-echo.ts'
import { type Arriving, type LineCounts, type LineLimits, openLine } from './external-line.ts'
import type { Outbox } from './external-outbox.ts'
import { openReplay, type Replay } from './external-replay.ts'
import { openSource, ownBytes, untilOf } from './external-source.ts'
import { openLineHealth } from './external-state.ts'
import type { BrokerAddress } from './external-url.ts'
import { quietly } from './quiet.ts'

export interface BridgeFilters {
  /** What comes into the hub. */
  in: readonly string[]
  /** What goes to the other broker. */
  out: readonly string[]
}

export interface BridgeOptions {
  address: BrokerAddress
  clientId: string
  filters: BridgeFilters
  table: TopicTable
  bus: Pick<OpenBus, 'accept' | 'raw' | 'retained'>
  /** The broker inside: what comes in reaches its clients too. */
  broker: Pick<Broker, 'deliver'>
  outbox: Outbox
  ca?: string | undefined
  lookup?: LookupFunction | undefined
  limits?: Partial<LineLimits>
  log: Log
  health: Health
  clock?: Clock
}

export interface Bridge {
  counts(): LineCounts & { refused: number; looped: number }
  /** Resolves within two seconds; what the other broker has not got stays in the outbox. */
  close(): Promise<void>
}

const PART = 'bridge'
const DEEP_EDGE = { dropOldest: 100_000 }
/** A retained message is no news when the hub has the same, or has something newer on its way out. */
type Known = Map<string, Buffer>

/** The filters as configured. Throws Fatal when there is none, or one is no filter. */
export const bridgeFilters = (filters: BridgeFilters, prefix: string): BridgeFilters => {
  if (filters.in.length + filters.out.length === 0) {
    throw new Fatal(
      `BRIDGE_URL is set, but the config file does not say what crosses. For example, in millrace.yaml:\n\nbridge:\n  in: ['${prefix}/devices/+/#', 'zigbee2mqtt/#']\n  out: ['${prefix}/devices/#']\n\nSee docs/external-broker.md.`,
    )
  }
  for (const [way, list] of Object.entries(filters) as [string, readonly string[]][]) {
    const wrong = list.find((filter) => !isFilter(filter) || filter.startsWith('$'))
    if (wrong !== undefined)
      throw new Fatal(`bridge.${way} in the config file: '${wrong}' is not an MQTT topic filter.`)
  }
  return filters
}

/** Opens the bridge; it connects and comes back by itself. Never throws for what the network does. */
export const openBridge = (options: BridgeOptions): Bridge => {
  const { address, filters, table, bus, broker, outbox, health, log } = options
  const clock = options.clock ?? wallClock()
  const warn = quietly(log, clock.now)
  const sourceOf = openSource({ table, origin: 'bridge', requests: false })
  const comesIn = filters.in.length === 0 ? () => false : anyMatcher(filters.in)
  const echoes = openEchoes(clock)
  const counts = { refused: 0, looped: 0 }
  /** What came over the bridge and must not go back. */
  const entered = new WeakSet<Envelope>()
  /** What went out already, by another of the filters. */
  const left = new WeakSet<Envelope>()
  const state = openLineHealth(health, PART, clock.now, () => {
    const { waiting } = outbox.sizes()
    return waiting === 0 ? '' : `${waiting} messages wait for it.`
  })
  const loops = openLoopGuard(clock, (topic) => {
    const what = `${topic} goes around in a circle between the hub and ${address.said}: something carries messages back, such as a second bridge. It is cut here; narrow bridge.in or bridge.out, or remove the other bridge.`
    state.note('loop', what)
    health.report({
      source: PART,
      type: 'BridgeLoop',
      severity: 'error',
      category: 'configuration',
      message: what,
      details: { topic },
    })
  })
  let replay: Replay | undefined
  let known: Known = new Map()
  /** What crossed either way since the line is up. */
  const crossed = new Set<string>()

  const refuse = (topic: string, why: string, isBypass: boolean): void => {
    counts.refused++
    warn('bridge-message-refused', topic, { topic, why })
    if (!isBypass) return
    const what = `Somebody publishes ${topic} on ${address.said}, which only the gate may: it stays there, but a device on that broker may have heard it. Let only the hub write commands there: node hub/start.js acl prints the rules.`
    state.note('bypass', what)
    health.report({
      source: PART,
      type: 'GateBypassed',
      severity: 'critical',
      category: 'authentication',
      message: what,
      details: { topic },
    })
  }

  const isOld = (topic: string, payload: Buffer): boolean => {
    if (replay?.isOn !== true) return false
    replay.heard(topic)
    return outbox.holds(topic) || known.get(topic)?.equals(payload) === true
  }

  const take = ({ topic, payload, qos, retain }: Arriving, done: (error?: Error) => void): void => {
    if (line.protocol === 4 && !retain && echoes.isEcho(topic, payload)) return done()
    if (retain && isOld(topic, payload)) return done()
    const source = sourceOf(topic)
    if (!source.take) {
      refuse(topic, source.why, source.bypass)
      return done()
    }
    if (retain && source.match?.row.retain === false) {
      refuse(topic, 'it must not be retained there', false)
      return done()
    }
    if (!loops.passes('in', { topic, payload, qos })) {
      counts.looped++
      return done()
    }
    const draft = {
      topic,
      payload: ownBytes(payload),
      qos,
      retain: source.match?.row.retain ?? retain,
      origin: source.origin,
    }
    const kept = Promise.withResolvers<void>()
    const envelope = bus.accept(draft, (error) => (error ? kept.reject(error) : kept.resolve()))
    if (envelope === undefined) {
      counts.refused++
      return done()
    }
    if (replay?.isOn === true) crossed.add(topic)
    // Listeners hear it in a later turn, the one below too.
    entered.add(envelope)
    Promise.all([kept.promise, broker.deliver(envelope)]).then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }

  const send = (envelope: Pick<Envelope, 'topic' | 'payload' | 'qos' | 'retain'>): void => {
    const { topic, payload, qos, retain } = envelope
    if (replay?.isOn === true) crossed.add(topic)
    const message = { topic, payload, qos, retain }
    if (qos === 0) return void line.send(message)
    const until = untilOf(table.match(topic), payload)
    outbox
      .add(until === undefined ? message : { ...message, until })
      .catch((error: unknown) => warn('bridge-not-stored', 'outbox', { why: String(error) }))
    line.pump()
  }

  const leave = (envelope: Envelope): void => {
    if (entered.has(envelope) || left.has(envelope)) return
    left.add(envelope)
    if (loops.passes('out', envelope)) send(envelope)
    else counts.looped++
  }

  /** After the other side's retained messages: those of ours it does not have. */
  const fillIn = (there: ReadonlySet<string>): void => {
    for (const filter of filters.out) {
      for (const envelope of bus.retained(filter)) {
        if (envelope.bad || there.has(envelope.topic) || crossed.has(envelope.topic) || outbox.holds(envelope.topic))
          continue
        send({ ...envelope, qos: envelope.qos === 0 ? 1 : envelope.qos, retain: true })
      }
    }
  }

  const line = openLine({
    address,
    clientId: options.clientId,
    variable: 'BRIDGE_URL',
    filters: filters.in,
    rap: true,
    outbox,
    ca: options.ca,
    lookup: options.lookup,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    log,
    clock,
    take,
    up({ isPresent }) {
      state.up()
      replay?.stop()
      crossed.clear()
      known = new Map(
        filters.in.flatMap((filter) => bus.retained(filter)).map(({ topic, payload }) => [topic, payload]),
      )
      replay = openReplay((there) => {
        known = new Map()
        if (!isPresent) fillIn(there)
      })
    },
    down(sentence) {
      replay?.stop()
      known = new Map()
      state.down(sentence)
    },
    sending({ topic, payload }) {
      if (line.protocol === 4 && comesIn(topic)) echoes.sent(topic, payload)
    },
    refused({ message, filter }, why) {
      const topic = message?.topic ?? filter ?? ''
      const verb = message === undefined ? 'read' : 'publish'
      const what = `The broker at ${address.said} does not let the hub ${verb} ${topic} (${why}). Give the user in BRIDGE_URL that right there, or narrow bridge.${verb === 'read' ? 'in' : 'out'}.`
      state.note('refused', what)
      health.report({
        source: PART,
        type: 'BridgeRefused',
        severity: 'error',
        category: 'configuration',
        message: what,
        details: { topic },
      })
    },
  })
  const unhear = filters.out.map((filter) => bus.raw(filter, { name: PART, overload: DEEP_EDGE }, leave))

  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    for (const stop of unhear) stop()
    replay?.stop()
    state.close()
    await line.close()
  }
  return {
    counts: () => {
      const counted = line.counts()
      return { ...counted, refused: counted.refused + counts.refused, looped: counts.looped }
    },
    close: () => (closed ??= close()),
  }
}
