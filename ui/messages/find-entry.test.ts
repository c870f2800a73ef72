import { expect, test } from 'vitest'
import type { JournalItem } from '../api/types.ts'
import { findEntry } from './find-entry.ts'

const entry = (seq: number, at: number, payload: unknown): JournalItem => ({
  seq,
  at,
  payload,
  topic: 'jarvis/devices/dust/state',
  origin: 'device:dust',
  cause: 0,
  correlation: '',
})

test('of equal payloads the one nearest in time is the message', () => {
  const items = [entry(3, 9000, { pm25: 4 }), entry(2, 5100, { pm25: 4 }), entry(1, 5000, { pm25: 5 })]
  expect(findEntry(items, { payload: { pm25: 4 }, at: 5050 })?.seq).toBe(2)
})

test('a message the journal does not have is not taken for another', () => {
  expect(findEntry([entry(1, 5000, { pm25: 5 })], { payload: { pm25: 4 }, at: 5000 })).toBeUndefined()
})
