// The access rules written for an external broker.
import { expect, test } from 'vitest'
import { matches } from '../bus/filters.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { mosquittoAcl } from './acl.ts'

const table = topicTable([core], 'jarvis')
const of = (...topics: string[]): string[] =>
  mosquittoAcl({ hubUser: 'hub', table, credentials: [{ username: 'lamp', device: 'lamp', topics }] })
    .split('user lamp\n')[1]
    ?.trimEnd()
    .split('\n') ?? []

test('only the hub writes commands; a device reads its own topics and writes what an owner writes', () => {
  const acl = mosquittoAcl({ hubUser: 'hub', table, credentials: [{ username: 'lamp', device: 'lamp', topics: [] }] })
  expect(acl).toContain('user hub\ntopic readwrite #\n')
  expect(of()).toEqual([
    'topic read jarvis/devices/lamp/#',
    ...['about', 'state', 'online', 'telemetry', 'event', 'ack'].map(
      (leaf) => `topic write jarvis/devices/lamp/${leaf}`,
    ),
  ])
  expect(acl.split('\n').filter((line) => /^topic .*write .*(cmd|result)/.test(line))).toEqual([])
})

const granted = (...topics: string[]): string[] => of(...topics).slice(of().length)

test('a granted convention is read and written, but for its commands', () => {
  const lines = granted('shellies/#')
  expect(lines.at(-1)).toBe('topic readwrite shellies/#')
  expect(lines).toContain('topic deny shellies/+/command/#')
  expect(granted('tele/plug/#')).toEqual(['topic readwrite tele/plug/#'])
})

/** Whether these lines let their user do it, by the rules of mosquitto.conf(5): a deny comes first, then any line that allows. */
const lets = (lines: readonly string[], what: 'read' | 'write', topic: string): boolean => {
  const rules = lines.flatMap((line) => {
    const [, access = '', filter = ''] = /^topic (\S+) (.*)$/.exec(line) ?? []
    return filter !== '' && matches(filter, topic) ? [access] : []
  })
  return !rules.includes('deny') && rules.some((access) => access === 'readwrite' || access === what)
}

test('commands granted to be heard are read, and written by nobody', () => {
  expect(granted('cmnd/plug/#')).toEqual(['topic read cmnd/plug/#'])
  expect(granted('zigbee2mqtt/hall/lamp/left/set')).toEqual(['topic read zigbee2mqtt/hall/lamp/left/set'])
  const tasmota = granted('tasmota/discovery/#', 'tele/plug/#', 'stat/plug/#', 'cmnd/plug/#')
  expect(lets(tasmota, 'read', 'cmnd/plug/POWER')).toBe(true)
  expect(lets(tasmota, 'write', 'cmnd/plug/POWER')).toBe(false)
  expect(lets(tasmota, 'write', 'stat/plug/RESULT')).toBe(true)
  expect(lets(tasmota, 'read', 'cmnd/other/POWER')).toBe(false)
  const turned = granted('plug/tele/#', 'plug/stat/#', 'plug/cmnd/#')
  expect(lets(turned, 'read', 'plug/cmnd/POWER')).toBe(true)
  expect(lets(turned, 'write', 'plug/cmnd/POWER')).toBe(false)
  expect(lets(turned, 'write', 'plug/tele/LWT')).toBe(true)
})

test('a wide filter beside commands that are to be heard is not written out, and says so', () => {
  const lines = granted('plug/#', 'plug/cmnd/#')
  expect(lets(lines, 'read', 'plug/cmnd/POWER')).toBe(true)
  expect(lets(lines, 'write', 'plug/cmnd/POWER')).toBe(false)
  expect(lines.find((line) => line.startsWith('#'))).toMatch(/not written out: plug\/# reaches plug\/cmnd\/#/)
})

test('Zigbee2MQTT hears its commands and says what it says, and cannot command itself', () => {
  const lines = granted('zigbee2mqtt/#', 'homeassistant/#')
  for (const topic of [
    'zigbee2mqtt/lamp/set',
    'zigbee2mqtt/hall/lamp/set',
    'zigbee2mqtt/bridge/request/device/remove',
  ]) {
    expect([topic, lets(lines, 'read', topic), lets(lines, 'write', topic)]).toEqual([topic, true, false])
  }
  for (const topic of [
    'zigbee2mqtt/lamp',
    'zigbee2mqtt/lamp/availability',
    'zigbee2mqtt/bridge/state',
    'zigbee2mqtt/bridge/devices',
    'zigbee2mqtt/bridge/response/device/rename',
    'homeassistant/device/x/config',
    'homeassistant/light/0x1/light/config',
  ]) {
    expect([topic, lets(lines, 'write', topic)]).toEqual([topic, true])
  }
})

test('a granted request may be written, a state of another device only read', () => {
  expect(granted('jarvis/devices/press/request')).toEqual([
    'topic read jarvis/devices/press/request',
    'topic write jarvis/devices/press/request',
  ])
  expect(granted('jarvis/devices/press/state')).toEqual(['topic read jarvis/devices/press/state'])
  expect(granted('jarvis/devices/press/#')).toEqual([
    'topic read jarvis/devices/press/#',
    '# not written out: where jarvis/devices/press/# and jarvis/devices/+/request meet; grant the exact topic instead',
  ])
})

test('the hub’s own branches cannot be granted for writing, others can', () => {
  expect(granted('jarvis/jobs/#')).toEqual(['topic read jarvis/jobs/#'])
  expect(granted('jarvis/lab/#')).toEqual(['topic readwrite jarvis/lab/#'])
  expect(granted('#').filter((line) => line.startsWith('topic readwrite'))).toEqual([])
})

test('a filter cannot smuggle a line into the file', () => {
  const lines = granted('tele/x\nuser hub\ntopic readwrite #')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^# left out/)
})
