// Scores a list of sentences against the rules, through a conversation and a gate that lets everything pass: node plugins/assistant/sentences.ts <list.yaml> [<house.yaml>]
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import { z } from 'zod'
import { type Device, type Principal, Recoverable } from '#hub/plugin'
import { openConversations, type Reply } from './conversations.ts'
import { openConverse } from './converse.ts'
import { rules } from './rules.ts'

const Json = z.record(z.string(), z.unknown())

/** What a list speaks of: devices, and what people call them. */
const House = z.strictObject({
  synonyms: z.strictObject({
    areas: z.record(z.string(), z.array(z.string())),
    devices: z.record(z.string(), z.array(z.string())),
  }),
  devices: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      area: z.string().optional(),
      kind: z.string(),
      intents: z.record(z.string(), Json),
      safe: z.array(z.string()).default([]),
      state: Json.default({}),
    }),
  ),
})

const Sentence = z.strictObject({
  say: z.string(),
  lang: z.enum(['en', 'de']),
  /** Said in the same conversation before. */
  after: z.string().optional(),
  kind: z.enum(['command', 'question', 'nothing']),
  expect: z.array(z.strictObject({ device: z.string(), intent: z.string(), payload: Json.optional() })),
  /** The device a question is about. */
  about: z.string().optional(),
  /** What its answer has to say. */
  answer_has: z.string().optional(),
})
export type Sentence = z.output<typeof Sentence>

export interface Miss {
  say: string
  lang: 'en' | 'de'
  after?: string
  wanted: string
  heard: string
}

export interface Score {
  of: number
  right: number
  misses: Miss[]
}

const FIXTURES = join(import.meta.dirname, 'fixtures')
const WORKSHOP = join(FIXTURES, 'workshop.yaml')
const SPEAKER: Principal = { kind: 'person', id: 'ada', roles: ['operator'] }

const yaml = (file: string): unknown => parse(readFileSync(file, 'utf8'))

interface Wished {
  device: string
  intent: string
  payload: Record<string, unknown>
}

const spelled = (wishes: readonly Wished[]): string =>
  wishes
    .map(({ device, intent, payload }) => `${device} ${intent} ${JSON.stringify(payload)}`)
    .sort()
    .join(', ')

/** A conversation with the devices of a house. `asked` is what reached the gate, which says yes to everything. */
const converseIn = (house: z.output<typeof House>) => {
  const devices = house.devices.map(({ area, ...device }): Device => ({
    ...device,
    ...(area === undefined ? {} : { area }),
    online: true,
    owner: `device:${device.id}`,
    lastSeen: 0,
  }))
  let asked: Wished[] = []
  let stops = 0
  const { converse } = openConverse({
    understander: rules,
    devices: { list: () => devices, get: (id) => devices.find((device) => device.id === id) },
    ask: async (_who, device, { id, intent, payload }) => {
      asked.push({ device, intent, payload })
      return { commandId: id, status: 'dispatched', http: 202 }
    },
    result: async () => ({ status: 'done' }),
    conversations: openConversations({
      memory: {
        get: async () => undefined,
        set: async () => {},
        remove: async () => {},
        keys: async () => [],
      },
      now: Date.now,
      publish: () => {},
      ended: () => {},
      endsAfterMs: 3_600_000,
      most: 1000,
    }),
    synonyms: house.synonyms,
    now: Date.now,
  })
  return async (conversationId: string, text: string) => {
    asked = []
    stops = 0
    const told = await converse({
      who: SPEAKER,
      conversationId,
      correlation: conversationId,
      text,
      desk: {
        call: async (_method, url) => {
          if (url === '/api/safety/stop') stops++
          return { status: 200, body: {} }
        },
      },
    }).catch((error: unknown) => {
      if (error instanceof Recoverable && error.code === 'UNKNOWN_INTENT') return undefined
      throw error
    })
    const replies: readonly Reply[] = told?.replies ?? []
    return { asked, stops, replies, about: told?.routing.devices ?? [] }
  }
}

type Heard = Awaited<ReturnType<ReturnType<typeof converseIn>>>

const isRight = (wanted: Sentence, { asked, stops, replies, about }: Heard): boolean => {
  const sorted = (wishes: readonly Wished[]): Wished[] =>
    [...wishes].sort((a, b) => (`${a.device} ${a.intent}` < `${b.device} ${b.intent}` ? -1 : 1))
  const expected = wanted.expect.map(({ payload = {}, ...wish }) => ({ ...wish, payload }))
  if (wanted.kind === 'command') return stops === 0 && isDeepStrictEqual(sorted(asked), sorted(expected))
  if (asked.length > 0 || stops > 0) return false
  if (wanted.kind === 'nothing') return true
  const answer = replies.map(({ text }) => text).join(' ')
  return (
    replies.some(({ kind }) => kind === 'state') &&
    (wanted.about === undefined || about.includes(wanted.about)) &&
    answer.toLowerCase().includes((wanted.answer_has ?? '').toLowerCase())
  )
}

const wordsOf = ({ kind, expect, about, answer_has: has }: Sentence): string =>
  kind === 'command'
    ? spelled(expect.map(({ payload = {}, ...wish }) => ({ ...wish, payload })))
    : kind === 'nothing'
      ? 'nothing'
      : `an answer about ${about ?? 'it'}${has === undefined ? '' : ` with "${has}"`}`

const heardAs = ({ asked, stops, replies, about }: Heard): string =>
  [
    ...(stops > 0 ? ['stop everything'] : []),
    ...(asked.length > 0
      ? [spelled(asked)]
      : replies.map(({ kind, text }) => `${kind} [${about.join(', ')}]: ${text}`)),
  ].join(' ') || 'not understood'

/** A conversation in a house, for trying sentences out: each answer is what was asked for, or what was said. */
export const talk = (houseFile = WORKSHOP): ((conversation: string, text: string) => Promise<string>) => {
  const say = converseIn(House.parse(yaml(houseFile)))
  return async (conversation, text) => heardAs(await say(conversation, text))
}

/** Says each sentence of a list in a conversation of its own. A sentence counts when exactly what it means was asked for, with payload. */
export const score = async (listFile: string, houseFile = WORKSHOP): Promise<Score> => {
  const house = House.parse(yaml(houseFile))
  const list = z.array(Sentence).min(1).parse(yaml(listFile))
  const say = converseIn(house)
  const misses: Miss[] = []
  for (const [n, sentence] of list.entries()) {
    if (sentence.after !== undefined) await say(`s${n}`, sentence.after)
    const heard = await say(`s${n}`, sentence.say)
    if (isRight(sentence, heard)) continue
    misses.push({
      say: sentence.say,
      lang: sentence.lang,
      ...(sentence.after === undefined ? {} : { after: sentence.after }),
      wanted: wordsOf(sentence),
      heard: heardAs(heard),
    })
  }
  return { of: list.length, right: list.length - misses.length, misses }
}

/** The score in words, and each miss. */
export const told = ({ of, right, misses }: Score): string =>
  [
    `${right} of ${of} (${((100 * right) / of).toFixed(1)} %)`,
    ...misses.map(
      ({ say, lang, after, wanted, heard }) =>
        `${lang}  ${say}${after === undefined ? '' : `   (after: ${after})`}\n    wanted  ${wanted}\n    heard   ${heard}`,
    ),
  ].join('\n')

if (import.meta.main) {
  const [list = join(FIXTURES, 'workshop-sentences.yaml'), house = WORKSHOP] = process.argv.slice(2)
  process.stdout.write(`${told(await score(list, house))}\n`)
}
