// Times as people write them.
import { expect, test } from 'vitest'
import { lengthOf, timeOf } from './times.ts'

const now = new Date(2026, 10, 20, 15, 30).getTime()

test.each([
  ['now', now],
  ['90s', now - 90_000],
  ['10m', now - 600_000],
  ['1.5h', now - 5_400_000],
  ['3d', now - 3 * 86_400_000],
  ['today', new Date(2026, 10, 20).getTime()],
  ['Yesterday', new Date(2026, 10, 19).getTime()],
  ['2026-11-18', new Date(2026, 10, 18).getTime()],
  ['2026-11-18T07:30', new Date(2026, 10, 18, 7, 30).getTime()],
  ['2026-11-18T07:30:00Z', Date.UTC(2026, 10, 18, 7, 30)],
])('%s', (text, at) => {
  expect(timeOf('since', text, now)).toBe(at)
})

test.each(['', 'soon', '5', 'h', '-2h', '2026-13-45'])('%s is none, and the field is named', (text) => {
  expect(() => timeOf('--since', text, now)).toThrow('--since: must be a length')
})

test('a length needs its unit', () => {
  expect(lengthOf('2 h')).toBe(7_200_000)
  expect(lengthOf('2')).toBeUndefined()
})
