// Who may publish, subscribe to and read which topic; with everything a hostile client has been seen to try.
import { describe, expect, test } from 'vitest'
import { GATE, HUB, type Principal, type Role, ROLES } from '../bus/principal.ts'
import { core } from '../topics/core.ts'
import { isNativeCommand } from '../topics/native.ts'
import { topics } from '../topics/row.ts'
import { topicTable } from '../topics/table.ts'
import { z } from 'zod'
import { openTopicRights } from './topic-rights.ts'

const cameras = topics({
  'cameras/{camera}/detection': { payload: z.unknown(), qos: 1, retain: false, by: 'plugin', about: '' },
  'cameras/{camera}/ask': { payload: z.unknown(), qos: 1, retain: false, by: 'requester', about: '' },
  'tallies/{flow}': { payload: z.unknown(), qos: 1, retain: true, by: 'flow', about: '' },
  'shop/{desk}/note': { payload: z.unknown(), qos: 1, retain: false, by: 'granted', about: '' },
})

const owners: Record<string, string> = { press: 'device:press', sim: 'plugin:workshop' }
const rights = openTopicRights({
  table: topicTable([core, cameras], 'jarvis'),
  ownerOf: (device) => owners[device],
  pluginTopics: (id) =>
    id === 'workshop'
      ? {
          publishes: [
            'jarvis/devices/+/state',
            'jarvis/devices/+/cmd',
            'jarvis/errors/#',
            'jarvis/cameras/+/detection',
            'zigbee2mqtt/+/set',
          ],
          handles: ['jarvis/devices/+/cmd'],
        }
      : { publishes: ['jarvis/devices/+/request'], handles: [] },
  nativeCommands: isNativeCommand,
  granted: () => [
    { device: 'plugcard', topics: ['cmnd/taken/#', 'cmnd/wide/#', 'stat/taken/#'] },
    { device: 'bridge', topics: ['cmnd/plug/#', 'zigbee2mqtt/#'] },
  ],
})

const device = (id: string, ...granted: string[]): Principal => ({
  kind: 'device',
  id,
  roles: [],
  topics: granted,
  clientId: id,
})
const person = (...roles: Role[]): Principal => ({ kind: 'person', id: 'ada', roles })
const plugin = (id: string): Principal => ({ kind: 'plugin', id, roles: [] })
const flow: Principal = { kind: 'flow', id: 'door', roles: [] }

const publishes = (who: Principal, topic: string) => rights.mayPublish(who, topic).ok
const subscribes = (who: Principal, filter: string) => rights.maySubscribe(who, filter).ok

