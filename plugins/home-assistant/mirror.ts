// How things of Home Assistant look here: one device for each of its devices, or for an entity that has none.
import type { AboutDevice } from '#hub/plugin'
import { areaOf, type Registry } from './registry.ts'
import type { Settings } from './settings.ts'
import type { EntityState, States } from './states.ts'
import { fieldsOf, isReached, type Value } from './values.ts'
import { SAFE, type Verb, verbsOf, weightOf } from './verbs.ts'

/** An entity within its device. */
export interface Member {
  id: string
  domain: string
  /** Its name in the state document and in payloads. */
  key: string
  /** Whether an intent without `entity` means it too: not so for settings and diagnostics. */
  isMain: boolean
}

/** A device of Home Assistant as it stands here. */
export interface Mirrored {
  /** What never changes at Home Assistant, for the id here. */
  key: string
  name: string
  kind: string
  area?: string
  maker?: string
  model?: string
  /** In a fixed order; the first gives the device its kind. */
  members: readonly Member[]
}

/** More entities of one device are left out. */
const MOST_MEMBERS = 100
const MOST_NAME = 120

/** One line of text, as it is: what it says is never an instruction to anything. */
const line = (text: string, most = MOST_NAME): string =>
  text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .trim()
    .slice(0, most)
    .toWellFormed()
    .replace(/\uFFFD$/u, '')

const slug = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')

const objectOf = (id: string): string => id.slice(id.indexOf('.') + 1)

const friendly = (entity: EntityState | undefined): string => {
  const name = entity?.attributes['friendly_name']
  return typeof name === 'string' ? line(name) : ''
}

const KINDS: Readonly<Record<string, string>> = {
  input_boolean: 'switch',
  input_number: 'number',
  input_select: 'select',
  input_button: 'button',
}

/** What all object ids begin with, up to a `_`: it says which device, and changes with none of its names. */
const commonOf = (objects: readonly string[]): string => {
  const [first = [], ...rest] = objects.map((object) => object.split('_'))
  let length = 0
  while (length < first.length && rest.every((parts) => parts[length] === first[length])) length++
  return first.slice(0, length).join('_')
}

/** Short keys: the object id without what all begin with; the domain where nothing is left or two are alike. */
const keyed = (ids: readonly string[], states: States): Map<string, string> => {
  const [only, second] = ids
  if (only !== undefined && second === undefined) {
    const what = states.get(only)?.attributes['device_class']
    return new Map([[only, (typeof what === 'string' && slug(what.slice(0, 60))) || 'value']])
  }
  const common = commonOf(ids.map(objectOf))
  const keys = new Map<string, string>()
  const taken = new Set<string>()
  for (const id of ids) {
    const object = objectOf(id)
    const domain = id.slice(0, id.indexOf('.'))
    const short = (common === '' ? object : object.slice(common.length + 1)) || domain
    const key = [short, `${domain}_${short}`, `${domain}_${object}`].find((wish) => !taken.has(wish)) ?? id
    taken.add(key)
    keys.set(id, key)
  }
  return keys
}

const drawn = (
  key: string,
  ids: readonly string[],
  registry: Registry,
  states: States,
  settings: Settings,
): Mirrored => {
  const entries = ids.map((id) => ({ id, domain: id.slice(0, id.indexOf('.')), entry: registry.entities.get(id) }))
  const isMain = (category: string | null | undefined): boolean => typeof category !== 'string'
  const ordered = entries
    .sort(
      (a, b) =>
        Number(isMain(b.entry?.entity_category)) - Number(isMain(a.entry?.entity_category)) ||
        weightOf(a.domain) - weightOf(b.domain) ||
        (a.id < b.id ? -1 : 1),
    )
    .slice(0, MOST_MEMBERS)
  const first = ordered[0]
  const device = registry.devices.get(first?.entry?.device_id ?? '')
  const name =
    line(device?.name_by_user ?? device?.name ?? first?.entry?.name ?? '') ||
    friendly(states.get(first?.id ?? '')) ||
    (first?.id ?? key)
  const keys = keyed(
    ordered.map(({ id }) => id),
    states,
  )
  const area =
    device === undefined ? areaOf(first?.id ?? '', registry)?.name : areaOfDevice(device.area_id, ids, registry)
  const kind = ids.map((id) => settings.kinds[id]).find((wish) => wish !== undefined)
  const maker = line(device?.manufacturer ?? '')
  const model = line(device?.model ?? '')
  const place = line(area ?? '')
  return {
    key,
    name,
    kind: kind ?? KINDS[first?.domain ?? ''] ?? first?.domain ?? 'sensor',
    ...(place === '' ? {} : { area: place }),
    ...(maker === '' ? {} : { maker }),
    ...(model === '' ? {} : { model }),
    members: ordered.map(({ id, domain, entry }) => ({
      id,
      domain,
      key: keys.get(id) ?? id,
      isMain: isMain(entry?.entity_category),
    })),
  }
}

/** Where a device stands: as it says itself, else where all of its entities are. */
const areaOfDevice = (
  area: string | null | undefined,
  ids: readonly string[],
  registry: Registry,
): string | undefined => {
  if (typeof area === 'string') return registry.areas.get(area) ?? area
  const places = new Set(ids.map((id) => areaOf(id, registry)?.name))
  return places.size === 1 ? [...places][0] : undefined
}

