// The session store by the contract of aedes-persistence 11: memory changes in the call, its promise waits for the file.
import { Readable } from 'node:stream'
import type { Clock } from '../../clock.ts'
import { Recoverable } from '../../errors.ts'
import type { Log } from '../../health/report.ts'
import type { Persistence } from '../persistence.ts'
import { type Drops, openDrops } from './drops.ts'
import type { SessionLimits } from './limits.ts'
import type { Model } from './model.ts'
import { copyOf, type Packet, payloadOf, textOf } from './packets.ts'
import type { Waiting } from './queue.ts'
import { DO } from './schema.ts'
import { isEmpty, lifeOf, rowOf, type Session } from './session.ts'
import type { Match, Options } from './subscriptions.ts'
import { type Change, change, type Writing } from './writing.ts'

export interface SessionSizes {
  sessions: number
  subscriptions: number
  queued: number
  queuedBytes: number
  retained: number
  retainedBytes: number
  wills: number
  /** Messages dropped, and retained messages not kept, for want of room since the start. */
  dropped: number
  retainedRefused: number
  /** Changes not yet in the file. */
  pending: number
  /** Why nothing can be stored at present. */
  broken: string | undefined
}

/** The store beyond the contract: what the hub asks of it. */
export interface SessionStore extends Persistence {
  sessionIds(): Promise<string[]>
  /** Removes everything of one session, its will too. */
  purge(clientId: string): Promise<void>
  /** The retained set as it is. */
  retained(): Pick<Packet, 'topic' | 'payload' | 'qos'>[]
  /** The principal a session belongs to. */
  owner(clientId: string): string | undefined
  /** Remembers the owner of a session, which may be empty as yet; undefined forgets it. */
  setOwner(clientId: string, owner: string | undefined): Promise<void>
  owners(): Map<string, string>
  sizes(): SessionSizes
  /** Stores what is on its way and closes the file. */
  close(): Promise<void>
}

interface Named {
  id: string
}
/** What of a connection is of interest here: aedes hands in its clients. */
interface Connection extends Named {
  version?: number
  sessionExpiryInterval?: number
}
interface Engine {
  id: string
  clients?: Record<string, Connection>
}

interface Parts {
  model: Model
  writing: Writing
  limits: SessionLimits
  clock: Pick<Clock, 'now'>
  log: Pick<Log, 'info' | 'warn' | 'error'>
  onDropped: (clientId: string, count: number, reason: string) => void
  sweepMs: number
}

const MOST_PENDING = 500_000
const NO_CODE = -1
const noop = (): void => {}

export class StoredSessions implements SessionStore {
  readonly #model: Model
  readonly #writing: Writing
  readonly #limits: SessionLimits
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Parts['log']
  readonly #drops: Drops
  #engine: Engine = { id: '' }
  #sweeping: NodeJS.Timeout
  #retainedRefused = 0
  #closing: Promise<void> | undefined

  constructor({ model, writing, limits, clock, log, onDropped, sweepMs }: Parts) {
    this.#model = model
    this.#writing = writing
    this.#limits = limits
    this.#clock = clock
    this.#log = log
    this.#drops = openDrops(() => clock.now(), onDropped)
    this.#sweeping = setInterval(() => this.sweep(), sweepMs).unref()
  }

  /** After the loading: removes what a crash left over and what has expired. */
  async begin(): Promise<void> {
    const left = this.#model.loaded()
    if (left.length > 0) await this.#writing.store(left)
    this.sweep()
  }

  /** aedes checks that this is an async function. */
  async setup(engine: object): Promise<void> {
    this.#engine = engine as Engine
  }

  get broker(): object {
    return this.#engine
  }

  // Retained messages

