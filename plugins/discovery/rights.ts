// Whether an origin may announce what it announces: what it says it publishes and what it says it hears must be its own.
import type { Native } from '#hub/plugin'
import { Refused } from './announcement.ts'
import { availabilityOf } from './availability.ts'
import type { Claims, OwnTopics } from './claims.ts'
import type { Entity } from './mirror.ts'
import { isReserved } from './topics-of.ts'

export interface RightsParts {
  native: Pick<Native, 'may'>
  /** The hub's own topic prefix, without the slash. */
  hub: string
  /** Prefix of discovery topics. */
  prefix: string
  /** What other announcements name. */
  claims: Pick<Claims, 'isRead' | 'isCommand' | 'commander'>
}

/** Origins of messages another broker brought: that broker's rules stand behind them, and nobody here knows who spoke. */
const OUTSIDE = new Set(['hub', 'external', 'bridge'])
const MAX_TOPIC = 400

export const isOutside = (origin: string): boolean => OUTSIDE.has(origin)

const quoted = (topic: string): string => `'${topic.slice(0, 120).replace(/\p{Cc}/gu, ' ')}'`

/** Its topics. Throws Refused with the first thing that is not the origin's own. */
export const assertOwn = (
  origin: string,
  entities: readonly Entity[],
  { native, hub, prefix, claims }: RightsParts,
): OwnTopics => {
  const reads = new Set<string>()
  const commands = new Set<string>()
  for (const { component, fields } of entities) {
    for (const { topic } of component.readings) reads.add(topic)
    const when = availabilityOf(fields)
    if (typeof when === 'object') for (const topic of when.topics) reads.add(topic)
    for (const topic of component.commands) commands.add(topic)
  }
  const all = [...reads, ...commands]
  const hubs = all.find((topic) => topic === hub || topic.startsWith(`${hub}/`))
  if (hubs !== undefined)
    throw new Refused(`${quoted(hubs)} belongs to the hub: its devices are asked at the gate`, 'ForeignTopic')
  const bad = all.find((topic) => topic.length > MAX_TOPIC || topic.startsWith('$') || /[+#\0]/.test(topic))
  if (bad !== undefined) throw new Refused(`${quoted(bad)} is no topic of a device`)
  const may = (what: 'publish' | 'hear', topic: string): boolean => isOutside(origin) || native.may(origin, what, topic)
  for (const topic of commands) {
    if (reads.has(topic))
      throw new Refused(`${quoted(topic)} is both its command topic and where it says how it is`, 'TopicTaken')
    if (isReserved(topic, prefix)) throw new Refused(`${quoted(topic)} is no command topic`, 'TopicTaken')
    if (claims.isRead(topic))
      throw new Refused(`${quoted(topic)} is where a device says how it is, and no command topic`, 'TopicTaken')
    const commander = claims.commander(topic, origin)
    if (commander !== undefined)
      throw new Refused(`${quoted(topic)} is where a device of ${commander} is commanded`, 'TopicTaken')
    if (!may('hear', topic)) throw new Refused(`${origin} has no right to hear ${quoted(topic)}`, 'ForeignTopic')
  }
  for (const topic of reads) {
    if (claims.isCommand(topic)) throw new Refused(`${quoted(topic)} is a command topic of a device`, 'TopicTaken')
    if (!may('publish', topic)) throw new Refused(`${origin} has no right to publish ${quoted(topic)}`, 'ForeignTopic')
  }
  return { reads, commands }
}
