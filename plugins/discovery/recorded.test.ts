// Zigbee2MQTT and Tasmota as their firmware speaks, played to a whole hub: what becomes of it, what it is sent, renames, removals.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Wire } from '../../hub/testing/outsider.ts'
import { type Rig, rig } from './discovery.rig.ts'

let hub: Rig
beforeAll(async () => {
  hub = await rig()
})
afterAll(() => hub.close())

const Row = z.strictObject({ topic: z.string(), payload: z.unknown(), retain: z.boolean() })

/** Publishes a recording, in its order. */
const play = async (wire: Wire, name: string): Promise<void> => {
  const lines = readFileSync(join(import.meta.dirname, 'fixtures', `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
  for (const one of lines) {
    const { topic, payload, retain } = Row.parse(JSON.parse(one))
    await wire.publish(topic, payload, { retain })
  }
}
const eventOf = (id: string, type: string): Promise<{ json(): Record<string, unknown> }> =>
  hub.watcher.hears(({ topic, text }) => topic === `jarvis/devices/${id}/event` && text.includes(type))

describe('Zigbee2MQTT 1.42.0', () => {
  let bridge: Wire
  beforeAll(async () => {
    bridge = await hub.connect('z2m', ['zigbee2mqtt/#', 'homeassistant/#'], {
      will: { topic: 'zigbee2mqtt/bridge/state', payload: Buffer.from('{"state":"offline"}'), qos: 1, retain: true },
    })
    await bridge.subscribe('zigbee2mqtt/#')
    bridge.client.on('message', (topic, payload) => {
      const [, name, point] = /^zigbee2mqtt\/([^/]+)\/set(?:\/(\w+))?$/.exec(topic) ?? []
      if (name === undefined) return
      const said = payload.toString()
      const state = point === undefined ? (JSON.parse(said) as object) : { [point]: Number(said) || said }
      void bridge.publish(`zigbee2mqtt/${name}`, state)
    })
    await play(bridge, 'zigbee2mqtt-1.42.0-start')
  })

  test('its devices are there with state, and what they can be asked', async () => {
    const lamp = await hub.becomes('kitchen_lamp', ({ state }) => state['linkquality'] === 96)
    expect(lamp).toMatchObject({
      name: 'Kitchen lamp',
      kind: 'light',
      online: true,
      maker: 'Own Works',
      via: 'Zigbee2MQTT 1.42.0',
      state: {
        light: { on: false, brightness: 120, level: 47, color_temp: 370, kelvin: 2703 },
        power_on_behavior: 'previous',
        linkquality: 96,
        update: { installed: '16', latest: '17', installing: false },
      },
    })
    const valve = await hub.becomes('radiator', ({ state }) => state['battery'] === 88)
    expect(valve.state).toEqual({
      climate: { temperature: 20, current: 19.5, mode: 'heat', action: 'heating' },
      battery: 88,
    })
    const network = await hub.becomes('zigbee2mqtt_bridge', ({ state }) => state['version'] === '1.42.0')
    expect(network.state).toMatchObject({ connection_state: true, permit_join: false })
    expect(hub.errors()).toEqual([])
  })

  test('a request becomes its own message, and is done when the state shows it', async () => {
    expect(await hub.ask('kitchen_lamp', 'light.turn_on', { level: 100 })).toMatchObject({ status: 'done' })
    expect(JSON.parse(bridge.heard.findLast(({ topic }) => topic.endsWith('lamp/set'))?.text ?? '')).toEqual({
      state: 'ON',
      brightness: 254,
    })
    await hub.becomes('kitchen_lamp', ({ state }) => (state['light'] as { level: number }).level === 100)
    expect(await hub.ask('radiator', 'climate.set_temperature', { temperature: 22.5 })).toMatchObject({
      status: 'done',
    })
    expect(bridge.heard.at(-2)).toMatchObject({
      topic: 'zigbee2mqtt/Radiator/set/occupied_heating_setpoint',
      text: '22.5',
    })
    expect(await hub.ask('radiator', 'climate.set_temperature', { temperature: 90 })).toMatchObject({ http: 400 })
    expect(await hub.ask('kitchen_lamp', 'select.select', { value: 'off' })).toMatchObject({ status: 'done' })
  })

  test('a pressed button and what happens in the network are events', async () => {
    await play(bridge, 'zigbee2mqtt-1.42.0-button')
    expect((await eventOf('bench_button', 'single')).json()).toEqual({
      type: 'action',
      subtype: 'single',
      entity: 'action_single',
    })
    expect((await eventOf('zigbee2mqtt_bridge', 'device_joined')).json()).toMatchObject({
      address: '0x0017880100aa0009',
    })
    await eventOf('zigbee2mqtt_bridge', 'device_left')
  })

  test('renamed it keeps its id, and its new topics count', async () => {
    await play(bridge, 'zigbee2mqtt-1.42.0-rename')
    expect((await eventOf('zigbee2mqtt_bridge', 'device_renamed')).json()).toMatchObject({
      from: 'Kitchen lamp',
      to: 'Island lamp',
    })
    await hub.becomes('kitchen_lamp', ({ name, online }) => name === 'Island lamp' && online)
    expect(await hub.ask('kitchen_lamp', 'light.turn_off')).toMatchObject({ status: 'done' })
    expect(bridge.heard.findLast(({ topic }) => topic.endsWith('/set'))?.topic).toBe('zigbee2mqtt/Island lamp/set')
    expect((await hub.devices()).map(({ id }) => id).sort()).toEqual([
      'bench_button',
      'kitchen_lamp',
      'radiator',
      'zigbee2mqtt_bridge',
    ])
  })

  test('without its bridge nothing of it is there; removed it is gone', async () => {
    bridge.client.stream.destroy()
    await hub.becomes('kitchen_lamp', ({ online }) => !online)
    await hub.becomes('radiator', ({ online, state }) => !online && state['battery'] === null)
    bridge = await hub.connect('z2m', ['zigbee2mqtt/#', 'homeassistant/#'])
    await bridge.publish('zigbee2mqtt/bridge/state', '{"state":"online"}', { retain: true })
    await hub.becomes('radiator', ({ online }) => online)
    await play(bridge, 'zigbee2mqtt-1.42.0-remove')
    await hub.gone('kitchen_lamp')
    const left = hub.watcher.heard.filter(({ topic }) => topic.startsWith('jarvis/devices/kitchen_lamp/')).slice(-3)
    expect(left.map(({ text }) => text)).toEqual(['', '', ''])
  })
})

describe('Tasmota 14.4.1', () => {
  let plug: Wire
  // With the default FullTopic (%prefix%/%topic%/) its commands would be under cmnd/, which no credential is given.
  const topics = ['tasmota/discovery/#', 'tasmota_D4E5F6/#']

  test('a plug: state, measurements, power, its button, its new name, its end', async () => {
    plug = await hub.connect('plugcard', topics, {
      will: { topic: 'tasmota_D4E5F6/tele/LWT', payload: Buffer.from('Offline'), qos: 1, retain: true },
    })
    await plug.subscribe('tasmota_D4E5F6/cmnd/#')
    plug.client.on('message', (topic, payload) => {
      if (!topic.endsWith('/POWER')) return
      void plug.publish('tasmota_D4E5F6/stat/RESULT', { POWER: payload.toString() })
      void plug.publish('tasmota_D4E5F6/stat/POWER', payload)
    })
    await play(plug, 'tasmota-14.4.1-start')
    const found = await hub.becomes('heater_plug', ({ state }) => state['energy_voltage'] === 231)
    expect(found).toMatchObject({
      name: 'Heater plug',
      kind: 'switch',
      online: true,
      via: 'Tasmota 14.4.1',
      state: { relay: false, energy_total: 3.213, energy_power: 0 },
    })
    expect(await hub.ask('heater_plug', 'switch.turn_on')).toMatchObject({ status: 'done' })
    expect(plug.heard).toMatchObject([{ topic: 'tasmota_D4E5F6/cmnd/POWER', text: 'ON' }])
    await hub.becomes('heater_plug', ({ state }) => state['relay'] === true)

    await play(plug, 'tasmota-14.4.1-button')
    expect((await eventOf('heater_plug', 'double')).json()).toEqual({ type: 'double', entity: 'button_1' })
    await play(plug, 'tasmota-14.4.1-rename')
    const renamed = await hub.becomes('heater_plug', ({ name }) => name === 'Soldering plug')
    expect(renamed.state['energy_voltage']).toBe(231)
    plug.client.stream.destroy()
    await hub.becomes('heater_plug', ({ online }) => !online)

    plug = await hub.connect('plugcard', topics)
    await play(plug, 'tasmota-14.4.1-remove')
    await hub.gone('heater_plug')
  })

  test('a strip of light and a blind', async () => {
    const wire = await hub.connect('shop', ['tasmota/discovery/#', 'tasmota_D4E5F7/#', 'tasmota_D4E5F8/#'])
    await wire.subscribe('tasmota_D4E5F7/cmnd/#')
    await wire.subscribe('tasmota_D4E5F8/cmnd/#')
    await play(wire, 'tasmota-14.4.1-light-and-shutter')
    const strip = await hub.becomes('strip', ({ state }) => state['light'] !== null)
    expect(strip.state['light']).toMatchObject({ on: true, level: 40, hs: [0, 100], color_temp: 327 })
    const blind = await hub.becomes('blind', ({ state }) => state['shutter'] !== null)
    expect(blind).toMatchObject({
      kind: 'cover',
      safe: ['cover.stop'],
      state: { shutter: { state: 'open', position: 100 } },
    })
    wire.client.on('message', (topic, payload) => {
      const said = payload.toString()
      if (topic.endsWith('Dimmer'))
        void wire.publish('tasmota_D4E5F7/stat/RESULT', { POWER: 'ON', Dimmer: Number(said) })
      if (said === 'ShutterClose1')
        void wire.publish('tasmota_D4E5F8/stat/RESULT', { Shutter1: { Position: 90, Direction: -1, Target: 0 } })
    })
    expect(await hub.ask('strip', 'light.turn_on', { level: 70 })).toMatchObject({ status: 'done' })
    expect(await hub.ask('blind', 'cover.close')).toMatchObject({ status: 'done' })
    await hub.becomes('blind', ({ state }) => (state['shutter'] as { state: string }).state === 'closing')
    expect(await hub.ask('blind', 'cover.stop')).toMatchObject({ status: 'done' })
    expect(wire.heard.map(({ topic, text }) => `${topic} ${text}`)).toEqual([
      'tasmota_D4E5F7/cmnd/Dimmer 70',
      'tasmota_D4E5F7/cmnd/POWER ON',
      'tasmota_D4E5F8/cmnd/Backlog ShutterClose1',
      'tasmota_D4E5F8/cmnd/Backlog ShutterStop1',
    ])
  })
})
