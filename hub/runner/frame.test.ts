// Frames: what is written is what is read, however it is cut; what is torn or too large is never taken for a message.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fifo } from './fifo.ts'
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
        const names: string[] = []
        const cut = frames((body) => {
          const read = new FrameReader(body, names)
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
    .name('')
    .name('')
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

test('a name that came before is the same string again, also when there are more names than are remembered', () => {
  const writer = new FrameWriter()
  const names: string[] = []
  const read = (frame: Buffer) => new FrameReader(frame.subarray(4), names)
  const long = 'x'.repeat(300)
  for (const round of [1, 2]) {
    for (let i = 0; i < 40_000; i++) {
      const name = `devices/d${i % 20_000}/state`
      const found = read(writer.name(name).name(name).name(long).take())
      expect([found.name(), found.name(), found.name()], `round ${round}`).toEqual([name, name, long])
    }
  }
  expect(names.length).toBeLessThanOrEqual(16_384)
  const first = writer.name('again').take()
  read(first).name()
  const again = writer.name('again').take()
  expect(again.length).toBe(8)
  expect(read(again).name()).toBe('again')
  expect(() => new FrameReader(again.subarray(4)).name()).toThrow('was not told')
  const beyond = new FrameWriter()
    .u32(0x8000_0000 + 16_384)
    .text('a')
    .take()
  expect(() => read(beyond).name()).toThrow('has no number')
  // Another reader begins: it is told anew.
  writer.drop()
  expect(new FrameReader(writer.name('again').take().subarray(4)).name()).toBe('again')
})

test('a queue gives back what it got, in order, however it is filled and emptied', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -20, max: 40 }), { maxLength: 40 }), (steps) => {
      const queue = new Fifo<number>()
      const want: number[] = []
      let next = 0
      for (const step of steps) {
        for (let i = 0; i < step; i++) {
          queue.push(next)
          want.push(next++)
        }
        for (let i = 0; i > step; i--) expect(queue.shift()).toBe(want.shift())
        expect([queue.size, queue.peek(), [...queue]]).toEqual([want.length, want[0], want])
      }
    }),
  )
})
