// Announcements from bytes to fields: both forms, abbreviations, base topics, identities and what is refused.
import { expect, test } from 'vitest'
import { line, readAnnouncement, Refused } from './announcement.ts'
import { availabilityOf, signatureOf } from './availability.ts'
import { entityKey } from './entity-key.ts'
import { kindOf } from './kind.ts'
import { discoveryTopic, isReserved } from './topics-of.ts'

const BOUNDS = { bytes: 131_072, components: 64 }
const read = (value: unknown, single?: { platform: string; key: string }) =>
  readAnnouncement(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), single, BOUNDS)

test('short and long names, and the base topic at either end, come to the same', () => {
  const short = {
    '~': 'shop/x',
    dev: { ids: 'a1', mf: 'M', mdl: 'L', sa: 'Bench', cns: [['mac', 'AA-BB-CC-DD-EE-FF']] },
    o: { name: 'ware', sw: '2' },
    avty: [{ t: '~/lwt', pl_avail: 'on' }],
    cmps: { s: { p: 'sensor', stat_t: '~/state', val_tpl: '{{ value }}', unit_of_meas: 'W' } },
  }
  const found = read(short)
  expect(found?.device).toEqual({
    identifiers: ['a1', 'mac:aabbccddeeff'],
    maker: 'M',
    model: 'L',
    area: 'Bench',
    via: 'ware 2',
  })
  expect(found?.components).toEqual([
    {
      key: 's',
      platform: 'sensor',
      fields: {
        availability: [{ topic: 'shop/x/lwt', payload_available: 'on' }],
        state_topic: 'shop/x/state',
        value_template: '{{ value }}',
        unit_of_measurement: 'W',
      },
    },
  ])
  const end = read({ '~': 'base', stat_t: 'x/~' }, { platform: 'sensor', key: 'k' })
  expect(end?.components[0]?.fields['state_topic']).toBe('x/base')
  const bare = read({ avty: [{ t: 'a', val_tpl: '{{ value_json.state }}' }] }, { platform: 'sensor', key: 'k' })
  expect(bare?.components[0]?.fields['availability']).toEqual([
    { topic: 'a', value_template: '{{ value_json.state }}' },
  ])
})

test('a component with nothing but its platform takes the component back; a migration says nothing', () => {
  expect(read({ dev: { ids: ['a'] }, cmps: { s: { p: 'sensor' } } })?.components).toEqual([])
  expect(read({ migrate_discovery: true }, { platform: 'sensor', key: 'k' })).toBeUndefined()
})

test.each([
  ['{"a":', /no JSON/],
  ['[1]', /no JSON object/],
  [{ cmps: {} }, /no identifiers/],
  [{ dev: { ids: ['a'] } }, /no components/],
  [{ dev: { ids: ['a'] }, cmps: { x: { stat_t: 'y' } } }, /has no platform/],
  [{ dev: { ids: Array.from({ length: 20 }, (_, i) => `i${i}`) }, cmps: {} }, /16 identifiers/],
  [{ dev: { ids: ['x'.repeat(9000)] }, cmps: {} }, /8000 characters/],
  ['{"dev":{"ids":["a"]},"cmps":{"__proto__":{"p":"sensor","t":"x"}}}', /__proto__/],
])('%j is refused', (value, why) => {
  expect(() => read(value)).toThrow(Refused)
  expect(() => read(value)).toThrow(why)
})

test('a line is one line, bounded, and without what hides', () => {
  expect(line('a\u0000b\n\tc\u202Ed\uD800')).toBe('a b c d')
  expect(line('🪚'.repeat(100))?.length).toBeLessThanOrEqual(120)
  expect(line('🪚'.repeat(100))?.isWellFormed()).toBe(true)
  expect(line('   ')).toBeUndefined()
  expect(line({})).toBeUndefined()
})

test('which topics are announcements, and which nobody may be commanded by', () => {
  const of = (topic: string) => discoveryTopic(topic, 'homeassistant')
  expect(of('homeassistant/device/x/config')).toEqual({ form: 'device', key: 'x' })
  expect(of('homeassistant/light/node/obj/config')).toEqual({ form: 'single', platform: 'light', key: 'obj' })
  expect(of('homeassistant/light/obj/config')).toEqual({ form: 'single', platform: 'light', key: 'obj' })
  expect(of('tasmota/discovery/A1B2C3D4E5F6/sensors')).toMatchObject({ form: 'tasmota', leaf: 'sensors' })
  for (const other of [
    'homeassistant/status',
    'homeassistant/light/config',
    'homeassistant/a/b/c/d/config',
    'x/y/config',
  ])
    expect(of(other)).toBeUndefined()
  for (const topic of ['homeassistant/status', 'homeassistant/light/x/config', 'zigbee2mqtt/bridge/state'])
    expect(isReserved(topic, 'homeassistant')).toBe(true)
  expect(isReserved('zigbee2mqtt/bridge/request/permit_join', 'homeassistant')).toBe(false)
})

test('availability: all, any and latest; words and templates; silence is absence', () => {
  const two = (mode: string) => {
    const made = availabilityOf({
      availability_mode: mode,
      availability: [{ topic: 'a' }, { topic: 'b', value_template: '{{ value_json.state }}' }],
    })
    if (typeof made !== 'object') throw new Error('no availability')
    return (...said: [string, string][]) => {
      for (const [topic, text] of said)
        made.hear(topic, { text, json: text.startsWith('{') ? JSON.parse(text) : undefined })
      return made.isThere()
    }
  }
  expect(two('all')()).toBe(false)
  expect(two('all')(['a', 'online'])).toBe(false)
  expect(two('all')(['a', 'online'], ['b', '{"state":"online"}'])).toBe(true)
  expect(two('any')(['b', '{"state":"online"}'], ['a', 'offline'])).toBe(true)
  expect(two('latest')(['b', '{"state":"online"}'], ['a', 'offline'])).toBe(false)
  expect(two('latest')(['a', 'online'], ['a', 'noise'])).toBe(true)
  expect(availabilityOf({})).toBeUndefined()
  expect(availabilityOf({ availability_topic: 'a', availability_template: '{{ now() }}' })).toMatch(/not supported/)
  expect(signatureOf({ availability_topic: 'a' })).toBe(signatureOf({ availability_topic: 'a', name: 'x' }))
})

test('keys of components are plain and differ', () => {
  const taken = new Set<string>()
  const names = ['Power', 'power', 'power', '__proto__', '', '温度', 'Größe']
  expect(names.map((name) => entityKey(name, 'sensor', taken))).toEqual([
    'power',
    'power_sensor',
    'power_2',
    'proto',
    'sensor',
    'sensor_sensor',
    'gro_e',
  ])
})

test('a kind is the most telling platform, and a name can only make it stricter', () => {
  expect(kindOf(['sensor', 'switch', 'light'], ['Lamp'])).toBe('light')
  expect(kindOf(['sensor'], [undefined])).toBe('sensor')
  expect(kindOf(['camera'], [])).toBe('sensor')
  for (const [name, kind] of [
    ['Laser cutter plug', 'laser_switch'],
    ['Kreissäge', 'saw_switch'],
    ['MIG welder', 'welder_switch'],
    ['Message board', 'switch'],
    ['safe, no approval needed', 'switch'],
  ] as const)
    expect(kindOf(['switch'], [name])).toBe(kind)
})
