// A broker carries messages between the hub and MQTT clients. Two implementations: embedded (aedes) and, later, external.
import type { Duplex } from 'node:stream'
import type { Draft, Envelope } from '../bus/envelope.ts'
import type { Principal } from '../bus/principal.ts'
import type { LastError } from './last-errors.ts'

/** A no, with the reason for the log and for MQTT 5 clients. */
export type Verdict = { ok: true } | { ok: false; reason: string }
export const YES: Verdict = { ok: true }
export const no = (reason: string): Verdict => ({ ok: false, reason })

/** Who may do what over MQTT. All answers come from the one policy table (hub/access). */
export interface MqttRights {
  /** Resolves to the principal, or rejects with Unauthenticated (bad name or secret) or Forbidden (client id of another). Off the event loop where it hashes. */
  authenticate(login: {
    clientId: string
    username: string | undefined
    password: Buffer | undefined
    address: string
  }): Promise<Principal>
  mayPublish(who: Principal, topic: string): Verdict
  /** By containment: every topic the filter can match must be readable. */
  maySubscribe(who: Principal, filter: string): Verdict
  /** Per message, at delivery. */
  mayRead(who: Principal, topic: string): boolean
  /** Rights were taken away: the broker must disconnect these principals, purge their sessions and queues. Emits origins such as `device:dust`. */
  onRevoked(tell: (origin: string, clientId: string) => void): () => void
}

/**
 * Where the broker hands every accepted publish, before anyone gets it. Gives it seq and stamp, journals it, applies
 * the QoS/retain policy of its topic and feeds the bus; returns undefined when the message is refused (already counted and reported).
 * `committed` is called once, when the journal has it: only then may the client's PUBACK/PUBREC go out.
 */
export interface Intake {
  accept(draft: Draft, committed: (error?: Error) => void): Envelope | undefined
}

export interface ClientView {
  clientId: string
  principal: string
  address: string
  protocol: 3 | 4 | 5
  connectedAt: number
  subscriptions: number
  dropped: number
  bufferedBytes: number
}

export interface BrokerCounters {
  connected: number
  connects: number
  refusedConnects: number
  refusedPublishes: number
  refusedSubscribes: number
  malformed: number
  oversized: number
  slowClientsCut: number
  dropped: number
  received: number
  delivered: number
  /** Of MQTT connections since the start, as they crossed the network, TLS and WebSocket frames included. */
  bytesIn: number
  bytesOut: number
  hookErrors: number
}

/** All counters at nought, to be counted up. */
export const noCounts = (): BrokerCounters => ({
  connected: 0,
  connects: 0,
  refusedConnects: 0,
  refusedPublishes: 0,
  refusedSubscribes: 0,
  malformed: 0,
  oversized: 0,
  slowClientsCut: 0,
  dropped: 0,
  received: 0,
  delivered: 0,
  bytesIn: 0,
  bytesOut: 0,
  hookErrors: 0,
})

export interface Broker {
  /** Delivers a message the hub itself accepted (stamped and journalled) to MQTT subscribers, the retained set and offline queues. Resolves when what needs the session store is stored. */
  deliver(envelope: Envelope): Promise<void>
  /** The retained set as stored, read once at start. */
  storedRetained(): Promise<Pick<Envelope, 'topic' | 'payload' | 'qos'>[]>
  /** Disconnects every connection of this client id and its suffixed forms, and purges session, subscriptions, queue and will. */
  purge(clientId: string): Promise<void>
  clients(): ClientView[]
  /** Ends the connection of exactly this client id, if there is one. `forget` purges its session, queue and will too; otherwise its will is published. Missing where another broker holds the clients. */
  disconnect?(clientId: string, how: 'keep' | 'forget'): Promise<void>
  /** What went wrong last for a client id, of the newest thousand. */
  lastError?(clientId: string): LastError | undefined
  counters(): BrokerCounters
  /** A WebSocket (as a duplex byte stream) that speaks MQTT, from the web port. */
  handle(stream: Duplex, address: string): void
  /** Real ports after start (0 in the configuration means any free one). */
  readonly ports: { mqtt: number | undefined; mqtts: number | undefined; ws: number | undefined }
  close(): Promise<void>
}
