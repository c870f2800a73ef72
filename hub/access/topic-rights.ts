// Who may publish, subscribe to and read which topic: the policy table applied to MQTT, by containment.
import { type Verdict, YES, no } from '../broker/broker.ts'
import { originOf, type Principal, ROLES } from '../bus/principal.ts'
import { nativeCommands as commandFilters, nativeRoots, nativeVerbs } from '../topics/native.ts'
import type { PluginTopics } from '../plugins/rights.ts'
import type { TopicTable } from '../topics/table.ts'
import { contains, isFilter, isTopic, matcher, overlaps } from '../bus/filters.ts'
import { deviceTopics, may, readableTopics, reservedRoots, scopedTopics, writableTopics } from './policy.ts'

export interface TopicParts {
  /** Core topics and those of the plugins. */
  table: Pick<TopicTable, 'prefix' | 'match'>
  /** The origin that owns a device, once it is fixed. */
  ownerOf: (device: string) => string | undefined
  /** What a plugin declared, as full MQTT filters. */
  pluginTopics: (id: string) => PluginTopics
  /** Whether a full topic makes something happen in another convention (`zigbee2mqtt/lamp/set`). */
  nativeCommands: (topic: string) => boolean
  /** What was granted so far; without it nothing was. */
  granted?: () => Iterable<{ device: string; topics: readonly string[] }>
}

export interface TopicRights {
  mayPublish(who: Principal, topic: string): Verdict
  maySubscribe(who: Principal, filter: string): Verdict
  mayRead(who: Principal, topic: string): boolean
  mayRequest(who: Principal, device: string, intent: string): Verdict
  /** What is wrong with a filter somebody wants to grant to a device; undefined when nothing is. */
  grantProblem(device: string, filter: string): string | undefined
}

interface Rule {
  filter: string
  matches: (topic: string) => boolean
}

const MAX_GRANT = 256
const REMEMBERED = 2000

/** Levels that say what is meant, or of which convention: they name no device. */
const NAMELESS = new Set([...nativeVerbs, ...nativeRoots, ''])
/** Group topics that every Tasmota hears unless it is told otherwise. */
const GROUPS = new Set(['tasmotas', 'sonoffs'])

/** Whether a filter of commands is for one device: a fixed level names it, and no wildcard stands but at the end. */
const isForOne = (filter: string): boolean => {
  const levels = filter.split('/')
  const fixed = levels.at(-1) === '#' || levels.at(-1) === '+' ? levels.slice(0, -1) : levels
  return (
    !fixed.includes('+') && !fixed.some((level) => GROUPS.has(level)) && fixed.some((level) => !NAMELESS.has(level))
  )
}

const lists = (topic: string): Verdict => no(`nothing gives the right to ${topic}`)

