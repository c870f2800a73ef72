// Frames: what is written is what is read, however it is cut; what is torn or too large is never taken for a message.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FRAME_LIMIT, FrameReader, frames, FrameWriter, type Item, type Output } from './frame.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const item: fc.Arbitrary<Item> = fc.record({
  seq: fc.nat(),
  at: fc.integer({ min: 0, max: 2 ** 42 }),
  topic: fc.string({ unit: 'grapheme' }),
  origin: fc.string(),
  payload: bytes,
  skip: fc.array(fc.nat(), { maxLength: 5 }),
})
const output: fc.Arbitrary<Output> = fc.record({
  flow: fc.nat(),
  n: fc.nat(),
  at: fc.nat(),
  cause: fc.nat(),
  topic: fc.string({ unit: 'grapheme' }),
  payload: bytes,
})

test('items survive any cut of the byte stream', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(item, { maxLength: 5 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      (batches, cuts) => {
        const writer = new FrameWriter()
        const stream = Buffer.concat(
          batches.map((batch) => {
            for (const one of batch) writer.item(one)
            return writer.take()
          }),
        )
        const got: Item[][] = []
        const cut = frames((body) => {
          const read = new FrameReader(body)
          const batch: Item[] = []
          while (!read.done) batch.push(read.item())
          got.push(batch)
        })
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length] ?? 1
          cut(stream.subarray(at, at + size))
          at += size
        }
        expect(got).toEqual(batches)
      },
    ),
  )
})

test('outputs survive, with what was only known at the end in front', () => {
  fc.assert(
    fc.property(fc.array(output), fc.nat(), (outputs, done) => {
      const writer = new FrameWriter().f64(0).f64(0)
      for (const one of outputs) writer.output(one)
      const read = new FrameReader(writer.front(done, Infinity).take().subarray(4))
      expect([read.f64(), read.f64()]).toEqual([done, Infinity])
      for (const one of outputs) expect(read.output()).toEqual(one)
      expect(read.done).toBe(true)
    }),
  )
})

test('a torn frame is not given, a truncated body does not read beyond its end', () => {
  const frame = new FrameWriter().text('whole').take()
  const got: string[] = []
  const cut = frames((body) => got.push(new FrameReader(body).text()))
  cut(frame.subarray(0, frame.length - 1))
  expect(got).toEqual([])
  cut(frame.subarray(frame.length - 1))
  expect(got).toEqual(['whole'])
  const body = new FrameWriter().u32(1000).take().subarray(4)
  expect(() => new FrameReader(body).text()).toThrow('ends too early')
  const many = new FrameWriter()
    .f64(1)
    .f64(1)
    .text('')
    .text('')
    .bytes(Buffer.alloc(0))
    .u32(2 ** 31)
    .take()
    .subarray(4)
  expect(() => new FrameReader(many).item()).toThrow('ends too early')
})

test('a frame over the limit is refused on both ends', () => {
  const cut = frames(() => {})
  const announced = Buffer.alloc(4)
  announced.writeUInt32LE(FRAME_LIMIT + 1)
  expect(() => cut(announced)).toThrow('the limit is')
  const writer = new FrameWriter()
  expect(() => writer.bytes(Buffer.alloc(FRAME_LIMIT))).toThrow('more than')
})

test('a frame of the largest size arrives in small pieces without being copied for each', () => {
  const frame = new FrameWriter().bytes(Buffer.alloc(FRAME_LIMIT - 100, 7)).take()
  let got = 0
  const cut = frames((body) => (got = new FrameReader(body).bytes().length))
  const began = performance.now()
  for (let at = 0; at < frame.length; at += 4096) cut(frame.subarray(at, at + 4096))
  expect(got).toBe(FRAME_LIMIT - 100)
  expect(performance.now() - began).toBeLessThan(2000)
})
