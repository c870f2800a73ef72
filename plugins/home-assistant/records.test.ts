// Discovery records: what a device looks like to Home Assistant, in both forms, and that nothing it says becomes a template.
import { expect, test } from 'vitest'
import type { Device } from '#hub/plugin'
import { formFor, type Form, type Kinds, learn, recordsOf } from './records.ts'

const place = { hub: '0a1b2c3d', prefix: 'jarvis', discovery: 'homeassistant' }

const device = (more: Partial<Device>): Device => ({
  id: 'bench_light',
  name: 'Bench light',
  kind: 'light',
  online: true,
  owner: 'device:bench_light',
  intents: {},
  safe: [],
  state: {},
  lastSeen: 0,
  ...more,
})

const records = (of: Device, form: Form = 'single'): Map<string, Record<string, unknown>> => {
  const kinds: Kinds = new Map()
  learn(kinds, of.state)
  return new Map([...recordsOf(of, kinds, form, place)].map(([topic, text]) => [topic, JSON.parse(text)]))
}

const light = device({
  area: 'Workshop',
  maker: 'Shelly',
  intents: {
    'light.turn_on': { type: 'object', properties: { level: { type: 'number', minimum: 1, maximum: 100 } } },
    'light.turn_off': {},
    simulate: { type: 'object', properties: { fault: { type: 'string' } } },
  },
  state: { on: true, level: 60, blinking: false, watts: 14.2, note: null },
})

test('a light: one component for on, off and level, the rest of its state as sensors', () => {
  const all = records(light)
  expect([...all.keys()]).toEqual([
    'homeassistant/light/millrace_0a1b2c3d_bench_light/i_light/config',
    'homeassistant/button/millrace_0a1b2c3d_bench_light/i_simulate/config',
    'homeassistant/binary_sensor/millrace_0a1b2c3d_bench_light/f_blinking/config',
    'homeassistant/sensor/millrace_0a1b2c3d_bench_light/f_watts/config',
  ])
  expect(all.get('homeassistant/light/millrace_0a1b2c3d_bench_light/i_light/config')).toMatchObject({
    unique_id: 'millrace_0a1b2c3d_bench_light_i_light',
    state_topic: 'jarvis/devices/bench_light/state',
    command_topic: 'jarvis/devices/bench_light/request',
    availability_topic: 'jarvis/devices/bench_light/online',
    payload_available: 'true',
    device: { identifiers: ['millrace_0a1b2c3d_bench_light'], name: 'Bench light', suggested_area: 'Workshop' },
    origin: { name: 'Millrace' },
  })
})

test('the device form is one record with all components', () => {
  const [[topic, record] = []] = records(light, 'device')
  expect(topic).toBe('homeassistant/device/millrace_0a1b2c3d_bench_light/config')
  const { components } = record as { components: Record<string, { platform: string; unique_id: string }> }
  expect(Object.values(components).map(({ platform }) => platform)).toEqual([
    'light',
    'button',
    'binary_sensor',
    'sensor',
  ])
  expect(new Set(Object.values(components).map(({ unique_id }) => unique_id)).size).toBe(4)
})

test('a number and a choice become one each, with the request as template; what needs more than one value is left out', () => {
  const all = records(
    device({
      id: 'iron',
      intents: {
        'iron.set_temperature': {
          type: 'object',
          properties: { celsius: { type: 'number', minimum: 150, maximum: 450 } },
          required: ['celsius'],
        },
        'iron.set_mode': {
          type: 'object',
          properties: { mode: { type: 'string', enum: ['a', 'b'] } },
          required: ['mode'],
        },
        'iron.both': {
          type: 'object',
          properties: { a: { type: 'number' }, b: { type: 'number' } },
          required: ['a', 'b'],
        },
      },
      state: { celsius: 200, target: 350 },
    }),
  )
  const set = all.get('homeassistant/number/millrace_0a1b2c3d_iron/i_iron_set_temperature/config')
  expect(set).toMatchObject({ min: 150, max: 450, value_template: "{{ value_json.get('target') }}" })
  expect(set?.['command_template']).toContain('"intent":"iron.set_temperature","payload":{"celsius":{{ value }}}')
  expect(all.get('homeassistant/select/millrace_0a1b2c3d_iron/i_iron_set_mode/config')).toMatchObject({
    options: ['a', 'b'],
  })
  expect(JSON.stringify([...all.values()])).not.toContain('iron.both')
})

test('names, values, options and field names are never part of a template', () => {
  const evil = "{{ states('lock.front') }}"
  const all = records(
    device({
      name: evil,
      area: evil,
      maker: evil,
      intents: {
        'x.choose': { type: 'object', properties: { o: { type: 'string', enum: [evil] } }, required: ['o'] },
        'x.odd': { type: 'object', properties: { [evil]: { type: 'number' } }, required: [evil] },
      },
      state: { [evil]: 1, "a'b": 2, fine: evil },
    }),
  )
  expect(all.size).toBe(2)
  for (const record of all.values()) {
    const templates = Object.entries(record).filter(([name]) => name.includes('template') || name.startsWith('payload'))
    expect(JSON.stringify(templates)).not.toContain('lock.front')
    expect(JSON.stringify(templates)).not.toContain("a'b")
  }
})

test('a field that is not known for a while changes no record', () => {
  const kinds: Kinds = new Map()
  learn(kinds, { celsius: 20 })
  const before = [...recordsOf(device({}), kinds, 'single', place)]
  learn(kinds, { celsius: null })
  expect([...recordsOf(device({}), kinds, 'single', place)]).toEqual(before)
})

test('the form is chosen by version, and is the one all understand while none is known', () => {
  const versions = [[], ['2024.3.3'], ['2024.10.4'], ['2024.11.0'], ['2025.1.0b2'], ['junk'], ['2025.4.4', '2024.3.3']]
  expect(versions.map(formFor)).toEqual(['single', 'single', 'single', 'device', 'device', 'single', 'single'])
})

test('a device that tells and does nothing has no record', () => {
  expect(records(device({})).size).toBe(0)
})
