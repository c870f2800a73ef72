// Reading what the assistant answers, and what it remembers of a conversation.
import { count, instant, isRecord, optional, record, text, texts } from './read.ts'

/** What a conversation is about: what `them` and `there` mean in it. */
export interface ContextItem {
  id: string
  rev: number
  /** ms since 1970 by the hub's clock. */
  updatedAt: number
  expiresAt: number
  lastIntent?: string
  devices: string[]
  zone?: string
  /** The command that waits for an approval. */
  pending?: string
}

export interface Considered {
  text: string
  /** Why it was not chosen, or how well it fits. */
  why?: string
}

/** One thing that was asked of a device. */
export interface Done {
  commandId: string
  device: string
  intent: string
  status: string
  reason?: string
  approval?: string
}

export interface TalkAnswer {
  conversationId: string
  replies: string[]
  /** How it was understood, in words: by which path, and what of the sentence matched. */
  path?: string
  why?: string
  matched: { name: string; value: string }[]
  considered: Considered[]
  /** What could have been meant. */
  near: string[]
  commands: Done[]
  /** Waits for people. */
  pending?: { approval?: string; commandId?: string; text?: string }
}

export const readContext = (value: unknown): ContextItem | undefined => {
  if (!isRecord(value)) return undefined
  const id = text(value['conversationId']) ?? text(value['id'])
  if (id === undefined || id === '') return undefined
  // The last word of a conversation that is over.
  if (value['ended'] === true) return undefined
  const one = text(value['device'])
  const many = texts(value['devices'])
  const pending = value['pending']
  return {
    id,
    rev: count(value['rev']),
    updatedAt: instant(value['updatedAt']),
    expiresAt: instant(value['expiresAt']),
    devices: many.length > 0 ? many : one === undefined || one === '' ? [] : [one],
    ...optional({
      lastIntent: text(value['lastIntent']),
      zone: text(value['zone']),
      pending: text(pending) ?? text(record(pending)['commandId']),
    }),
  }
}

const plain = (value: unknown): string => {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(plain).join(', ')
  if (value === null || value === undefined) return ''
  if (isRecord(value)) return text(value['name']) ?? text(value['text']) ?? text(value['id']) ?? JSON.stringify(value)
  return JSON.stringify(value)
}

const readReplies = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value])
    .map((one: unknown) => (typeof one === 'string' ? one : (text(record(one)['text']) ?? '')))
    .filter((one) => one !== '')

/** Which words led where: pairs, or a record of them. */
const readMatched = (value: unknown): TalkAnswer['matched'] => {
  if (typeof value === 'string') return value === '' ? [] : [{ name: 'Sentence', value }]
  const pairs = Array.isArray(value)
    ? value.map((one: unknown) => ({ name: plain(record(one)['words']), value: plain(record(one)['as']) }))
    : Object.entries(record(value)).map(([name, one]) => ({ name, value: plain(one) }))
  return pairs.filter((one) => one.value !== '' && one.value !== '{}')
}

const readConsidered = (value: unknown): Considered[] =>
  (Array.isArray(value) ? value : []).flatMap((one: unknown) => {
    if (typeof one === 'string') return [{ text: one }]
    const { what, intent, device, devices, why } = record(one)
    const told = [what, intent, devices ?? device].map(plain).filter((part) => part !== '')
    return told.length === 0 ? [] : [{ text: told.join(' · '), ...optional({ why: text(why) }) }]
  })

const readDone = (value: unknown): Done | undefined => {
  if (!isRecord(value)) return undefined
  const commandId = text(value['commandId']) ?? text(value['id'])
  const device = text(value['device'])
  if (device === undefined) return undefined
  return {
    commandId: commandId ?? '',
    device,
    intent: text(value['intent']) ?? '',
    status: text(value['status']) ?? '',
    ...optional({ reason: text(value['reason']), approval: text(value['approval']) }),
  }
}

const readPending = (value: unknown): TalkAnswer['pending'] => {
  if (typeof value === 'string') return { commandId: value }
  if (!isRecord(value)) return undefined
  return optional({
    approval: text(value['approval']) ?? text(value['approvalId']) ?? text(value['id']),
    commandId: text(value['commandId']),
    text: text(value['effect']) ?? text(value['text']),
  })
}

/** An answer of `/api/query`; undefined when it is none. What an explanation leaves out is missing, and nothing is made up. */
export const readTalk = (value: unknown): TalkAnswer | undefined => {
  if (!isRecord(value)) return undefined
  const conversationId = text(value['conversationId'])
  if (conversationId === undefined) return undefined
  const routing = record(value['routing'])
  const decision = {
    ...routing,
    ...record(routing['decision']),
    ...record(value['decision']),
    ...record(value['explanation']),
  }
  const pending = readPending(value['pendingHazard'])
  const commands = Array.isArray(value['commands']) ? value['commands'] : decision['commands']
  return {
    conversationId,
    replies: readReplies(value['replies']),
    matched: readMatched(decision['matched']),
    considered: readConsidered(decision['considered']),
    near: readConsidered(decision['near'] ?? value['near']).map((one) => one.text),
    commands: (Array.isArray(commands) ? commands : []).map(readDone).filter((one) => one !== undefined),
    ...optional({
      path: text(decision['path']) ?? text(decision['tier']),
      why: text(decision['why']) ?? text(decision['reason']),
    }),
    ...(pending === undefined ? {} : { pending }),
  }
}
