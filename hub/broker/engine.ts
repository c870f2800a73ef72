// The boundary to aedes: the only file that knows its private names, and the only one that may start it.
import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { Aedes } from 'aedes'
import mqttPacket from 'mqtt-packet'
import type { Envelope } from '../bus/envelope.ts'
import type { Principal } from '../bus/principal.ts'
import type { Ticket } from './admission.ts'
import type { Emitter } from './emitter.ts'
import type { BrokerLimits } from './limits.ts'
import { requirePatchedAedes } from './patched.ts'
import type { Persistence } from './persistence.ts'

/** What the hub keeps about a connection. */
export interface Peer {
  address: string
  principal: Principal | undefined
  /** `device:dust`; '' before authentication. */
  origin: string
  connectedAt: number
  /** Messages this client should have got and did not. */
  dropped: number
  /** When its unsent bytes went over the soft limit; 0 when they are below. */
  slowSince: number
  /** Acknowledgements that wait for the journal, and since when the oldest or latest of them moved. */
  waiting: number
  waitingSince: number
  /** Subscriptions granted and not given up. */
  filters: number
  /** Remembered answers of `mayRead`, dropped from time to time; undefined while there are none. */
  readable: Map<string, boolean> | undefined
  /** Its place among the connections. */
  ticket: Ticket
}

/** A topic with its payload as CONNECT, PUBLISH or the store bring it. */
export interface Packet {
  cmd: 'publish'
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  retain: boolean
  dup?: boolean
  messageId?: number
  clientId?: string
  brokerId?: string
  /** Absolute time in ms after which nobody wants it. */
  messageExpiry?: number
  properties?: { correlationData?: Buffer; [name: string]: unknown }
  envelope?: Envelope
  /** It was refused and is delivered to nobody, but its sender stays connected. */
  isVoid?: boolean
}

/** A will as it lies in the store; `origin` says whose it is when its client is gone. */
export type Will = Omit<Packet, 'cmd' | 'envelope' | 'isVoid'> & { origin?: string }

/** Bytes read and not parsed yet. */
export interface ByteList {
  length: number
  slice(from: number, to: number): Buffer
}

export interface Parser {
  packet: ParsedPacket
  settings: { protocolVersion?: number | undefined; bridgeMode?: boolean | undefined }
  error: Error | null
  _pos: number
  /** 0 between packets. */
  _stateCounter: number
  _list: ByteList
  _states: readonly string[]
  parse(chunk: Buffer): number
  emit(event: 'error', error: Error): boolean
  emit(event: 'packet', packet: Packet | ParsedPacket): boolean
  _emitError(error: Error): void
  _parseLength(): boolean
  _parsePayload(): boolean
  _parseString(): string | null
  _parseBuffer(): Buffer | null
  _parseByte(): number | undefined
  _parseNum(): number
  _parse4ByteNum(): number
  _parseVarByteNum(full?: boolean): number | false
  _parseMessageId(): boolean
  _parseProperties(): object | false
}
export interface ParsedPacket {
  cmd: string
  length: number
  clientId?: string
  protocolId?: string
  protocolVersion?: number
  username?: string
  password?: Buffer
  messageId?: number
  reasonCode?: number
  will?: { qos: number; topic: string; payload?: Buffer }
  subscriptions?: { topic: string; qos: number }[]
  unsubscriptions?: string[]
}

export interface ConnectPacket {
  clientId: string
  protocolVersion: number
  keepalive: number
}

/** One MQTT connection as aedes keeps it. */
export interface Link {
  id: string | null
  clean: boolean
  version: 3 | 4 | 5 | null
  readonly conn: Duplex
  readonly closed: boolean
  readonly connected: boolean
  sessionExpiryInterval: number
  subscriptions: Record<string, unknown>
  will: Will | null
  _will: Will | null | undefined
  _authorized: boolean
  _assignedClientId: string | undefined
  _serverKeepAlive: number | undefined
  _parser: Parser
  peer: Peer | undefined
  disconnect(how: { reasonCode: number }, done?: () => void): void
  close(done?: () => void): void
}

/** An error that says how a CONNECT (3.1.1 return code) or a PUBLISH (5 reason code) is refused. */
export interface Refusal extends Error {
  returnCode?: number
  reasonCode?: number
}

