// What devices can be asked, and what people call it: the catalogue of usual intents, and any other intent by its own words.
import type { Device } from '#hub/plugin'
import { fieldsOf, type Json } from './fields.ts'
import type { Family } from './verb-patterns.ts'

/** An entry of the catalogue: what it is in Home Assistant, who may ask, and how dangerous it usually is. The gate's policy decides. */
export interface CatalogueEntry {
  intent: string
  homeAssistant: { domain: string; service: string }
  /** JSON Schema of the payload at least; a device may declare more. */
  payload: Record<string, unknown>
  roles: readonly string[]
  hazard: 'none' | 'low' | 'medium' | 'high'
}

const everyone = ['operator', 'engineer', 'safety', 'admin'] as const
const entry = (
  intent: string,
  domain: string,
  service: string,
  hazard: CatalogueEntry['hazard'] = 'low',
  payload: Record<string, unknown> = {},
): CatalogueEntry => ({ intent, homeAssistant: { domain, service }, payload, roles: everyone, hazard })
const LEVEL = { type: 'object', properties: { level: { type: 'number', minimum: 0, maximum: 100 } } }

export const catalogue: readonly CatalogueEntry[] = [
  entry('light.turn_on', 'light', 'turn_on', 'low', LEVEL),
  entry('light.turn_off', 'light', 'turn_off'),
  entry('scene.activate', 'scene', 'turn_on'),
  entry('lock.lock', 'lock', 'lock'),
  entry('lock.unlock', 'lock', 'unlock', 'high'),
  entry('power.enable', 'switch', 'turn_on', 'high'),
  entry('power.disable', 'switch', 'turn_off'),
  entry('switch.turn_on', 'switch', 'turn_on'),
  entry('switch.turn_off', 'switch', 'turn_off'),
  entry('camera.show', 'camera', 'play_stream', 'none'),
  entry('camera.record', 'camera', 'record'),
  entry('printer.start', 'button', 'press'),
  entry('printer.pause', 'button', 'press'),
  entry('printer.resume', 'button', 'press'),
  entry('printer.cancel', 'button', 'press'),
  entry('printer.status', 'sensor', 'update', 'none'),
]

const KINDS_OF_VERB: readonly (readonly [RegExp, Family])[] = [
  [/^(turn_on|on|power_on|switch_on|enable|power_enable|activate)$/, 'on'],
  [/^(turn_off|off|power_off|switch_off|disable|power_disable|deactivate)$/, 'off'],
  [/^toggle$/, 'toggle'],
  [/^(start|begin|run|launch|start_job|start_print|clean)$/, 'start'],
  [/^(stop|halt|emergency_stop)$/, 'stop'],
  [/^(pause|hold)$/, 'pause'],
  [/^(resume|continue)$/, 'resume'],
  [/^(cancel|abort)$/, 'cancel'],
  [/^(open|open_cover|open_valve|raise)$/, 'open'],
  [/^(close|close_cover|close_valve|lower|shut)$/, 'close'],
  [/^(lock)$/, 'lock'],
  [/^(unlock|unlatch)$/, 'unlock'],
  [/^(up)$/, 'up'],
  [/^(down)$/, 'down'],
  [/^(show|view|stream)$/, 'show'],
  [/^(record)$/, 'record'],
  [/^(press|push)$/, 'press'],
  [/^(play|media_play)$/, 'play'],
  [/^(preheat|heat|heat_up|warm_up)$/, 'preheat'],
  [/^(status|get_status|refresh)$/, 'status'],
  [/^set(_\w+)?$/, 'set'],
]

/** `light.turn_on` → `turn_on`. */
export const verbOf = (intent: string): string => intent.slice(intent.indexOf('.') + 1)

/** The family an intent belongs to, by its verb; undefined for one that only its own words name. */
export const familyOf = (intent: string): Family | undefined =>
  intent === 'scene.activate' ? 'on' : KINDS_OF_VERB.find(([verb]) => verb.test(verbOf(intent)))?.[1]

