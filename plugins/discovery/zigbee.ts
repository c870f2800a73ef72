// What a Zigbee2MQTT bridge says of its network: devices that join, leave and are renamed, as events of the bridge. Its devices themselves come through discovery.
// Source: Zigbee2MQTT documentation, "MQTT topics and messages": zigbee2mqtt/bridge/event and zigbee2mqtt/bridge/response/device/rename.
import { z } from 'zod'
import { line } from './announcement.ts'
import type { Entity } from './mirror.ts'

const Event = z.looseObject({
  type: z.enum(['device_joined', 'device_leave', 'device_announce', 'device_interview']),
  data: z.looseObject({
    friendly_name: z.unknown().optional(),
    ieee_address: z.unknown().optional(),
    status: z.unknown().optional(),
  }),
})
const Renamed = z.looseObject({
  status: z.literal('ok'),
  data: z.looseObject({ from: z.string(), to: z.string() }),
})

/** The event a bridge message stands for; undefined for one that is none. */
const bridgeEvent = (
  leaf: 'event' | 'renamed',
  body: unknown,
): ({ type: string } & Record<string, unknown>) | undefined => {
  if (leaf === 'renamed') {
    const read = Renamed.safeParse(body)
    if (!read.success) return undefined
    return { type: 'device_renamed', from: line(read.data.data.from) ?? '', to: line(read.data.data.to) ?? '' }
  }
  const read = Event.safeParse(body)
  if (!read.success || read.data.type === 'device_announce') return undefined
  const { friendly_name: name, ieee_address: address, status } = read.data.data
  const told = { name: line(name), address: line(address, 40), status: line(status, 40) }
  return {
    type: read.data.type === 'device_leave' ? 'device_left' : read.data.type,
    ...Object.fromEntries(Object.entries(told).filter(([, text]) => text !== undefined)),
  }
}

/** A device that tells of a bridge's own state is the bridge: what happens in its network are events of it. */
export const networks = (entities: readonly Entity[], may: (topic: string) => boolean): Entity[] => {
  const bases = entities.flatMap(({ component }) =>
    component.readings.flatMap(({ topic }) => /^(.+)\/bridge\/(?:state|info)$/.exec(topic)?.[1] ?? []),
  )
  const [base] = bases
  if (base === undefined || entities.some(({ key }) => key === 'network')) return []
  const told = [
    [`${base}/bridge/event`, 'event'],
    [`${base}/bridge/response/device/rename`, 'renamed'],
  ] as const
  const readings = told
    .filter(([topic]) => may(topic))
    .map(([topic, leaf]) => ({
      topic,
      take: ({ json }: { json: unknown }) => {
        const event = bridgeEvent(leaf, json)
        return event === undefined ? undefined : { event }
      },
    }))
  const detail = { types: ['device_joined', 'device_left', 'device_interview', 'device_renamed'] }
  const component = { platform: 'event', readings, actions: [], commands: [], detail }
  return readings.length === 0 ? [] : [{ key: 'network', name: 'Network', component, fields: {} }]
}
