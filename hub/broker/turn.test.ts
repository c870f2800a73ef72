// A turn of writes: one for each connection, in order, shared where it is the same, and told truly how much waits.
import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { openTurn } from './turn.ts'

interface Sink extends Duplex {
  /** What arrived, one entry for each system call. */
  calls: Buffer[][]
  /** Takes what it was given last. */
  swallow: () => void
}

/** A connection; a slow one takes what is written only when told. */
const sink = ({ highWaterMark = 1000, slow = false } = {}): Sink => {
  const calls: Buffer[][] = []
  const duplex = new Duplex({
    highWaterMark,
    read() {},
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => chunk as Buffer))
      if (slow) made.swallow = () => done()
      else done()
    },
  })
  const made = Object.assign(duplex, { calls, swallow: () => {} })
  return made
}
const turn = () => new Promise((next) => setImmediate(() => setImmediate(next)))
const texts = ({ calls }: Sink) => calls.map((pieces) => pieces.map(String).join('|'))

test('what is written in a turn arrives at once and in order, whoever corks', async () => {
  const one = sink()
  openTurn()(one)
  one.write('a')
  one.cork()
  one.write(Buffer.from('b'))
  one.uncork()
  one.write('ff', 'hex')
  one.write('d')
  expect(one.calls).toEqual([])
  expect(one.writableLength).toBe(4)
  await turn()
  expect(one.calls).toEqual([[Buffer.from('6162ff64', 'hex')]])
  expect(one.writableLength).toBe(0)
  one.write('e')
  await turn()
  expect(one.calls).toHaveLength(2)
})

test('who gets the same gets the same buffer; one with a piece of its own gets its own, and everybody the right one', async () => {
  const gather = openTurn()
  const all = Array.from({ length: 6 }, () => sink())
  for (const one of all) gather(one)
  const [first, second, third] = ['1', '2', '3'].map((text) => Buffer.from(text))
  all.forEach((one) => one.write(first))
  all[2]?.write('own')
  all.forEach((one, n) => n !== 4 && one.write(second))
  all.forEach((one) => one.write(third))
  await turn()
  expect(all.map(texts)).toEqual([['123'], ['123'], ['1own23'], ['123'], ['13'], ['123']])
  const [a, b, c, , , f] = all.map(({ calls }) => calls[0]?.[0])
  expect(a).toBe(b)
  expect(f).toBe(a)
  expect(c).not.toBe(a)

  // A single piece is passed on as it is, and the next turn begins anew.
  all.forEach((one) => one.write(first))
  await turn()
  expect(all.every(({ calls }) => calls[1]?.[0] === first)).toBe(true)
})

test('large pieces are not copied together', async () => {
  const one = sink({ highWaterMark: 1e6 })
  openTurn()(one)
  const large = Buffer.alloc(50_000)
  one.write('a')
  one.write(large)
  one.write('b')
  await turn()
  expect(one.calls).toHaveLength(1)
  expect(one.calls[0]).toHaveLength(3)
  expect(one.calls[0]?.[1]).toBe(large)
})

test('above the mark a writer is told to wait, and hears of it when all was taken at once', async () => {
  const one = sink({ highWaterMark: 10 })
  openTurn()(one)
  let drains = 0
  one.on('drain', () => drains++)
  expect(one.write('12345')).toBe(true)
  expect(one.writableNeedDrain).toBe(false)
  expect(one.write('67890')).toBe(false)
  expect(one.writableNeedDrain).toBe(true)
  await turn()
  expect([drains, one.writableNeedDrain]).toEqual([1, false])
})

test('above the mark only together with what was there before: the drain comes all the same', async () => {
  const one = sink({ highWaterMark: 10, slow: true })
  openTurn()(one)
  let drains = 0
  one.on('drain', () => drains++)
  one.write('12345678')
  await turn()
  expect(one.write('90')).toBe(false)
  one.swallow()
  await turn()
  one.swallow()
  await turn()
  expect([drains, one.writableLength, texts(one)]).toEqual([1, 0, ['12345678', '90']])
})

test('one that does not read holds up nobody, and what waits for it is counted', async () => {
  const gather = openTurn()
  const [quick, slow, other] = [sink(), sink({ slow: true }), sink()]
  for (const one of [quick, slow, other]) gather(one)
  let drains = 0
  slow.on('drain', () => drains++)
  for (let n = 0; n < 20; n++) {
    const piece = Buffer.alloc(100, n)
    for (const one of [quick, slow, other]) one.write(piece)
    await turn()
  }
  expect([quick.calls.length, slow.calls.length, other.calls.length]).toEqual([20, 1, 20])
  expect([quick.writableLength, slow.writableLength]).toEqual([0, 2000])
  expect([slow.writableNeedDrain, drains]).toEqual([true, 0])
  slow.swallow()
  await turn()
  slow.swallow()
  await turn()
  expect([drains, slow.writableLength]).toEqual([1, 0])
  expect(Buffer.concat(slow.calls.flat())).toEqual(Buffer.concat(quick.calls.flat()))
})

test('a write that wants an answer, and the end, come behind what was gathered', async () => {
  const one = sink()
  openTurn()(one)
  one.write('a')
  const answered = new Promise((resolve) => one.write('b', resolve))
  one.write('c')
  one.end('d')
  await answered
  await turn()
  expect(texts(one).join('|')).toBe('a|b|c|d')
})

test('what was gathered for a connection that is gone goes with it', async () => {
  const gather = openTurn()
  const [gone, there] = [sink(), sink()]
  for (const one of [gone, there]) {
    one.on('error', () => {})
    gather(one)
    one.write('a')
  }
  gone.destroy()
  gone.write('b')
  await turn()
  expect([texts(gone), texts(there)]).toEqual([[], ['a']])
})