/** What else may be meant, the nearest first, where a device has not the very thing. */
const INSTEAD: Readonly<Record<Family, readonly Family[]>> = {
  on: ['on', 'start', 'open', 'play', 'show'],
  off: ['off', 'stop', 'close'],
  toggle: ['toggle'],
  start: ['start', 'on'],
  stop: ['stop', 'off', 'pause', 'cancel'],
  pause: ['pause'],
  resume: ['resume', 'play'],
  cancel: ['cancel', 'stop'],
  open: ['open', 'up', 'unlock'],
  close: ['close', 'down', 'lock'],
  lock: ['lock'],
  unlock: ['unlock'],
  set: ['set', 'on'],
  more: ['set', 'on'],
  less: ['set', 'on'],
  up: ['up', 'open'],
  down: ['down', 'close'],
  show: ['show'],
  record: ['record'],
  press: ['press'],
  play: ['play', 'resume'],
  preheat: ['preheat'],
  status: ['status'],
}

/** Verbs that may mean another thing of another device: blinds go up, a machine is booted up, a temperature is raised. */
const OTHERWISE: Partial<Readonly<Record<Family, readonly Family[]>>> = {
  up: ['more', 'start'],
  down: ['less', 'off'],
  more: ['up'],
  less: ['down'],
  preheat: ['more', 'start', 'on'],
  play: ['on'],
  close: ['off'],
  lock: ['off'],
  unlock: ['on'],
}

/** The family a verb has for these devices: its own where one of them can do that, else what it may mean otherwise. */
export const meantFor = (
  devices: readonly Device[],
  family: Family,
  can: (device: Device, family: Family) => boolean,
): Family => {
  const able = (one: Family): boolean => devices.some((device) => can(device, one))
  // Who locks a machine takes its power; who locks a gate does not mean that it stops.
  const has = (one: Family): boolean =>
    devices.some(({ intents }) => Object.keys(intents).some((intent) => familyOf(intent) === one))
  const isLocking = family === 'lock' || family === 'unlock'
  return able(family) ? family : (OTHERWISE[family]?.find((one) => able(one) && (!isLocking || has(one))) ?? family)
}

/** The intents of a device that a family may mean, the nearest kind first. */
export const intentsFor = (device: Pick<Device, 'intents'>, family: Family): string[] => {
  for (const instead of INSTEAD[family]) {
    const fitting = Object.keys(device.intents).filter((intent) => familyOf(intent) === instead)
    if (fitting.length > 0) return fitting
  }
  return Object.keys(device.intents).filter((intent) => switchOf(device.intents[intent] ?? {}, family) !== undefined)
}

const SWITCHED: Partial<Readonly<Record<Family, readonly string[]>>> = { on: ['on', 'heat', 'auto'], off: ['off'] }

/** What switches on or off a thing that only has modes: the field of an intent and its option. */
export const switchOf = (schema: Json, family: Family): { field: string; option: string } | undefined => {
  for (const { name, schema: field } of fieldsOf(schema)) {
    const among: unknown = field['enum']
    const option = Array.isArray(among) ? SWITCHED[family]?.find((one) => among.includes(one)) : undefined
    if (option !== undefined && Array.isArray(among) && among.includes('off')) return { field: name, option }
  }
  return undefined
}

const CALM =
  /(^|_)(light|lamp|scene|switch|plug|outlet|fan|cover|blind|shutter|media|speaker|tv|camera|climate|thermostat|vacuum|number|select|button)(_|$)/
const MOVES: readonly (Family | undefined)[] = [
  'on',
  'start',
  'open',
  'unlock',
  'up',
  'toggle',
  'press',
  'play',
  'preheat',
  undefined,
]

/** Whether an intent may set something in motion that could hurt: then nothing about its device is guessed. */
export const isGrave = (device: Pick<Device, 'kind' | 'safe'>, intent: string): boolean => {
  if (device.safe.includes(intent)) return false
  const family = familyOf(intent)
  if (family === 'unlock') return true
  if (/(override|bypass|power\.enable)/.test(intent)) return true
  return !CALM.test(device.kind.toLowerCase()) && MOVES.includes(family)
}
