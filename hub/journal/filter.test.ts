import { expect, test } from 'vitest'
import { isExact, isFilter, matcher, matches } from './filter.ts'

test.each([
  ['a/b', 'a/b', true],
  ['a/b', 'a/bc', false],
  ['a/b', 'a', false],
  ['a/b', 'a/b/', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a/', true],
  ['a/+', 'a', false],
  ['a/+', 'a/b/c', false],
  ['+/b', 'a/b', true],
  ['+/+', '/b', true],
  ['/+', '/b', true],
  ['+', '/b', false],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['#', 'a/b', true],
  ['#', '$SYS/x', false],
  ['+/x', '$SYS/x', false],
  ['$SYS/#', '$SYS/x', true],
  ['a/+/c/#', 'a/b/c', true],
  ['a/+/c/#', 'a/b/d/c', false],
  ['+/+/+', 'a/b', false],
  ['!flow-start', '!flow-start', true],
])('%s against %s: %s', (filter, topic, expected) => {
  expect(matches(filter, topic)).toBe(expected)
})

test('illegal filters are told apart', () => {
  for (const legal of ['a', '/', '#', '+', 'a/+/b', 'a/#', '$SYS/#']) expect(isFilter(legal)).toBe(true)
  for (const illegal of ['', 'a#', 'a/#/b', 'a+', 'a/b+/c', 'a\0b', 'x'.repeat(70_000)])
    expect(isFilter(illegal)).toBe(false)
  expect(isExact('a/b')).toBe(true)
  expect(isExact('a/+')).toBe(false)
})

test('a matcher answers the same when asked again, and everything fits no filter', () => {
  const fits = matcher(['a/+', 'b'])
  expect(['a/x', 'a/x', 'b', 'c'].map(fits)).toEqual([true, true, true, false])
  expect(matcher([])('anything')).toBe(true)
})
