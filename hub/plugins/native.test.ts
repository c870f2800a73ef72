// Other conventions, as a plugin meets them: what it may hear, what it may say, and when it may make something happen.
import { expect, test } from 'vitest'
import { no, YES } from '../broker/broker.ts'
import { GATE, type Principal } from '../bus/principal.ts'
import { memoryBus } from '../testing/memory-bus.ts'
import { message } from '../streams/message.ts'
import { openNative } from './native.ts'
import type { NativeMessage } from './plugin.ts'

const device = (id: string): Principal => ({ kind: 'device', id, roles: [] })
const turn = () => new Promise((done) => setImmediate(done))

const desk = () => {
  const bus = memoryBus({ clock: { now: () => 1000, stamp: () => 1000 } })
  const guarded: [string, ReadonlySet<string>][] = []
  const native = openNative({
    bus,
    access: {
      principalOf: (origin) => (origin === 'device:plug' ? device('plug') : undefined),
      mayPublish: (_, topic) => (topic.startsWith('tele/plug/') ? YES : no('not its own')),
      maySubscribe: (_, filter) => (filter.startsWith('cmnd/plug/') ? YES : no('not its own')),
    },
    devices: { ownerOf: (id) => (id === 'plug' ? 'plugin:discovery' : 'device:other') },
    guard: (plugin, topics) => void guarded.push([plugin, topics]),
    prefix: 'jarvis',
  })
  const conventions = { hears: ['tele/#', '#'], publishes: ['homeassistant/#'], commands: true }
  return {
    bus,
    guarded,
    mine: native.of({ id: 'discovery', native: conventions }),
    other: native.of({ id: 'weather' }),
  }
}

const command = (id: string, to = 'plug') =>
  message(
    'devices/{device}/cmd',
    { device: to },
    { id, intent: 'switch.turn_on', requestedBy: 'person:ada', issuedAt: AT, expiresAt: AT },
  )
const AT = '2026-01-01T00:00:00Z'

test('what is retained comes first, then what is said; never what is the hub’s', async () => {
  const { bus, mine } = desk()
  const heard: NativeMessage[] = []
  bus.publish(GATE, command('1'))
  bus.publishBytes(device('plug'), 'tele/plug/LWT', Buffer.from('Online'), { retain: true })
  await turn()
  const done = mine.hear('#').subscribe((one) => heard.push(one))
  bus.publishBytes(device('plug'), 'tele/plug/STATE', Buffer.from('{}'))
  bus.publish(GATE, command('2'))
  await turn()
  done.unsubscribe()
  bus.publishBytes(device('plug'), 'tele/plug/STATE', Buffer.from('{}'))
  await turn()
  expect(heard.map(({ topic, retained, origin }) => ({ topic, retained, origin }))).toEqual([
    { topic: 'tele/plug/LWT', retained: true, origin: 'device:plug' },
    { topic: 'tele/plug/STATE', retained: false, origin: 'device:plug' },
  ])
})

test('a plugin hears what it declares and nothing else', () => {
  const { other } = desk()
  expect(() => other.hear('tele/#')).toThrow(/native\.hears/)
})

test('it makes something happen only in answer to a command on a device of its own, until the result', async () => {
  const { bus, mine, other } = desk()
  const on = (answers: string) => () => mine.command({ topic: 'cmnd/plug/POWER', payload: 'ON', answers })
  expect(on('1')).toThrow(/answers no command/)
  const { seq } = bus.publish(GATE, command('1'))
  bus.publish(GATE, command('2', 'elsewhere'))
  await turn()
  expect(on('2')).toThrow(/answers no command/)
  expect(() => other.command({ topic: 'cmnd/plug/POWER', payload: 'ON', answers: '1' })).toThrow(/answers no command/)
  expect(() => mine.command({ topic: 'jarvis/devices/plug/cmd', payload: '{}', answers: '1' })).toThrow(/gate/)
  on('1')()
  expect(bus.log.at(-1)).toMatchObject({
    topic: 'cmnd/plug/POWER',
    cause: seq,
    origin: 'plugin:discovery',
    retain: false,
  })
  bus.publish(
    GATE,
    message('devices/{device}/result', { device: 'plug' }, { id: '1', status: 'done', intent: 'switch.turn_on' }),
  )
  await turn()
  expect(on('1')).toThrow(/answers no command/)
})

test('facts stay where the plugin says they do, and are never commands', () => {
  const { bus, mine } = desk()
  mine.fact({ topic: 'homeassistant/device/plug/config', payload: '{}', retain: true })
  expect(bus.log.at(-1)).toMatchObject({ topic: 'homeassistant/device/plug/config', retain: true })
  expect(() => mine.fact({ topic: 'tele/plug/STATE', payload: '', retain: false })).toThrow(/native\.publishes/)
  expect(() => mine.fact({ topic: 'homeassistant/light/plug/set', payload: 'ON', retain: false })).toThrow(/fact/)
})

test('what a device announces is held against the rights of whoever announced it', () => {
  const { mine } = desk()
  expect(mine.may('device:plug', 'publish', 'tele/plug/STATE')).toBe(true)
  expect(mine.may('device:plug', 'publish', 'tele/oven/STATE')).toBe(false)
  expect(mine.may('device:plug', 'hear', 'cmnd/plug/POWER')).toBe(true)
  expect(mine.may('device:stranger', 'hear', 'cmnd/plug/POWER')).toBe(false)
})
