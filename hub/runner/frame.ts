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

/** Topics and origins that came before are said by a number. So many are remembered, of so many characters at most; then they are numbered anew. */
const NAMES = 16_384
const LONGEST_NAME = 256
/** Instead of a number, and the bit beside a number that a name is given. */
const UNNUMBERED = 0xffff_ffff
const NEW = 0x8000_0000

/** The names that a reader was told of, by number: one list for all frames of one writer. */
export type Names = string[]

/** Builds one frame after the other in a buffer that grows when it must and is used again. */
export class FrameWriter {
  #bytes = Buffer.allocUnsafe(1 << 16)
  #view = viewOf(this.#bytes)
  #at = 4
  readonly #names = new Map<string, number>()

  /** Bytes of the body so far. */
  get size(): number {
    return this.#at - 4
  }

  u8(value: number): this {
    this.#room(1)
    this.#view.setUint8(this.#at, value)
    this.#at += 1
    return this
  }
  u32(value: number): this {
    this.#room(4)
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
    return this
  }
  f64(value: number): this {
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
    return this
  }
  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.#room(4 + length)
    this.u32(length)
    this.#at += this.#bytes.write(value, this.#at, 'utf8')
    return this
  }
  /** A text that comes again and again. Its reader needs every frame of this writer. */
  name(value: string): this {
    const known = this.#names.get(value)
    if (known !== undefined) return this.u32(known)
    if (value.length > LONGEST_NAME) return this.u32(UNNUMBERED).text(value)
    if (this.#names.size >= NAMES) this.#names.clear()
    const number = this.#names.size
    this.#names.set(value, number)
    return this.u32((number | NEW) >>> 0).text(value)
  }
  bytes(value: Buffer): this {
    this.#room(4 + value.length)
    this.u32(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
    return this
  }
  item({ seq, at, topic, origin, payload, skip }: Item): this {
    this.f64(seq).f64(at).name(topic).name(origin).bytes(payload).u32(skip.length)
    for (const edge of skip) this.u32(edge)
    return this
  }
  output({ flow, n, at, cause, topic, payload }: Output): this {
    return this.u32(flow).f64(n).f64(at).f64(cause).name(topic).bytes(payload)
  }

  /** Overwrites doubles at the front of the body: what is known only at the end. */
  front(...values: number[]): this {
    values.forEach((value, i) => this.#view.setFloat64(4 + 8 * i, value, true))
    return this
  }

  /** The finished frame, as a copy; the next one begins. */
  take(): Buffer {
    this.#view.setUint32(0, this.size, true)
    const frame = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.#at = 4
    return frame
  }

  /** Forgets what was written since the last frame, and all names: another reader begins. */
  drop(): void {
    this.#at = 4
    this.#names.clear()
  }

  #room(bytes: number): void {
    const need = this.#at + bytes
    if (need - 4 > FRAME_LIMIT) throw new Fatal(`a frame of more than ${FRAME_LIMIT} bytes was about to be written`)
    if (need <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, need))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView => new DataView(buffer, byteOffset, byteLength)

/** Reads a body from its front. Throws a RangeError when the body ends too early, or names what it was not told of. */
export class FrameReader {
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #names: Names
  #at = 0

  constructor(bytes: Buffer, names: Names = []) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#names = names
  }
  get done(): boolean {
    return this.#at >= this.#bytes.length
  }
  u8(): number {
    return this.#view.getUint8(this.#move(1))
  }
  u32(): number {
    return this.#view.getUint32(this.#move(4), true)
  }
  f64(): number {
    return this.#view.getFloat64(this.#move(8), true)
  }
  text(): string {
    const length = this.u32()
    const from = this.#move(length)
    return this.#bytes.toString('utf8', from, from + length)
  }
  /** The same string each time. */
  name(): string {
    const number = this.u32()
    if (number < NEW) {
      const known = this.#names[number]
      if (known === undefined) throw new RangeError(`the frame names number ${number}, which was not told`)
      return known
    }
    const text = this.text()
    if (number === UNNUMBERED) return text
    const place = (number & ~NEW) >>> 0
    if (place >= NAMES || text.length > LONGEST_NAME) throw new RangeError('the frame numbers what has no number')
    return (this.#names[place] = text)
  }
  /** A view of the frame's bytes, not a copy. */
  bytes(): Buffer {
    const length = this.u32()
    const from = this.#move(length)
    return this.#bytes.subarray(from, from + length)
  }
  /** The payload is a view of the frame's bytes. */
  item(): Item {
    const seq = this.f64()
    const at = this.f64()
    const topic = this.name()
    const origin = this.name()
    const payload = this.bytes()
    const skipped = this.u32()
    const skip = skipped === 0 ? NOBODY : Array.from({ length: this.#fits(skipped, 4) }, () => this.u32())
    return { seq, at, topic, origin, payload, skip }
  }
  /** The payload is a copy: one that is kept does not keep the frame. */
  output(): Output {
    const flow = this.u32()
    const n = this.f64()
    const at = this.f64()
    const cause = this.f64()
    const topic = this.name()
    const length = this.u32()
    const from = this.#move(length)
    const payload = Buffer.allocUnsafe(length)
    this.#bytes.copy(payload, 0, from, from + length)
    return { flow, n, at, cause, topic, payload }
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
