// Bounds of the roll-ups: by age and by size, a bounded part at a time, coarse ones longest.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Bucket, SPAN_NAMES, SPANS } from './bucket.ts'
import { tidy } from './keep.ts'
import { openTables, type Row, type Series, type Tables } from './tables.ts'
import { BEGIN } from './walk.ts'

const DAY = SPANS.day
const NOW = Date.UTC(2026, 10, 20)
const DAYS = { minute: 2, hour: 5, day: 9 }
let dir = ''
let tables: Tables
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'series-keep-'))
  tables = openTables(join(dir, 'series.sqlite')).tables
})
afterEach(() => {
  tables.close()
  rmSync(dir, { recursive: true, force: true })
})

const bucket: Bucket = { n: 1, sum: 0.1, min: 0.1, max: 0.1, first: 0.1, firstAt: 0, last: 0.1, lastAt: 0, held: 0 }
/** A bucket of each span every quarter of an hour, for so many days before NOW. */
const fill = (days: number, series: Series[] = []): void => {
  const rows = new Map<string, Row>()
  for (let at = NOW - days * DAY; at < NOW; at += 15 * SPANS.minute)
    for (const span of SPAN_NAMES) {
      const index = Math.floor(at / SPANS[span])
      rows.set(`${span} ${index}`, { span, index, series: 1, bucket })
    }
  const reached = { place: BEGIN, run: '', seq: 0, at: 0, nextId: 2 }
  tables.write({ reached, rows: rows.values(), series, gone: [], erased: [], personal: [] })
}
/** How many days back each span reaches. */
const reach = (): Record<string, number> =>
  Object.fromEntries(
    SPAN_NAMES.map((span) => [span, Math.ceil((NOW - (tables.oldest(span) ?? 0) * SPANS[span]) / DAY)]),
  )

test('each kind is kept for its time, and the rest goes part by part', () => {
  fill(12)
  tidy(tables, { days: DAYS, mostMiB: 100 }, NOW)
  // A day of minutes at once, ten days of hours, a year of days.
  expect(reach()).toEqual({ minute: 11, hour: 5, day: 9 })
  for (let n = 0; n < 20; n++) tidy(tables, { days: DAYS, mostMiB: 100 }, NOW)
  expect(reach()).toEqual({ minute: 2, hour: 5, day: 9 })
  expect(tables.keptFrom('minute') * SPANS.minute).toBe(NOW - 2 * DAY)
})

test('a clock that is years ahead for a moment takes a day of minutes, not all', () => {
  fill(2)
  tidy(tables, { days: DAYS, mostMiB: 100 }, NOW + 3650 * DAY)
  expect(reach()['minute']).toBe(1)
})

test('a file that is too large loses its oldest minutes first', () => {
  fill(30)
  const before = tables.bytes()
  const keep = { days: { minute: 99, hour: 99, day: 99 }, mostMiB: (before - 30_000) / 1024 / 1024 }
  tidy(tables, keep, NOW)
  expect(tables.bytes()).toBeLessThan(before)
  expect(reach()).toMatchObject({ hour: 30, day: 30 })
  expect(reach()['minute']).toBeLessThan(30)
  for (let n = 0; n < 30; n++) tidy(tables, { ...keep, mostMiB: 0 }, NOW)
  expect(SPAN_NAMES.map((span) => tables.oldest(span))).toEqual([undefined, undefined, undefined])
})

test('a series whose last bucket is gone is forgotten', () => {
  const today = NOW / DAY
  const old = { id: 1, device: 'a', field: 'x', isSwitch: false, day: today - 10 }
  fill(1, [old, { ...old, id: 2, field: 'y', day: today - 9 }])
  tidy(tables, { days: DAYS, mostMiB: 100 }, NOW)
  expect(tables.series().map(({ field }) => field)).toEqual(['y'])
})
