// The plugin through its front door, against a Home Assistant that can die, stall, lie and repeat.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CredentialRecord } from '#hub/plugin'
import { Secret } from '../../hub/health/secret.ts'
import { fakeHome, type FakeHome } from './home-assistant.fake.ts'
import { world, type World } from './plugin.rig.ts'

const ENTITIES = {
  'light.kitchen_ceiling': {
    state: 'off',
    attributes: { friendly_name: 'Kitchen ceiling', supported_color_modes: ['brightness'] },
  },
  'sensor.kitchen_ceiling_power': { state: '4.2', attributes: { unit_of_measurement: 'W' } },
  'switch.fan_left': { state: 'off', attributes: { friendly_name: 'Fan left' } },
  'switch.fan_right': { state: 'off', attributes: { friendly_name: 'Fan right' } },
  'number.fan_timer': { state: '10', attributes: { min: 0, max: 60, step: 5 } },
  'cover.gate': { state: 'closed', attributes: { friendly_name: 'Gate', supported_features: 15, current_position: 0 } },
  'button.bell': { state: 'unknown', attributes: { friendly_name: 'Bell' } },
  'binary_sensor.rain': { state: 'on', attributes: { friendly_name: 'Rain' } },
}

const peer = (home: FakeHome, token = home.token): CredentialRecord => ({
  baseUrl: home.url,
  auth: { kind: 'bearer', token: new Secret(token) },
  verifyTls: true,
  scope: [],
})

const furnish = (home: FakeHome): void => {
  home.areas = [{ area_id: 'kitchen', name: 'Kitchen' }]
  home.devices = [
    {
      id: 'd1',
      name: 'Kitchen ceiling',
      manufacturer: 'Signify',
      model: 'LCT',
      area_id: 'kitchen',
      identifiers: [['hue', '1']],
    },
    { id: 'd2', name: 'Fan', identifiers: [['zha', '2']] },
  ]
  home.entities = [
    { entity_id: 'light.kitchen_ceiling', id: 'e1', device_id: 'd1', platform: 'hue' },
    {
      entity_id: 'sensor.kitchen_ceiling_power',
      id: 'e2',
      device_id: 'd1',
      platform: 'hue',
      entity_category: 'diagnostic',
    },
    { entity_id: 'switch.fan_left', id: 'e3', device_id: 'd2', platform: 'zha' },
    { entity_id: 'switch.fan_right', id: 'e4', device_id: 'd2', platform: 'zha' },
    { entity_id: 'number.fan_timer', id: 'e5', device_id: 'd2', platform: 'zha', entity_category: 'config' },
  ]
}

let home: FakeHome
let hub: World
const up = async (config: object = {}): Promise<void> => {
  hub = world({ house: peer(home) }, config)
  hub.start()
  await hub.until('mirrored', () => hub.last('online', 'rain') === true)
}

beforeEach(async () => {
  home = await fakeHome(ENTITIES)
  furnish(home)
})
afterEach(async () => {
  await hub.stop()
  await home.close()
  expect(hub.failure()).toBeUndefined()
})

test('a device of Home Assistant is one device here, with area, intents, state and presence', async () => {
  await up()
  expect(hub.last('about', 'kitchen_ceiling')).toEqual({
    name: 'Kitchen ceiling',
    kind: 'light',
    area: 'Kitchen',
    maker: 'Signify',
    model: 'LCT',
    via: 'Home Assistant',
    intents: {
      'light.turn_on': {
        type: 'object',
        properties: {
          level: { type: 'number', minimum: 1, maximum: 100, unit: '%', description: 'Brightness in percent.' },
        },
        additionalProperties: false,
      },
      'light.turn_off': {},
    },
  })
  expect(hub.last('state', 'kitchen_ceiling')).toEqual({ on: false, power: 4.2 })
  expect(hub.last('about', 'gate')).toMatchObject({ kind: 'cover', safe: ['cover.stop'] })
  expect(hub.last('state', 'rain')).toEqual({ value: true })
  expect(hub.health.at(-1)?.word).toBe('healthy')
})

test('a change there shows here, and a value that is not known any more is null', async () => {
  await up()
  home.set('light.kitchen_ceiling', 'on', { supported_color_modes: ['brightness'], brightness: 128 })
  await hub.until('on', () => hub.last('state', 'kitchen_ceiling')?.['level'] === 50)
  home.set('light.kitchen_ceiling', 'unavailable', {})
  await hub.until('unknown', () => hub.last('state', 'kitchen_ceiling')?.['on'] === null)
  expect(hub.last('online', 'kitchen_ceiling')).toBe(true)
  home.set('sensor.kitchen_ceiling_power', 'unavailable', {})
  await hub.until('offline', () => hub.last('online', 'kitchen_ceiling') === false)
})

