// The whole store in memory, which is what counts while the hub runs; the file follows it.
import { type Body, bytesOf, packetOf } from './packets.ts'
import type { SessionLimits } from './limits.ts'
import type { Waiting } from './queue.ts'
import { Retained } from './retained.ts'
import type { Page, Rows } from './schema.ts'
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
  /** Bytes of all messages that wait, each counted once. */
  queuedBytes = 0
  #lastWaiting = 0
  #lastBody = 0
  /** How a message gets into the file, as long as that is not done. */
  readonly #storing = new Map<Body, Change>()
  #bodies: Map<number, Body> | undefined = new Map()
  /** Rows that hang in the air, left by a crash between two transactions. */
  readonly #orphans: number[] = []

  constructor(limits: SessionLimits) {
    this.retained = new Retained(limits)
  }

  /** Takes in rows of the file, table by table. */
  load(page: Page): void {
    if (page.table === 'retained') for (const row of page.rows) this.retained.restore(packetOf(row))
    else if (page.table === 'sessions') for (const row of page.rows) this.#loadSession(row)
    else if (page.table === 'subscriptions') for (const row of page.rows) this.#loadSubscription(row)
    else if (page.table === 'messages') for (const row of page.rows) this.#loadMessage(row)
    else if (page.table === 'outgoing') for (const row of page.rows) this.#loadWaiting(row)
    else if (page.table === 'incoming') for (const row of page.rows) this.#loadIncoming(row)
    else for (const row of page.rows) this.wills.set(row.client, packetOf(row))
  }

  /** Ends the loading: the changes that remove rows nothing refers to. */
  loaded(): Change[] {
    const unused = [...(this.#bodies?.values() ?? [])].filter(({ receivers }) => receivers === 0)
    for (const { bytes } of unused) this.queuedBytes -= bytes
    this.#bodies = undefined
    return [
      ...unused.map(({ id }) => change(DO.dropMessage, id)),
      ...this.#orphans.splice(0).map((id) => change(DO.dequeue, id)),
    ]
  }

  /** The session of a client, made when missing. */
  session(id: string): Session {
    let found = this.sessions.get(id)
    if (found === undefined) this.sessions.set(id, (found = session(id)))
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

  /** A message as it is shared by the queues it goes to; it has a row only once it is in one. */
  body(packet: Packet): Body {
    return { id: ++this.#lastBody, packet, bytes: bytesOf(packet), receivers: 0 }
  }

  enqueue(
    to: Session,
    body: Body,
    qos: number,
    at: number,
    storing: (body: Body) => Change,
  ): { waiting: Waiting; changes: Change[] } {
    const changes: Change[] = []
    if (body.receivers++ === 0) {
      const stored = storing(body)
      this.#storing.set(body, stored)
      this.queuedBytes += body.bytes
      changes.push(stored)
    }
    const id = ++this.#lastWaiting
    const enqueued = change(DO.enqueue, id, to.id, body.id, qos, at)
    changes.push(enqueued)
    const waiting: Waiting = { id, body, at, qos, messageId: undefined, released: undefined, enqueued }
    to.queue.add(waiting)
    return { waiting, changes }
  }

  /** The message and its places are in the file: nothing is left to be taken back. */
  settled(body: Body, places: readonly Waiting[]): void {
    this.#storing.delete(body)
    for (const waiting of places) waiting.enqueued = undefined
  }

  /** Takes a message out of a queue. What is not on its way to the file yet never goes there. */
  dequeue(from: Session, waiting: Waiting, writing: Writing): Change[] {
    from.queue.remove(waiting)
    const { body, enqueued } = waiting
    const changes: Change[] = []
    if (enqueued === undefined || !writing.cancel(enqueued)) changes.push(change(DO.dequeue, waiting.id))
    if (--body.receivers > 0) return changes
    this.queuedBytes -= body.bytes
    const stored = this.#storing.get(body)
    this.#storing.delete(body)
    if (stored === undefined || !writing.cancel(stored)) changes.push(change(DO.dropMessage, body.id))
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

  #loadMessage(row: Rows['messages']): void {
    const packet = packetOf(row)
    const body: Body = { id: row.id, packet, bytes: bytesOf(packet), receivers: 0 }
    this.#lastBody = Math.max(this.#lastBody, row.id)
    this.queuedBytes += body.bytes
    this.#bodies?.set(row.id, body)
  }

  #loadWaiting(row: Rows['outgoing']): void {
    this.#lastWaiting = Math.max(this.#lastWaiting, row.id)
    const body = this.#bodies?.get(row.message)
    if (body === undefined) {
      this.#orphans.push(row.id)
      return
    }
    body.receivers++
    this.session(row.client).queue.add({
      id: row.id,
      body,
      at: row.at,
      qos: row.qos,
      messageId: row.packetId ?? undefined,
      released: row.released ?? undefined,
      enqueued: undefined,
    })
  }

  #loadIncoming({ client, packetId, topic }: Rows['incoming']): void {
    const packet = { cmd: 'publish', topic, payload: Buffer.alloc(0), qos: 2, messageId: packetId }
    this.session(client).incoming.set(packetId, packet)
  }
}
