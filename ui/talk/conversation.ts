// Conversations: what they are called, what was said in them in this session, and what their context says in words.
import type { Hub } from '../api/client.ts'
import type { ContextItem, PastTurn, TalkAnswer } from '../api/read-talk.ts'
import type { Me } from '../api/types.ts'
import { ownOrigin } from '../approvals/words.ts'
import { intentLabel } from '../devices/intent.ts'

export interface Turn {
  key: string
  /** Who said it, when it was not oneself. */
  who?: string
  /** ms by this device's clock. */
  at: number
  said: string
  answer?: TalkAnswer
  problem?: string
}

/** How many turns of one conversation are kept. */
const TURNS_AT_MOST = 100

let keys = 0
/** What was said, by conversation; it ends with the session whose hub it is. */
const kept = new WeakMap<Hub, Map<string, readonly Turn[]>>()
const listeners = new Set<() => void>()
const NONE: readonly Turn[] = []

export const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const turnsOf = (hub: Hub, id: string): readonly Turn[] => kept.get(hub)?.get(id) ?? NONE

const put = (hub: Hub, id: string, turns: readonly Turn[]): void => {
  const all = kept.get(hub) ?? new Map<string, readonly Turn[]>()
  kept.set(hub, all.set(id, turns.slice(-TURNS_AT_MOST)))
  for (const listener of [...listeners]) listener()
}

/** Adds what was said; the returned function adds the answer to it, or why there is none. */
export const addTurn = (
  hub: Hub,
  id: string,
  said: string,
  at: number,
): ((end: Pick<Turn, 'answer' | 'problem'>) => void) => {
  const key = `here-${(keys += 1)}`
  put(hub, id, [...turnsOf(hub, id), { key, at, said }])
  return (end) =>
    put(
      hub,
      id,
      turnsOf(hub, id).map((turn) => (turn.key === key ? { ...turn, ...end } : turn)),
    )
}

/** How far the times of one turn may differ between the hub and here, in ms. */
const SAME_MS = 20_000

/**
 * What the hub kept of a conversation with what was said here: a turn that stands in both is shown once, with what only the
 * answer told of how it was understood. `offset`: what to add to this device's clock to get the hub's; `own` is oneself.
 */
export const mergedTurns = (past: readonly PastTurn[], here: readonly Turn[], offset: number, own: string): Turn[] => {
  const left = [...here]
  const merged = past.map(({ at, who, said, answer }, n): Turn => {
    const time = at - offset
    const twin = left.findIndex((turn) => turn.said === said && Math.abs(turn.at - time) < SAME_MS)
    const [known] = twin < 0 ? [] : left.splice(twin, 1)
    if (known?.answer) return known
    return { key: `past-${at}-${n}`, at: time, said, answer, ...(who === own ? {} : { who }) }
  })
  return [...merged, ...left].sort((a, b) => a.at - b.at)
}

/** The conversations of this session, the newest last. */
export const knownConversations = (hub: Hub): string[] => [...(kept.get(hub)?.keys() ?? [])]

/** A person's own conversation: the same on each of their devices. */
export const ownConversation = (person: string): string => {
  const plain = person.replace(/[^A-Za-z0-9_.:-]/g, '-').slice(0, 50)
  return /^[A-Za-z0-9]/.test(plain) ? plain : `c${plain}`
}

/** Another one, with `random` from 0 to 1. */
export const newConversation = (person: string, random: number): string =>
  `${ownConversation(person)}-${Math.floor(random * 36 ** 4)
    .toString(36)
    .padStart(4, '0')}`

/** What a further conversation of a person has behind their own name. */
const FURTHER = /^-([a-z0-9]{4})$/

const furtherOf = (id: string, person: string): string | undefined => {
  const own = ownConversation(person)
  return id.startsWith(own) ? FURTHER.exec(id.slice(own.length))?.[1] : undefined
}

/** Whether a conversation is for this person to see: their own, by what the hub says or by its name, or a shared one. */
export const isListed = ({ id, owner, isShared }: ContextItem, me: Pick<Me, 'kind' | 'id'>): boolean =>
  isShared ||
  (owner === undefined ? id === ownConversation(me.id) || furtherOf(id, me.id) !== undefined : owner === ownOrigin(me))

/** What a conversation is called in front of this person: `Yours`, `Yours, x7f2`, or its name. */
export const conversationWords = (id: string, person: string): string => {
  if (id === ownConversation(person)) return 'Yours'
  const further = furtherOf(id, person)
  return further === undefined ? id : `Yours, ${further}`
}

const list = (names: readonly string[]): string =>
  names.length < 3 ? names.join(' and ') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`

/** What the context stands for: `them` = the hall and the bench light. Nothing once it has expired at `now`, the hub's clock. */
export const contextWords = (
  context: ContextItem | undefined,
  name: (device: string) => string,
  now: number,
): { word: string; meaning: string }[] => {
  if (!context || (context.expiresAt > 0 && now >= context.expiresAt)) return []
  const { devices, zone, lastIntent } = context
  return [
    ...(devices.length === 0 ? [] : [{ word: devices.length === 1 ? 'it' : 'them', meaning: list(devices.map(name)) }]),
    ...(zone === undefined ? [] : [{ word: 'there', meaning: zone }]),
    ...(lastIntent === undefined ? [] : [{ word: 'again', meaning: intentLabel(lastIntent).toLowerCase() }]),
  ]
}