describe('a device', () => {
  const press = device('press')

  test.each(['about', 'state', 'online', 'telemetry', 'event', 'ack'])('publishes its own %s', (leaf) => {
    expect(publishes(press, `jarvis/devices/press/${leaf}`)).toBe(true)
  })

  test.each([
    'jarvis/devices/press/cmd',
    'jarvis/devices/press/result',
    'jarvis/devices/press/request',
    'jarvis/devices/press/state/x',
    'jarvis/devices/press/',
    'jarvis/devices/press',
    'jarvis/devices/press-2/state',
    'jarvis/devices/pres/state',
    'jarvis/devices/lamp/state',
    'jarvis/devices/lamp/cmd',
    'jarvis/devices/lamp/request',
    'jarvis/devices//state',
    'jarvis/devices/press/state/../../lamp/state',
    'JARVIS/devices/press/state',
    '/jarvis/devices/press/state',
    'devices/press/state',
    'jarvis/safety/stop',
    'jarvis/errors/error/hub',
    'jarvis/hub/health',
    '$SYS/broker/new/clients',
    'zigbee2mqtt/lamp/set',
    'cmnd/plug/POWER',
    'anything',
    '',
    'jarvis/devices/+/state',
    'jarvis/devices/press/#',
  ])('does not publish %s', (topic) => {
    expect(publishes(press, topic)).toBe(false)
  })

  test.each([
    'jarvis/devices/press/#',
    'jarvis/devices/press/cmd',
    'jarvis/devices/press/+',
    'jarvis/devices/press/state',
  ])('subscribes to %s', (filter) => expect(subscribes(press, filter)).toBe(true))

  test.each([
    '#',
    '+',
    '+/#',
    '+/x',
    '+/devices/press/state',
    'jarvis/#',
    'jarvis/+/press/state',
    'jarvis/devices/#',
    'jarvis/devices/+/state',
    'jarvis/devices/+/cmd',
    'jarvis/devices/lamp/state',
    'jarvis/devices/press-2/#',
    'jarvis/devices/press-2/cmd',
    '$SYS/#',
    '$SYS/+/clients',
    '$share/all/#',
    '$share/all/jarvis/devices/press/cmd',
    'jarvis/devices/press/#/x',
    'jarvis/devices/press/c+d',
    '',
  ])('does not subscribe to %s', (filter) => {
    expect(subscribes(press, filter)).toBe(false)
  })

  test('is asked again at delivery', () => {
    expect(rights.mayRead(press, 'jarvis/devices/press/cmd')).toBe(true)
    for (const topic of [
      'jarvis/devices/press-2/cmd',
      'jarvis/devices/lamp/cmd',
      'jarvis/devices/lamp/state',
      '$SYS/x',
    ]) {
      expect([topic, rights.mayRead(press, topic)]).toEqual([topic, false])
    }
  })

  test('does not write what belongs to another', () => {
    expect(rights.mayPublish(device('sim'), 'jarvis/devices/sim/state')).toEqual({
      ok: false,
      reason: 'sim belongs to plugin:workshop',
    })
  })

  test('asks nobody for anything without a grant', () => {
    expect(rights.mayRequest(press, 'lamp', 'light.turn_on').ok).toBe(false)
    const button = device('button', 'jarvis/devices/lamp/request')
    expect(rights.mayRequest(button, 'lamp', 'light.turn_on').ok).toBe(true)
    expect(rights.mayRequest(button, 'press', 'press.start').ok).toBe(false)
  })
})

describe('granted filters', () => {
  const bridge = device(
    'bridge',
    'zigbee2mqtt/#',
    'jarvis/devices/+/state',
    'jarvis/safety/stop',
    'jarvis/shop/+/note',
    'jarvis/hub/#',
    'jarvis/own/#',
    'cmnd/plug/#',
    'stat/plug/#',
  )

  test.each([
    ['zigbee2mqtt/lamp', true],
    ['zigbee2mqtt/bridge/state', true],
    ['zigbee2mqtt/lamp/set', false],
    ['zigbee2mqtt/bridge/request/permit_join', false],
    ['jarvis/devices/lamp/state', false],
    ['jarvis/devices/bridge/state', true],
    ['jarvis/safety/stop', true],
    ['jarvis/shop/desk1/note', true],
    ['jarvis/hub/health', false],
    ['jarvis/hub/unheard-of', false],
    ['jarvis/own/thing', true],
    ['stat/plug/RESULT', true],
    ['cmnd/plug/POWER', false],
    ['cmnd/plug', false],
    ['cmnd/plug/x/y', false],
  ])('publish %s: %s', (topic, expected) => expect(publishes(bridge, topic)).toBe(expected))

  test.each([
    ['zigbee2mqtt/#', true],
    ['zigbee2mqtt/lamp/set', true],
    ['jarvis/devices/+/state', true],
    ['jarvis/devices/+/cmd', false],
    ['jarvis/devices/#', false],
    ['zigbee2mqtt2/#', false],
    ['cmnd/plug/#', true],
    ['cmnd/plug/POWER', true],
    ['cmnd/plug2/POWER', false],
    ['cmnd/+/POWER', false],
    ['cmnd/#', false],
    ['#', false],
  ])('subscribe to %s: %s', (filter, expected) => expect(subscribes(bridge, filter)).toBe(expected))

  test.each([
    ['zigbee2mqtt/#', undefined],
    ['jarvis/devices/+/state', undefined],
    ['jarvis/devices/lamp/request', undefined],
    ['jarvis/devices/bridge/#', undefined],
    ['$SYS/#', 'belong to the broker'],
    ['$share/g/zigbee2mqtt/#', 'belong to the broker'],
    ['#', 'fixed level'],
    ['+/devices/lamp/cmd', 'fixed level'],
    ['jarvis/#', 'commands or results'],
    ['jarvis/+/lamp/cmd', 'commands or results'],
    ['jarvis/devices/#', 'commands or results'],
    ['jarvis/devices/lamp/#', 'commands or results'],
    ['jarvis/devices/lamp/+', 'commands or results'],
    ['jarvis/devices/+/result', 'commands or results'],
    ['cmnd/plug/#', undefined],
    ['cmnd/plug/+', undefined],
    ['cmnd/plug/POWER', undefined],
    ['plug/cmnd/#', undefined],
    ['home/cmnd/plug/#', undefined],
    ['zigbee2mqtt/kitchen/lamp/left/set', undefined],
    ['zigbee2mqtt/+/set', 'of several devices'],
    ['cmnd/#', 'of several devices'],
    ['cmnd/+', 'of several devices'],
    ['cmnd/+/#', 'of several devices'],
    ['cmnd/+/POWER', 'of several devices'],
    ['cmnd//#', 'of several devices'],
    ['cmnd', 'of several devices'],
    ['cmnd/cmnd/#', 'of several devices'],
    ['cmnd/tasmotas/#', 'of several devices'],
    ['cmnd/tasmotas/POWER', 'of several devices'],
    ['shellies/command', 'of several devices'],
    ['frigate/restart', 'of several devices'],
    ['uagv/+/+/+/order', 'of several devices'],
    ['cmnd/taken/#', "by the credential 'plugcard' already"],
    ['cmnd/taken/POWER', "by the credential 'plugcard' already"],
    ['cmnd/taken', "by the credential 'plugcard' already"],
    ['cmnd/wide/plug/#', "by the credential 'plugcard' already"],
    ['cmnd/taken2/#', undefined],
    ['stat/taken/#', undefined],
    ['zigbee2mqtt/#', undefined],
    ['wled/#', undefined],
    ['stat/lamp/POWER', undefined],
    ['a/#/b', 'not a valid'],
    ['', 'not a valid'],
    [`a/${'b'.repeat(300)}`, 'at most'],
  ])('%s when it is granted: %s', (filter, expected) => {
    const problem = rights.grantProblem('bridge', filter)
    if (expected === undefined) expect(problem).toBeUndefined()
    else expect(problem).toContain(expected)
  })
})

