import { expect, test } from 'vitest'
import { ageWords, freshness, liveFor, nextCadence, spanWords } from './age.ts'

const value = { age: 1000, cadence: 1000, online: true, hearing: true }

test('a value is live until thirty seconds, stale after, lost after ten times that', () => {
  expect(freshness({ ...value, age: 30_000 })).toBe('live')
  expect(freshness({ ...value, age: 30_001 })).toBe('stale')
  expect(freshness({ ...value, age: 300_000 })).toBe('stale')
  expect(freshness({ ...value, age: 300_001 })).toBe('lost')
})

test('a device that speaks every ten minutes is not stale after five', () => {
  expect(freshness({ ...value, cadence: 600_000, age: 300_000 })).toBe('live')
  expect(freshness({ ...value, cadence: 600_000, age: 1_800_001 })).toBe('stale')
})

test('an offline device is lost at once, and a value never received is lost', () => {
  expect(freshness({ ...value, online: false })).toBe('lost')
  expect(freshness({ ...value, age: Infinity })).toBe('lost')
})

test('nothing is live while the page hears nothing', () => {
  expect(freshness({ ...value, age: 0, hearing: false })).toBe('stale')
})

test('the bound is never endless, however slow a device', () => {
  expect(liveFor(30 * 86_400_000)).toBe(6 * 3_600_000)
  expect(liveFor(0)).toBe(300_000)
})

test('the rhythm follows the gaps slowly and leaves bursts out', () => {
  expect(nextCadence(0, 1000)).toBe(1000)
  expect(nextCadence(1000, 2000)).toBe(1250)
  expect(nextCadence(1000, 10)).toBe(1000)
})

test('ages and spans are written as short as they go', () => {
  expect([0, 12_400, 250_000, 3 * 3_600_000, 50 * 3_600_000, Infinity].map(ageWords)).toEqual([
    'now',
    '12 s',
    '4 min',
    '3 h',
    '2 d',
    'never',
  ])
  expect([12.4, 1440, 65_000].map(spanWords)).toEqual(['12 ms', '1.4 s', '1 min'])
})
