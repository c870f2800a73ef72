// What the store has in memory, which is what counts while the hub runs: all but the messages that wait in the file. The file follows it.
import { type Body, bytesOf, kept, packetOf, payloadOf, textOf } from './packets.ts'
import type { SessionLimits } from './limits.ts'
import type { Waiting } from './queue.ts'
import { Retained } from './retained.ts'
import type { Page, PlaceRow, QueueRow, Rows } from './schema.ts'
import { DO } from './schema.ts'
import { type Session, session } from './session.ts'
import { type Options, Subscriptions } from './subscriptions.ts'
import { shared } from '../topic-names.ts'
import type { Packet } from './packets.ts'
import { type Change, change, type Writing } from './writing.ts'

export class Model {
  readonly retained: Retained
  readonly sessions = new Map<string, Session>()
  readonly subscriptions = new Subscriptions()
  readonly wills = new Map<string, Packet>()
  /** Bytes of all messages that wait, each counted once; and of those that are about to go, if no other queue has them. */
  queuedBytes = 0
  leavingBytes = 0
  /** Bytes of the messages of all queues that are in memory. */
  heldBytes = 0
  /** By client, the stream that reads its queue; undefined once one has read all of it and the client gets messages as they come. */
  readonly readers = new Map<string, object | undefined>()
  #lastWaiting = 0
  #lastMessage = 0

  constructor(limits: SessionLimits) {
    this.retained = new Retained(limits)
  }

  /** Takes in rows of the file, table by table. */
  load(page: Page): void {
    if (page.table === 'retained') for (const row of page.rows) this.retained.restore(packetOf(row))
    else if (page.table === 'sessions') for (const row of page.rows) this.#loadSession(row)
    else if (page.table === 'subscriptions') for (const row of page.rows) this.#loadSubscription(row)
    else if (page.table === 'queues') for (const row of page.rows) this.#loadQueue(row)
    else if (page.table === 'sent') for (const row of page.rows) this.session(row.client).queue.recall(placed(row))
    else if (page.table === 'totals') for (const row of page.rows) this.#loadTotals(row)
    else if (page.table === 'incoming') for (const row of page.rows) this.#loadIncoming(row)
    else for (const row of page.rows) this.wills.set(row.client, packetOf(row))
  }

  /** Messages that several queues had were asked to go (`places`, bytes); so many bytes of them are gone. */
  freed(places: number, freed: number): void {
    this.leavingBytes = Math.max(0, this.leavingBytes - places)
    this.queuedBytes = Math.max(0, this.queuedBytes - freed)
  }

