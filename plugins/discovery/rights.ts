// Whether an origin may announce what it announces: what it says it publishes and what it says it hears must be its own.
import type { Native } from '#hub/plugin'
import { Refused } from './announcement.ts'
import type { Entity } from './mirror.ts'
import { availabilityOf } from './availability.ts'
import { isReserved } from './topics-of.ts'

export interface RightsParts {
  native: Pick<Native, 'may'>
  /** The hub's own topic prefix, without the slash. */
  hub: string
  /** Prefix of discovery topics. */
  prefix: string
  /** Topics that any device reads, and topics any device is commanded by. */
  isRead(topic: string): boolean
  isCommand(topic: string): boolean
}

/** Origins of messages another broker brought: that broker's rules stand behind them, and nobody here knows who spoke. */
const OUTSIDE = new Set(['hub', 'external', 'bridge'])
const MAX_TOPIC = 400

export const isOutside = (origin: string): boolean => OUTSIDE.has(origin)

/** The announcement is of a device the hub has already: its own, exported for others. */
export class OwnDevice extends Error {}

const quoted = (topic: string): string => `'${topic.slice(0, 120).replace(/\p{Cc}/gu, ' ')}'`

/** Topics a device reads and is commanded by. */
export interface OwnTopics {
  reads: ReadonlySet<string>
  commands: ReadonlySet<string>
}

/** Its topics. Throws Refused with the first thing that is not the origin's own; OwnDevice when a topic is the hub's. */
export const assertOwn = (
  origin: string,
  entities: readonly Entity[],
  { native, hub, prefix, isRead, isCommand }: RightsParts,
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
  if (all.some((topic) => topic === hub || topic.startsWith(`${hub}/`))) throw new OwnDevice()
  const bad = all.find((topic) => topic.length > MAX_TOPIC || topic.startsWith('$') || /[+#\0]/.test(topic))
  if (bad !== undefined) throw new Refused(`${quoted(bad)} is no topic of a device`)
  const may = (what: 'publish' | 'hear', topic: string): boolean => isOutside(origin) || native.may(origin, what, topic)
  for (const topic of commands) {
    if (reads.has(topic))
      throw new Refused(`${quoted(topic)} is both its command topic and where it says how it is`, 'TopicTaken')
    if (isReserved(topic, prefix)) throw new Refused(`${quoted(topic)} is no command topic`, 'TopicTaken')
    if (isRead(topic))
      throw new Refused(`${quoted(topic)} is where a device says how it is, and no command topic`, 'TopicTaken')
    if (!may('hear', topic)) throw new Refused(`${origin} has no right to hear ${quoted(topic)}`, 'ForeignTopic')
  }
  for (const topic of reads) {
    if (isCommand(topic)) throw new Refused(`${quoted(topic)} is a command topic of a device`, 'TopicTaken')
    if (!may('publish', topic)) throw new Refused(`${origin} has no right to publish ${quoted(topic)}`, 'ForeignTopic')
  }
  return { reads, commands }
}
