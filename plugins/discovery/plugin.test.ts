// The plugin through its front door: a whole hub, and a scripted device that only speaks MQTT and Home Assistant's discovery.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Wire } from '../../hub/testing/outsider.ts'
import plugin from './plugin.ts'
import { type Rig, rig } from './discovery.rig.ts'

let hub: Rig

beforeAll(async () => {
  const settings = 'plugins:\n  discovery:\n    answer_seconds: 2\n'
  hub = await rig({ prepare: (dir) => writeFileSync(join(dir, 'millrace.yaml'), settings) })
})
afterAll(() => hub.close())

/** A lamp with a plug, as its firmware announces itself: device form, abbreviated, with a base topic. */
const record = (name: string, base = 'shop/lamp') => ({
  '~': base,
  dev: { ids: ['lamp-8f21'], name, mf: 'Own Works', mdl: 'L1', sa: 'Bench' },
  o: { name: 'lampware', sw: '1.4' },
  avty_t: '~/lwt',
  cmps: {
    light: {
      p: 'light',
      uniq_id: 'lamp-8f21-light',
      name: null,
      schema: 'json',
      stat_t: '~/state',
      cmd_t: '~/set',
      brightness: true,
      sup_clrm: ['color_temp'],
    },
    power: {
      p: 'sensor',
      uniq_id: 'lamp-8f21-power',
      name: 'Power',
      stat_t: '~/tele',
      val_tpl: '{{ value_json.w | float | round(1) }}',
      unit_of_meas: 'W',
      dev_cla: 'power',
    },
    child: { p: 'switch', uniq_id: 'lamp-8f21-lock', name: 'Child lock', stat_t: '~/lock', cmd_t: '~/lock/set' },
    odd: { p: 'sensor', uniq_id: 'lamp-8f21-odd', name: 'Odd', stat_t: '~/tele', val_tpl: '{{ states("sun.sun") }}' },
    eye: { p: 'camera', uniq_id: 'lamp-8f21-eye', name: 'Eye', t: '~/jpg' },
  },
})
const CONFIG = 'homeassistant/device/lamp-8f21/config'

/** Does as a lamp does: what it is told it shows, until it is told to be deaf. */
const lamp = async (id = 'lamp', deaf = false): Promise<Wire> => {
  const wire = await hub.connect(id, ['shop/#', 'homeassistant/device/lamp-8f21/config'], {
    will: { topic: 'shop/lamp/lwt', payload: Buffer.from('offline'), qos: 1, retain: true },
  })
  await wire.subscribe('shop/lamp/+/set')
  await wire.subscribe('shop/lamp/set')
  let state: Record<string, unknown> = { state: 'OFF', brightness: 10 }
  if (!deaf)
    wire.client.on('message', (topic, payload) => {
      if (topic === 'shop/lamp/set') {
        state = { ...state, ...(JSON.parse(payload.toString()) as object) }
        void wire.publish('shop/lamp/state', state, { retain: true })
      } else if (topic === 'shop/lamp/lock/set') void wire.publish('shop/lamp/lock', payload, { retain: true })
    })
  await wire.publish('shop/lamp/lwt', 'online', { retain: true })
  await wire.publish('shop/lamp/state', state, { retain: true })
  await wire.publish('shop/lamp/lock', 'OFF', { retain: true })
  await wire.publish(CONFIG, record('Bench lamp'), { retain: true })
  return wire
}

