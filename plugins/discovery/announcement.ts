// An announcement of Home Assistant's MQTT discovery, device form or single form, read from bytes into plain fields.
// Source: Home Assistant's MQTT integration documentation, "MQTT Discovery".
import { z } from 'zod'
import { expanded } from './abbreviations.ts'

export type Fields = Readonly<Record<string, unknown>>

export interface AnnouncedComponent {
  /** What the announcer calls it within the device: a component's key, or the object id of its topic. */
  key: string
  platform: string
  fields: Fields
}

export interface AnnouncedDevice {
  /** What the announcer never changes, normalised; empty when it named none. */
  identifiers: readonly string[]
  name?: string
  maker?: string
  model?: string
  area?: string
  /** Who announces: `Zigbee2MQTT 1.42.0`. */
  via?: string
}

export interface Announcement {
  device: AnnouncedDevice
  components: readonly AnnouncedComponent[]
}

export interface Bounds {
  /** Bytes of one announcement. */
  bytes: number
  /** Components of one device. */
  components: number
}

export type RefusalType =
  | 'AnnouncementRefused'
  | 'AnnouncementTooLarge'
  | 'AnnouncementTooFast'
  | 'ForeignIdentity'
  | 'ForeignTopic'
  | 'TopicTaken'

/** Why an announcement is refused. */
export class Refused extends Error {
  readonly type: RefusalType
  constructor(message: string, type: RefusalType = 'AnnouncementRefused') {
    super(message)
    this.type = type
  }
}

const MAX_DEPTH = 10
const MAX_KEYS = 200
const MAX_STRING = 8000
const MAX_IDENTIFIERS = 16

/** Walks no deeper and no wider than the bounds. `__proto__` and the like are names nobody uses in good faith. */
const check = (value: unknown, depth = 0): void => {
  if (typeof value === 'string' && value.length > MAX_STRING)
    throw new Refused(`it holds a text of more than ${MAX_STRING} characters`, 'AnnouncementTooLarge')
  if (typeof value !== 'object' || value === null) return
  if (depth >= MAX_DEPTH) throw new Refused(`it nests deeper than ${MAX_DEPTH} levels`, 'AnnouncementTooLarge')
  for (const name of Object.keys(value))
    if (name === '__proto__' || name === 'constructor' || name === 'prototype')
      throw new Refused(`it holds the name '${name}'`)
  for (const inner of Object.values(value)) check(inner, depth + 1)
}

const Fields = z.record(z.string(), z.unknown())
const fieldsOf = (value: unknown): Record<string, unknown> | undefined => Fields.safeParse(value).data

/** Text as people may read it: one line, no control characters, bounded. What it says is never looked at. */
export const line = (value: unknown, most = 120): string | undefined => {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const text = String(value)
    .slice(0, 4 * most)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}\uFFFD]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  const cut = [...text]
    .slice(0, most)
    .join('')
    .slice(0, most)
    .toWellFormed()
    .replace(/\uFFFD/g, '')
    .trim()
  return cut === '' ? undefined : cut
}

const listed = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value])

/** The parts of a hardware address without what separates them, so that two ways of writing it are one. */
const plainAddress = (text: string): string => {
  const bare = text.toLowerCase().replace(/[:.\-\s]/g, '')
  return /^[0-9a-f]{12}$/.test(bare) ? bare : text
}

const identifiersOf = (device: Fields): string[] => {
  const named = listed(device['identifiers']).map((id) => line(id, 200))
  const connections = listed(device['connections'])
  // One pair may be given without the list around it.
  const pairs = typeof connections[0] === 'string' ? [connections] : connections
  const connected = pairs.map((pair) => {
    const [kind, address] = listed(pair)
    const [name, text] = [line(kind, 40), line(address, 150)]
    return name === undefined || text === undefined ? undefined : `${name}:${plainAddress(text)}`
  })
  const all = [...named, ...connected].filter((id) => id !== undefined)
  if (all.length > MAX_IDENTIFIERS)
    throw new Refused(`it names more than ${MAX_IDENTIFIERS} identifiers`, 'AnnouncementTooLarge')
  return [...new Set(all)]
}

