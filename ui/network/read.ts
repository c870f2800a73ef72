// Reading what was found on the network.
import { count, instant, isRecord, record, text, texts } from '../api/read.ts'

export type FoundStatus = 'new' | 'accepted' | 'ignored' | 'gone'
const STATUSES: readonly FoundStatus[] = ['new', 'accepted', 'ignored', 'gone']

export interface FoundItem {
  id: string
  kind: string
  /** The kind in words. */
  title: string
  name: string
  addresses: string[]
  port: number
  /** A page at its own address; empty for none. */
  url: string
  facts: [string, string][]
  saidBy: { source: string; what: string; from: string }[]
  /** 0 to 1. */
  confidence: number
  reasons: { text: string; weight: number }[]
  /** ms since 1970 by the hub's clock. */
  firstSeenAt: number
  lastSeenAt: number
  status: FoundStatus
  decision?: { status: 'accepted' | 'ignored'; by: string; at: number }
  /** Why an acceptance no longer holds; empty when it does. */
  reopened: string
  next?: { text: string; yaml: string }
}

export interface NetworkFound {
  items: FoundItem[]
  networks: string[]
  /** ms since 1970 by the hub's clock; 0 while no search runs. */
  searchingUntil: number
}

const items = <T>(value: unknown, read: (one: Record<string, unknown>) => T): T[] =>
  Array.isArray(value) ? value.filter(isRecord).map(read) : []

/** An address of a page that may be a link: http or https, nothing else. */
const page = (value: unknown): string => {
  const url = text(value) ?? ''
  return /^https?:\/\//.test(url) ? url : ''
}

export const readFound = (value: unknown): FoundItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['id'])
  const status = STATUSES.find((one) => one === value['status'])
  if (id === undefined || status === undefined) return undefined
  const decision = record(value['decision'])
  const decided = decision['status']
  const next = record(value['next'])
  return {
    id,
    status,
    kind: text(value['kind']) ?? '',
    title: text(value['title']) ?? '',
    name: text(value['name']) ?? id,
    addresses: texts(value['addresses']),
    port: count(value['port']),
    url: page(value['url']),
    facts: Object.entries(record(value['facts'])).flatMap(([name, fact]): [string, string][] =>
      typeof fact === 'string' ? [[name, fact]] : [],
    ),
    saidBy: items(value['saidBy'], (one) => ({
      source: text(one['source']) ?? '',
      what: text(one['what']) ?? '',
      from: text(one['from']) ?? '',
    })),
    confidence: Math.min(1, Math.max(0, count(value['confidence']))),
    reasons: items(value['reasons'], (one) => ({ text: text(one['text']) ?? '', weight: count(one['weight']) })),
    firstSeenAt: instant(value['firstSeenAt']),
    lastSeenAt: instant(value['lastSeenAt']),
    ...(decided === 'accepted' || decided === 'ignored'
      ? { decision: { status: decided, by: text(decision['by']) ?? '', at: instant(decision['at']) } }
      : {}),
    reopened: text(value['reopened']) ?? '',
    ...(text(next['text']) === undefined
      ? {}
      : { next: { text: text(next['text']) ?? '', yaml: text(next['yaml']) ?? '' } }),
  }
}

export const readNetworkFound = (value: unknown): NetworkFound | undefined => {
  if (!isRecord(value) || !Array.isArray(value['items'])) return undefined
  return {
    items: value['items'].flatMap((one) => readFound(one) ?? []),
    networks: texts(value['networks']),
    searchingUntil: instant(value['searchingUntil']),
  }
}
