// The calendar: patterns in a zone, the two nights of the year that have another length, and the sun.
import { expect, test } from 'vitest'
import { calendarOf } from './host-calendar.ts'
import type { Moment } from '../streams/realm.ts'

const berlin = calendarOf({ timezone: 'Europe/Berlin', latitude: 52.52, longitude: 13.405 })

/** The next moments after a time, in ISO 8601. */
const next = (when: Moment, after: string, count: number, calendar = berlin): string[] => {
  let now = Date.parse(after)
  return Array.from({ length: count }, () => {
    now = calendar.after(when, now) ?? NaN
    return new Date(now).toISOString().replace('.000Z', 'Z')
  })
}

test('a moment is always later than now', () => {
  expect(next('0 7 * * *', '2026-01-05T05:59:59.999Z', 2)).toEqual(['2026-01-05T06:00:00Z', '2026-01-06T06:00:00Z'])
  expect(next('0 7 * * *', '2026-01-05T06:00:00Z', 1)).toEqual(['2026-01-06T06:00:00Z'])
  expect(next('*/20 * * * * *', '2026-01-05T06:00:00.500Z', 2)).toEqual([
    '2026-01-05T06:00:20Z',
    '2026-01-05T06:00:40Z',
  ])
})

test('a time that spring skips comes right after the gap', () => {
  expect(next('30 2 * * *', '2026-03-28T12:00:00Z', 2)).toEqual(['2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z'])
})

test('a time that autumn shows twice comes once', () => {
  expect(next('30 2 * * *', '2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'])
})

test('what comes every half an hour does so in these nights, too', () => {
  expect(next('*/30 * * * *', '2026-03-29T00:30:00Z', 3)).toEqual([
    '2026-03-29T01:00:00Z',
    '2026-03-29T01:30:00Z',
    '2026-03-29T02:00:00Z',
  ])
  expect(next('*/30 * * * *', '2026-10-25T00:00:00Z', 4)).toEqual([
    '2026-10-25T00:30:00Z',
    '2026-10-25T01:00:00Z',
    '2026-10-25T01:30:00Z',
    '2026-10-25T02:00:00Z',
  ])
})

test('the sun rises and sets once a day, with what is before and after it', () => {
  expect(next({ sunrise: 0 }, '2026-07-03T00:00:00Z', 2).map((at) => at.slice(0, 13))).toEqual([
    '2026-07-03T02',
    '2026-07-04T02',
  ])
  const [plain = ''] = next({ sunset: 0 }, '2026-07-03T00:00:00Z', 1)
  const [early = ''] = next({ sunset: -1_800_000 }, '2026-07-03T00:00:00Z', 1)
  expect(Date.parse(plain) - Date.parse(early)).toBe(1_800_000)
})

test('where the sun does not set for weeks, the next time is weeks away', () => {
  const tromso = calendarOf({ timezone: 'Europe/Oslo', latitude: 69.65, longitude: 18.96 })
  const [first = ''] = next({ sunset: 0 }, '2026-06-01T00:00:00Z', 1, tromso)
  expect(first.slice(0, 7)).toBe('2026-07')
})

test('what nobody can know is refused', () => {
  expect(() => calendarOf({ timezone: 'Europe/Nowhere' })).toThrow('Nowhere')
  expect(() => calendarOf({ timezone: 'UTC' }).after({ sunset: 0 }, 0)).toThrow('set latitude and longitude')
  expect(() => berlin.after('every morning', 0)).toThrow("schedule('every morning')")
  expect(() => berlin.after({ sunrise: 90_000_000 }, 0)).toThrow('at most a day')
  expect(berlin.after('0 0 30 2 *', 0)).toBeUndefined()
})

test('it needs no Intl once it is made: the realm of flows has none', () => {
  const lisbon = calendarOf({ timezone: 'Europe/Lisbon' })
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Intl')
  Reflect.deleteProperty(globalThis, 'Intl')
  try {
    expect(next('15 9 * * *', '2026-07-03T00:00:00Z', 1, lisbon)).toEqual(['2026-07-03T08:15:00Z'])
    expect(next('45 9 * * *', '2026-12-03T00:00:00Z', 1, lisbon)).toEqual(['2026-12-03T09:45:00Z'])
  } finally {
    if (before !== undefined) Object.defineProperty(globalThis, 'Intl', before)
  }
})
