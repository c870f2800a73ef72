// Tasmota's own discovery: relays, lights, shutters, sensors and buttons of a device, from its two retained records.
// Source: Tasmota documentation, "MQTT", "Commands" and "Home Assistant"; the record is made in xdrv_12_discovery.
import { z } from 'zod'
import { type Announcement, line, Refused } from './announcement.ts'
import type { AnnouncedComponent, Fields } from './announcement.ts'

const Text = z.string().max(100)
const Config = z.looseObject({
  dn: Text.nullish(),
  /** Host name. */
  hn: Text.default(''),
  fn: z.array(Text.nullable()).max(64).default([]),
  mac: z.string().regex(/^[0-9A-Fa-f]{12}$/),
  md: Text.default(''),
  sw: Text.default(''),
  ofln: Text.default('Offline'),
  onln: Text.default('Online'),
  /** Words for OFF, ON, TOGGLE, HOLD. */
  state: z.array(Text).min(2).max(8).default(['OFF', 'ON', 'TOGGLE', 'HOLD']),
  t: z.string().min(1).max(100),
  ft: z.string().min(1).max(200),
  /** cmnd, stat, tele. */
  tp: z.tuple([Text, Text, Text]),
  /** 0 nothing, 1 relay, 2 light, 3 shutter. */
  rl: z.array(z.number().int()).max(64).default([]),
  /** 0 none, 1 dimmer, 2 two whites, 3 RGB, 4 RGBW, 5 RGBCW. */
  lt_st: z.number().int().default(0),
  btn: z.array(z.number().int()).max(64).default([]),
  swc: z.array(z.number().int()).max(64).default([]),
  swn: z.array(Text.nullable()).max(64).default([]),
  so: z.record(z.string(), z.unknown()).default({}),
})
type Config = z.output<typeof Config>

const SHUTTER = 3
const MAX_SENSORS = 48
const UNITS = new Map<string, readonly [unit: string, kind: string]>([
  ['Humidity', ['%', 'humidity']],
  ['Pressure', ['hPa', 'pressure']],
  ['Power', ['W', 'power']],
  ['ApparentPower', ['VA', 'apparent_power']],
  ['ReactivePower', ['var', 'reactive_power']],
  ['Voltage', ['V', 'voltage']],
  ['Current', ['A', 'current']],
  ['Total', ['kWh', 'energy']],
  ['Today', ['kWh', 'energy']],
  ['Yesterday', ['kWh', 'energy']],
  ['Illuminance', ['lx', 'illuminance']],
  ['CarbonDioxide', ['ppm', 'carbon_dioxide']],
  ['Factor', ['', 'power_factor']],
])

const parsed = (bytes: Buffer): unknown => {
  if (bytes.length > 65_536) throw new Refused('its record has more than 65536 bytes', 'AnnouncementTooLarge')
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new Refused('its record is no JSON')
  }
}

const quoted = (name: string): string => JSON.stringify(name)
/** A path into a JSON document, as a template. */
const path = (...names: string[]): string => `{{ value_json${names.map((name) => `[${quoted(name)}]`).join('')} }}`
const guarded = (name: string, then: string): string =>
  `{% if value_json[${quoted(name)}] is defined %}${then}{% endif %}`

const topicOf = ({ ft, t, tp, mac, hn }: Config, kind: 0 | 1 | 2, leaf: string): string => {
  const base = ft
    .replaceAll('%prefix%', tp[kind])
    .replaceAll('%topic%', t)
    .replaceAll('%hostname%', hn)
    .replaceAll('%id%', mac.slice(-6).toUpperCase())
  return `${base.endsWith('/') ? base : `${base}/`}${leaf}`
}

const sensors = (config: Config, bytes: Buffer | undefined, availability: Fields): AnnouncedComponent[] => {
  if (bytes === undefined || bytes.length === 0) return []
  const record = z.looseObject({ sn: z.record(z.string(), z.unknown()).default({}) }).safeParse(parsed(bytes))
  if (!record.success) return []
  const { sn } = record.data
  const celsius = sn['TempUnit'] === 'F' ? '°F' : '°C'
  const topic = topicOf(config, 2, 'SENSOR')
  const leaves = Object.entries(sn).flatMap(([group, inside]): [string[], unknown][] =>
    typeof inside === 'object' && inside !== null
      ? Object.entries(inside).map(([name, value]): [string[], unknown] => [[group, name], value])
      : [[[group], inside]],
  )
  return leaves
    .filter(([names, value]) => typeof value === 'number' && names.every((name) => name.length <= 40))
    .slice(0, MAX_SENSORS)
    .map(([names]) => {
      const quantity = names.at(-1) ?? ''
      const [unit, kind] = quantity === 'Temperature' ? [celsius, 'temperature'] : (UNITS.get(quantity) ?? ['', ''])
      return {
        key: names.join('_'),
        platform: 'sensor',
        fields: {
          ...availability,
          name: names.join(' '),
          state_topic: topic,
          value_template: `{% if value_json[${quoted(names[0] ?? '')}] is defined %}${path(...names)}{% endif %}`,
          state_class: kind === 'energy' ? 'total_increasing' : 'measurement',
          ...(unit === '' ? {} : { unit_of_measurement: unit }),
          ...(kind === '' ? {} : { device_class: kind }),
        },
      }
    })
}