test('a command is one service call, and done when the state shows it', async () => {
  await up()
  const id = hub.command('kitchen_ceiling', 'light.turn_on', { level: 40 })
  await hub.until('done', () => hub.acks(id).length === 2)
  expect(hub.acks(id).map(({ status }) => status)).toEqual(['accepted', 'done'])
  expect(home.calls).toHaveLength(1)
  expect(home.calls[0]).toMatchObject({
    domain: 'light',
    service: 'turn_on',
    entities: ['light.kitchen_ceiling'],
    service_data: { brightness_pct: 40 },
  })
  expect(hub.acks(id)[1]?.reason).toContain(home.calls[0]?.context)
  expect(hub.logs.find(({ event }) => event === 'service-called')?.fields).toMatchObject({
    command: id,
    context: home.calls[0]?.context,
  })
  await hub.until('told there', () => home.events.length > 0)
  expect(home.events).toEqual([
    {
      type: 'millrace_command',
      data: { id, context: home.calls[0]?.context, device: 'kitchen_ceiling', intent: 'light.turn_on' },
    },
  ])
  expect(hub.last('state', 'kitchen_ceiling')).toMatchObject({ on: true, level: 40 })
})

test('a repeated and an expired command call nothing', async () => {
  await up()
  const id = hub.command('kitchen_ceiling', 'light.turn_on')
  await hub.until('done', () => hub.acks(id).length === 2)
  hub.command('kitchen_ceiling', 'light.turn_off', undefined, { id })
  const late = hub.command('gate', 'cover.open', undefined, { expiresAt: new Date(Date.now() - 1).toISOString() })
  await hub.until('failed', () => hub.acks(late)[0]?.status === 'failed')
  expect(home.calls).toHaveLength(1)
})

test('several of one kind: without a name all, with a name that one, and numbers need a name', async () => {
  await up()
  const all = hub.command('fan', 'switch.turn_on')
  await hub.until('done', () => hub.acks(all).at(-1)?.status === 'done')
  expect(home.calls.at(-1)?.entities).toEqual(['switch.fan_left', 'switch.fan_right'])
  const one = hub.command('fan', 'switch.turn_off', { entity: 'right' })
  await hub.until('done', () => hub.acks(one).at(-1)?.status === 'done')
  expect(home.calls.at(-1)?.entities).toEqual(['switch.fan_right'])
  expect(hub.last('state', 'fan')).toEqual({ left_on: true, right_on: false, on: true, timer: 10 })
  const timer = hub.command('fan', 'number.set', { value: 30 })
  await hub.until('done', () => hub.acks(timer).at(-1)?.status === 'done')
})

test('a scene or button is done when its stamp is another', async () => {
  await up()
  const id = hub.command('bell', 'button.press')
  await hub.until('done', () => hub.acks(id).at(-1)?.status === 'done')
})

test('it waits for an effect that comes late', async () => {
  await up()
  home.manner('late')
  const id = hub.command('kitchen_ceiling', 'light.turn_on')
  await hub.until('done', () => hub.acks(id).at(-1)?.status === 'done')
})

test('a server that says yes and does nothing does not make it done', async () => {
  await up({ deadline: 1 })
  home.manner('lie')
  const id = hub.command('kitchen_ceiling', 'light.turn_on')
  await hub.until('failed', () => hub.acks(id).at(-1)?.status === 'failed')
  expect(hub.acks(id).at(-1)?.reason).toContain('light.kitchen_ceiling is off')
})

test('a lock that jams fails at once, and one that was jammed may still lock', async () => {
  home.set('lock.door', 'unlocked', { friendly_name: 'Door', stiff: true })
  await up()
  await hub.until('there', () => hub.last('online', 'door') === true)
  const first = hub.command('door', 'lock.lock')
  await hub.until('failed', () => hub.acks(first).at(-1)?.status === 'failed')
  expect(hub.acks(first).at(-1)?.reason).toContain('lock.door is jammed')
  home.set('lock.door', 'jammed', { friendly_name: 'Door', stiff: false })
  const second = hub.command('door', 'lock.lock')
  await hub.until('done', () => hub.acks(second).at(-1)?.status === 'done')
})

test('what cannot be done is not an intent: a roof that only tilts, a thermostat with two targets', async () => {
  home.set('cover.roof', 'open', { friendly_name: 'Roof', supported_features: 240 })
  home.set('climate.hall', 'auto', { friendly_name: 'Hall', supported_features: 2, hvac_modes: ['auto', 'off'] })
  await up()
  await hub.until('there', () => hub.last('online', 'hall') === true && hub.last('online', 'roof') === true)
  expect(Object.keys(hub.last('about', 'roof')?.intents ?? {})).toEqual([])
  expect(Object.keys(hub.last('about', 'hall')?.intents ?? {})).toEqual(['climate.set_mode'])
})

