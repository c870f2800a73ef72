// Near matches, and the hazard table.
import { expect, test } from 'vitest'
import { policyOf } from './policy/policy.ts'
import { distance, nearest } from './near.ts'

test('distance counts inserted, deleted, replaced and swapped letters', () => {
  expect([
    distance('', 'abc'),
    distance('abc', 'abc'),
    distance('abc', 'abd'),
    distance('ab', 'ba'),
    distance('kitten', 'sitting'),
  ]).toEqual([3, 0, 1, 1, 3])
})

test('the same verb on another noun and a slip of the finger are near, anything else is not', () => {
  const names = ['light.turn_on', 'light.turn_off', 'light.set_color']
  expect(nearest('switch.turn_on', names)).toEqual(['light.turn_on'])
  expect(nearest('light.trun_on', names)[0]).toBe('light.turn_on')
  expect(nearest('vacuum.dock', names)).toEqual([])
})

test.each([
  ['lock', 'lock.unlock', 'high'],
  ['door', 'door.unlock', 'high'],
  ['lock', 'lock.lock', 'low'],
  ['laser_cutter', 'switch.turn_on', 'high'],
  ['laser', 'laser.stop', 'low'],
  ['welder', 'welder.start', 'high'],
  ['table_saw', 'power.enable', 'high'],
  ['plug', 'power.enable', 'high'],
  ['cnc', 'safety.bypass', 'high'],
  ['heater', 'heater.start', 'medium'],
  ['sawdust_extractor', 'switch.turn_on', 'low'],
  ['light', 'light.turn_on', 'low'],
  ['printer', 'printer.start', 'low'],
  ['printer', 'printer.start_unattended', 'medium'],
])('%s %s is %s', (kind, intent, hazard) => {
  expect(policyOf().takes({ id: 'x', kind }, intent).hazard).toBe(hazard)
})
