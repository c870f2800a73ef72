// Where the links of notifications lead.
import { expect, test } from 'vitest'
import { aliasOf, placeOfLink } from './alias.ts'

test.each([
  ['/approvals?id=a%2F1', '/approvals/a%2F1'],
  ['/flows?id=hot-iron', '/flows/hot-iron'],
  ['/errors', '/hub#errors'],
  ['/now', '/'],
  ['/devices/welder', '/devices/welder'],
  ['//evil.example/now', '/'],
  ['https://evil.example', '/'],
  ['javascript:alert(1)', '/'],
])('%s leads to %s', (link, place) => {
  expect(placeOfLink(link)).toBe(place)
})

test('a page with its own query stays itself', () => {
  expect(aliasOf('/messages', '?topic=errors/%23')).toBeUndefined()
  expect(aliasOf('/approvals', '?id=')).toBeUndefined()
})
