// The one policy table: who may do what, for routes, tools and topics. Everything not listed is denied.
import type { Principal, Role } from '../bus/principal.ts'

const everyone: readonly Role[] = ['operator', 'engineer', 'safety', 'admin']
const builders: readonly Role[] = ['engineer', 'admin']
const keepers: readonly Role[] = ['engineer', 'safety', 'admin']

/** Rights of people, by role. Routes and tools name one of these; API keys hold a subset as scopes. */
export const rights = {
  'devices.read': everyone,
  'devices.request': everyone,
  'devices.manage': builders,
  'safety.stop': everyone,
  'hazards.approve': keepers,
  'flows.read': everyone,
  'flows.manage': builders,
  'journal.read': keepers,
  'audit.read': keepers,
  'errors.read': everyone,
  'health.read': everyone,
  'metrics.read': keepers,
  'broker.read': keepers,
  'keys.own': everyone,
  'self.read': everyone,
  'self.manage': everyone,
  'people.manage': ['admin'],
  'settings.manage': ['admin'],
} as const satisfies Record<string, readonly Role[]>

export type Right = keyof typeof rights

const isRight = (name: string): name is Right => Object.hasOwn(rights, name)

/** All rights, in the order of the table. */
export const RIGHTS: readonly Right[] = Object.keys(rights).filter(isRight)

/** What a person's role may read over MQTT, as filters after the prefix. Containment decides: `#` and `$SYS/#` are in nobody's list. */
export const readableTopics: Record<Role, readonly string[]> = {
  operator: [
    'devices/#',
    'ctx/#',
    'safety/#',
    'approvals/#',
    'errors/#',
    'jobs/#',
    'agents/#',
    'hub/#',
    'notify/#',
    'network/#',
    'demo/#',
  ],
  engineer: ['#'],
  safety: ['#'],
  admin: ['#'],
}

/** What an API key with scopes may read over MQTT, with the scope it takes: never more than its owner's role, and nothing that is not here. */
export const scopedTopics: readonly { filter: string; right: Right }[] = [
  ...['devices/#', 'ctx/#', 'safety/#', 'approvals/#', 'jobs/#', 'agents/#', 'demo/#'].map((filter) => ({
    filter,
    right: 'devices.read' as const,
  })),
  { filter: 'errors/#', right: 'errors.read' },
  { filter: 'hub/health', right: 'health.read' },
  { filter: 'hub/flows', right: 'flows.read' },
  { filter: '#', right: 'journal.read' },
]

/** What any person may publish over MQTT, as filters after the prefix, with the right it takes. `cmd`, `result` and native command topics are in nobody's list. */
export const writableTopics: readonly { filter: string; right: Right }[] = [
  { filter: 'devices/+/request', right: 'devices.request' },
  { filter: 'safety/stop', right: 'safety.stop' },
]

/** What a device may publish under its own `devices/<id>/`. It may read all of it. */
export const deviceTopics = { publish: ['about', 'state', 'online', 'telemetry', 'event', 'ack'] } as const

/** First levels after the prefix where a topic without a row belongs to the hub: a granted filter does not reach them. */
export const reservedRoots: readonly string[] = [
  'devices',
  'safety',
  'approvals',
  'errors',
  'hub',
  'ctx',
  'jobs',
  'agents',
]

/** Whether a principal has a right: its roles give it, and its scopes, if it has any, do not leave it out. */
export const may = (who: Principal, right: Right): boolean =>
  who.roles.some((role) => (rights[right] as readonly Role[]).includes(role)) &&
  (who.scopes === undefined || who.scopes.includes(right))

/** Everything a principal may, by its roles and within its scopes. */
export const rightsOf = (who: Principal): Right[] => RIGHTS.filter((right) => may(who, right))
