// The inbox: one notification for one incident. What happens again within the window is counted on it and not told anew.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Incident } from './incidents.ts'
import { LEVELS, Notification } from './topics.ts'

/** What becomes of an incident: a new notification to be told, an update worth telling, a count nobody is bothered with, or nothing. */
export type Outcome =
  { kind: 'new' | 'worse' | 'ended'; notification: Notification } | { kind: 'counted' } | { kind: 'unchanged' }

export interface Inbox {
  load(): Promise<void>
  take(incident: Incident): Outcome
  /** Marks one as seen; undefined when there is none. */
  seen(id: string, who: string): Notification | undefined
  /** Marks all of them as seen; how many were not. */
  allSeen(who: string): number
  /** Ends everything of this source that is open; what it ended. */
  end(source: Notification['source']): Notification[]
  /** Ends what has reached its end and forgets what is too old; what it ended, and whether anything changed. */
  sweep(): { ended: Notification[]; changed: boolean }
  /** The newest first. */
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
  const forgetOld = (): void => {
    items = items.filter(({ updatedAt }) => now() - Date.parse(updatedAt) <= keepMs)
  }
  const withSeen = (one: Notification, who: string): Notification => ({
    ...one,
    seenBy: [...one.seenBy.filter((by) => by !== who), who].slice(-MOST_SEEN),
  })
  /** Ends what is open and meant; what it ended. */
  const endAll = (isMeant: (one: Notification) => boolean): Notification[] => {
    const ended: Notification[] = []
    items = items.map((one) => {
      if (one.status !== 'open' || !isMeant(one)) return one
      const closed: Notification = { ...one, status: 'ended', updatedAt: iso() }
      ended.push(closed)
      return closed
    })
    return ended
  }
  return {
    async load() {
      const kept = (await memory.get(KEY, z.array(Notification).max(MOST))) ?? []
      items = [...items, ...kept.filter(({ id }) => !items.some((one) => one.id === id))].slice(0, MOST)
    },
    take({ key, source, severity, title, text, link, endsAt, ended }) {
      const open = items.find(
        (one) =>
          one.key === key &&
          one.status === 'open' &&
          now() - Date.parse(one.at) <= Math.max(windowMs, source === 'error' ? 0 : keepMs),
      )
      if (ended === true) {
        if (open === undefined) return { kind: 'unchanged' }
        // How it ended is said where that is known.
        const closed: Notification = {
          ...open,
          status: 'ended',
          updatedAt: iso(),
          title: title === '' ? open.title : title,
          text: text === '' ? open.text : text,
        }
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
          // What has become worse is not what they saw.
          seenBy: isWorse ? [] : open.seenBy,
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
        ...(endsAt === undefined ? {} : { endsAt }),
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
      const next = withSeen(found, who)
      items = items.map((one) => (one.id === id ? next : one))
      return next
    },
    allSeen(who) {
      const unseen = items.filter(({ seenBy }) => !seenBy.includes(who)).length
      items = items.map((one) => (one.seenBy.includes(who) ? one : withSeen(one, who)))
      return unseen
    },
    end: (source) => endAll((one) => one.source === source),
    sweep() {
      const before = items.length
      forgetOld()
      const ended = endAll(({ endsAt }) => endsAt !== undefined && Date.parse(endsAt) <= now())
      return { ended, changed: ended.length > 0 || items.length !== before }
    },
    list: () => {
      forgetOld()
      return [...items].sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1))
    },
    save: () => memory.set(KEY, items),
  }
}
