import { expect, test } from 'vitest'
import type { Envelope } from './envelope.ts'
import { openRetained } from './retained.ts'

const message = (topic: string, text: string, origin = 'device:a'): Envelope => ({
  seq: 1,
  at: 1,
  topic,
  payload: Buffer.from(text),
  qos: 1,
  retain: true,
  origin,
  cause: 0,
  correlation: '',
  n: 0,
})

test('one device may hold a tenth of the topics and of the bytes; the next still finds room', () => {
  const retained = openRetained({ topics: 100, bytes: 10_000 })
  for (let i = 0; i < 10; i++) retained.set(message(`t/${i}`, 'x'))
  expect(retained.fits(message('t/10', 'x'))).toBe(false)
  expect(retained.fits(message('t/3', 'changed'))).toBe(true)
  expect(retained.fits(message('u/1', 'x', 'device:b'))).toBe(true)
  expect(retained.fits(message('u/1', 'x'.repeat(1001), 'device:b'))).toBe(false)
})

test('what is cleared or taken over counts no more', () => {
  const retained = openRetained({ topics: 100, bytes: 10_000 })
  for (let i = 0; i < 10; i++) retained.set(message(`t/${i}`, 'x'))
  retained.set(message('t/0', ''))
  expect([retained.size, retained.fits(message('t/10', 'x'))]).toEqual([9, true])
  retained.set(message('t/1', 'x', 'device:b'))
  retained.set(message('t/10', 'x'))
  expect(retained.fits(message('t/11', 'x'))).toBe(true)
})

test('all together stay within the bounds', () => {
  const retained = openRetained({ topics: 20, bytes: 10_000 })
  for (let i = 0; i < 20; i++) retained.set(message(`t/${i}`, 'x', `device:${i}`))
  expect(retained.fits(message('more', 'x', 'device:new'))).toBe(false)
  expect(retained.fits(message('t/1', '', 'device:1'))).toBe(true)
})
