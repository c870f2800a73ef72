// The messages that wait for one client, in order: the first ones in memory, found by their packet identifier or by the broker's counter; the rest in the file.
import type { Body, Packet } from './packets.ts'
import type { Change } from './writing.ts'

export interface Waiting {
  /** Row in the file; grows with the order. */
  readonly id: number
  /** Row of the message. */
  readonly message: number
  /** Whether other queues had the message too when it came. */
  readonly shared: boolean
  readonly bytes: number
  /** When it was queued, ms. */
  readonly at: number
  brokerId: string | undefined
  /** NaN as long as only its place is known. */
  brokerCounter: number
  /** The message, unless it is in the file only. */
  packet: Packet | undefined
  /** What it shares with other queues, as long as that is known without the file. */
  body: Body | undefined
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
  #unsent: Place | undefined
  /** Of all that waits. */
  bytes = 0
  /** Bytes of the messages that are in memory. */
  held = 0
  /** How many messages are in the file only, behind all that are here, and when the first of them came at the earliest. */
  rest = 0
  restSince = 0
  /** The last row that is or was here: the rest has greater ones. */
  last: number
  /** Bytes that must go because all queues together hold too much. */
  owed = 0
  /** A page that is being read. */
  filling: Promise<void> | undefined
  trimming = false

  constructor(last = 0) {
    this.last = last
  }

  get size(): number {
    return this.#places.size + this.rest
  }

  /** How many have their place in memory. */
  get here(): number {
    return this.#places.size
  }

  /** Those in memory, from the oldest to the newest. */
  *[Symbol.iterator](): Generator<Waiting> {
    for (let place = this.#head; place !== undefined; place = place.after) yield place.waiting
  }

  /** Those in memory behind a row, from the oldest. */
  since(id: number): Waiting[] {
    const found: Waiting[] = []
    for (let place = this.#tail; place !== undefined && place.waiting.id > id; place = place.before)
      found.push(place.waiting)
    return found.reverse()
  }

  /** The row of the last one that was sent, 0 when there is none. Those never sent stand behind it: messages are sent in their order. */
  lastSent(): number {
    let place = this.#tail
    while (place !== undefined && place.waiting.messageId === undefined) place = place.before
    return place?.waiting.id ?? 0
  }

  has(waiting: Waiting): boolean {
    return this.#places.get(waiting.id)?.waiting === waiting
  }

  /** Puts one behind all others, into memory. */
  add(waiting: Waiting): void {
    const place: Place = { waiting, before: this.#tail, after: undefined }
    if (this.#tail === undefined) this.#head = place
    else this.#tail.after = place
    this.#tail = place
    if (waiting.messageId === undefined) this.#unsent ??= place
    this.#places.set(waiting.id, place)
    this.last = waiting.id
    this.bytes += waiting.bytes
    if (waiting.packet !== undefined) this.held += waiting.bytes
    if (!Number.isNaN(waiting.brokerCounter)) this.#count(waiting)
    if (waiting.messageId !== undefined) this.#identify(waiting, waiting.messageId)
  }

  /** Counts one that is in the file only. */
  defer(bytes: number, at: number): void {
    if (this.rest++ === 0) this.restSince = at
    this.bytes += bytes
  }

  /** Takes the first of the rest into memory. */
  recall(waiting: Waiting): void {
    if (this.rest > 0) {
      this.rest--
      this.bytes -= waiting.bytes
    }
    this.restSince = waiting.at
    this.add(waiting)
  }

  /** The rest is gone, whatever it was. */
  forgetRest(): void {
    this.rest = 0
    this.bytes = 0
    for (const { bytes } of this) this.bytes += bytes
  }

  /** Keeps only the place of a message that is in the file. Says how many bytes that frees. */
  release(waiting: Waiting): number {
    if (waiting.packet === undefined || !this.has(waiting)) return 0
    waiting.packet = undefined
    this.held -= waiting.bytes
    return waiting.bytes
  }

  /** Notes which message it is, where only its place was known. */
  number(waiting: Waiting, { brokerId, brokerCounter = 0 }: Packet): void {
    if (!Number.isNaN(waiting.brokerCounter)) return
    waiting.brokerId = brokerId
    waiting.brokerCounter = brokerCounter
    this.#count(waiting)
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
    if (messageId === undefined) return
    this.#identify(waiting, messageId)
    this.#passSent()
  }

  remove(waiting: Waiting): void {
    const place = this.#places.get(waiting.id)
    if (place === undefined) return
    this.#places.delete(waiting.id)
    if (place.before === undefined) this.#head = place.after
    else place.before.after = place.after
    if (place.after === undefined) this.#tail = place.before
    else place.after.before = place.before
    if (this.#unsent === place) {
      this.#unsent = place.after
      this.#passSent()
    }
    this.bytes -= waiting.bytes
    if (waiting.packet !== undefined) this.held -= waiting.bytes
    this.#unidentify(waiting)
    const counters = this.#byCounter.get(waiting.brokerId)
    if (counters?.get(waiting.brokerCounter) !== waiting) return
    counters.delete(waiting.brokerCounter)
    if (counters.size === 0) this.#byCounter.delete(waiting.brokerId)
  }

  /** The oldest that has not been sent, or else the oldest: what goes when there is too much. Only the file has it when this is undefined. */
  oldest(): Waiting | undefined {
    if (this.#unsent !== undefined) return this.#unsent.waiting
    return this.rest > 0 ? undefined : this.#head?.waiting
  }

  #count(waiting: Waiting): void {
    const { brokerId, brokerCounter } = waiting
    const counters = this.#byCounter.get(brokerId) ?? new Map<number, Waiting>()
    this.#byCounter.set(brokerId, counters)
    if (!counters.has(brokerCounter)) counters.set(brokerCounter, waiting)
  }

  #passSent(): void {
    while (this.#unsent?.waiting.messageId !== undefined) this.#unsent = this.#unsent.after
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
