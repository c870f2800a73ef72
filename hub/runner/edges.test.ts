// Edges: one order, a bound for each listener, and an account of what was dropped.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Envelope } from '../bus/envelope.ts'
import { type Accounts, type Gap, openEdges } from './edges.ts'
import type { Item } from './frame.ts'
import type { Input } from './host.ts'

const input = (edge: number, filter: string, overload: Input['overload']): Input => ({
  edge,
  topic: filter,
  filter,
  latest: false,
  overload,
})
const envelope = (seq: number, topic: string, at = seq, size = 2): Envelope => ({
  seq,
  at,
  topic,
  payload: Buffer.alloc(size, '1'),
  qos: 0,
  retain: false,
  origin: 'device:dust',
  cause: 0,
  correlation: '',
  n: 0,
})
const rest = (next: () => Item | undefined): Item[] => {
  const items: Item[] = []
  for (let item = next(); item !== undefined; item = next()) items.push(item)
  return items
}

test('each edge keeps its newest, nobody else is affected, and what was dropped is a gap', () => {
  const gaps: Gap[] = []
  const accounts: Accounts = new Map()
  const edges = openEdges((gap) => gaps.push(gap), { accounts })
  edges.open(1, [input(1024, 'a', { dropOldest: 3 })])
  edges.open(2, [input(2048, 'a', 'latest')])
  edges.open(3, [input(3072, '#', { dropOldest: 100 })])
  for (let seq = 1; seq <= 10; seq++) edges.offer(envelope(seq, 'a'))
  const items = rest(edges.next)
  const heard = (edge: number) => items.filter(({ skip }) => !skip.includes(edge)).map(({ seq }) => seq)
  expect(heard(1024)).toEqual([8, 9, 10])
  expect(heard(2048)).toEqual([10])
  expect(heard(3072)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  expect(accounts.get(1024)).toEqual({ in: 10, dropped: 7 })
  expect(edges.depths(1)).toEqual([0])
  expect(gaps).toEqual([
    { flow: 1, edge: 1024, topic: 'a', from: 1, to: 7, count: 7 },
    { flow: 2, edge: 2048, topic: 'a', from: 1, to: 9, count: 9 },
  ])
})

test('whatever happens, an edge never holds more than its bound, and in = given + dropped + depth', () => {
  const step = fc.oneof(
    fc.constant({ do: 'offer' as const, topic: 'a' }),
    fc.constant({ do: 'offer' as const, topic: 'b' }),
    fc.constant({ do: 'next' as const }),
    fc.constant({ do: 'again' as const }),
    fc.constant({ do: 'done' as const }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const edges = openEdges(() => {})
      edges.open(1, [input(1024, 'a', { dropOldest: 4 }), input(1025, '+', { dropOldest: 6 })])
      edges.open(2, [input(2048, 'b', 'latest')])
      let seq = 0
      let done: number[] = []
      let given: Item[] = []
      for (const { do: what, ...more } of steps) {
        if (what === 'offer') edges.offer(envelope(++seq, 'topic' in more ? more.topic : 'a'))
        if (what === 'next') given.push(...[edges.next() ?? []].flat())
        if (what === 'done') {
          done = done.concat(given.map((item) => item.seq))
          edges.done(given.length)
          given = []
        }
        if (what === 'again') {
          edges.again()
          given = []
        }
        expect(Math.max(...edges.depths(1))).toBeLessThanOrEqual(6)
        expect(edges.depths(2)[0]).toBeLessThanOrEqual(1)
        expect(edges.sent).toBe(given.length)
      }
      given.push(...rest(edges.next))
      const all = [...done, ...given.map((item) => item.seq)]
      expect(all).toEqual([...all].sort((a, b) => a - b))
      expect(new Set(all).size).toBe(all.length)
      expect(edges.waiting).toBe(0)
    }),
  )
})

test('a listener that never drains holds a bounded amount, however long it takes', () => {
  const edges = openEdges(() => {})
  edges.open(1, [input(1024, 'rare', { dropOldest: 1000 }), input(1025, 'busy', { dropOldest: 10 })])
  edges.offer(envelope(1, 'rare'))
  for (let seq = 2; seq < 50_000; seq++) edges.offer(envelope(seq, 'busy'))
  expect(edges.waiting).toBe(11)
  expect(rest(edges.next)).toHaveLength(11)
})

test('what waits is bounded in bytes, too', () => {
  const accounts: Accounts = new Map()
  const edges = openEdges(() => {}, { accounts })
  edges.open(1, [input(1024, '#', { dropOldest: 1000 })])
  for (let seq = 1; seq <= 100; seq++) edges.offer(envelope(seq, 'a', seq, 2 ** 20))
  const [depth = 0] = edges.depths(1)
  const { dropped } = accounts.get(1024) ?? { dropped: 0 }
  expect(depth).toBeLessThanOrEqual(64)
  expect(depth + dropped).toBe(100)
  expect(rest(edges.next)[0]?.seq).toBe(dropped + 1)
})

test('what a dead process had not acknowledged is given again, in its order, before what is new', () => {
  const edges = openEdges(() => {})
  edges.open(1, [input(1024, '#', { dropOldest: 100 })])
  for (let seq = 1; seq <= 4; seq++) edges.offer(envelope(seq, 'a'))
  rest(edges.next)
  edges.done(1)
  edges.offer(envelope(5, 'a'))
  expect(edges.acked).toEqual({ at: 1, seq: 1 })
  edges.again()
  edges.open(1, [input(1024, '#', { dropOldest: 100 })])
  expect(rest(edges.next).map(({ seq }) => seq)).toEqual([2, 3, 4, 5])
})

test('stamps in line never go back, and a tick never overtakes what waits', () => {
  const edges = openEdges(() => {})
  edges.open(1, [input(1024, '#', { dropOldest: 100 })])
  edges.offer(envelope(2, 'a', 100))
  edges.offer(envelope(1, 'a', 90))
  edges.tick(110)
  expect(rest(edges.next).map(({ at, topic }) => [at, topic])).toEqual([
    [100, 'a'],
    [100, 'a'],
  ])
  edges.tick(99)
  expect(edges.next()).toBeUndefined()
  edges.tick(120)
  expect(edges.next()).toMatchObject({ at: 120, topic: '' })
})

test('a closed edge holds nothing and hears nothing', () => {
  const gaps: Gap[] = []
  const edges = openEdges((gap) => gaps.push(gap))
  edges.open(1, [input(1024, '#', { dropOldest: 1 })])
  edges.offer(envelope(1, 'a'))
  edges.offer(envelope(2, 'a'))
  edges.close(1)
  expect(gaps).toHaveLength(1)
  expect(edges.next()).toBeUndefined()
  expect(edges.offer(envelope(3, 'a'))).toBe(false)
})