test('a device announces itself, says how it is, is asked, answers, is renamed, goes and is removed', async () => {
  const wire = await lamp()
  const found = await hub.becomes('bench_lamp', ({ online, state }) => online && state['light'] !== null)
  expect(found).toMatchObject({
    name: 'Bench lamp',
    kind: 'light',
    area: 'Bench',
    owner: 'plugin:discovery',
    maker: 'Own Works',
    via: 'lampware 1.4',
    state: { light: { on: false, brightness: 10, level: 4 }, power: null, child: false, odd: null },
  })
  expect(Object.keys(found.intents).sort()).toEqual([
    'light.turn_off',
    'light.turn_on',
    'switch.turn_off',
    'switch.turn_on',
  ])
  const about = await hub.watcher.hears('jarvis/devices/bench_lamp/about')
  expect(about.json()['entities']).toMatchObject({
    odd: { problem: "value_template: template not supported: the function 'states'" },
    eye: { platform: 'camera', problem: "'camera' not supported" },
  })

  await wire.publish('shop/lamp/tele', '{"w":"7.26"}')
  await hub.becomes('bench_lamp', ({ state }) => state['power'] === 7.3)

  expect(await hub.ask('bench_lamp', 'light.turn_on', { level: 60, kelvin: 2700 })).toMatchObject({ status: 'done' })
  expect(JSON.parse(wire.heard.findLast(({ topic }) => topic === 'shop/lamp/set')?.text ?? '')).toEqual({
    state: 'ON',
    brightness: 153,
    color_temp: 370,
  })
  await hub.becomes('bench_lamp', ({ state }) => (state['light'] as { level: number }).level === 60)
  expect(await hub.ask('bench_lamp', 'switch.turn_on', { entity: 'child' })).toMatchObject({ status: 'done' })
  expect(await hub.ask('bench_lamp', 'light.turn_on', { level: 160 })).toMatchObject({ status: 'refused', http: 400 })

  await wire.publish(CONFIG, record('Reading lamp'), { retain: true })
  const renamed = await hub.becomes('bench_lamp', ({ name }) => name === 'Reading lamp')
  expect(renamed.state['power']).toBe(7.3)

  // Its topics move: what it said on the old ones counts no more, what is retained on the new ones does.
  await wire.publish('shop/other/lwt', 'online', { retain: true })
  await wire.publish('shop/other/state', { state: 'ON', brightness: 255 }, { retain: true })
  await wire.publish(CONFIG, record('Reading lamp', 'shop/other'), { retain: true })
  await hub.becomes('bench_lamp', ({ state }) => (state['light'] as { level?: number } | null)?.level === 100)
  await wire.publish('shop/lamp/state', { state: 'OFF' }, { retain: true })
  await wire.publish('shop/other/tele', '{"w":1}')
  const moved = await hub.becomes('bench_lamp', ({ state }) => state['power'] === 1)
  expect(moved.state['light']).toMatchObject({ on: true })
  await wire.publish(CONFIG, record('Reading lamp'), { retain: true })
  await hub.becomes('bench_lamp', ({ state }) => (state['light'] as { on?: boolean } | null)?.on === false)

  wire.client.stream.destroy()
  await hub.becomes('bench_lamp', ({ online, state }) => !online && state['light'] === null)
  expect(await hub.ask('bench_lamp', 'light.turn_on')).toMatchObject({ status: 'refused' })

  const again = await lamp()
  await hub.becomes('bench_lamp', ({ online }) => online)
  await again.publish(CONFIG, '', { retain: true })
  await hub.gone('bench_lamp')
  expect(hub.errors()).toEqual([])
  await again.end()
})

test('a device that does not show it: the command fails, and says to look', async () => {
  const wire = await lamp('lamp', true)
  await hub.becomes('bench_lamp', ({ online }) => online)
  const answer = await hub.ask('bench_lamp', 'light.turn_on', { level: 90 })
  expect(answer).toMatchObject({ status: 'failed', reason: expect.stringContaining('look at the device') })
  expect(await hub.ask('bench_lamp', 'light.turn_off')).toMatchObject({
    status: 'done',
    reason: 'sent; it was so already',
  })
  await wire.publish(CONFIG, '', { retain: true })
  await hub.gone('bench_lamp')
  await wire.end()
}, 30_000)

test('switched off it takes nothing in, and says so', async () => {
  const settings = 'plugins:\n  discovery:\n    on: false\n'
  const off = await rig({ prepare: (dir) => writeFileSync(join(dir, 'millrace.yaml'), settings) })
  const wire = await off.connect('lamp', ['shop/#', CONFIG])
  await wire.publish(CONFIG, record('Bench lamp'), { retain: true })
  await wire.publish('shop/lamp/lwt', 'online', { retain: true })
  const { body } = await off.api('/api/health')
  expect(JSON.stringify(body)).toContain('Switched off: devices that announce themselves are not taken in.')
  expect(await off.devices()).toEqual([])
  await off.close()
})

test('it runs unless switched off, and its settings have sane defaults', () => {
  expect(plugin.enabled).toBe('always')
  expect(plugin.config.parse({})).toEqual({
    on: true,
    prefix: 'homeassistant',
    devices: 1000,
    components: 64,
    answer_seconds: 10,
    outside: true,
  })
})
