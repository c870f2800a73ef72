// DER, the few forms a certificate needs (X.690): each function gives the bytes of one value.
import { iso } from '../clock.ts'

const tagged = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body])
}

/** Short form below 128, otherwise the number of length bytes and then these (X.690, 8.1.3). */
const lengthOf = (n: number): Buffer => {
  if (n < 0x80) return Buffer.from([n])
  const bytes = trimmed(Buffer.from(n.toString(16).padStart(8, '0'), 'hex'))
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes])
}

const trimmed = (bytes: Buffer): Buffer => {
  const first = bytes.findIndex((byte) => byte !== 0)
  return first < 0 ? Buffer.from([0]) : bytes.subarray(first)
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => tagged(0x30, ...items)
export const set = (...items: readonly Uint8Array[]): Buffer => tagged(0x31, ...items)
export const octets = (bytes: Uint8Array): Buffer => tagged(0x04, bytes)
export const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text, 'utf8'))
export const yes = (): Buffer => Buffer.from([0x01, 0x01, 0xff])

/** A non-negative integer from its big-endian bytes. */
export const integer = (bytes: Uint8Array): Buffer => {
  const short = trimmed(Buffer.from(bytes))
  return tagged(0x02, (short[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short)
}

/** Bits; `unused` is how many of the last byte do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer => tagged(0x03, Buffer.from([unused]), bytes)

/** An object identifier such as `2.5.29.17`. */
export const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return tagged(0x06, Buffer.from(bytes))
}

/** A time as certificates write it: two-digit years until 2049, four digits after (RFC 5280, 4.1.2.5). ms since 1970. */
export const time = (at: number): Buffer => {
  const digits = iso(at).replaceAll(/[-:T]|\.\d+/g, '')
  return Number(digits.slice(0, 4)) < 2050
    ? tagged(0x17, Buffer.from(digits.slice(2)))
    : tagged(0x18, Buffer.from(digits))
}

/** A context-specific tag around values (`[n] EXPLICIT`, or a constructed implicit one). */
export const context = (n: number, ...items: readonly Uint8Array[]): Buffer => tagged(0xa0 | n, ...items)

/** A context-specific tag instead of a primitive value's own (`[n] IMPLICIT`). */
export const primitive = (n: number, bytes: Uint8Array): Buffer => tagged(0x80 | n, bytes)
