// Brings native messages to the devices that read their topics: one subscription for each first level, whatever the number of devices.
import type { Subscription } from 'rxjs'
import type { Native, NativeMessage } from '#hub/plugin'
import { openRecent } from './recent.ts'

export type Take = (message: NativeMessage) => void

export interface Router {
  has(topic: string): boolean
  join(topics: Iterable<string>, take: Take): void
  leave(topics: Iterable<string>, take: Take): void
  /** Gives what is retained on these topics and what was said there just now, before it returns, to those who joined them: all as retained. */
  seed(topics: ReadonlySet<string>): void
  /** Topics that somebody reads. */
  readonly size: number
  close(): void
}

const rootOf = (topic: string): string => `${topic.split('/', 1)[0] ?? ''}/#`

/** Where devices say how they are without retaining it, and before they announce themselves. */
const ALWAYS: readonly string[] = ['tele/#', 'stat/#', 'zigbee2mqtt/#']

export const openRouter = (native: Pick<Native, 'hear'>, now: () => number): Router => {
  const takers = new Map<string, Set<Take>>()
  const roots = new Map<string, { topics: number; heard: Subscription }>()
  const recent = openRecent(now)

  const give = (message: NativeMessage): void => {
    for (const take of takers.get(message.topic) ?? []) take(message)
  }

  const rooted = (filter: string, by: 1 | -1): void => {
    const root = roots.get(filter)
    if (root === undefined) {
      if (by === 1) {
        const heard = native.hear(filter).subscribe((message) => {
          // What was retained is given by `seed`, once, to those it is new to.
          if (message.retained) return
          recent.add(message)
          give(message)
        })
        roots.set(filter, { topics: 1, heard })
      }
      return
    }
    root.topics += by
    if (root.topics > 0) return
    root.heard.unsubscribe()
    roots.delete(filter)
  }

  for (const filter of ALWAYS) rooted(filter, 1)

  return {
    has: (topic) => takers.has(topic),
    join(topics, take) {
      for (const topic of topics) {
        const set = takers.get(topic)
        if (set !== undefined) set.add(take)
        else {
          takers.set(topic, new Set([take]))
          rooted(rootOf(topic), 1)
        }
      }
    },
    leave(topics, take) {
      for (const topic of topics) {
        const set = takers.get(topic)
        if (set?.delete(take) !== true || set.size > 0) continue
        takers.delete(topic)
        rooted(rootOf(topic), -1)
      }
    },
    seed(topics) {
      for (const filter of new Set([...topics].map(rootOf))) {
        native
          .hear(filter)
          .subscribe((message) => {
            if (message.retained && topics.has(message.topic)) give(message)
          })
          .unsubscribe()
      }
      for (const message of recent.on(topics)) give({ ...message, retained: true })
    },
    get size() {
      return takers.size
    },
    close() {
      for (const { heard } of roots.values()) heard.unsubscribe()
      roots.clear()
      recent.clear()
      takers.clear()
    },
  }
}
