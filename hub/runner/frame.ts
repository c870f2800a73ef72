// Messages as bytes between the hub and the process of flows: frames of a u32 length and a body. Payloads stay bytes.
import { Buffer } from 'node:buffer'
import { Fatal } from '../errors.ts'

/** What reaches the flows, in one order: a message, or a tick (topic ''), which only says that time has passed. */
export interface Item {
  readonly seq: number
  /** Stamp in ms; never smaller than that of the item before. */
  readonly at: number
  /** Full MQTT topic; '' for a tick. */
  readonly topic: string
  readonly origin: string
  readonly payload: Buffer
  /** Edges that do not get it, because they were full. */
  readonly skip: readonly number[]
}

/** What a flow wants published. (flow, n) since the flow's recorded start is its name. */
export interface Output {
  readonly flow: number
  /** Counted from the flow's start at 1. */
  readonly n: number
  /** Logical time at which it was said. */
  readonly at: number
  /** `seq` of the message it answers; 0 for none. */
  readonly cause: number
  /** Full MQTT topic. */
  readonly topic: string
  readonly payload: Buffer
}

/** No frame is larger; a peer that announces one is not one of ours. */
export const FRAME_LIMIT = 16 * 2 ** 20

const EMPTY = Buffer.alloc(0)
export const tickAt = (at: number, seq: number): Item => ({ seq, at, topic: '', origin: '', payload: EMPTY, skip: [] })

/** Builds one frame after the other in a buffer that grows when it must and is used again. */
export class FrameWriter {
  #bytes = Buffer.allocUnsafe(1 << 16)
  #at = 4

  /** Bytes of the body so far. */
  get size(): number {
    return this.#at - 4
  }

  u8(value: number): this {
    this.#room(1)
    this.#at = this.#bytes.writeUInt8(value, this.#at)
    return this
  }
  u32(value: number): this {
    this.#room(4)
    this.#at = this.#bytes.writeUInt32LE(value, this.#at)
    return this
  }
  f64(value: number): this {
    this.#room(8)
    this.#at = this.#bytes.writeDoubleLE(value, this.#at)
    return this
  }
  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.#room(4 + length)
    this.#at = this.#bytes.writeUInt32LE(length, this.#at)
    this.#at += this.#bytes.write(value, this.#at, 'utf8')
    return this
  }
  bytes(value: Buffer): this {
    this.#room(4 + value.length)
    this.#at = this.#bytes.writeUInt32LE(value.length, this.#at)
    this.#at += value.copy(this.#bytes, this.#at)
    return this
  }
  item({ seq, at, topic, origin, payload, skip }: Item): this {
    this.f64(seq).f64(at).text(topic).text(origin).bytes(payload).u32(skip.length)
    for (const edge of skip) this.u32(edge)
    return this
  }
  output({ flow, n, at, cause, topic, payload }: Output): this {
    return this.u32(flow).f64(n).f64(at).f64(cause).text(topic).bytes(payload)
  }

  /** Overwrites doubles at the front of the body: what is known only at the end. */
  front(...values: number[]): this {
    values.forEach((value, i) => this.#bytes.writeDoubleLE(value, 4 + 8 * i))
    return this
  }

  /** The finished frame, as a copy; the next one begins. */
  take(): Buffer {
    this.#bytes.writeUInt32LE(this.size, 0)
    const frame = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.#at = 4
    return frame
  }

  /** Forgets what was written since the last frame. */
  drop(): void {
    this.#at = 4
  }

  #room(bytes: number): void {
    const need = this.#at + bytes
    if (need - 4 > FRAME_LIMIT) throw new Fatal(`a frame of more than ${FRAME_LIMIT} bytes was about to be written`)
    if (need <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, need))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

/** Reads a body from its front. Throws a RangeError when the body ends too early. */
export class FrameReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  get done(): boolean {
    return this.#at >= this.#bytes.length
  }
  u8(): number {
    return this.#bytes.readUInt8(this.#move(1))
  }
  u32(): number {
    return this.#bytes.readUInt32LE(this.#move(4))
  }
  f64(): number {
    return this.#bytes.readDoubleLE(this.#move(8))
  }
  text(): string {
    const length = this.u32()
    const from = this.#move(length)
    return this.#bytes.toString('utf8', from, from + length)
  }
  /** A view of the frame's bytes, not a copy. */
  bytes(): Buffer {
    const length = this.u32()
    const from = this.#move(length)
    return this.#bytes.subarray(from, from + length)
  }
  item(): Item {
    const [seq, at, topic, origin, payload] = [this.f64(), this.f64(), this.text(), this.text(), this.bytes()]
    const skipped = this.u32()
    const skip = skipped === 0 ? NOBODY : Array.from({ length: this.#fits(skipped, 4) }, () => this.u32())
    return { seq, at, topic, origin, payload, skip }
  }
  output(): Output {
    return {
      flow: this.u32(),
      n: this.f64(),
      at: this.f64(),
      cause: this.f64(),
      topic: this.text(),
      payload: this.bytes(),
    }
  }

  #move(bytes: number): number {
    const from = this.#at
    if (from + bytes > this.#bytes.length) throw new RangeError('the frame ends too early')
    this.#at = from + bytes
    return from
  }
  #fits(count: number, size: number): number {
    if (this.#at + count * size > this.#bytes.length) throw new RangeError('the frame ends too early')
    return count
  }
}

const NOBODY: readonly number[] = []

/** Cuts a byte stream into bodies of frames. A torn frame is never given; one over the limit throws. */
export const frames = (each: (body: Buffer) => void): ((chunk: Buffer) => void) => {
  let parts: Buffer[] = []
  let have = 0
  let need = 4
  return (chunk) => {
    parts.push(chunk)
    have += chunk.length
    if (have < need) return
    let bytes = parts.length === 1 ? chunk : Buffer.concat(parts, have)
    need = 4
    while (bytes.length >= 4) {
      const length = bytes.readUInt32LE(0)
      if (length > FRAME_LIMIT)
        throw new RangeError(`a frame of ${length} bytes was announced; the limit is ${FRAME_LIMIT}`)
      need = 4 + length
      if (bytes.length < need) break
      const body = bytes.subarray(4, need)
      bytes = bytes.subarray(need)
      need = 4
      each(body)
    }
    parts = bytes.length > 0 ? [bytes] : []
    have = bytes.length
  }
}
