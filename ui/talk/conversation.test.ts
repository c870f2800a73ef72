// A conversation as the page keeps it.
import { expect, test } from 'vitest'
import { readContext, readNotUnderstood, readTalk, readTurns } from '../api/read-talk.ts'
import {
  contextWords,
  conversationWords,
  isListed,
  mergedTurns,
  newConversation,
  ownConversation,
  type Turn,
} from './conversation.ts'
import { examplesFor } from './examples.ts'

const NOW = Date.parse('2026-11-20T08:00:00Z')
const context = (more: object) =>
  readContext({
    conversationId: 'ada',
    rev: 3,
    updatedAt: '2026-11-20T07:59:00Z',
    expiresAt: '2026-11-20T09:00:00Z',
    ...more,
  })
const name = (id: string): string => ({ a: 'Hall light', b: 'Bench light', c: 'Lamp' })[id] ?? id

test('them is what was spoken of last, until the context expires', () => {
  const lights = context({ devices: ['a', 'b'], zone: 'Hall', lastIntent: 'light.turn_on' })
  expect(contextWords(lights, name, NOW)).toEqual([
    { word: 'them', meaning: 'Hall light and Bench light' },
    { word: 'there', meaning: 'Hall' },
    { word: 'again', meaning: 'turn on' },
  ])
  expect(contextWords(context({ device: 'c' }), name, NOW)).toEqual([{ word: 'it', meaning: 'Lamp' }])
  expect(contextWords(lights, name, NOW + 3_600_000)).toEqual([])
  expect(context({ ended: true })).toBeUndefined()
})

test('only what is one’s own or shared is listed', () => {
  const ada = { kind: 'person', id: 'ada' }
  const listed = (more: object): boolean => {
    const one = context(more)
    return one !== undefined && isListed(one, ada)
  }
  expect(listed({ owner: 'person:ada', conversationId: 'whatever' })).toBe(true)
  expect(listed({ owner: 'person:bob' })).toBe(false)
  expect(listed({ owner: 'person:bob', shared: true, conversationId: 'kitchen' })).toBe(true)
  // A hub that does not say whose it is: by its name.
  expect(listed({})).toBe(true)
  expect(listed({ conversationId: newConversation('ada', 0.5) })).toBe(true)
  for (const other of ['bob', 'ada-lovelace', 'adam']) expect(listed({ conversationId: other })).toBe(false)
  expect([
    conversationWords('ada', 'ada'),
    conversationWords('ada-x7f2', 'ada'),
    conversationWords('kitchen', 'ada'),
  ]).toEqual(['Yours', 'Yours, x7f2', 'kitchen'])
})

test('examples speak of devices that are there', () => {
  const device = (name: string, kind: string, state: Record<string, unknown> = {}, more: object = {}) => ({
    name,
    kind,
    state,
    intents: {},
    ...more,
  })
  expect(
    examplesFor([
      device('Bench light', 'light', {}, { intents: { 'light.turn_on': {} } }),
      device('Yard door', 'contact', { open: false }),
      device('Room climate', 'climate_sensor', { temperature_c: 20 }, { area: 'Workshop' }),
    ]),
  ).toEqual([
    'Turn on the bench light',
    'Turn it off',
    'Is the yard door closed?',
    'How warm is it in the workshop?',
    'Schalte Bench light ein',
  ])
  expect(examplesFor([])).toContain('Turn on the bench light')
})

test('a conversation is called so that it fits into a topic', () => {
  const level = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/
  for (const person of ['ada', 'ada@example.com', '+#/', 'x'.repeat(200), ''])
    for (const id of [ownConversation(person), newConversation(person, 0.999)]) expect(id).toMatch(level)
})

test('an answer is read with what matched, what was considered and what was near, in either form', () => {
  const pairs = readTalk({
    conversationId: 'ada',
    replies: [{ text: 'Done.' }, 'And that.'],
    routing: {
      tier: 'local',
      matched: [{ words: 'turn on', as: 'turn_on' }],
      considered: [{ what: 'hall light', why: 'another area' }],
    },
    pendingHazard: { approval: 'a1', commandId: 'c1' },
  })
  expect(pairs).toMatchObject({
    replies: ['Done.', 'And that.'],
    path: 'local',
    options: [],
    matched: [{ name: 'turn on', value: 'turn_on' }],
    considered: [{ text: 'hall light', why: 'another area' }],
    pending: { approval: 'a1', commandId: 'c1' },
  })
  const unknown = readNotUnderstood('ada', 'What?', { near: ['turn on the light'], routing: { understander: 'rules' } })
  expect(unknown).toMatchObject({ replies: ['What?'], near: ['turn on the light'], matched: [], path: 'rules' })
  expect(readNotUnderstood('ada', 'No right', { right: 'devices.request' })).toBeUndefined()
  expect(readTalk({ replies: [] })).toBeUndefined()
})

test('a conversation of the hub is shown with what was said here, each turn once', () => {
  const reply = {
    kind: 'done',
    text: 'Done.',
    commands: [{ commandId: 'c1', device: 'lamp', intent: 'light.turn_on', status: 'done' }],
  }
  const past = readTurns('ada', {
    turns: [
      { at: '2026-11-20T08:00:00Z', who: 'person:ada', text: 'lamp on', replies: [reply] },
      {
        at: '2026-11-20T08:00:30Z',
        who: 'person:grace',
        text: 'lamp off',
        replies: [{ text: 'Off.', approval: 'a1' }],
      },
      { nonsense: true },
    ],
  })
  const answer = readTalk({
    conversationId: 'ada',
    replies: ['Done.'],
    routing: { matched: [{ words: 'on', as: 'turn_on' }] },
  })
  const here: Turn[] = [
    { key: 'here-1', at: NOW + 900, said: 'lamp on', ...(answer ? { answer } : {}) },
    { key: 'here-2', at: NOW + 40_000, said: 'lamp on' },
  ]
  const turns = mergedTurns(past, here, 0, 'person:ada')
  expect(turns.map(({ key }) => key)).toEqual(['here-1', expect.stringMatching(/^past-/), 'here-2'])
  expect(turns[1]).toMatchObject({ who: 'person:grace', answer: { pending: { approval: 'a1' } } })
  expect(mergedTurns(past, [], 0, 'person:ada')[0]).toMatchObject({
    said: 'lamp on',
    answer: { commands: [{ commandId: 'c1', status: 'done' }] },
  })
})
