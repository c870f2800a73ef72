// Filters against brute force: every short topic over a small alphabet is tried.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contains, isFilter, isTopic, matcher, matches, overlaps } from './filters.ts'

const LEVELS = ['a', 'b', '', '$s']
const topics = (depth: number): string[] =>
  depth === 1 ? LEVELS : [...LEVELS, ...topics(depth - 1).flatMap((rest) => LEVELS.map((level) => `${level}/${rest}`))]
/** One level more than the longest filter, so that '#' and '+' come apart. The empty topic, which nobody can send, is the level above '/'. */
const every = [...new Set(topics(5))]

const filter = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', '', '$s', '+'), { minLength: 0, maxLength: 3 }),
    fc.constantFrom('a', 'b', '', '$s', '+', '#'),
  )
  .map(([start, end]) => [...start, end].join('/'))
  .filter((text) => text.length > 0)

/** The specification read aloud, slowly and without short cuts. */
const slowly = (pattern: string, topic: string): boolean => {
  if (/^[+#]/.test(pattern) && topic.startsWith('$')) return false
  const escape = (level: string) => level.replace('$', '\\$')
  const body = pattern
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : escape(level)))
    .join('/')
  if (pattern === '#') return true
  return new RegExp(`^${body.endsWith('/#') ? `${body.slice(0, -2)}(/.*)?` : body}$`).test(topic)
}

describe('matching', () => {
  test('is what the specification says, for every short topic', () => {
    fc.assert(
      fc.property(filter, (pattern) => {
        const quick = matcher(pattern)
        for (const topic of every) {
          const expected = slowly(pattern, topic)
          expect([pattern, topic, matches(pattern, topic)]).toEqual([pattern, topic, expected])
          expect([pattern, topic, quick(topic)]).toEqual([pattern, topic, expected])
        }
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    ['a/#', 'a', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['+', '/a', false],
    ['+/+', '/a', true],
    ['a/+', 'a/', true],
    ['a/+', 'a', false],
  ])('%s and %s: %s', (pattern, topic, expected) => expect(matches(pattern, topic)).toBe(expected))
})

describe('containment and overlap', () => {
  const set = (pattern: string) => new Set(every.filter((topic) => matches(pattern, topic)))

  test('are those of the sets of topics', () => {
    fc.assert(
      fc.property(filter, filter, (outer, inner) => {
        const [o, i] = [set(outer), set(inner)]
        expect([outer, inner, contains(outer, inner)]).toEqual([outer, inner, [...i].every((topic) => o.has(topic))])
        expect([outer, inner, overlaps(outer, inner)]).toEqual([outer, inner, [...i].some((topic) => o.has(topic))])
      }),
      { numRuns: 3000 },
    )
  })

  test.each([
    ['#', '$SYS/#', false],
    ['+/#', '#', true],
    ['a/#', 'a', true],
    ['a/+/#', 'a/#', false],
    ['devices/+/state', 'devices/#', false],
    ['devices/+/state', 'devices/+/state', true],
  ])('does %s contain %s? %s', (outer, inner, expected) => expect(contains(outer, inner)).toBe(expected))
})

test('only whole levels can be wildcards', () => {
  for (const good of ['#', '+', 'a/+/b/#', '/', '//', '$SYS/#']) expect([good, isFilter(good)]).toEqual([good, true])
  for (const bad of ['', 'a#', 'a/#/b', 'a+', '+a/b', 'a\0', '\ud800', 'x'.repeat(65_536)]) {
    expect([bad.slice(0, 9), isFilter(bad)]).toEqual([bad.slice(0, 9), false])
  }
})

test('a topic has no wildcard, no NUL and fits into 65,535 bytes', () => {
  for (const good of ['a', '/', 'a//b', '$SYS/x', 'é'.repeat(32_767)]) expect(isTopic(good)).toBe(true)
  for (const bad of ['', 'a/+', '#', 'a\0b', '\udfff', 'é'.repeat(32_768)]) expect(isTopic(bad)).toBe(false)
})
