// Home Assistant's registries of areas, devices and entities, and which entities are wanted here.
import type { Session } from './link.ts'
import type { Settings } from './settings.ts'
import { Area, DeviceEntry, EntityEntry, fitting } from './wire.ts'

export interface Registry {
  areas: ReadonlyMap<string, string>
  devices: ReadonlyMap<string, DeviceEntry>
  /** By entity id. */
  entities: ReadonlyMap<string, EntityEntry>
  /** Entries that were not believed. */
  bad: number
}

/** What the hub announced to Home Assistant begins so, whichever hub it was. */
export const OURS = 'millrace_'

/** Reads all three. Rejects as `ask` does. */
export const readRegistry = async (session: Session): Promise<Registry> => {
  const [areas, devices, entities] = await Promise.all([
    session.ask({ type: 'config/area_registry/list' }),
    session.ask({ type: 'config/device_registry/list' }),
    session.ask({ type: 'config/entity_registry/list' }),
  ])
  const readAreas = fitting(Area, areas)
  const readDevices = fitting(DeviceEntry, devices)
  const readEntities = fitting(EntityEntry, entities)
  return {
    areas: new Map(readAreas.items.map(({ area_id, name }) => [area_id, name])),
    devices: new Map(readDevices.items.map((device) => [device.id, device])),
    entities: new Map(readEntities.items.map((entity) => [entity.entity_id, entity])),
    bad: readAreas.bad + readDevices.bad + readEntities.bad,
  }
}

/** Events that say one of the registries is another now. */
export const REGISTRY_EVENTS: readonly string[] = [
  'area_registry_updated',
  'device_registry_updated',
  'entity_registry_updated',
]

/** The area of an entity: its own, else that of its device. */
export const areaOf = (
  id: string,
  { areas, devices, entities }: Registry,
): { id: string; name: string } | undefined => {
  const entry = entities.get(id)
  const area = entry?.area_id ?? devices.get(entry?.device_id ?? '')?.area_id
  if (area === null || area === undefined) return undefined
  return { id: area, name: areas.get(area) ?? area }
}

/** Integrations of Home Assistant whose devices speak MQTT. */
const OVER_MQTT: ReadonlySet<string> = new Set(['mqtt', 'tasmota'])

const isOurs = (device: DeviceEntry | undefined): boolean =>
  device?.identifiers.some((pair) => pair.some((part) => typeof part === 'string' && part.startsWith(OURS))) ?? false

const fitsPattern = (pattern: string, id: string): boolean => {
  const parts = pattern.split('*')
  const [first = '', ...rest] = parts
  if (rest.length === 0) return pattern === id
  if (!id.startsWith(first)) return false
  let at = first.length
  for (const [n, part] of rest.entries()) {
    const isLast = n === rest.length - 1
    if (isLast) return id.length - part.length >= at && id.endsWith(part)
    const found = id.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return true
}

type Filter = Settings['include']

const fits = (filter: Filter, id: string, registry: Registry): boolean => {
  if (filter.domains.includes(id.slice(0, id.indexOf('.')))) return true
  if (filter.entities.some((pattern) => fitsPattern(pattern, id))) return true
  const area = filter.areas.length === 0 ? undefined : areaOf(id, registry)
  return area !== undefined && (filter.areas.includes(area.id) || filter.areas.includes(area.name))
}

const isEmpty = ({ domains, areas, entities }: Filter): boolean => domains.length + areas.length + entities.length === 0

/** Whether an entity is mirrored. What the hub itself announced never is, by whatever name. */
export const wanted = (settings: Settings): ((id: string, registry: Registry) => boolean) => {
  const { include, exclude, mirrorMqtt, mirrorHidden } = settings
  return (id, registry) => {
    const entry = registry.entities.get(id)
    const device = registry.devices.get(entry?.device_id ?? '')
    // A device that is not listed yet may be one of ours; it is read again when Home Assistant tells of it.
    if (isOurs(device) || (typeof entry?.device_id === 'string' && device === undefined)) return false
    if (!mirrorMqtt && OVER_MQTT.has(entry?.platform ?? '')) return false
    if (typeof entry?.disabled_by === 'string' || typeof device?.disabled_by === 'string') return false
    if (!mirrorHidden && typeof entry?.hidden_by === 'string') return false
    if (!isEmpty(include) && !fits(include, id, registry)) return false
    return !fits(exclude, id, registry)
  }
}
