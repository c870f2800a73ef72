// Reading notifications and error events: what the hub says people should know of.
import { count, instant, isRecord, optional, text, texts } from './read.ts'

export const LEVELS = ['info', 'warning', 'error', 'critical'] as const
export type Level = (typeof LEVELS)[number]
export const SOURCES = ['error', 'approval', 'flow', 'stop'] as const
export type Source = (typeof SOURCES)[number]

export interface NotificationItem {
  id: string
  source: Source
  severity: Level
  title: string
  text: string
  /** A path of the app as the hub writes it. */
  link?: string
  /** ms since 1970 by the hub's clock, as the other time. */
  at: number
  updatedAt: number
  /** How often it happened. */
  count: number
  isOpen: boolean
  /** Who has seen it, as `person:ada`. */
  seenBy: string[]
}

export interface ErrorItem {
  id: string
  at: number
  source: string
  type: string
  severity: string
  message: string
}

const isLevel = (value: unknown): value is Level => LEVELS.some((one) => one === value)
const isSource = (value: unknown): value is Source => SOURCES.some((one) => one === value)

/** A notification; undefined without an id and a title. One of an unknown kind is an error, so that it is not overlooked. */
export const readNotification = (value: unknown): NotificationItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  const title = text(value['title'])
  if (id === undefined || id === '' || title === undefined) return undefined
  const { source, severity } = value
  const at = instant(value['at'])
  return {
    id,
    source: isSource(source) ? source : 'error',
    severity: isLevel(severity) ? severity : 'error',
    title,
    text: text(value['text']) ?? '',
    at,
    updatedAt: instant(value['updatedAt']) || at,
    count: Math.max(1, count(value['count'])),
    isOpen: value['status'] !== 'ended',
    seenBy: texts(value['seenBy']),
    ...optional({ link: text(value['link']) }),
  }
}

export const readErrorEvent = (value: unknown): ErrorItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  const message = text(value['message'])
  if (id === undefined || message === undefined) return undefined
  return {
    id,
    at: instant(value['timestamp']),
    source: text(value['source']) ?? '',
    type: text(value['type']) ?? '',
    severity: (text(value['severity']) ?? 'error').toLowerCase(),
    message,
  }
}
