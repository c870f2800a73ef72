import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matches } from './filters.ts'
import { TopicTrie } from './trie.ts'

const level = fc.constantFrom('a', 'b', '', '$SYS', 'c')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((l) => l.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([l, rest]) => [...l, ...(rest ? ['#'] : [])].join('/'))

test('the trie agrees with the filters taken one by one', () => {
  fc.assert(
    fc.property(fc.uniqueArray(filter, { maxLength: 8 }), topic, (filters, name) => {
      const trie = new TopicTrie<string>()
      for (const f of filters) trie.add(f, f)
      expect([...trie.match(name)].sort()).toEqual(filters.filter((f) => matches(f, name)).sort())
    }),
    { numRuns: 2000 },
  )
})

test('what was removed listens no more, and the rest still does', () => {
  fc.assert(
    fc.property(fc.uniqueArray(filter, { minLength: 1, maxLength: 8 }), topic, fc.nat(), (filters, name, pick) => {
      const trie = new TopicTrie<string>()
      for (const f of filters) trie.add(f, f)
      trie.match(name)
      const gone = filters[pick % filters.length]!
      trie.remove(gone, gone)
      expect([...trie.match(name)].sort()).toEqual(filters.filter((f) => f !== gone && matches(f, name)).sort())
    }),
    { numRuns: 1000 },
  )
})

test('removing what was never there changes nothing', () => {
  const trie = new TopicTrie<string>()
  trie.add('a/b', 'x')
  trie.remove('a/b/c', 'x')
  trie.remove('a/#', 'x')
  expect(trie.match('a/b')).toEqual(['x'])
})
