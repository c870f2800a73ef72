import { expect, test } from 'vitest'
import { openLastErrors } from './last-errors.ts'
import { quietly } from './quiet.ts'

const opened = () => {
  let now = 1000
  const lines: string[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (event: string) => void lines.push(event), of: () => log }
  const errors = openLastErrors(() => now)
  const warn = errors.hear(quietly(log, () => now))
  return { errors, warn, lines, later: (ms: number) => (now += ms) }
}

test('the newest reason is kept, also when the log leaves it out', () => {
  const { errors, warn, lines, later } = opened()
  const fields = { origin: 'device:dust', clientId: 'dust', topic: 'x/y', why: 'nothing gives the right to x/y' }
  warn('mqtt-publish-refused', 'device:dust', fields)
  later(10)
  warn('mqtt-publish-refused', 'device:dust', { ...fields, topic: 'x/z' })
  expect(lines).toEqual(['mqtt-publish-refused'])
  expect(errors.of('dust')).toEqual({
    at: 1010,
    what: 'Publishing to x/z refused: nothing gives the right to x/y',
  })
  expect(errors.of('lamp')).toBeUndefined()
})

test('what has no client id, or an absurd one, is logged and not kept', () => {
  const { errors, warn, lines } = opened()
  warn('mqtt-hook-failed', 'a', { hook: 'a', why: 'b' })
  warn('mqtt-connect-refused', 'b', { clientId: null, why: 'b' })
  warn('mqtt-connect-refused', 'c', { clientId: 'x'.repeat(129), why: 'b' })
  expect(lines).toHaveLength(3)
  expect(errors.of('x'.repeat(129))).toBeUndefined()
  expect(errors.of('')).toBeUndefined()
})

test('a thousand are remembered, and strangers who name other ids push out no client that is logged in', () => {
  const { errors, warn } = opened()
  warn('mqtt-slow-client-cut', 'x', { origin: 'device:dust', clientId: 'dust', unsent: 5 })
  for (let n = 0; n < 1001; n++) {
    warn('mqtt-connect-refused', 'x', { address: '10.0.0.9', clientId: `c${n}`, why: 'wrong' })
  }
  expect(errors.of('dust')?.what).toMatch(/^Cut, because it did not read: 5 bytes/)
  expect(errors.of('c0')).toBeUndefined()
  expect(errors.of('c1')?.what).toBe('Connection from 10.0.0.9 refused: wrong')
  for (let n = 0; n < 1000; n++) warn('mqtt-slow-client-cut', 'x', { origin: 'device:d', clientId: `d${n}`, unsent: 5 })
  expect(errors.of('dust')).toBeUndefined()
})

test('the newer of what the client did and what was done under its name is told, and nothing is endless', () => {
  const { errors, warn, later } = opened()
  warn('mqtt-connect-refused', 'x', { clientId: 'dust', address: '10.0.0.9', why: 'w'.repeat(1000) })
  expect(errors.of('dust')?.what).toHaveLength(300)
  later(1)
  warn('mqtt-malformed', 'x', { clientId: 'dust', origin: 'device:dust', address: '10.0.0.2', why: 'no topic' })
  expect(errors.of('dust')?.what).toBe('Cut, because of an illegal packet from 10.0.0.2: no topic')
  later(1)
  warn('mqtt-something-new', 'x', { clientId: 'dust', why: 'a reason' })
  expect(errors.of('dust')).toEqual({ at: 1002, what: 'mqtt something new: a reason' })
})