/** Everything wanted, by key. Entities without a state are left out: Home Assistant shows them nowhere either. */
export const mirrorOf = (
  registry: Registry,
  states: States,
  wants: (id: string, registry: Registry) => boolean,
  settings: Settings,
): Map<string, Mirrored> => {
  const groups = new Map<string, string[]>()
  for (const id of states.ids()) {
    if (!wants(id, registry)) continue
    const entry = registry.entities.get(id)
    const device = registry.devices.get(entry?.device_id ?? '')
    const key = device === undefined ? `entity:${entry?.id ?? id}` : `device:${device.id}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [id])
    else group.push(id)
  }
  return new Map([...groups].map(([key, ids]) => [key, drawn(key, ids, registry, states, settings)]))
}

/** Members an intent is for, with what each makes of it. */
export interface Target {
  member: Member
  entity: EntityState
  verb: Verb
}

/** Who of a device answers to an intent: the named one, else all that are not settings or diagnostics. */
export const targetsOf = (device: Mirrored, states: States, intent: string, key?: string): Target[] => {
  const all = device.members.flatMap((member) => {
    const entity = states.get(member.id)
    const verb = entity && verbsOf(entity).find((candidate) => candidate.intent === intent)
    return entity === undefined || verb === undefined ? [] : [{ member, entity, verb }]
  })
  if (key !== undefined) return all.filter(({ member }) => member.key === key)
  const main = all.filter(({ member }) => member.isMain)
  return main.length > 0 ? main : all
}

type Schema = Record<string, unknown>

const intentsOf = (device: Mirrored, states: States): AboutDevice['intents'] => {
  const byIntent = new Map<string, { key: string; isMain: boolean; verb: Verb }[]>()
  for (const { id, key, isMain } of device.members) {
    const entity = states.get(id)
    for (const verb of entity === undefined ? [] : verbsOf(entity)) {
      const list = byIntent.get(verb.intent) ?? []
      list.push({ key, isMain, verb })
      byIntent.set(verb.intent, list)
    }
  }
  const schemas = [...byIntent].map(([intent, list]): [string, Schema] => {
    const [first] = list
    if (first === undefined) return [intent, {}]
    const several = list.length > 1
    // What fits one of them; Home Assistant refuses what the one that is meant cannot do.
    const properties: Schema = {}
    for (const { verb } of list.toReversed()) Object.assign(properties, verb.fields)
    if (several) properties['entity'] = { type: 'string', enum: list.map(({ key }) => key) }
    // Values differ from one to the other, so that one has to be named; plain on and off are for all of them.
    const required = [...first.verb.required, ...(several && first.verb.required.length > 0 ? ['entity'] : [])]
    if (Object.keys(properties).length === 0) return [intent, {}]
    if (several && first.verb.required.length > 0)
      for (const name of first.verb.required) properties[name] = loose(properties[name])
    return [
      intent,
      { type: 'object', properties, additionalProperties: false, ...(required.length > 0 ? { required } : {}) },
    ]
  })
  return Object.fromEntries(schemas)
}

/** Without limits and choices: those of one entity are not those of the other. */
const loose = (schema: unknown): Schema => {
  const { type } = typeof schema === 'object' && schema !== null && 'type' in schema ? schema : { type: undefined }
  return type === undefined ? {} : { type }
}

/** The device's `about`. */
export const aboutOf = (device: Mirrored, states: States, settings: Settings): AboutDevice => {
  const intents = intentsOf(device, states)
  const wished = device.members.flatMap(({ id }) => settings.safe[id] ?? [])
  const safe = [...new Set([...SAFE, ...wished])].filter((intent) => intent in intents)
  const { name, kind, area, maker, model } = device
  return {
    name,
    kind,
    ...(area === undefined ? {} : { area }),
    ...(maker === undefined ? {} : { maker }),
    ...(model === undefined ? {} : { model }),
    via: 'Home Assistant',
    intents,
    ...(safe.length > 0 ? { safe } : {}),
  }
}

/**
 * The device's state document. The entity that gives it its kind has its fields at the top (`on`, `level`, `position`); every
 * other one has its value under its key and further fields as `<key>_<field>`. Where several are of one kind, `on` says whether any is.
 */
export const stateOf = (device: Mirrored, states: States): Record<string, Value> => {
  const document: Record<string, Value> = {}
  const [first] = device.members
  const alike = device.members.filter(({ domain, isMain }) => isMain && domain === first?.domain)
  const isRich = first !== undefined && weightOf(first.domain) < weightOf('scene')
  for (const member of device.members) {
    const entity = states.get(member.id)
    if (entity === undefined) continue
    const atTop = isRich && member === first && alike.length === 1
    for (const [name, value] of Object.entries(fieldsOf(entity))) {
      const own = name === '' ? member.key : `${member.key}_${name}`
      const field = atTop ? (name === '' ? 'state' : name) : own in document ? `${member.domain}_${own}` : own
      document[field] = value
    }
  }
  const ons =
    alike.length > 1 && isRich
      ? alike.map(({ id }) => states.get(id)).flatMap((one) => (one ? [fieldsOf(one)['on']] : []))
      : []
  if (ons.some((on) => typeof on === 'boolean')) document['on'] = ons.includes(true)
  return document
}

/** Whether Home Assistant reaches any of it. */
export const onlineOf = (device: Mirrored, states: States): boolean =>
  device.members.some(({ id }) => {
    const entity = states.get(id)
    return entity !== undefined && isReached(entity)
  })
