// Acknowledgements to another broker: sent in the order in which the messages came [MQTT-4.6.0-2], each when the hub has kept its message.

const PUBACK = 0x40

/** The PUBACK of a message (3.4): the short form, which means success in MQTT 5 too. */
const puback = (messageId: number): Buffer => Buffer.from([PUBACK, 2, messageId >> 8, messageId & 0xff])

interface Expected {
  messageId: number
  isKept: boolean
}

export class Acks {
  readonly #most: number
  readonly #send: (bytes: Buffer) => void
  readonly #line: Expected[] = []
  #held: (() => void) | undefined

  /** `most`: with so many unacknowledged, nothing more is read. */
  constructor(most: number, send: (bytes: Buffer) => void) {
    this.#most = most
    this.#send = send
  }

  /** A message came; `next` lets the one after it be read, now or when there is room. Returns what to call when it is kept. */
  expect(messageId: number, next: () => void): () => void {
    const one: Expected = { messageId, isKept: false }
    this.#line.push(one)
    if (this.#line.length < this.#most) next()
    else this.#held = next
    return () => {
      one.isKept = true
      this.#flush()
    }
  }

  #flush(): void {
    for (let first = this.#line[0]; first?.isKept === true; first = this.#line[0]) {
      this.#line.shift()
      this.#send(puback(first.messageId))
    }
    const held = this.#held
    if (held === undefined || this.#line.length >= this.#most) return
    this.#held = undefined
    held()
  }
}
