import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Entry } from './entry.ts'
import { FIXTURE } from './fixtures/version-1.ts'
import {
  decodeEntry,
  Encoder,
  endOf,
  fileHead,
  HEAD_BYTES,
  readBlockHead,
  readFileHead,
  roomFor,
  topicBit,
  topicBitOf,
} from './record.ts'

const fixture = readFileSync(new URL('./fixtures/version-1.log', import.meta.url))

const blocksOf = (bytes: Buffer): Entry[][] => {
  const blocks: Entry[][] = []
  for (let at = HEAD_BYTES; at < bytes.length;) {
    const head = readBlockHead(bytes, at)
    if (head === undefined) throw new Error(`no block at ${at}`)
    const from = at + head.headLength
    at = from + head.bodyLength
    const entries: Entry[] = []
    for (let e = from; e < at; e = endOf(bytes, e)) {
      const entry = decodeEntry(bytes, e)
      if (entry !== undefined) entries.push(entry)
    }
    expect(entries.length).toBe(head.count)
    blocks.push(entries)
  }
  return blocks
}

test('a file of format version 1 stays readable', () => {
  expect(readFileHead(fixture)).toEqual({
    version: 1,
    length: 64,
    salt: FIXTURE.salt,
    firstSeq: FIXTURE.firstSeq,
    createdAt: FIXTURE.createdAt,
  })
  expect(blocksOf(fixture)).toEqual([FIXTURE.snapshot, ...FIXTURE.commits])
  expect(readBlockHead(fixture, HEAD_BYTES)).toMatchObject({ snapshot: true, snapshotEnd: true, firstSeq: 4711 })
})

test('the writer still makes the same bytes', () => {
  const encoder = new Encoder()
  const { salt, firstSeq, createdAt } = FIXTURE
  const snapshot = { of: 'snapshot', seq: firstSeq, at: createdAt, last: true } as const
  const made = Buffer.concat([
    fileHead({ salt, firstSeq, createdAt }),
    Buffer.from(encoder.block(FIXTURE.snapshot, salt, snapshot).bytes),
    ...FIXTURE.commits.map((entries) => Buffer.from(encoder.block(entries, salt, { of: 'messages' }).bytes)),
  ])
  expect(made.equals(fixture)).toBe(true)
})

test('a field and a kind of a later version are skipped', () => {
  const entry = FIXTURE.commits[0]?.[0]
  if (entry === undefined) throw new Error('no entry')
  const block = new Encoder().block([entry], 1, { of: 'messages' }).bytes
  const body = block.subarray(HEAD_BYTES)
  const unknown = Buffer.from([200, 3, 0, 0, 0, 9, 9, 9])
  const longer = Buffer.concat([body, unknown])
  longer.writeUInt32LE(longer.length - 4, 0)
  expect(decodeEntry(longer, 0)).toEqual(entry)
  longer[4] = 77
  expect(decodeEntry(longer, 0)).toBeUndefined()
})

test('whatever goes in comes out', () => {
  const encoder = new Encoder()
  const entries = fc.record({
    kind: fc.constantFrom('message', 'retained', 'note'),
    seq: fc.maxSafeNat(),
    at: fc.maxSafeNat(),
    cause: fc.maxSafeNat(),
    n: fc.maxSafeNat(),
    topic: fc.string({ unit: 'grapheme', maxLength: 60 }),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
    origin: fc.string({ unit: 'grapheme', maxLength: 30 }),
    correlation: fc.string({ unit: 'grapheme', maxLength: 30 }),
  })
  fc.assert(
    fc.property(fc.array(entries, { minLength: 1, maxLength: 20 }), (batch) => {
      const block = encoder.block(batch, 5, { of: 'messages' })
      expect(block.bytes.length).toBeLessThanOrEqual(HEAD_BYTES + batch.reduce((sum, entry) => sum + roomFor(entry), 0))
      expect(blocksOf(Buffer.concat([Buffer.alloc(HEAD_BYTES), block.bytes]))).toEqual([batch])
      for (const { topic } of batch) expect(block.mask & topicBitOf(topic)).not.toBe(0)
    }),
    { numRuns: 200 },
  )
})

test('the topic bit is fixed by the format', () => {
  const bytes = Buffer.from('jarvis/devices/dust/state')
  expect(topicBit(bytes, 0, bytes.length)).toBe(topicBitOf('jarvis/devices/dust/state'))
  expect([topicBitOf(''), topicBitOf('a'), topicBitOf('jarvis/devices/dust/state')]).toEqual([
    2 ** 28,
    2 ** 20,
    2 ** 13,
  ])
})

test('a flipped bit in a head is noticed', () => {
  for (let bit = 0; bit < HEAD_BYTES * 8; bit++) {
    const head = Buffer.from(fixture.subarray(0, 2 * HEAD_BYTES))
    const byte = bit >> 3
    head[byte] = (head[byte] ?? 0) ^ (1 << (bit & 7))
    head[HEAD_BYTES + byte] = (head[HEAD_BYTES + byte] ?? 0) ^ (1 << (bit & 7))
    expect(readFileHead(head)).toBeUndefined()
    expect(readBlockHead(head, HEAD_BYTES)).toBeUndefined()
  }
})