const deviceOf = (payload: Fields): AnnouncedDevice => {
  const device = expanded.device(fieldsOf(payload['device']) ?? {})
  const origin = expanded.origin(fieldsOf(payload['origin']) ?? {})
  const texts = {
    name: line(device['name']),
    maker: line(device['manufacturer']),
    model: line(device['model']),
    area: line(device['suggested_area']),
    via: line([origin['name'], origin['sw_version']].filter((part) => typeof part === 'string').join(' ')),
  }
  const known = Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined))
  return { identifiers: identifiersOf(device), ...known }
}

/** Puts the base topic where `~` stands, at the start or at the end of a topic, and writes out what says when it is there. */
const rebased = (fields: Fields, base: unknown): Fields => {
  const topic = (value: unknown): unknown => {
    if (typeof base !== 'string' || base === '' || typeof value !== 'string') return value
    if (value.startsWith('~')) return base + value.slice(1)
    return value.endsWith('~') ? value.slice(0, -1) + base : value
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (name === 'topic' || name.endsWith('_topic')) return [name, topic(value)]
      if (name !== 'availability') return [name, value]
      return [
        name,
        listed(value).map((one) => {
          const entry = expanded.options(fieldsOf(one) ?? {})
          return { ...entry, topic: topic(entry['topic']) }
        }),
      ]
    }),
  )
}

/** What a device's components have in common when the device says it once. */
const SHARED = [
  'availability',
  'availability_mode',
  'availability_topic',
  'availability_template',
  'payload_available',
  'payload_not_available',
  'command_topic',
  'state_topic',
  'qos',
  'encoding',
] as const

const componentsOf = (payload: Fields, base: unknown, bounds: Bounds): AnnouncedComponent[] => {
  const given = fieldsOf(payload['components'])
  if (given === undefined) throw new Refused('it has no components')
  const names = Object.keys(given)
  if (names.length > bounds.components)
    throw new Refused(
      `it has ${names.length} components; at most ${bounds.components} are taken`,
      'AnnouncementTooLarge',
    )
  const shared = Object.fromEntries(
    SHARED.filter((name) => payload[name] !== undefined).map((name) => [name, payload[name]]),
  )
  return names.flatMap((key) => {
    const fields = expanded.options(fieldsOf(given[key]) ?? {})
    const { platform, ...own } = fields
    if (typeof platform !== 'string') throw new Refused(`its component '${line(key, 60) ?? ''}' has no platform`)
    // A component with nothing but its platform takes the component back.
    if (Object.keys(own).length === 0) return []
    return { key, platform: line(platform, 40) ?? '', fields: rebased({ ...shared, ...own }, fields['~'] ?? base) }
  })
}

/**
 * Reads the payload of a discovery topic. `single` is the component of a topic of the single form; without it the
 * payload is of the device form. Undefined for a record that says nothing (`migrate_discovery`). Throws Refused.
 */
export const readAnnouncement = (
  bytes: Buffer,
  single: { platform: string; key: string } | undefined,
  bounds: Bounds,
): Announcement | undefined => {
  if (bytes.length > bounds.bytes)
    throw new Refused(`it has ${bytes.length} bytes; at most ${bounds.bytes} are taken`, 'AnnouncementTooLarge')
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new Refused('it is no JSON')
  }
  check(parsed)
  const given = fieldsOf(parsed)
  if (given === undefined) throw new Refused('it is no JSON object')
  const payload = expanded.options(given)
  if (payload['migrate_discovery'] === true) return undefined
  const device = deviceOf(payload)
  const base = payload['~']
  if (single === undefined) {
    if (device.identifiers.length === 0) throw new Refused('its device names no identifiers and no connections')
    return { device, components: componentsOf(payload, base, bounds) }
  }
  if (Object.keys(payload).length > MAX_KEYS)
    throw new Refused(`it has more than ${MAX_KEYS} fields`, 'AnnouncementTooLarge')
  const { device: _, origin: __, '~': ___, ...fields } = payload
  return { device, components: [{ ...single, fields: rebased(fields, base) }] }
}
