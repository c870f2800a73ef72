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
  /** Whose it is, as `person:ada`; missing where the hub does not say. */
  owner?: string
  /** Everybody may speak in it. */
  isShared: boolean
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
  /** What can be said in answer to a question. */
  options: string[]
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
    isShared: value['shared'] === true,
    devices: many.length > 0 ? many : one === undefined || one === '' ? [] : [one],
    ...optional({
      lastIntent: text(value['lastIntent']),
      zone: text(value['zone']),
      owner: text(value['owner']),
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

/** A turn of a conversation as the hub kept it. */
export interface PastTurn {
  at: number
  /** Such as `person:ada`. */
  who: string
  said: string
  answer: TalkAnswer
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

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** An answer of `/api/query`; undefined when it is none. What an explanation leaves out is missing, and nothing is made up. */
export const readTalk = (value: unknown): TalkAnswer | undefined => {
  if (!isRecord(value)) return undefined
  const conversationId = text(value['conversationId'])
  if (conversationId === undefined) return undefined
  const routing = record(value['routing'])
  const replies = list(value['replies']).map(record)
  const told = [...list(value['commands']), ...replies.flatMap((one) => list(one['commands']))]
  const asked = replies.map((one) => text(one['approval'])).find((one) => one !== undefined)
  const pending = readPending(value['pendingHazard']) ?? (asked === undefined ? undefined : { approval: asked })
  return {
    conversationId,
    replies: readReplies(value['replies']),
    matched: readMatched(routing['matched']),
    considered: readConsidered(routing['considered']),
    near: readConsidered(value['near'] ?? routing['near']).map((one) => one.text),
    commands: told.map(readDone).filter((one) => one !== undefined),
    options: replies.flatMap((one) => list(one['options'])).map(plain),
    ...optional({ path: text(routing['understander']) ?? text(routing['tier']), why: text(routing['why']) }),
    ...(pending === undefined ? {} : { pending }),
  }
}

/** A sentence that was not understood is an answer too: what was near stands in the details of the refusal. */
export const readNotUnderstood = (conversationId: string, message: string, details: unknown): TalkAnswer | undefined =>
  Array.isArray(record(details)['near'])
    ? readTalk({ ...record(details), conversationId, replies: [message] })
    : undefined

const readPast = (conversationId: string, value: unknown): PastTurn | undefined => {
  if (!isRecord(value)) return undefined
  const said = text(value['text'])
  const answer = readTalk({ conversationId, replies: value['replies'], routing: value['routing'] })
  if (said === undefined || !answer) return undefined
  return { at: instant(value['at']), who: text(value['who']) ?? '', said, answer }
}

/** What was said in a conversation, as far as the hub keeps it. */
export const readTurns = (conversationId: string, value: unknown): PastTurn[] =>
  list(record(value)['turns'])
    .map((one) => readPast(conversationId, one))
    .filter((one) => one !== undefined)