const lightOf = (config: Config, power: string, common: Fields): Fields => {
  const result = topicOf(config, 1, 'RESULT')
  const to = (leaf: string): string => topicOf(config, 0, leaf)
  const kind = config.lt_st
  return {
    ...common,
    command_topic: to(power),
    ...(kind >= 1
      ? {
          brightness_command_topic: to('Dimmer'),
          brightness_state_topic: result,
          brightness_scale: 100,
          brightness_value_template: guarded('Dimmer', path('Dimmer')),
        }
      : {}),
    ...(kind === 2 || kind === 5
      ? {
          color_temp_command_topic: to('CT'),
          color_temp_state_topic: result,
          color_temp_value_template: guarded('CT', path('CT')),
        }
      : {}),
    ...(kind >= 3
      ? {
          hs_command_topic: to('HsbColor'),
          hs_command_template: '{{ hue }},{{ sat }}',
          hs_state_topic: result,
          hs_value_template: guarded(
            'HSBColor',
            "{{ value_json.HSBColor.split(',')[0] }},{{ value_json.HSBColor.split(',')[1] }}",
          ),
        }
      : {}),
  }
}

/** Reads a device's `config` record and, when it is there, its `sensors` record. Throws Refused. */
export const readTasmota = (bytes: Buffer, sensorBytes: Buffer | undefined, mac: string): Announcement => {
  const read = Config.safeParse(parsed(bytes))
  if (!read.success)
    throw new Refused(`its record does not fit: ${line(read.error.issues[0]?.path.map(String).join('.'), 60) ?? ''}`)
  const config = read.data
  if (config.mac.toLowerCase() !== mac) throw new Refused('its record is of another address than its topic')
  const [off = 'OFF', on = 'ON'] = config.state
  const availability = {
    availability_topic: topicOf(config, 2, 'LWT'),
    payload_available: config.onln,
    payload_not_available: config.ofln,
  }
  const result = topicOf(config, 1, 'RESULT')
  const states = topicOf(config, 2, 'STATE')
  const powered = config.rl.filter((kind) => kind === 1 || kind === 2).length
  const components: AnnouncedComponent[] = []

  config.rl.forEach((kind, i) => {
    if (kind !== 1 && kind !== 2) return
    const power = powered === 1 ? 'POWER' : `POWER${i + 1}`
    const name = line(config.fn[i]) ?? `${line(config.dn) ?? 'Tasmota'} ${i + 1}`
    const common = { ...availability, name, payload_on: on, payload_off: off, state_topic: result }
    // A relay of one says POWER; with more than one POWER1; both are understood.
    const other = power === 'POWER' ? 'POWER1' : power
    const value = `{% if value_json.${power} is defined %}{{ value_json.${power} }}{% elif value_json.${other} is defined %}{{ value_json.${other} }}{% endif %}`
    const also = { also_topic: states }
    if (kind === 2)
      components.push({
        key: powered === 1 ? 'light' : `light_${i + 1}`,
        platform: 'light',
        fields: { ...lightOf(config, power, common), state_value_template: value, ...also },
      })
    else
      components.push({
        key: powered === 1 ? 'relay' : `relay_${i + 1}`,
        platform: 'switch',
        fields: { ...common, command_topic: topicOf(config, 0, power), value_template: value, ...also },
      })
  })

  const shutters = Math.ceil(config.rl.filter((kind) => kind === SHUTTER).length / 2)
  for (let n = 1; n <= shutters; n++) {
    const shutter = `Shutter${n}`
    components.push({
      key: shutters === 1 ? 'shutter' : `shutter_${n}`,
      platform: 'cover',
      fields: {
        ...availability,
        name: shutters === 1 ? 'Shutter' : `Shutter ${n}`,
        command_topic: topicOf(config, 0, 'Backlog'),
        payload_open: `ShutterOpen${n}`,
        payload_close: `ShutterClose${n}`,
        payload_stop: `ShutterStop${n}`,
        position_topic: result,
        position_template: guarded(shutter, path(shutter, 'Position')),
        state_topic: result,
        value_template: guarded(
          shutter,
          `{% set s = value_json.${shutter} %}{% if s.Direction == 1 %}opening{% elif s.Direction == -1 %}closing{% elif s.Position == 0 %}closed{% else %}open{% endif %}`,
        ),
        set_position_topic: topicOf(config, 0, `ShutterPosition${n}`),
      },
    })
  }

  const triggers: [string, string][] = [
    ...(config.so['73'] === 1
      ? config.btn.flatMap((mode, i): [string, string][] => (mode === 0 ? [] : [[`Button${i + 1}`, `button_${i + 1}`]]))
      : []),
    ...(config.so['114'] === 1
      ? config.swc.flatMap((mode, i): [string, string][] => (mode < 0 ? [] : [[`Switch${i + 1}`, `switch_${i + 1}`]]))
      : []),
  ]
  for (const [source, key] of triggers)
    components.push({
      key,
      platform: 'event',
      fields: {
        ...availability,
        name: source,
        state_topic: result,
        value_template: guarded(source, `{"event_type":"{{ value_json.${source}.Action | lower }}"}`),
      },
    })

  return {
    device: {
      identifiers: [`mac:${mac}`],
      name: line(config.dn) ?? `Tasmota ${mac.slice(-6)}`,
      maker: 'Tasmota',
      via: `Tasmota ${line(config.sw, 60) ?? ''}`.trim(),
      ...(line(config.md) === undefined ? {} : { model: line(config.md) ?? '' }),
    },
    components: [...components, ...sensors(config, sensorBytes, availability)],
  }
}