describe('people', () => {
  test.each(ROLES)('%s asks for things and stops things, and publishes nothing else', (role) => {
    const who = person(role)
    expect(publishes(who, 'jarvis/devices/lamp/request')).toBe(true)
    expect(publishes(who, 'jarvis/safety/stop')).toBe(true)
    for (const leaf of ['cmd', 'result', 'state', 'about', 'ack', 'online', 'request/x']) {
      expect([leaf, publishes(who, `jarvis/devices/lamp/${leaf}`)]).toEqual([leaf, false])
    }
    for (const topic of [
      'zigbee2mqtt/lamp/set',
      'cmnd/x/POWER',
      '$SYS/x',
      'jarvis/hub/health',
      'jarvis/safety/events/x',
      'x',
    ]) {
      expect([topic, publishes(who, topic)]).toEqual([topic, false])
    }
  })

  test.each(ROLES)('%s reads within the prefix, and never $SYS or everything', (role) => {
    const who = person(role)
    expect(subscribes(who, 'jarvis/devices/+/state')).toBe(true)
    expect(subscribes(who, 'jarvis/#')).toBe(role !== 'operator')
    for (const filter of ['#', '+/#', '+/devices/#', '$SYS/#', 'homeassistant/#', 'jarvis2/#']) {
      expect([filter, subscribes(who, filter)]).toEqual([filter, false])
    }
    expect(rights.mayRead(who, '$SYS/x')).toBe(false)
    expect(rights.mayRead(who, 'homeassistant/x')).toBe(false)
    expect(rights.mayRead(who, 'jarvis/devices/lamp/state')).toBe(true)
    expect(rights.mayRead(who, 'jarvis/cameras/yard/detection')).toBe(role !== 'operator')
  })

  test('nobody without a role does anything', () => {
    expect(publishes(person(), 'jarvis/devices/lamp/request')).toBe(false)
    expect(subscribes(person(), 'jarvis/devices/lamp/state')).toBe(false)
    expect(rights.mayRequest(person(), 'lamp', 'light.turn_on').ok).toBe(false)
  })

  test('a key with scopes holds no more than its scopes', () => {
    const key = (...scopes: string[]): Principal => ({ ...person('admin'), scopes })
    expect(publishes(key('devices.read'), 'jarvis/devices/lamp/request')).toBe(false)
    expect(publishes(key('devices.request'), 'jarvis/devices/lamp/request')).toBe(true)
    expect(publishes(key('devices.request'), 'jarvis/safety/stop')).toBe(false)
    expect(subscribes(key('devices.read'), 'jarvis/devices/#')).toBe(true)
    expect(subscribes(key('devices.read'), 'jarvis/#')).toBe(false)
    expect(subscribes(key('journal.read'), 'jarvis/#')).toBe(true)
    expect(subscribes(key('metrics.read'), 'jarvis/devices/#')).toBe(false)
    expect(rights.mayRead(key('metrics.read'), 'jarvis/devices/lamp/state')).toBe(false)
    expect(rights.mayRead(key('health.read'), 'jarvis/hub/health')).toBe(true)
    const modest: Principal = { ...person('operator'), scopes: ['journal.read', 'devices.read'] }
    expect(subscribes(modest, 'jarvis/#')).toBe(false)
    expect(subscribes(modest, 'jarvis/devices/#')).toBe(true)
  })
})