export const openTopicRights = ({
  table,
  ownerOf,
  pluginTopics,
  nativeCommands,
  granted = () => [],
}: TopicParts): TopicRights => {
  const full = (rest: string) => `${table.prefix}/${rest}`
  const rules = new Map<string, Rule>()
  /** Filters are split once; the granted ones are many, so the memory is bounded. */
  const rule = (filter: string): Rule => {
    const known = rules.get(filter)
    if (known !== undefined) return known
    if (rules.size >= REMEMBERED) rules.clear()
    const made = { filter, matches: matcher(filter) }
    rules.set(filter, made)
    return made
  }

  const readable = Object.fromEntries(ROLES.map((role) => [role, readableTopics[role].map(full)]))
  const scoped = scopedTopics.map(({ filter, right }) => ({ filter: full(filter), right }))
  const writable = writableTopics.map(({ filter, right }) => ({ ...rule(full(filter)), right }))
  const own = (device: string) => full(`devices/${device}/`)
  const commands = [full('devices/+/cmd'), full('devices/+/result')]

  /** What a principal may read, as lists of filters: one of each list has to contain or match. */
  const listsOf = (who: Principal): readonly (readonly string[])[] => {
    switch (who.kind) {
      case 'person': {
        const byRole = who.roles.flatMap((role) => readable[role] ?? [])
        if (who.scopes === undefined) return [byRole]
        return [byRole, scoped.filter(({ right }) => may(who, right)).map(({ filter }) => filter)]
      }
      case 'device':
        return [[`${own(who.id)}#`, ...(who.topics ?? [])]]
      case 'plugin':
        return [pluginTopics(who.id).handles]
      case 'flow':
      case 'gate':
      case 'hub':
        return [['#']]
    }
  }

  /** Asked for every message at delivery, so a connection's principal is looked at once. What a plugin declares may change. */
  const known = new WeakMap<Principal, readonly (readonly Rule[])[]>()
  const readings = (who: Principal): readonly (readonly Rule[])[] => {
    const found = known.get(who) ?? listsOf(who).map((list) => list.map(rule))
    if (who.kind !== 'plugin') known.set(who, found)
    return found
  }

  /** A device's own topics have one writer, fixed at its credential or its first `about`. */
  const ownedBy = (who: Principal, device: string): Verdict => {
    const owner = ownerOf(device)
    return owner === undefined || owner === originOf(who) ? YES : no(`${device} belongs to ${owner}`)
  }

  const devicePublishes = (who: Principal, topic: string): Verdict => {
    const mine = own(who.id)
    if (topic.startsWith(mine) && (deviceTopics.publish as readonly string[]).includes(topic.slice(mine.length))) {
      return ownedBy(who, who.id)
    }
    if (who.topics?.some((filter) => rule(filter).matches(topic)) !== true) return lists(topic)
    if (nativeCommands(topic)) return no('only the plugin that answers the gate publishes native commands')
    const row = table.match(topic)?.row
    if (row !== undefined) {
      return row.by === 'requester' || row.by === 'granted' ? YES : no(`${topic} is written by: ${row.by}`)
    }
    const [root] = topic.startsWith(full('')) ? topic.slice(full('').length).split('/') : []
    return root !== undefined && reservedRoots.includes(root) ? no(`${full(root)}/ belongs to the hub`) : YES
  }

  /** Other conventions: facts where the plugin says so; what makes something happen only if it answers commands, which its `native` sees to. */
  const pluginNative = (who: Principal, topic: string): Verdict | undefined => {
    const { native } = pluginTopics(who.id)
    if (native === undefined || topic.startsWith(full(''))) return undefined
    if (native.commands) return YES
    return !nativeCommands(topic) && native.publishes.some((filter) => rule(filter).matches(topic)) ? YES : undefined
  }

  const pluginPublishes = (who: Principal, topic: string): Verdict => {
    const native = pluginNative(who, topic)
    if (native !== undefined) return native
    if (!pluginTopics(who.id).publishes.some((filter) => rule(filter).matches(topic))) {
      return no(`the plugin does not declare ${topic} in publishes`)
    }
    const match = table.match(topic)
    if (match?.row.by === 'gate' || match?.row.by === 'hub') return no(`only the ${match.row.by} publishes ${topic}`)
    return match?.row.by === 'owner' ? ownedBy(who, match.params['device'] ?? '') : YES
  }

  const flowPublishes = (who: Principal, topic: string): Verdict => {
    const match = table.match(topic)
    const own = match?.row.by === 'flow' && match.params['flow'] === who.id
    return own || match?.row.by === 'requester' ? YES : no('a flow publishes requests, and values under its own name')
  }

  const mayPublish = (who: Principal, topic: string): Verdict => {
    if (!isTopic(topic)) return no('this is not a valid topic to publish to')
    if (topic.startsWith('$')) return no('topics that start with $ belong to the broker')
    switch (who.kind) {
      case 'person': {
        const found = writable.find(({ matches }) => matches(topic))
        if (found === undefined) return lists(topic)
        return may(who, found.right) ? YES : no(`the right ${found.right} is missing`)
      }
      case 'device':
        return devicePublishes(who, topic)
      case 'plugin':
        return pluginPublishes(who, topic)
      case 'flow':
        return flowPublishes(who, topic)
      case 'gate':
      case 'hub':
        return table.match(topic)?.row.by === who.kind ? YES : lists(topic)
    }
  }

  return {
    mayPublish,

    maySubscribe(who, filter) {
      if (!isFilter(filter)) return no('this is not a valid topic filter')
      if (filter.startsWith('$')) return no('topics that start with $ belong to the broker')
      return readings(who).every((list) => list.some((outer) => contains(outer.filter, filter)))
        ? YES
        : no(`${filter} reaches topics that ${originOf(who)} may not read`)
    },

    mayRead: (who, topic) =>
      !topic.startsWith('$') && readings(who).every((list) => list.some(({ matches }) => matches(topic))),

    // What a single intent may do to people is the gate's matter: interlocks and approvals.
    mayRequest(who, device) {
      switch (who.kind) {
        case 'person':
          return may(who, 'devices.request') ? YES : no('the right devices.request is missing')
        case 'flow':
        case 'hub':
          return YES
        case 'device':
        case 'plugin':
          return mayPublish(who, full(`devices/${device}/request`))
        case 'gate':
          return no('the gate answers requests and makes none')
      }
    },

    grantProblem(device, filter) {
      if (filter.length > MAX_GRANT) return `must have at most ${MAX_GRANT} characters`
      if (!isFilter(filter)) return 'is not a valid MQTT topic filter'
      if (filter.startsWith('$')) return 'topics that start with $ belong to the broker'
      if (/^[+#]/.test(filter)) return 'must start with a fixed level, not with a wildcard'
      if (contains(`${own(device)}#`, filter)) return undefined
      // A wider filter may be granted: publishing the commands within it is refused message by message.
      const names = isTopic(filter)
        ? nativeCommands(filter)
        : commandFilters.some((command) => contains(command, filter))
      // Commands may be granted to be heard, by the one device they are for; publishing them is refused all the same.
      if (names) {
        if (!isForOne(filter)) {
          return 'reaches the commands of several devices: name one, such as cmnd/plug/#. It may hear them; only the answer to a command of the gate is published there'
        }
        const other = [...granted()].find(
          (one) => one.device !== device && one.topics.some((topic) => overlaps(topic, filter)),
        )
        if (other !== undefined) {
          return `is heard by the credential '${other.device}' already, and commands are for one device: revoke or narrow that one first`
        }
      }
      if (commands.some((reserved) => overlaps(filter, reserved))) {
        return 'reaches commands or results of other devices: name what it needs, such as one device and one topic'
      }
      return undefined
    },
  }
}
