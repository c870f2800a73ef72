// What standing announcements take up: topics where devices say how they are, topics where they are commanded, which nobody else may publish to, and room.
import type { Native } from '#hub/plugin'

/** Topics a device reads and is commanded by. */
export interface OwnTopics {
  reads: ReadonlySet<string>
  commands: ReadonlySet<string>
}

export interface Claim {
  origin: string
  topics: OwnTopics
  payload: Buffer
}

export interface Claims {
  add(claim: Claim): void
  drop(claim: Claim): void
  /** Of all records of an origin. */
  bytesOf(origin: string): number
  /** Whether a device says how it is there. */
  isRead(topic: string): boolean
  /** Whether a device is commanded there. */
  isCommand(topic: string): boolean
  /** An origin other than this one whose device is commanded there. */
  commander(topic: string, origin: string): string | undefined
  /** Has what is new guarded. */
  guard(): void
}

/** Counted with the announcement and not when the device is built, so that two of one batch cannot contradict each other. */
export const openClaims = (native: Pick<Native, 'guard'>): Claims => {
  const reads = new Map<string, number>()
  /** How many announcements of each origin name a command topic. */
  const commands = new Map<string, Map<string, number>>()
  const bytes = new Map<string, number>()
  let isStale = false

  const tally = (counts: Map<string, number>, key: string, by: number): void => {
    const n = (counts.get(key) ?? 0) + by
    if (n > 0) counts.set(key, n)
    else counts.delete(key)
  }
  const count = ({ origin, topics, payload }: Claim, by: 1 | -1): void => {
    tally(bytes, origin, by * payload.length)
    for (const topic of topics.reads) tally(reads, topic, by)
    for (const topic of topics.commands) {
      const origins = commands.get(topic) ?? new Map<string, number>()
      tally(origins, origin, by)
      if (origins.size > 0) commands.set(topic, origins)
      else commands.delete(topic)
    }
    isStale ||= topics.commands.size > 0
  }

  return {
    add: (claim) => count(claim, 1),
    drop: (claim) => count(claim, -1),
    bytesOf: (origin) => bytes.get(origin) ?? 0,
    isRead: (topic) => reads.has(topic),
    isCommand: (topic) => commands.has(topic),
    commander: (topic, origin) => [...(commands.get(topic)?.keys() ?? [])].find((one) => one !== origin),
    guard() {
      if (!isStale) return
      isStale = false
      native.guard(new Set(commands.keys()))
    },
  }
}
