// How a device of the hub looks to Home Assistant: MQTT discovery records, made from its intents and its state alone.
// Source: home-assistant.io/integrations/mqtt, tested with 2024.3.3. No name and no value ever becomes part of a template.
import type { Device } from '#hub/plugin'
import { OURS } from './registry.ts'

export type Form = 'single' | 'device'

export interface Place {
  /** Tells this hub from another one in the same building. */
  hub: string
  /** Topic prefix of the hub without the slash at its end. */
  prefix: string
  /** First level of discovery topics. */
  discovery: string
}

type Json = Record<string, unknown>
/** `platform` of Home Assistant, a key within the device, and the options of that platform. */
interface Component {
  platform: string
  key: string
  options: Json
}

/** A field of a state document keeps its kind while the device is there, so that an unknown value changes no record. */
export type Kinds = Map<string, Kind>
export type Kind = 'number' | 'boolean' | 'string'

const MOST_COMPONENTS = 60
/** Only such names stand in templates. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_]{0,62}$/
const MOST_OPTIONS = 100

/** Learns the kinds of a state's fields; what is deep, oddly named or null is passed by. */
export const learn = (kinds: Kinds, state: Device['state']): void => {
  for (const [name, value] of Object.entries(state)) {
    if (kinds.size >= MOST_COMPONENTS) return
    if (!PLAIN.test(name)) continue
    if (typeof value === 'number') kinds.set(name, 'number')
    else if (typeof value === 'boolean') kinds.set(name, 'boolean')
    else if (typeof value === 'string') kinds.set(name, 'string')
  }
}

const UNITS: Readonly<Record<string, readonly [unit: string, deviceClass?: string]>> = {
  celsius: ['°C', 'temperature'],
  temperature: ['°C', 'temperature'],
  humidity: ['%', 'humidity'],
  watts: ['W', 'power'],
  volts: ['V', 'voltage'],
  amps: ['A', 'current'],
  battery: ['%', 'battery'],
  level: ['%'],
  percent: ['%'],
  rpm: ['rpm'],
  bar: ['bar', 'pressure'],
  rssi: ['dBm', 'signal_strength'],
}

