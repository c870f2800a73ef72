// A device's past as lines of a chart.
import { expect, test } from 'vitest'
import { extent, pointsOf, thinned } from './history.ts'

test('points come in time order, from numbers, switches and value-unit pairs; the rest is left out', () => {
  const items = [
    { at: 3000, payload: { t: { value: 21, unit: '°C' } } },
    { at: 1000, payload: { t: 20 } },
    { at: 2000, payload: { other: 1 } },
    { at: 4000, payload: 'broken' },
    { at: 5000, payload: { t: true } },
  ]
  expect(pointsOf(items, 't')).toEqual({ at: [1, 3, 5], values: [20, 21, 1] })
})

test('a thinned line keeps its peaks and its order', () => {
  const at = Array.from({ length: 1000 }, (_, n) => n)
  const values = at.map((n) => (n === 437 ? 99 : n === 700 ? -99 : 0))
  const few = thinned({ at, values }, 100)
  expect(few.at.length).toBeLessThanOrEqual(100)
  expect(few.values).toContain(99)
  expect(few.values).toContain(-99)
  expect(few.at).toEqual([...few.at].sort((a, b) => a - b))
  expect(extent(few)).toEqual({ low: -99, high: 99, last: 0 })
  expect(extent({ at: [], values: [] })).toBeUndefined()
})
