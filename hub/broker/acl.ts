// The access rules of a Mosquitto that carries the hub's messages: only the hub writes commands and results, each device only its own topics.
import { reservedRoots } from '../access/policy.ts'
import { contains, isTopic, overlaps } from '../bus/filters.ts'
import { isNativeCommand, nativeCommands } from '../topics/native.ts'
import type { TopicTable } from '../topics/table.ts'

export interface AclParts {
  /** The user name in BROKER_URL. */
  hubUser: string
  table: Pick<TopicTable, 'prefix' | 'rows' | 'filterOf'>
  credentials: readonly { username: string; device: string; topics: readonly string[] }[]
}

/** Owners of rows that a granted filter may write. */
const GRANTABLE = new Set(['requester', 'granted'])
/** What Zigbee2MQTT says. It hears its commands beside these in the same branch, and Mosquitto has no rule "all but those". */
const ZIGBEE_FACTS: readonly string[] = [
  'zigbee2mqtt/+',
  'zigbee2mqtt/+/availability',
  ...['state', 'info', 'devices', 'groups', 'event', 'logging', 'definitions', 'extensions', 'health'].map(
    (leaf) => `zigbee2mqtt/bridge/${leaf}`,
  ),
  'zigbee2mqtt/bridge/response/#',
]
/** A filter is a line of its own in the file: what would break it is left out. */
// eslint-disable-next-line no-control-regex
const UNFIT = /[\u0000-\u001f\u007f-\u009f]|^\s|\s$/

/**
 * An ACL file in Mosquitto's format (mosquitto.conf(5), acl_file). Everything it does not allow is denied there. Anonymous
 * clients get nothing.
 */
export const mosquittoAcl = ({ hubUser, table, credentials }: AclParts): string => {
  const { prefix } = table
  const lines = [
    '# Who may do what, made by Millrace from its device credentials: node hub/start.js acl > acl',
    '# Make it again when a credential is added, changed or revoked, then reload Mosquitto (SIGHUP).',
    '',
    '# The hub. Nobody else writes commands, results and the answers of flows.',
    `user ${hubUser}`,
    'topic readwrite #',
  ]
  for (const { username, device, topics } of credentials) {
    const own = `${prefix}/devices/${device}`
    lines.push('', `user ${username}`, `topic read ${own}/#`)
    for (const [key, { by }] of table.rows) {
      if (by === 'owner') lines.push(`topic write ${table.filterOf(key, { device })}`)
    }
    for (const filter of topics) lines.push(...granted(filter, topics, table))
  }
  return `${lines.join('\n')}\n`
}

/** Whether a filter reaches nothing but native commands. */
const isCommand = (filter: string): boolean => nativeCommands.some((command) => contains(command, filter))

/** What a granted filter comes to. Reading it is always part of it; writing commands never is. */
const granted = (filter: string, all: readonly string[], table: AclParts['table']): string[] => {
  if (UNFIT.test(filter)) return [`# left out, it does not fit into this file: ${JSON.stringify(filter)}`]
  const head = `${table.prefix}/`
  if (!overlaps(`${head}#`, filter)) {
    if (isCommand(filter) || (isTopic(filter) && isNativeCommand(filter))) return [`topic read ${filter}`]
    const commands = nativeCommands.filter((command) => overlaps(command, filter))
    if (filter === 'zigbee2mqtt/#') {
      const why = '# Devices whose name holds a slash are not written out: grant zigbee2mqtt/<group>/+ for them.'
      return [`topic read ${filter}`, why, ...ZIGBEE_FACTS.map((fact) => `topic write ${fact}`)]
    }
    // Mosquitto's deny takes reading away as well, and comes before every other rule of the user.
    const heard = all.find((other) => isCommand(other) && commands.some((command) => overlaps(command, other)))
    if (heard !== undefined) {
      return [
        `topic read ${filter}`,
        `# not written out: ${filter} reaches ${heard}, which is to be heard; grant what it says in narrower filters`,
      ]
    }
    return [...commands.map((command) => `topic deny ${command}`), `topic readwrite ${filter}`]
  }
  const lines = [`topic read ${filter}`]
  const rows = [...table.rows].flatMap(([key, row]) => {
    const address = table.filterOf(key)
    return overlaps(address, filter) ? [{ address, by: row.by }] : []
  })
  for (const { address, by } of rows) {
    if (!GRANTABLE.has(by)) continue
    if (contains(filter, address)) lines.push(`topic write ${address}`)
    else if (contains(address, filter)) lines.push(`topic write ${filter}`)
    else lines.push(`# not written out: where ${filter} and ${address} meet; grant the exact topic instead`)
  }
  const root = filter.startsWith(head) ? (filter.slice(head.length).split('/')[0] ?? '') : '+'
  const isFree = rows.length === 0 && root !== '+' && root !== '#' && !reservedRoots.includes(root)
  return isFree ? [`topic readwrite ${filter}`] : lines
}

/** What to do with the file, for the terminal. */
export const aclAdvice = (hubUser: string, users: readonly string[]): string =>
  [
    'In mosquitto.conf:',
    '',
    '  per_listener_settings false',
    '  allow_anonymous false',
    '  acl_file /etc/mosquitto/acl',
    '  password_file /etc/mosquitto/passwd',
    '  persistence true',
    '  max_queued_messages 100000',
    '  set_tcp_nodelay true',
    '',
    'The hub keeps passwords as hashes only, so set one for each user; the device gets the same:',
    '',
    `  mosquitto_passwd -c /etc/mosquitto/passwd ${hubUser}`,
    ...users.map((user) => `  mosquitto_passwd /etc/mosquitto/passwd ${user}`),
    '',
    'Then: systemctl reload mosquitto. More: docs/external-broker.md',
  ].join('\n')