const spoken = (name: string): string => {
  const words = name.replace(/^[a-z0-9]+\./, '').replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const value = (field: string): string => `value_json.get('${field}')`
const jsonOf = (intent: string): string => JSON.stringify({ intent })
/** A request whose payload Home Assistant renders. Its id makes a repeated delivery the same request. */
const asking = (intent: string, payload: string): string =>
  `{"id":"ha-{{ now().timestamp() }}-{{ range(100000) | random }}","intent":"${intent}","payload":{${payload}}}`

interface Shape {
  required: readonly string[]
  properties: Readonly<Record<string, Json>>
}

const isJson = (candidate: unknown): candidate is Json =>
  typeof candidate === 'object' && candidate !== null && !Array.isArray(candidate)

const shapeOf = (schema: Json): Shape => {
  const { required, properties } = schema
  return {
    required: Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [],
    properties: isJson(properties)
      ? Object.fromEntries(Object.entries(properties).filter((e): e is [string, Json] => isJson(e[1])))
      : {},
  }
}

/** Collects components and what they have used up. */
const builder = (device: Device, kinds: Kinds, topics: { state: string; request: string }) => {
  const components: Component[] = []
  const usedIntents = new Set<string>()
  const usedFields = new Set<string>()
  const has = (intent: string): boolean =>
    Object.hasOwn(device.intents, intent) && shapeOf(device.intents[intent] ?? {}).required.length === 0
  const add = (platform: string, key: string, options: Json): void => {
    components.push({ platform, key, options })
  }
  return { device, kinds, topics, components, usedIntents, usedFields, has, add }
}
type Builder = ReturnType<typeof builder>

const use = (set: Set<string>, ...names: string[]): void => names.forEach((name) => void set.add(name))

const switched = ({ device, kinds, topics, usedIntents, usedFields, has, add }: Builder): void => {
  for (const intent of Object.keys(device.intents)) {
    const [verb = ''] = /^[a-z0-9_]+(?=\.turn_on$)/.exec(intent) ?? []
    const off = `${verb}.turn_off`
    if (verb === '' || !has(intent) || !has(off)) continue
    use(usedIntents, intent, off)
    const known = kinds.get('on') === 'boolean'
    if (known) use(usedFields, 'on')
    if (verb === 'light') {
      const dims = kinds.get('level') === 'number' && 'level' in shapeOf(device.intents[intent] ?? {}).properties
      if (dims) use(usedFields, 'level')
      add('light', `i_${verb}`, {
        name: null,
        schema: 'template',
        command_topic: topics.request,
        command_on_template: `{"intent":"light.turn_on"${dims ? `{% if brightness is defined %},"payload":{"level":{{ [1, (brightness / 2.55) | round | int] | max }}}{% endif %}` : ''}}`,
        command_off_template: jsonOf(off),
        ...(known ? { state_topic: topics.state, state_template: `{{ 'on' if ${value('on')} else 'off' }}` } : {}),
        ...(dims ? { brightness_template: `{{ ((${value('level')} or 0) * 2.55) | round | int }}` } : {}),
      })
      continue
    }
    add('switch', `i_${verb}`, {
      name: verb === 'switch' ? null : spoken(verb),
      command_topic: topics.request,
      payload_on: jsonOf(intent),
      payload_off: jsonOf(off),
      state_on: 'ON',
      state_off: 'OFF',
      ...(known ? { state_topic: topics.state, value_template: `{{ 'ON' if ${value('on')} else 'OFF' }}` } : {}),
    })
  }
}

const locks = ({ kinds, topics, usedIntents, usedFields, has, add }: Builder): void => {
  if (!has('lock.lock') || !has('lock.unlock')) return
  use(usedIntents, 'lock.lock', 'lock.unlock')
  const known = kinds.get('locked') === 'boolean'
  if (known) use(usedFields, 'locked')
  add('lock', 'i_lock', {
    name: null,
    command_topic: topics.request,
    payload_lock: jsonOf('lock.lock'),
    payload_unlock: jsonOf('lock.unlock'),
    ...(known
      ? { state_topic: topics.state, value_template: `{{ 'LOCKED' if ${value('locked')} else 'UNLOCKED' }}` }
      : {}),
  })
}

const covers = ({ kinds, topics, usedIntents, usedFields, has, add }: Builder): void => {
  if (!has('cover.open') || !has('cover.close')) return
  use(usedIntents, 'cover.open', 'cover.close')
  if (has('cover.stop')) use(usedIntents, 'cover.stop')
  const positioned = kinds.get('position') === 'number'
  const told = kinds.get('state') === 'string'
  if (positioned) use(usedFields, 'position')
  if (told) use(usedFields, 'state')
  add('cover', 'i_cover', {
    name: null,
    command_topic: topics.request,
    payload_open: jsonOf('cover.open'),
    payload_close: jsonOf('cover.close'),
    payload_stop: has('cover.stop') ? jsonOf('cover.stop') : null,
    ...(told ? { state_topic: topics.state, value_template: `{{ ${value('state')} }}` } : {}),
    ...(positioned ? { position_topic: topics.state, position_template: `{{ ${value('position')} }}` } : {}),
  })
}

/** Intents with one number or one choice to give. */
const settings = ({ device, kinds, topics, usedIntents, usedFields, add }: Builder): void => {
  for (const [intent, schema] of Object.entries(device.intents)) {
    if (usedIntents.has(intent)) continue
    const { required, properties } = shapeOf(schema)
    const [field = ''] = required
    const { type, minimum, maximum, unit, enum: choices } = properties[field] ?? {}
    if (required.length !== 1 || !PLAIN.test(field)) continue
    const shown = ['target', field].find((name) => kinds.has(name) && !usedFields.has(name))
    const state = shown === undefined ? {} : { state_topic: topics.state, value_template: `{{ ${value(shown)} }}` }
    const key = `i_${intent.replace('.', '_')}`
    if (type === 'number' || type === 'integer') {
      use(usedIntents, intent)
      add('number', key, {
        name: spoken(intent),
        command_topic: topics.request,
        command_template: asking(intent, `"${field}":{{ value }}`),
        min: typeof minimum === 'number' ? minimum : 0,
        max: typeof maximum === 'number' ? maximum : 1_000_000,
        step: type === 'integer' ? 1 : 0.1,
        mode: 'box',
        ...(typeof unit === 'string' && unit.length <= 16 ? { unit_of_measurement: unit } : {}),
        ...(shown !== undefined && kinds.get(shown) === 'number' ? state : {}),
      })
    } else if (Array.isArray(choices) && choices.length > 0 && choices.every((choice) => typeof choice === 'string')) {
      use(usedIntents, intent)
      add('select', key, {
        name: spoken(intent),
        command_topic: topics.request,
        command_template: asking(intent, `"${field}":{{ value | tojson }}`),
        options: choices.slice(0, MOST_OPTIONS),
        ...(shown !== undefined && kinds.get(shown) === 'string' ? state : {}),
      })
    }
  }
}

const buttons = ({ device, topics, usedIntents, has, add }: Builder): void => {
  for (const intent of Object.keys(device.intents)) {
    if (usedIntents.has(intent) || !has(intent)) continue
    add('button', `i_${intent.replace('.', '_')}`, {
      name: spoken(intent),
      command_topic: topics.request,
      command_template: `{"id":"ha-{{ now().timestamp() }}-{{ range(100000) | random }}","intent":"${intent}"}`,
    })
  }
}

const readings = ({ kinds, topics, usedFields, add }: Builder): void => {
  for (const [field, kind] of kinds) {
    if (usedFields.has(field)) continue
    const common = { name: spoken(field), state_topic: topics.state }
    if (kind === 'boolean') {
      const template = `{{ 'None' if ${value(field)} is none else 'ON' if ${value(field)} else 'OFF' }}`
      add('binary_sensor', `f_${field}`, { ...common, value_template: template })
      continue
    }
    const [unit, deviceClass] = (kind === 'number' ? UNITS[field] : undefined) ?? []
    add('sensor', `f_${field}`, {
      ...common,
      value_template: `{{ ${value(field)} }}`,
      ...(kind === 'number' ? { state_class: 'measurement' } : {}),
      ...(unit === undefined ? {} : { unit_of_measurement: unit }),
      ...(deviceClass === undefined ? {} : { device_class: deviceClass }),
    })
  }
}

const componentsOf = (device: Device, kinds: Kinds, { prefix }: Place): Component[] => {
  const topics = { state: `${prefix}/devices/${device.id}/state`, request: `${prefix}/devices/${device.id}/request` }
  const build = builder(device, kinds, topics)
  for (const part of [switched, locks, covers, settings, buttons, readings]) part(build)
  return build.components.slice(0, MOST_COMPONENTS)
}

/** What stands in the topics of this hub's records. */
export const nodeOf = ({ hub }: Pick<Place, 'hub'>, device: string): string => `${OURS}${hub}_${device}`

/** Discovery records by topic; none for a device that tells nothing and does nothing. */
export const recordsOf = (device: Device, kinds: Kinds, form: Form, place: Place): Map<string, string> => {
  const components = componentsOf(device, kinds, place)
  if (components.length === 0) return new Map()
  const node = nodeOf(place, device.id)
  const { name, maker, model, area } = device
  const shared = {
    device: {
      identifiers: [node],
      name,
      ...(maker === undefined ? {} : { manufacturer: maker }),
      ...(model === undefined ? {} : { model }),
      ...(area === undefined ? {} : { suggested_area: area }),
    },
    origin: { name: 'Millrace' },
  }
  const whole = ({ platform, key, options }: Component): Json => ({
    unique_id: `${node}_${key}`,
    // The first is known until 2026.3, the second since 2025.10; what is not known is ignored.
    object_id: `${device.id}_${key.slice(2)}`,
    default_entity_id: `${platform}.${device.id}_${key.slice(2)}`,
    qos: 1,
    availability_topic: `${place.prefix}/devices/${device.id}/online`,
    payload_available: 'true',
    payload_not_available: 'false',
    ...options,
  })
  if (form === 'device') {
    const list = components.map((component) => [component.key, { platform: component.platform, ...whole(component) }])
    const record = { ...shared, components: Object.fromEntries(list) as Json }
    return new Map([[`${place.discovery}/device/${node}/config`, JSON.stringify(record)]])
  }
  return new Map(
    components.map((component) => [
      `${place.discovery}/${component.platform}/${node}/${component.key}/config`,
      JSON.stringify({ ...whole(component), ...shared }),
    ]),
  )
}

/** The form all these versions understand: the device form is known since 2024.11. Without any it is the one that all know. */
export const formFor = (versions: readonly string[]): Form =>
  versions.length > 0 && versions.every(knowsDeviceForm) ? 'device' : 'single'

const knowsDeviceForm = (version: string): boolean => {
  const [, year = '0', month = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? []
  return Number(year) * 100 + Number(month) >= 202_411
}
