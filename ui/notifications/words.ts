// What a notification says about itself: how grave, what kind, and whether this person has seen it.
import type { Level, NotificationItem, Source } from '../api/read-notification.ts'
import type { Tone } from '../design/badge.tsx'
import type { IconName } from '../design/icon.tsx'

const LOOK: Record<Level, { tone: Tone; word: string }> = {
  info: { tone: 'idle', word: 'Info' },
  warning: { tone: 'warn', word: 'Warning' },
  error: { tone: 'bad', word: 'Error' },
  critical: { tone: 'bad', word: 'Critical' },
}

export const levelLook = ({ severity, isOpen }: NotificationItem): { tone: Tone; word: string } =>
  isOpen ? LOOK[severity] : { tone: 'idle', word: 'Over' }

const KINDS: Record<Source, { word: string; icon: IconName; open: string }> = {
  error: { word: 'Error', icon: 'warning', open: 'Open the errors' },
  approval: { word: 'Approval', icon: 'approvals', open: 'Open the approval' },
  flow: { word: 'Flow', icon: 'flows', open: 'Open the flow' },
  stop: { word: 'Stop', icon: 'stop', open: 'Open Now' },
}

export const kindOf = ({ source }: NotificationItem): { word: string; icon: IconName; open: string } => KINDS[source]

/** Has a page of its own, where it counts as seen by itself. */
export const hasPage = ({ source }: Pick<NotificationItem, 'source'>): boolean =>
  source === 'approval' || source === 'flow'

export const isUnread = ({ seenBy }: NotificationItem, own: string): boolean => !seenBy.includes(own)

/** How many wait for this person: open and not seen. */
export const unreadCount = (items: readonly NotificationItem[], own: string): number =>
  items.filter((one) => one.isOpen && isUnread(one, own)).length

/** `once` is not worth saying; `12 times` is. */
export const timesWords = ({ count }: NotificationItem): string => (count === 1 ? '' : `${count} times`)

export const CHOICES = ['all', 'unread', 'open'] as const
export type Choice = (typeof CHOICES)[number]

/** Those of a choice, the newest word first. */
export const chosen = (items: readonly NotificationItem[], choice: Choice, own: string): NotificationItem[] =>
  items
    .filter((one) => choice === 'all' || (choice === 'open' ? one.isOpen : isUnread(one, own)))
    .sort((a, b) => b.updatedAt - a.updatedAt)
