import { expect, test } from 'vitest'
import { deviceTopic, filterProblem, matches, shortTopic } from './topic.ts'

test('filters match as MQTT says', () => {
  expect(matches('devices/+/state', 'devices/dust/state')).toBe(true)
  expect(matches('devices/+/state', 'devices/dust/online')).toBe(false)
  expect(matches('devices/#', 'devices/dust/state')).toBe(true)
  expect(matches('devices/#', 'devices')).toBe(true)
  expect(matches('devices/+', 'devices/dust/state')).toBe(false)
  expect(matches('#', '$SYS/uptime')).toBe(false)
})

test('a wrong filter is explained', () => {
  expect(filterProblem('devices/+/state')).toBeUndefined()
  expect(filterProblem('')).toContain('Write a topic')
  expect(filterProblem('devices/#/state')).toContain('last level')
  expect(filterProblem('devices/a+')).toContain('one whole level')
})

test('the prefix is taken off, foreign topics stay', () => {
  expect(shortTopic('jarvis', 'jarvis/devices/dust/state')).toBe('devices/dust/state')
  expect(shortTopic('jarvis', 'jarvish/x')).toBe('jarvish/x')
})

test('only the topics of a device are taken apart', () => {
  expect(deviceTopic('devices/dust/state')).toEqual({ device: 'dust', leaf: 'state' })
  expect(deviceTopic('devices/dust/a/b')).toBeUndefined()
  expect(deviceTopic('hub/flows')).toBeUndefined()
})