describe('those inside', () => {
  test('a flow publishes requests, of the core and of plugins, and nothing else', () => {
    for (const topic of ['jarvis/devices/lamp/request', 'jarvis/safety/stop', 'jarvis/cameras/yard/ask']) {
      expect([topic, publishes(flow, topic)]).toEqual([topic, true])
    }
    for (const topic of [
      'jarvis/devices/lamp/cmd',
      'jarvis/devices/lamp/state',
      'jarvis/cameras/yard/detection',
      'zigbee2mqtt/lamp/set',
      'x',
    ]) {
      expect([topic, publishes(flow, topic)]).toEqual([topic, false])
    }
    expect(rights.mayRequest(flow, 'lamp', 'light.turn_on').ok).toBe(true)
  })

  test('a flow publishes values under its own name only', () => {
    expect(publishes(flow, 'jarvis/tallies/door')).toBe(true)
    expect(publishes(flow, 'jarvis/tallies/dust')).toBe(false)
    expect(publishes(HUB, 'jarvis/tallies/door')).toBe(false)
    expect(publishes(person('admin'), 'jarvis/tallies/door')).toBe(false)
  })

  test('a plugin publishes what it declares, never as the gate or the hub, and only for devices that are its own', () => {
    const workshop = plugin('workshop')
    for (const topic of [
      'jarvis/devices/sim/state',
      'jarvis/devices/new/state',
      'jarvis/cameras/yard/detection',
      'zigbee2mqtt/lamp/set',
    ]) {
      expect([topic, publishes(workshop, topic)]).toEqual([topic, true])
    }
    for (const topic of [
      'jarvis/devices/press/state',
      'jarvis/devices/sim/cmd',
      'jarvis/errors/error/x',
      'jarvis/devices/sim/about',
      'jarvis/devices/sim/request',
    ]) {
      expect([topic, publishes(workshop, topic)]).toEqual([topic, false])
    }
    expect(rights.mayRequest(workshop, 'lamp', 'light.turn_on').ok).toBe(false)
    expect(rights.mayRequest(plugin('jobs'), 'lamp', 'light.turn_on').ok).toBe(true)
    expect(rights.mayRead(workshop, 'jarvis/devices/sim/cmd')).toBe(true)
    expect(rights.mayRead(workshop, 'jarvis/devices/sim/state')).toBe(false)
  })

  test('only the gate publishes commands and results, only the hub its own topics', () => {
    for (const topic of ['jarvis/devices/lamp/cmd', 'jarvis/devices/lamp/result', 'jarvis/safety/events/e1']) {
      expect([topic, publishes(GATE, topic), publishes(HUB, topic)]).toEqual([topic, true, false])
    }
    for (const topic of ['jarvis/hub/health', 'jarvis/errors/error/gate']) {
      expect([topic, publishes(GATE, topic), publishes(HUB, topic)]).toEqual([topic, false, true])
    }
    expect(publishes(GATE, 'jarvis/devices/lamp/state')).toBe(false)
    expect(publishes(HUB, 'zigbee2mqtt/lamp/set')).toBe(false)
  })
})