test('a refusal is passed on, and no answer is a failure', async () => {
  await up({ deadline: 1 })
  home.manner('refuse')
  const refused = hub.command('kitchen_ceiling', 'light.turn_on')
  await hub.until('failed', () => hub.acks(refused).at(-1)?.status === 'failed')
  expect(hub.acks(refused).at(-1)?.reason).toContain('The bulb is broken')
  home.manner('deaf')
  const deaf = hub.command('kitchen_ceiling', 'light.turn_on')
  await hub.until('failed', () => hub.acks(deaf).at(-1)?.status === 'failed')
  expect(hub.acks(deaf).at(-1)?.reason).toContain('within 1 s')
})

test('gone in the middle of a call: failed with the reason, devices offline, and after its return everything anew', async () => {
  await up()
  home.manner('die')
  const id = hub.command('kitchen_ceiling', 'light.turn_on')
  await hub.until('failed', () => hub.acks(id).at(-1)?.status === 'failed')
  expect(hub.acks(id).at(-1)?.reason).toContain('went away')
  await hub.until(
    'offline',
    () => hub.last('online', 'kitchen_ceiling') === false && hub.last('online', 'rain') === false,
  )
  expect(hub.health.at(-1)?.word).toBe('degraded')
  const refused = hub.command('kitchen_ceiling', 'light.turn_on')
  expect(hub.acks(refused).at(-1)).toMatchObject({
    status: 'failed',
    reason: expect.stringContaining('cannot be reached'),
  })
  home.manner('obey')
  home.set('binary_sensor.rain', 'off')
  home.set('light.kitchen_ceiling', 'on', { supported_color_modes: ['brightness'], brightness: 255 })
  await home.rise()
  await hub.until('back', () => hub.last('online', 'rain') === true)
  await hub.until('resynced', () => hub.last('state', 'rain')?.['value'] === false)
  expect(hub.last('state', 'kitchen_ceiling')).toMatchObject({ on: true, level: 100 })
})

test('renamed: the name follows and the id stays; removed: forgotten', async () => {
  await up()
  home.devices = home.devices.map((device) => (device['id'] === 'd1' ? { ...device, name_by_user: 'Island' } : device))
  home.registryChanged('device')
  await hub.until('renamed', () => hub.last('about', 'kitchen_ceiling')?.name === 'Island')
  expect(hub.last('state', 'kitchen_ceiling')).toEqual({ on: false, power: 4.2 })
  home.remove('button.bell')
  await hub.until('offline', () => hub.last('online', 'bell') === false)
  await hub.until('forgotten', () => hub.forgotten.includes('bell'), 9000)
  await hub.until('not remembered', () => !hub.keys().includes('known/house/bell'))
})

test('what is excluded, hidden, disabled or over MQTT is not mirrored', async () => {
  home.entities.push(
    { entity_id: 'switch.hidden', platform: 'x', hidden_by: 'user' },
    { entity_id: 'switch.z2m', platform: 'mqtt' },
    { entity_id: 'switch.sonoff', platform: 'tasmota' },
  )
  home.set('switch.sonoff', 'on')
  home.set('switch.hidden', 'on')
  home.set('switch.z2m', 'on')
  home.set('switch.plain', 'on')
  await up({ exclude: { entities: ['number.*', 'switch.fan_l*'], areas: ['Kitchen'] } })
  await hub.until(
    'plain',
    () => hub.last('about', 'switch_plain') !== undefined && hub.last('state', 'fan') !== undefined,
  )
  expect(hub.last('about', 'switch_hidden')).toBeUndefined()
  expect(hub.last('about', 'switch_z2m')).toBeUndefined()
  expect(hub.last('about', 'switch_sonoff')).toBeUndefined()
  expect(hub.last('about', 'kitchen_ceiling')).toBeUndefined()
  expect(hub.last('state', 'fan')).toEqual({ on: false })
})

test('a wrong token is said in words a person can act on, and is not in them', async () => {
  hub = world({ house: peer(home, 'wrong-secret') })
  hub.start()
  await hub.until('told', () => hub.health.at(-1)?.what.includes('refuses the token') ?? false)
  expect(JSON.stringify([hub.health, hub.logs, hub.reports])).not.toContain('wrong-secret')
  expect(home.refused()).toBe(1)
})

test('a server that is not there at the start is found when it comes', async () => {
  await home.die()
  hub = world({ house: peer(home) })
  hub.start()
  await hub.until('told', () => hub.health.at(-1)?.what.includes('cannot be reached') ?? false)
  await home.rise()
  await hub.until('mirrored', () => hub.last('online', 'rain') === true)
})
