// The order in which plugins start.
import { expect, test } from 'vitest'
import { inOrder } from './order.ts'

const gone = (): string => 'is not here'
const ids = (nodes: { id: string }[]): string[] => nodes.map(({ id }) => id)

test('each starts behind those it names', () => {
  const { ready, stuck } = inOrder(
    [{ id: 'c', after: ['b'] }, { id: 'b', after: ['a'] }, { id: 'a' }, { id: 'd' }],
    gone,
  )
  expect(ids(ready)).toEqual(['a', 'd', 'b', 'c'])
  expect(stuck).toEqual([])
})

test('a missing one is named, and what comes after it is stuck too', () => {
  const { ready, stuck } = inOrder([{ id: 'b', after: ['a'] }, { id: 'c', after: ['b'] }, { id: 'd' }], gone)
  expect(ids(ready)).toEqual(['d'])
  expect(stuck.map(({ node, error }) => [node.id, error])).toEqual([
    ['b', "after: 'a' is not here"],
    ['c', "after: 'b' cannot start itself"],
  ])
})

test('a circle is named in full by each of its members, and only by them', () => {
  const { ready, stuck } = inOrder(
    [
      { id: 'a', after: ['c'] },
      { id: 'b', after: ['a'] },
      { id: 'c', after: ['b'] },
      { id: 'x', after: ['a'] },
    ],
    gone,
  )
  expect(ready).toEqual([])
  expect(stuck.map(({ error }) => error)).toEqual([
    'after: goes in a circle: a → c → b → a',
    'after: goes in a circle: b → a → c → b',
    'after: goes in a circle: c → b → a → c',
    "after: 'a' cannot start itself",
  ])
})

test('one that names itself is a circle', () => {
  expect(inOrder([{ id: 'a', after: ['a'] }], gone).stuck[0]?.error).toBe('after: goes in a circle: a → a')
})
