// The access rules written for an external broker.
import { expect, test } from 'vitest'
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
  const lines = granted('zigbee2mqtt/#')
  expect(lines.at(-1)).toBe('topic readwrite zigbee2mqtt/#')
  expect(lines).toContain('topic deny zigbee2mqtt/+/set/#')
  expect(granted('tele/#').at(-1)).toBe('topic readwrite tele/#')
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
