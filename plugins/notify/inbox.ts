// The inbox: one notification for one incident. What happens again within the window is counted on it and not told anew.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Incident } from './incidents.ts'
import { LEVELS, Notification } from './topics.ts'

/** What becomes of an incident: a new notification to be told, an update worth telling, or a count nobody is bothered with. */
export type Outcome = { kind: 'new' | 'worse' | 'ended'; notification: Notification } | { kind: 'counted' }

export interface Inbox {
  load(): Promise<void>
  take(incident: Incident): Outcome
  /** Marks one as seen; undefined when there is none. */
  seen(id: string, who: string): Notification | undefined
  /** The newest first; what is older than its life is gone. */
  list(): Notification[]
  save(): Promise<void>
}

interface Parts {
  memory: {
    get<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined>
    set(key: string, value: unknown): Promise<void>
  }
  now(): number
  /** ms in which the same incident is one. */
  windowMs: number
  /** ms after which a notification is forgotten. */
  keepMs: number
}

const KEY = 'inbox'
const MOST = 100
const MOST_SEEN = 20
const rank = (severity: Notification['severity']): number => LEVELS.indexOf(severity)

export const openInbox = ({ memory, now, windowMs, keepMs }: Parts): Inbox => {
  let items: Notification[] = []
  const iso = (): string => new Date(now()).toISOString()
  const replace = (next: Notification): void => {
    items = [next, ...items.filter(({ id }) => id !== next.id)].slice(0, MOST)
  }
  return {
    async load() {
      const kept = (await memory.get(KEY, z.array(Notification).max(MOST))) ?? []
      items = [...items, ...kept.filter(({ id }) => !items.some((one) => one.id === id))].slice(0, MOST)
    },
    take({ key, source, severity, title, text, link, ended }) {
      const open = items.find(
        (one) =>
          one.key === key &&
          one.status === 'open' &&
          now() - Date.parse(one.at) <= Math.max(windowMs, source === 'error' ? 0 : keepMs),
      )
      if (ended === true) {
        if (open === undefined) return { kind: 'counted' }
        const closed: Notification = { ...open, status: 'ended', updatedAt: iso() }
        items = items.map((one) => (one.id === open.id ? closed : one))
        return { kind: 'ended', notification: closed }
      }
      if (open !== undefined) {
        const isWorse = rank(severity) > rank(open.severity)
        // A state that is said again, such as an approval with its first yes, is the same thing and no repeat.
        const next: Notification = {
          ...open,
          severity: isWorse ? severity : open.severity,
          title,
          text,
          updatedAt: iso(),
          count: source === 'error' ? open.count + 1 : open.count,
        }
        items = items.map((one) => (one.id === open.id ? next : one))
        return isWorse ? { kind: 'worse', notification: next } : { kind: 'counted' }
      }
      const fresh: Notification = {
        id: randomUUID(),
        key,
        source,
        severity,
        title,
        text,
        ...(link === undefined ? {} : { link }),
        at: iso(),
        updatedAt: iso(),
        count: 1,
        status: 'open',
        seenBy: [],
      }
      replace(fresh)
      return { kind: 'new', notification: fresh }
    },
    seen(id, who) {
      const found = items.find((one) => one.id === id)
      if (found === undefined) return undefined
      const next = { ...found, seenBy: [...new Set([...found.seenBy, who])].slice(-MOST_SEEN) }
      items = items.map((one) => (one.id === id ? next : one))
      return next
    },
    list: () => {
      items = items.filter(({ updatedAt }) => now() - Date.parse(updatedAt) <= keepMs)
      return [...items].sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1))
    },
    save: () => memory.set(KEY, items),
  }
}
