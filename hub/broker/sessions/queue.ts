// The messages that wait for one client, in order, found by their packet identifier or by the broker's counter.
import type { Body } from './packets.ts'
import type { Change } from './writing.ts'

export interface Waiting {
  /** Row in the file; grows with the order. */
  readonly id: number
  readonly body: Body
  /** When it was queued, ms. */
  readonly at: number
  qos: number
  messageId: number | undefined
  /** Set when the client has received it (PUBREC) and PUBREL is what is to be sent; its reason code. */
  released: number | undefined
  /** How it gets into the file, as long as that is not done. */
  enqueued: Change | undefined
}

/** A place in the chain: taking one out costs the same wherever it stands, and the head is found at once. */
interface Place {
  readonly waiting: Waiting
  before: Place | undefined
  after: Place | undefined
}

export class Queue {
  readonly #places = new Map<number, Place>()
  readonly #byMessageId = new Map<number, Waiting[]>()
  readonly #byCounter = new Map<string | undefined, Map<number, Waiting>>()
  #head: Place | undefined
  #tail: Place | undefined
  bytes = 0

  get size(): number {
    return this.#places.size
  }

  /** From the oldest to the newest. */
  *[Symbol.iterator](): Generator<Waiting> {
    for (let place = this.#head; place !== undefined; place = place.after) yield place.waiting
  }

  /** Those never sent, from the oldest. They stand at the end: messages are sent in their order. */
  unsent(): Waiting[] {
    const found: Waiting[] = []
    for (let place = this.#tail; place !== undefined && place.waiting.messageId === undefined; place = place.before)
      found.push(place.waiting)
    return found.reverse()
  }

  has(waiting: Waiting): boolean {
    return this.#places.has(waiting.id)
  }

  add(waiting: Waiting): void {
    const place: Place = { waiting, before: this.#tail, after: undefined }
    if (this.#tail === undefined) this.#head = place
    else this.#tail.after = place
    this.#tail = place
    this.#places.set(waiting.id, place)
    this.bytes += waiting.body.bytes
    const { brokerId, brokerCounter = 0 } = waiting.body.packet
    const counters = this.#byCounter.get(brokerId) ?? new Map<number, Waiting>()
    this.#byCounter.set(brokerId, counters)
    if (!counters.has(brokerCounter)) counters.set(brokerCounter, waiting)
    if (waiting.messageId !== undefined) this.#identify(waiting, waiting.messageId)
  }

  /** The message a broker numbered so. */
  numbered(brokerId: string | undefined, counter: number): Waiting | undefined {
    return this.#byCounter.get(brokerId)?.get(counter)
  }

  /** The oldest message sent under this packet identifier. */
  sentAs(messageId: number | undefined): Waiting | undefined {
    return messageId === undefined ? undefined : this.#byMessageId.get(messageId)?.[0]
  }

  /** Notes under which packet identifier a message was sent. */
  name(waiting: Waiting, messageId: number | undefined): void {
    this.#unidentify(waiting)
    waiting.messageId = messageId
    if (messageId !== undefined) this.#identify(waiting, messageId)
  }

  remove(waiting: Waiting): void {
    const place = this.#places.get(waiting.id)
    if (place === undefined) return
    this.#places.delete(waiting.id)
    if (place.before === undefined) this.#head = place.after
    else place.before.after = place.after
    if (place.after === undefined) this.#tail = place.before
    else place.after.before = place.before
    this.bytes -= waiting.body.bytes
    this.#unidentify(waiting)
    const { brokerId, brokerCounter = 0 } = waiting.body.packet
    const counters = this.#byCounter.get(brokerId)
    if (counters?.get(brokerCounter) !== waiting) return
    counters.delete(brokerCounter)
    if (counters.size === 0) this.#byCounter.delete(brokerId)
  }

  /** The oldest that has not been sent, or else the oldest: what goes when there is too much. */
  oldest(): Waiting | undefined {
    for (const waiting of this) if (waiting.messageId === undefined) return waiting
    return this.#head?.waiting
  }

  #identify(waiting: Waiting, messageId: number): void {
    const others = this.#byMessageId.get(messageId)
    if (others === undefined) this.#byMessageId.set(messageId, [waiting])
    else others.push(waiting)
  }

  #unidentify({ messageId, id }: Waiting): void {
    if (messageId === undefined) return
    const rest = (this.#byMessageId.get(messageId) ?? []).filter((other) => other.id !== id)
    if (rest.length > 0) this.#byMessageId.set(messageId, rest)
    else this.#byMessageId.delete(messageId)
  }
}
