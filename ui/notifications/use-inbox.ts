// The notifications: heard on their topic, read over the API where the topic cannot be heard.
import { useEffect, useRef } from 'react'
import type { NotificationItem } from '../api/read-notification.ts'
import { ownOrigin } from '../approvals/words.ts'
import { say, tell } from '../design/toast.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { placeOfLink } from '../pages/alias.ts'
import { usePath } from '../pages/route.ts'
import { hasPage, isUnread, unreadCount } from './words.ts'

const TOPIC = 'notify/inbox'
/** Where the live line does not tell of them they are read this often. */
const POLL_MS = 30_000
const NONE: readonly NotificationItem[] = []

/** Tells of what came after the first look: to eyes and ears what is critical, to ears the rest. Approvals tell of themselves. */
const useArrived = (items: readonly NotificationItem[] | undefined, own: string): void => {
  const known = useRef<Set<string> | undefined>(undefined)
  useEffect(() => {
    if (!items) return
    const first = known.current === undefined
    const seen = (known.current ??= new Set())
    for (const one of items) {
      if (seen.has(one.id)) continue
      seen.add(one.id)
      if (first || one.source === 'approval' || !one.isOpen || !isUnread(one, own)) continue
      const tellOf = one.severity === 'critical' ? tell : say
      tellOf(`${one.title}.`)
    }
  }, [items, own])
}

/** What somebody looks at on its own page, an approval or a flow, they have seen. */
const useSeenHere = (items: readonly NotificationItem[], own: string): void => {
  const { hub } = useJarvisContext()
  const path = usePath()
  const asked = useRef(new Set<string>())
  const here = items.find(
    (one) => hasPage(one) && one.link !== undefined && placeOfLink(one.link) === path && isUnread(one, own),
  )?.id
  useEffect(() => {
    if (here === undefined || asked.current.has(here)) return
    asked.current.add(here)
    // It stays new where that fails, and the list can say why.
    hub.seen(here).catch(() => undefined)
  }, [hub, here])
}

/** Keeps the inbox up to date, once per page; how many notifications this person has not seen. */
export const useUnread = (): number => {
  const { me, workshop, denied, link, readInbox } = useJarvisContext()
  const mayRead = me.rights.includes('errors.read')
  useTopics(mayRead ? [TOPIC] : [])
  const isUnheard = mayRead && (denied.has(TOPIC) || link.state === 'lost')
  useEffect(() => {
    if (!isUnheard) return undefined
    const read = (): void => {
      // Why they cannot be read is for their page to say.
      if (document.visibilityState === 'visible') readInbox().catch(() => undefined)
    }
    read()
    const timer = setInterval(read, POLL_MS)
    return () => clearInterval(timer)
  }, [isUnheard, readInbox])
  const own = ownOrigin(me)
  useArrived(workshop.inbox, own)
  useSeenHere(workshop.inbox ?? NONE, own)
  return unreadCount(workshop.inbox ?? NONE, own)
}