  /** The session of a client, made when missing. */
  session(id: string): Session {
    let found = this.sessions.get(id)
    if (found === undefined) this.sessions.set(id, (found = session(id, this.#lastWaiting)))
    return found
  }

  subscribe(to: Session, filter: string, options: Options): void {
    const { subscriptionIdentifier: _, ...rest } = options
    const { topic, share } = shared(filter)
    // What has QoS 0 never waits in a queue.
    if (options.qos === 0) this.subscriptions.remove(to.id, topic, share)
    else this.subscriptions.add({ clientId: to.id, topic, ...rest, ...(share === undefined ? {} : { share }) })
    to.subscriptions.set(filter, options)
  }

  unsubscribe(from: Session, filter: string): boolean {
    const { topic, share } = shared(filter)
    this.subscriptions.remove(from.id, topic, share)
    return from.subscriptions.delete(filter)
  }

  /** A message for some queues: their places, which may be in memory, and the changes that store it all. */
  enqueue(
    message: Packet,
    receivers: readonly { to: Session; qos: number; isHeld: boolean }[],
    at: number,
  ): { changes: Change[]; places: { to: Session; waiting: Waiting }[] } {
    const row = ++this.#lastMessage
    const bytes = bytesOf(message)
    const shared = receivers.length > 1
    const stored = change(DO.message, row, message.topic, textOf(message), payloadOf(message))
    const body: Body = { receivers: 0, elsewhere: false, stored }
    const changes = [stored]
    const places: { to: Session; waiting: Waiting }[] = []
    let packet: Packet | undefined
    this.queuedBytes += bytes
    for (const { to, qos, isHeld } of receivers) {
      const id = ++this.#lastWaiting
      const enqueued = change(DO.enqueue, to.id, id, row, shared ? 1 : 0, bytes, qos, at)
      changes.push(enqueued)
      if (!isHeld) {
        body.elsewhere = true
        to.queue.defer(bytes, at)
        continue
      }
      packet ??= kept(message)
      const { brokerId, brokerCounter = 0 } = packet
      const sending = { qos, messageId: undefined, released: undefined }
      const waiting: Waiting = { id, message: row, shared, bytes, at, brokerId, brokerCounter, packet, body, enqueued, ...sending } // prettier-ignore
      body.receivers++
      this.heldBytes += bytes
      to.queue.add(waiting)
      places.push({ to, waiting })
    }
    return { changes, places }
  }

  /** What was enqueued is in the file: nothing is left to be taken back. */
  settled(places: readonly { waiting: Waiting }[]): void {
    for (const { waiting } of places) {
      waiting.enqueued = undefined
      if (waiting.body !== undefined) waiting.body.stored = undefined
    }
  }

  /** Takes the next rows of a queue into memory. */
  recall(to: Session, rows: readonly QueueRow[]): void {
    for (const row of rows) {
      const packet = packetOf(row)
      const { brokerId, brokerCounter = 0 } = packet
      const waiting = { ...placed(row), brokerId, brokerCounter, packet }
      this.heldBytes += waiting.bytes
      to.queue.recall(waiting)
    }
  }

  /** Keeps only the place of a message that is in the file. */
  release(from: Session, waiting: Waiting): void {
    this.heldBytes -= from.queue.release(waiting)
  }

  /** Takes a message out of a queue. What is not on its way to the file yet never goes there. */
  dequeue(from: Session, waiting: Waiting, writing: Writing): Change[] {
    const { id, message, shared, bytes, body, enqueued, packet } = waiting
    if (packet !== undefined && from.queue.has(waiting)) this.heldBytes -= bytes
    from.queue.remove(waiting)
    const changes: Change[] = []
    if (enqueued === undefined || !writing.cancel(enqueued)) changes.push(change(DO.dequeue, from.id, id))
    if (body !== undefined && --body.receivers > 0) return changes
    if (body === undefined ? shared : body.elsewhere) {
      this.leavingBytes += bytes
      changes.push(change(DO.dropUnused, message, bytes))
      return changes
    }
    this.queuedBytes -= bytes
    if (body?.stored === undefined || !writing.cancel(body.stored)) changes.push(change(DO.dropMessage, message))
    return changes
  }

  /** Takes everything out of a queue. */
  clear(from: Session, writing: Writing): Change[] {
    const changes: Change[] = []
    const { queue } = from
    // One by one: a queue may hold more than a call takes arguments.
    for (const waiting of [...queue]) for (const one of this.dequeue(from, waiting, writing)) changes.push(one)
    if (queue.rest === 0) return changes
    this.leavingBytes += queue.bytes
    queue.forgetRest()
    changes.push(change(DO.bury, from.id, this.#lastWaiting))
    return changes
  }

  #loadSession(row: Rows['sessions']): void {
    const loaded = this.session(row.client)
    loaded.owner = row.owner ?? undefined
    loaded.expiry = row.expiry ?? undefined
    loaded.deadline = row.deadline ?? undefined
    loaded.begun = true
  }

  #loadSubscription(row: Rows['subscriptions']): void {
    const options = JSON.parse(row.options) as Options
    this.subscribe(this.session(row.client), row.filter, options)
  }

  #loadQueue({ client, count, bytes, since, last }: Rows['queues']): void {
    const { queue } = this.session(client)
    queue.last = 0
    queue.rest = count
    queue.bytes = bytes
    queue.restSince = since
    this.#lastWaiting = Math.max(this.#lastWaiting, last)
  }

  #loadTotals({ lastMessage, lastBuried, queuedBytes }: Rows['totals']): void {
    this.#lastMessage = lastMessage
    this.#lastWaiting = Math.max(this.#lastWaiting, lastBuried)
    this.queuedBytes = queuedBytes
  }

  #loadIncoming({ client, packetId, topic }: Rows['incoming']): void {
    const packet = { cmd: 'publish', topic, payload: Buffer.alloc(0), qos: 2, messageId: packetId }
    this.session(client).incoming.set(packetId, packet)
  }
}

/** A place in a queue whose message is in the file. */
const placed = (row: PlaceRow): Waiting => ({
  id: row.id,
  message: row.message,
  shared: row.shared === 1,
  bytes: row.bytes,
  at: row.at,
  brokerId: undefined,
  brokerCounter: Number.NaN,
  packet: undefined,
  body: undefined,
  qos: row.qos,
  messageId: row.packetId ?? undefined,
  released: row.released ?? undefined,
  enqueued: undefined,
})
