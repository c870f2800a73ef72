// Finding devices by text, area, kind and trouble.
import { expect, test } from 'vitest'
import type { DeviceView } from '../live/state.ts'
import { choicesOf, EVERYTHING, foundDevices, isTroubled } from './find.ts'

const NOW = 1_000_000_000
const device = (id: string, more: Partial<DeviceView> = {}): DeviceView => ({
  id,
  name: id,
  kind: 'light',
  online: true,
  owner: `device:${id}`,
  state: {},
  lastSeen: 0,
  intents: {},
  safe: [],
  telemetry: {},
  receivedAt: NOW - 1000,
  cadence: 1000,
  trail: {},
  ...more,
})
const all = [
  device('lamp', { name: 'Bench light', area: 'Wood shop' }),
  device('saw', { kind: 'machine', area: 'Wood shop', maker: 'Altendorf' }),
  device('prusa', { kind: 'printer', online: false }),
  device('probe', { kind: 'sensor', receivedAt: NOW - 3_600_000 }),
]
const ids = (wanted: Partial<typeof EVERYTHING>): string[] =>
  foundDevices(all, { ...EVERYTHING, ...wanted }, NOW).map(({ id }) => id)

test('devices are found by words of their name, kind, maker and area', () => {
  expect(ids({})).toHaveLength(4)
  expect(ids({ text: ' BENCH' })).toEqual(['lamp'])
  expect(ids({ text: 'altendorf' })).toEqual(['saw'])
  expect(ids({ area: 'Wood shop', kind: 'machine' })).toEqual(['saw'])
  expect(ids({ area: 'Elsewhere' })).toEqual(['prusa', 'probe'])
})

test('in trouble is what is offline, or silent far beyond its rhythm', () => {
  expect(ids({ onlyTrouble: true })).toEqual(['prusa', 'probe'])
  expect(isTroubled(device('slow', { cadence: 3_600_000, receivedAt: NOW - 3_600_000 }), NOW)).toBe(false)
  expect(isTroubled(device('never', { receivedAt: 0 }), NOW)).toBe(true)
})

test('choices are counted and stand by name', () => {
  expect(choicesOf(['b', 'a', 'b'])).toEqual([
    { value: 'a', count: 1 },
    { value: 'b', count: 2 },
  ])
})
