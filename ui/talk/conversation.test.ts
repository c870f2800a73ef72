import { expect, test } from 'vitest'
import { readContext, readTalk } from '../api/read-talk.ts'
import { contextWords, newConversation, ownConversation } from './conversation.ts'

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
    matched: [{ name: 'turn on', value: 'turn_on' }],
    considered: [{ text: 'hall light', why: 'another area' }],
    pending: { approval: 'a1', commandId: 'c1' },
  })
  const unknown = readTalk({ conversationId: 'ada', replies: 'What?', routing: { near: ['turn on the light'] } })
  expect(unknown).toMatchObject({ replies: ['What?'], near: ['turn on the light'], matched: [], commands: [] })
  expect(readTalk({ replies: [] })).toBeUndefined()
})
