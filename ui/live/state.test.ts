import { expect, test } from 'vitest'
import type { DeviceItem } from '../api/types.ts'
import { EMPTY, KEEP, withDevices, withJournal, withMessage, type HeardMessage } from './state.ts'

const item: DeviceItem = {
  id: 'dust',
  name: 'Dust sensor',
  kind: 'dust_sensor',
  online: true,
  owner: 'device:dust',
  state: { pm25: 10 },
  lastSeen: 1000,
  intents: {},
  safe: [],
}
const known = withDevices(EMPTY, [item], { offset: 0, askedAt: 1000 })
const message = (over: Partial<HeardMessage>): HeardMessage => ({
  topic: 'devices/dust/state',
  payload: { pm25: 20 },
  retained: false,
  at: 5000,
  n: 1,
  ...over,
})

test('a heard state is new, and young', () => {
  const device = withMessage(known, message({})).devices.get('dust')
  expect(device).toMatchObject({ state: { pm25: 20 }, receivedAt: 5000, cadence: 4000 })
  expect(device?.trail['pm25']).toEqual([10, 20])
})

test('a retained state is what is known, not something just said', () => {
  const after = withMessage(known, message({ retained: true }))
  expect(after.devices.get('dust')).toMatchObject({ state: { pm25: 20 }, receivedAt: 1000 })
  expect(after.messages).toEqual([])
})

test("the hub's clock is not this device's clock", () => {
  const after = withDevices(EMPTY, [{ ...item, lastSeen: 70_000 }], { offset: 60_000, askedAt: 0 })
  expect(after.devices.get('dust')?.receivedAt).toBe(10_000)
})

test('a list asked for before a message came does not undo the message', () => {
  const after = withDevices(withMessage(known, message({})), [item], { offset: 0, askedAt: 4999 })
  expect(after.devices.get('dust')?.state).toEqual({ pm25: 20 })
  const later = withDevices(withMessage(known, message({})), [item], { offset: 0, askedAt: 6000 })
  expect(later.devices.get('dust')?.state).toEqual({ pm25: 10 })
})

test('a device that is no longer in the list is gone', () => {
  expect(withDevices(known, [], { offset: 0, askedAt: 0 }).devices.size).toBe(0)
})

test('an emptied about takes the device away', () => {
  expect(withMessage(known, message({ topic: 'devices/dust/about', payload: '' })).devices.has('dust')).toBe(false)
})

test('a payload that does not fit is listed and changes nothing', () => {
  const after = withMessage(known, message({ topic: 'devices/dust/online', payload: 'yes' }))
  expect(after.devices).toBe(known.devices)
  expect(after.messages).toHaveLength(1)
})

test('the list of messages is bounded', () => {
  let workshop = known
  for (let n = 0; n < KEEP.messages + 50; n += 1) workshop = withMessage(workshop, message({ n }))
  expect(workshop.messages).toHaveLength(KEEP.messages)
  expect(workshop.devices.get('dust')?.trail['pm25']).toHaveLength(KEEP.trail)
})

test('the journal replaces what was heard before it was asked for', () => {
  const before = withMessage(withMessage(known, message({ at: 10, n: 1 })), message({ at: 30, n: 2 }))
  const after = withJournal(before, [{ key: 'j7', seq: 7, at: 10, topic: 'devices/dust/state', payload: {} }], 20)
  expect(after.messages.map(({ key }) => key)).toEqual(['m2', 'j7'])
})
