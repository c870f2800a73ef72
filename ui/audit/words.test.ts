// What happened at the gate, in words.
import { expect, test } from 'vitest'
import { ALL, eventTone, linesOf, originOf, queryOf } from './words.ts'

test('a name alone is a person; kinds and full names stay', () => {
  expect(['ada', ' person:ada ', 'gate', 'flow:x', ''].map(originOf)).toEqual([
    'person:ada',
    'person:ada',
    'gate',
    'flow:x',
    '',
  ])
})

test('filters become a query without what was left empty', () => {
  expect(queryOf(ALL)).toEqual({})
  expect(
    queryOf({ who: 'ada', device: ' saw', event: 'refused.*', since: '2026-11-20T08:00', until: 'nonsense' }),
  ).toEqual({
    who: 'person:ada',
    device: 'saw',
    event: 'refused.*',
    since: new Date('2026-11-20T08:00').getTime(),
  })
})

test('what was refused stands out, and rows are written one per line', () => {
  expect([eventTone('refused.presence'), eventTone('stop'), eventTone('approval.approved'), eventTone('cmd')]).toEqual([
    'bad',
    'warn',
    'good',
    'idle',
  ])
  const row = { n: 1, at: 0, event: 'cmd', subject: 's', who: 'gate', device: 'd', intent: 'i', detail: {}, hash: 'h' }
  const lines = linesOf([row, { ...row, n: 2 }])
    .trimEnd()
    .split('\n')
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { n: 1, at: '1970-01-01T00:00:00.000Z' },
    { n: 2 },
  ])
})