export interface Subscription {
  topic: string
  qos: number
}

/** The hooks of aedes, as the hub fills them in. */
export interface Hooks {
  preConnect(link: Link, packet: ConnectPacket, done: (error: Error | null, ok: boolean) => void): void
  authenticate(
    link: Link,
    username: string | undefined,
    password: Buffer | undefined,
    done: (error: Refusal | null, ok: boolean) => void,
  ): void
  authorizePublish(link: Link | null, packet: Packet | Will, done: (error?: Refusal | null) => void): void
  authorizeSubscribe(
    link: Link,
    subscription: Subscription,
    /** A subscription, or the MQTT 5 reason code of the refusal. */
    done: (error: Error | null, answer: Subscription | number) => void,
  ): void
  authorizeForward(link: Link, packet: Packet): Packet | null
  accept(packet: Packet, original: Packet, link: Link | null, committed: (error?: Error) => void): Refusal | undefined
}

export interface EngineEvents {
  error(error: Error): void
  clientError(link: Link, error: Error): void
  connectionError(link: Link, error: Error): void
  keepaliveTimeout(link: Link): void
  clientReady(link: Link): void
  clientDisconnect(link: Link): void
  sessionLimitReached(link: Link): void
  unsubscribe(filters: string[], link: Link): void
  packetDropped(packet: Packet, link: Link): void
  sessionExpired(link: Link): void
  willDropped(link: Link | null, will: Will): void
}

export interface Engine {
  readonly clients: Record<string, Link>
  readonly connectedClients: number
  readonly closed: boolean
  handle(stream: Duplex): Link
  publish(packet: Packet, done: (error?: Error | null) => void): void
  close(done: () => void): void
  on<E extends keyof EngineEvents>(event: E, heard: EngineEvents[E]): unknown
  clearSessionExpiry(clientId: string): void
  clearDelayedWill(clientId: string): void
}

/** At its first packet mqtt-packet makes a buffer for each number up to 65,535, 7 MB; the packets sent most do not use them. */
const keepNoNumbers = (): void => {
  const write: { cacheNumbers?: boolean } = mqttPacket.writeToStream
  write.cacheNumbers = false
}

let states: readonly string[] | undefined

/** A parser has its bytes in a Duplex stream nobody needs, and a list of states of its own: 1.5 KB of each connection. */
export const slimParser = (parser: Parser): void => {
  // The stream's constructor carries the plain list that the stream is made of.
  const { BufferList } = parser._list.constructor as unknown as { BufferList?: new () => ByteList }
  if (BufferList !== undefined && parser._list.length === 0) parser._list = new BufferList()
  parser._states = states ??= parser._states
}

/** Starts a patched aedes, never a plain one (throws Fatal). The caller must listen to its `error` event. */
export const startEngine = async (parts: {
  hooks: Hooks
  emitter: Emitter
  persistence: Persistence
  limits: BrokerLimits
}): Promise<Engine> => {
  requirePatchedAedes()
  keepNoNumbers()
  const { hooks, limits } = parts
  const options = {
    ...hooks,
    // With a fixed id the counters of a new run would overwrite queued messages of the last one.
    id: randomUUID(),
    mq: parts.emitter,
    persistence: parts.persistence,
    concurrency: 1000,
    heartbeatInterval: limits.heartbeat,
    connectTimeout: limits.connectTimeout,
    drainTimeout: limits.drainTimeout,
    queueLimit: 1000,
    maxClientsIdLength: limits.clientIdBytes,
    maxTopicLevels: limits.topicLevels,
    maxInflightInbound: limits.maxInflightInbound,
    topicAliasMaximum: limits.topicAliasMaximum,
    maximumPacketSize: limits.packet,
    receiveMaximum: limits.receiveMaximum,
    maxWaitingOutbound: limits.waitingOutbound,
    maxUnsent: limits.unsentSoft,
    outboundTopicAliasMaximum: limits.outboundTopicAliases,
    sessionExpiryIntervalLimit: limits.sessionExpirySeconds,
    pendingSessionsLimit: limits.pendingSessions,
  }
  // aedes' published types leave out what the patch adds and what it keeps private; Engine and Hooks above say it.
  const aedes = await Aedes.createBroker(options as unknown as ConstructorParameters<typeof Aedes>[0])
  return aedes as unknown as Engine
}
