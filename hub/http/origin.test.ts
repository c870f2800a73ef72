import { expect, test } from 'vitest'
import { originAllowed } from './origin.ts'

test.each([
  [undefined, 'hub.local:8080', true],
  ['http://hub.local:8080', 'hub.local:8080', true],
  ['http://192.168.1.7:8080', '192.168.1.7:8080', true],
  ['http://[fd00::2]:8080', '[fd00::2]:8080', true],
  ['http://localhost:8080', 'localhost:8080', true],
  ['http://workshop:8080', 'workshop:8080', true],
  ['https://wall.example', 'workshop:8080', true],
  // A public name that was made to resolve to the hub has the same host, and is none of ours.
  ['http://evil.example:8080', 'evil.example:8080', false],
  ['http://evil.example', 'hub.local:8080', false],
  ['null', 'hub.local:8080', false],
  ['file://hub.local', 'hub.local', false],
])('a page of %s that calls %s: %s', (origin, host, allowed) => {
  expect(originAllowed(origin, host, ['https://wall.example'])).toBe(allowed)
})
