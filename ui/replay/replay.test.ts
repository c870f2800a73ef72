// What was said then and now, as rows, marks and ranges of time.
import { expect, test } from 'vitest'
import { readReplay } from '../api/read-replay.ts'
import type { ReplayRow } from '../api/types.ts'
import { payloadDiff, valueText } from './payload-diff.ts'
import { lastNight, localText, ownRange, rangeOf } from './range.ts'
import { marksOf, ticksOf } from './marks.ts'

const HOUR = 3_600_000
const at = (text: string): number => new Date(text).getTime()

test('last night is the one that goes on, or the last that ended', () => {
  expect(lastNight(at('2026-05-05T10:00:00'))).toEqual({
    since: at('2026-05-04T20:00:00'),
    until: at('2026-05-05T06:00:00'),
  })
  expect(lastNight(at('2026-05-05T03:00:00'))).toEqual({
    since: at('2026-05-04T20:00:00'),
    until: at('2026-05-05T03:00:00'),
  })
  expect(lastNight(at('2026-05-05T22:00:00'))).toEqual({
    since: at('2026-05-05T20:00:00'),
    until: at('2026-05-05T22:00:00'),
  })
})

test('a range since the start needs one', () => {
  expect(rangeOf('run', 10, undefined)).toBeUndefined()
  expect(rangeOf('run', 10, 4)).toEqual({ since: 4, until: 10 })
  expect(rangeOf('hour', 2 * HOUR, undefined)).toEqual({ since: HOUR, until: 2 * HOUR })
})

test('a written range is checked where it is wrong, and never reaches beyond now', () => {
  const now = at('2026-05-05T10:00:00')
  expect(ownRange('', '2026-05-05T09:00', now)).toMatchObject({ field: 'since' })
  expect(ownRange('2026-05-05T09:00', '2026-05-05T08:00', now)).toMatchObject({ field: 'until' })
  expect(ownRange('2026-05-06T09:00', '2026-05-06T10:00', now)).toMatchObject({
    field: 'since',
    problem: 'This has not happened yet.',
  })
  expect(ownRange('2026-05-05T09:00', '2026-05-05T12:00', now)).toEqual({ since: now - HOUR, until: now })
  expect(at(localText(now))).toBe(now)
})

test('payloads are compared field by field, what differs first', () => {
  expect(
    payloadDiff(
      { intent: 'a', payload: { level: 1, list: [1, 2] }, gone: 1 },
      { intent: 'a', payload: { level: 2, list: [1, 3] }, new: null },
    ),
  ).toEqual([
    { path: 'payload.level', then: 1, now: 2, kind: 'changed' },
    { path: 'payload.list[1]', then: 2, now: 3, kind: 'changed' },
    { path: 'gone', then: 1, kind: 'only then' },
    { path: 'new', now: null, kind: 'only now' },
    { path: 'intent', then: 'a', now: 'a', kind: 'same' },
    { path: 'payload.list[0]', then: 1, now: 1, kind: 'same' },
  ])
  expect(payloadDiff(undefined, 4)).toEqual([{ path: '', now: 4, kind: 'only now' }])
  expect(payloadDiff({}, [])).toEqual([{ path: '', then: {}, now: [], kind: 'changed' }])
  expect([undefined, 'a', null, { a: 1 }].map(valueText)).toEqual(['–', 'a', 'null', '{"a":1}'])
})

const row = (seconds: number, kind: ReplayRow['kind']): ReplayRow => ({
  at: seconds * 1000,
  kind,
  cause: 1,
  topic: 't',
  beyond: false,
  told: [],
})

test('decisions that would touch are one mark, which shows the one that differs', () => {
  const rows = [
    row(10, 'same'),
    row(11, 'same'),
    row(12, 'changed'),
    row(90, 'only now'),
    row(50, 'only then'),
    row(99, 'unanswered then'),
  ]
  const marks = marksOf(rows, { since: 0, until: 100_000 }, 10)
  expect(marks.map(({ lane, x, kind, count, row }) => [lane, x, kind, count, row])).toEqual([
    ['then', 0.15, 'changed', 3, 2],
    ['now', 0.15, 'changed', 3, 2],
    ['then', 0.55, 'only then', 1, 4],
    ['now', 0.95, 'only now', 2, 3],
  ])
})

test('the times under a timeline are round', () => {
  expect(
    ticksOf({ since: at('2026-05-04T20:10:00Z'), until: at('2026-05-05T06:00:00Z') }, 6, 0).map((one) =>
      new Date(one).toISOString().slice(11, 16),
    ),
  ).toEqual(['22:00', '00:00', '02:00', '04:00', '06:00'])
})

test('a report counts what differs, also beyond the rows it tells', () => {
  const row = { at: 1, cause: 2, topic: 't', kind: 'changed' }
  const replay = readReplay({
    id: 'r',
    flow: 'f',
    state: 'done',
    progress: 1,
    report: {
      thenCount: 12,
      nowCount: 10,
      same: 4,
      rows: [
        {
          ...row,
          changes: [
            { field: '(time)', then: 'a', now: 'b' },
            { field: 'level', then: 1, now: 2 },
          ],
        },
        { kind: 'odd', topic: 't' },
      ],
      more: { same: 0, different: 7 },
      exact: false,
      why: 'the journal was cut',
      failure: { message: 'it threw', place: 'f.ts:3', at: '1970-01-01T00:00:01Z', cause: 4 },
      notes: ['one', 2],
    },
  })
  expect(replay?.report).toMatchObject({
    different: 8,
    untold: 7,
    exact: false,
    why: 'the journal was cut',
    rows: [{ kind: 'changed', told: [{ what: 'time', then: 'a', now: 'b' }] }],
    failure: { message: 'it threw', place: 'f.ts:3', at: 1000 },
    notes: ['one'],
  })
  expect(readReplay({ id: 'r', state: 'odd' })).toBeUndefined()
})
