import { expect, test } from 'vitest'
import { clockOffset } from './client.ts'
import { instant, readClaim, readCommand, readDevice, readError, readItems, readMe } from './read.ts'
import { safeReturn } from './session.ts'

test('a device is read with what is missing left out', () => {
  expect(readDevice({ id: 'dust', online: true, lastSeen: '1970-01-01T00:00:01Z' })).toEqual({
    id: 'dust',
    name: 'dust',
    kind: 'device',
    online: true,
    owner: '',
    state: {},
    lastSeen: 1000,
    intents: {},
    safe: [],
  })
})

test('what is no device is left out of the list', () => {
  expect(readItems({ items: [{ id: 'a' }, null, 'x', { id: 3 }] }, readDevice).map(({ id }) => id)).toEqual(['a'])
  expect(readItems('nonsense', readDevice)).toEqual([])
})

test('an unclear presence is offline', () => {
  expect(readDevice({ id: 'a', online: 'true' })?.online).toBe(false)
})

test('times are read from numbers and ISO, and nonsense is none', () => {
  expect([instant(5), instant('1970-01-01T00:00:00.005Z'), instant('soon'), instant(null)]).toEqual([5, 5, 0, 0])
})

test("the hub's error body is read, and another body is not taken for one", () => {
  expect(readError({ error: { code: 'CONFLICT', message: 'busy', details: { field: 'intent' } } })).toMatchObject({
    code: 'CONFLICT',
    details: { field: 'intent' },
  })
  expect(readError('<html>')).toBeUndefined()
})

test('a command carries the reason of its result', () => {
  expect(
    readCommand({
      commandId: 'c',
      device: 'd',
      intent: 'i',
      history: [{ at: 1, status: 'pending' }, 3],
      result: { reason: 'no' },
    }),
  ).toMatchObject({ reason: 'no', history: [{ at: 1, status: 'pending' }] })
})

test('a claim answer that says nothing is no answer, and the prefix has a default', () => {
  expect(readClaim({})).toBeUndefined()
  expect(readMe({ id: 'ada' })?.prefix).toBe('jarvis')
})

test('a clock that differs by less than the header can tell does not differ', () => {
  expect(clockOffset(10_000, 10_900)).toBe(0)
  expect(clockOffset(70_000, 10_500)).toBe(60_000)
})

test('after signing in one returns into this app only', () => {
  expect(
    ['/flows?x=1', '//evil.example', '/\\evil.example', 'https://evil.example', '/login', null].map(safeReturn),
  ).toEqual(['/flows?x=1', '/', '/', '/', '/', '/'])
})