  async storeRetained(packet: Packet): Promise<void> {
    if (packet.payload.length > 0) {
      this.#mustWrite()
      if (!this.#model.retained.fits(packet)) {
        const { retainedTopics, retainedBytes } = this.#limits
        if (this.#retainedRefused++ === 0)
          this.#log.warn('retained-full', { topic: packet.topic, retainedTopics, retainedBytes })
        return
      }
    }
    await this.#store(this.#model.retained.set(packet, this.#writing))
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter])
  }

  createRetainedStreamCombi(filters: string[]): Readable {
    return Readable.from(this.#model.retained.matching(filters))
  }

  retained(): Pick<Packet, 'topic' | 'payload' | 'qos'>[] {
    return [...this.#model.retained.all()].map(({ topic, payload, qos }) => ({ topic, payload, qos }))
  }

  // Subscriptions

  async addSubscriptions(client: Connection, subs: (Options & { topic: string })[]): Promise<void> {
    this.#mustWrite()
    const { session, changes } = this.#admitted(client.id)
    if (client.version !== undefined) {
      const expiry = client.version === 5 ? client.sessionExpiryInterval : undefined
      if (expiry !== session.expiry) {
        session.expiry = expiry
        changes.push(rowOf(session))
      }
    }
    for (const { topic, qos, rh, rap, nl, subscriptionIdentifier } of subs) {
      const options = {
        qos,
        rh,
        rap,
        nl,
        ...(subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier }),
      } as Options
      this.#model.subscribe(session, topic, options)
      changes.push(change(DO.subscribe, client.id, topic, JSON.stringify(options)))
    }
    await this.#store(changes)
  }

  async removeSubscriptions(client: Named, topics: string[]): Promise<void> {
    const session = this.#model.sessions.get(client.id)
    if (session === undefined) return
    const gone = topics.filter((topic) => this.#model.unsubscribe(session, topic))
    await this.#store([...gone.map((topic) => change(DO.unsubscribe, client.id, topic)), ...this.#tidy(session)])
  }

  async subscriptionsByClient(client: Named): Promise<(Options & { topic: string })[]> {
    const session = this.#model.sessions.get(client.id)
    if (session === undefined) return []
    if (session.deadline !== undefined && session.deadline <= this.#clock.now()) {
      await this.#store(this.#end(session))
      return []
    }
    return [...session.subscriptions].map(([topic, options]) => ({ topic, ...options }))
  }

  async subscriptionsByTopic(topic: string): Promise<Match[]> {
    return this.#model.subscriptions.match(topic)
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    let clientsCount = 0
    for (const { subscriptions } of this.#model.sessions.values()) if (subscriptions.size > 0) clientsCount++
    return { subsCount: this.#model.subscriptions.count, clientsCount }
  }

  async cleanSubscriptions(client: Named): Promise<void> {
    const session = this.#model.sessions.get(client.id)
    if (session === undefined) return
    for (const filter of [...session.subscriptions.keys()]) this.#model.unsubscribe(session, filter)
    await this.#store([change(DO.unsubscribeAll, client.id), ...this.#tidy(session)])
  }

  getClientList(topic: string): Readable {
    const sessions = this.#model.sessions
    const ids = function* () {
      for (const { id, subscriptions } of sessions.values()) if (subscriptions.has(topic)) yield id
    }
    return Readable.from(ids())
  }

  // Queues

  async outgoingEnqueue(sub: { clientId: string; qos?: number }, packet: Packet): Promise<void> {
    await this.outgoingEnqueueCombi([sub], packet)
  }

  async outgoingEnqueueCombi(subs: { clientId: string; qos?: number }[], packet: Packet): Promise<void> {
    if (subs.length === 0) return
    this.#mustWrite()
    const body = this.#model.body(copyOf(packet))
    const places: Waiting[] = []
    const all: Change[] = []
    for (const [clientId, most] of receiversOf(subs)) {
      const session = this.#model.session(clientId)
      const qos = Math.min(packet.qos, most)
      const { waiting, changes } = this.#model.enqueue(session, body, qos, this.#clock.now(), ({ id, packet: kept }) =>
        change(DO.message, id, kept.topic, textOf(kept), payloadOf(kept)),
      )
      places.push(waiting)
      all.push(...changes)
    }
    for (const [clientId] of receiversOf(subs)) all.push(...this.#withinBounds(this.#model.session(clientId)))
    await this.#store(all)
    this.#model.settled(body, places)
  }

  async outgoingUpdate(client: Named, packet: Packet): Promise<void> {
    const queue = this.#model.sessions.get(client.id)?.queue
    if (packet.cmd === 'pubrel') {
      const waiting = queue?.sentAs(packet.messageId)
      if (waiting === undefined) throw new Error('no such packet')
      if (waiting.released !== undefined) return
      waiting.released = packet.reasonCode ?? NO_CODE
      // PUBREL must not go out before this is stored: the client forgets the message then, and would take it for a new one.
      await this.#store([change(DO.released, waiting.released, waiting.id)])
      return
    }
    const waiting = queue?.numbered(packet.brokerId, packet.brokerCounter ?? 0)
    if (queue === undefined || waiting === undefined) throw new Error('no such packet')
    if (waiting.messageId === packet.messageId && waiting.qos === packet.qos) return
    queue.name(waiting, packet.messageId)
    waiting.qos = packet.qos
    const stored = this.#store([change(DO.sent, packet.messageId ?? null, packet.qos, waiting.id)])
    // The same identifier must be used again after a crash where that decides between once and twice; QoS 1 does not wait.
    if (packet.qos === 2) await stored
    else stored.catch(noop)
  }

  async outgoingClearMessageId(client: Named, packet: Packet): Promise<Packet | undefined> {
    const session = this.#model.sessions.get(client.id)
    const waiting = session?.queue.sentAs(packet.messageId)
    if (session === undefined || waiting === undefined) return undefined
    // If a crash undoes this, the client gets the message (QoS 1) or PUBREL (QoS 2) once more, which the protocol allows.
    this.#store([...this.#model.dequeue(session, waiting, this.#writing), ...this.#tidy(session)]).catch(noop)
    return sentForm(waiting)
  }

  outgoingStream(client: Named): Readable {
    const queue = this.#model.sessions.get(client.id)?.queue
    const places = queue === undefined ? [] : [...queue]
    const packets = function* () {
      for (const waiting of places) if (queue?.has(waiting) === true) yield sentForm(waiting)
    }
    return Readable.from(packets())
  }

  // QoS 2 messages on their way in

  async incomingStorePacket(client: Named, packet: Packet): Promise<void> {
    this.#mustWrite()
    const { messageId } = packet
    if (messageId === undefined) throw new Error('a QoS 2 packet needs its identifier')
    const { session, changes } = this.#admitted(client.id)
    const { perClientIncoming } = this.#limits
    if (session.incoming.size >= perClientIncoming && !session.incoming.has(messageId)) {
      throw new Recoverable(
        'UNAVAILABLE',
        `${client.id} has ${perClientIncoming} QoS 2 messages it has not released (PUBREL).`,
      )
    }
    session.incoming.set(messageId, { ...copyOf(packet), messageId })
    await this.#store([...changes, change(DO.begin, client.id, messageId, packet.topic)])
  }

  async incomingGetPacket(client: Named, { messageId }: Packet): Promise<Packet> {
    const packet = messageId === undefined ? undefined : this.#model.sessions.get(client.id)?.incoming.get(messageId)
    if (packet === undefined) throw new Error('no such packet')
    return packet
  }

  async incomingDelPacket(client: Named, { messageId }: Packet): Promise<void> {
    const session = this.#model.sessions.get(client.id)
    if (messageId === undefined || session?.incoming.delete(messageId) !== true) throw new Error('no such packet')
    // PUBCOMP waits for this: the client may then use the identifier for a new message, which must not look like a second copy.
    await this.#store([change(DO.complete, client.id, messageId), ...this.#tidy(session)])
  }

  async cleanIncoming(client: Named): Promise<void> {
    const session = this.#model.sessions.get(client.id)
    if (session === undefined || session.incoming.size === 0) return
    session.incoming.clear()
    await this.#store([change(DO.completeAll, client.id), ...this.#tidy(session)])
  }

  // Wills

  async putWill(client: Named, packet: Packet): Promise<void> {
    this.#mustWrite()
    packet.brokerId = this.#engine.id
    packet.clientId = client.id
    this.#model.wills.set(client.id, packet)
    await this.#store([change(DO.will, client.id, packet.topic, textOf(packet), payloadOf(packet))])
  }

  async getWill(client: Named): Promise<Packet | undefined> {
    return this.#model.wills.get(client.id)
  }

  async delWill(client: Named): Promise<Packet | undefined> {
    const will = this.#model.wills.get(client.id)
    if (will === undefined) return undefined
    this.#model.wills.delete(client.id)
    await this.#store([change(DO.noWill, client.id)])
    return will
  }

  streamWill(brokers: Record<string, unknown> = {}): Readable {
    const wills = this.#model.wills
    const others = function* () {
      for (const will of wills.values()) if (will.brokerId === undefined || !brokers[will.brokerId]) yield will
    }
    return Readable.from(others())
  }

  // Beyond the contract

  async sessionIds(): Promise<string[]> {
    return [...new Set([...this.#model.sessions.keys(), ...this.#model.wills.keys()])]
  }

  async purge(clientId: string): Promise<void> {
    const session = this.#model.sessions.get(clientId)
    const changes = session === undefined ? [] : this.#end(session)
    if (this.#model.wills.delete(clientId)) changes.push(change(DO.noWill, clientId))
    await this.#store(changes)
  }

  owner(clientId: string): string | undefined {
    return this.#model.sessions.get(clientId)?.owner
  }

  async setOwner(clientId: string, owner: string | undefined): Promise<void> {
    if (this.owner(clientId) === owner) return
    if (owner !== undefined) this.#mustWrite()
    const { session } = owner === undefined ? { session: this.#model.session(clientId) } : this.#admitted(clientId)
    session.owner = owner
    await this.#store([rowOf(session), ...this.#tidy(session)])
  }

  owners(): Map<string, string> {
    const owners = new Map<string, string>()
    for (const { id, owner } of this.#model.sessions.values()) if (owner !== undefined) owners.set(id, owner)
    return owners
  }

  sizes(): SessionSizes {
    let queued = 0
    for (const { queue } of this.#model.sessions.values()) queued += queue.size
    return {
      sessions: this.#model.sessions.size,
      subscriptions: this.#model.subscriptions.count,
      queued,
      queuedBytes: this.#model.queuedBytes,
      retained: this.#model.retained.size,
      retainedBytes: this.#model.retained.bytes,
      wills: this.#model.wills.size,
      dropped: this.#drops.total,
      retainedRefused: this.#retainedRefused,
      pending: this.#writing.waiting,
      broken: this.#writing.broken,
    }
  }

  async destroy(): Promise<void> {
    await this.close()
  }

  close(): Promise<void> {
    clearInterval(this.#sweeping)
    return (this.#closing ??= this.#writing.close().finally(() => this.#drops.close()))
  }

  /** Ends sessions nobody came back to and messages that waited too long; sets and lifts deadlines by who is connected. */
  sweep(): void {
    const now = this.#clock.now()
    const { maxAgeMs } = this.#limits
    const changes: Change[] = []
    for (const session of [...this.#model.sessions.values()]) {
      for (const waiting of [...old(session, now - maxAgeMs)]) {
        changes.push(...this.#model.dequeue(session, waiting, this.#writing))
        this.#drops.add(session.id, 'age')
      }
      changes.push(...this.#deadlineOf(session, now))
    }
    if (changes.length > 0) this.#store(changes).catch(noop)
  }

  #deadlineOf(session: Session, now: number): Change[] {
    const clients = this.#engine.clients ?? {}
    const connection = Object.hasOwn(clients, session.id) ? clients[session.id] : undefined
    if (connection !== undefined) {
      const expiry = connection.version === 5 ? connection.sessionExpiryInterval : undefined
      if (session.deadline === undefined && session.expiry === expiry) return []
      session.deadline = undefined
      session.expiry = expiry
      return [rowOf(session)]
    }
    if (session.deadline === undefined) {
      session.deadline = now + lifeOf(session, this.#limits.maxAgeMs)
      return [rowOf(session)]
    }
    if (session.deadline > now) return []
    this.#log.info('session-expired', { clientId: session.id, queued: session.queue.size })
    return this.#end(session)
  }

  /** Removes all of a session but its will, which is published by the broker. */
  #end(session: Session): Change[] {
    const changes: Change[] = []
    for (const filter of [...session.subscriptions.keys()]) this.#model.unsubscribe(session, filter)
    for (const waiting of [...session.queue]) changes.push(...this.#model.dequeue(session, waiting, this.#writing))
    session.incoming.clear()
    this.#model.sessions.delete(session.id)
    changes.push(
      change(DO.unsubscribeAll, session.id),
      change(DO.completeAll, session.id),
      change(DO.endSession, session.id),
    )
    return changes
  }

  /** A session in which nothing is left is no session. */
  #tidy(session: Session): Change[] {
    if (!isEmpty(session)) return []
    this.#model.sessions.delete(session.id)
    return [change(DO.endSession, session.id)]
  }

  /** The session of a client; a new one gets its row, if there is room for one. */
  #admitted(clientId: string): { session: Session; changes: Change[] } {
    const before = this.#model.sessions.get(clientId)
    if (before !== undefined) return { session: before, changes: [] }
    if (this.#model.sessions.size >= this.#limits.sessions) {
      throw new Recoverable(
        'UNAVAILABLE',
        `There are ${this.#limits.sessions} sessions already. Connect with a clean session, or let unused ones expire.`,
      )
    }
    const session = this.#model.session(clientId)
    return { session, changes: [rowOf(session)] }
  }

  #withinBounds(session: Session): Change[] {
    const { perClientMessages, perClientBytes, queuedBytes } = this.#limits
    const changes: Change[] = []
    const { queue } = session
    while (queue.size > perClientMessages || queue.bytes > perClientBytes || this.#model.queuedBytes > queuedBytes) {
      const oldest = queue.oldest()
      if (oldest === undefined) break
      const reason = queue.size > perClientMessages ? 'messages' : 'bytes'
      changes.push(...this.#model.dequeue(session, oldest, this.#writing))
      this.#drops.add(session.id, reason)
    }
    return changes
  }

  /** What adds something is refused while it cannot be stored; what removes something is done in memory and stored later. */
  #mustWrite(): void {
    const { broken, waiting } = this.#writing
    if (broken !== undefined)
      throw new Recoverable('UNAVAILABLE', `The session store cannot write (${broken}). Try again later.`)
    if (waiting > MOST_PENDING) {
      throw new Recoverable(
        'UNAVAILABLE',
        'The disk is too slow for the session store. Publish less, or use a faster disk.',
      )
    }
  }

  async #store(changes: Change[]): Promise<void> {
    if (changes.length === 0) return
    const stored = this.#writing.store(changes)
    if (this.#writing.broken === undefined) await stored
    else stored.catch(noop)
  }
}

/** Each client once, with the greatest QoS of its subscriptions that match. */
const receiversOf = (subs: readonly { clientId: string; qos?: number }[]): Map<string, number> => {
  const receivers = new Map<string, number>()
  for (const { clientId, qos = 2 } of subs) receivers.set(clientId, Math.max(receivers.get(clientId) ?? 0, qos))
  return receivers
}

/** The form in which a waiting message is sent: PUBLISH, or PUBREL once the client has it. */
const sentForm = ({ body, qos, messageId, released }: Waiting): Packet => {
  if (released !== undefined) {
    const pubrel = { cmd: 'pubrel', ...(messageId === undefined ? {} : { messageId }) }
    return (released === NO_CODE ? pubrel : { ...pubrel, reasonCode: released }) as Packet
  }
  const { properties } = body.packet
  const packet = {
    ...body.packet,
    qos,
    messageId,
    ...(properties === undefined ? {} : { properties: { ...properties } }),
  }
  return packet as Packet
}

/** Messages queued before `bound`; they stand at the head. */
const old = function* ({ queue }: Session, bound: number): Generator<Waiting> {
  for (const waiting of queue) {
    if (waiting.at >= bound) return
    yield waiting
  }
}
