// Conversations: revisions, the end after silence, restarts, bounds.
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { openConversations } from './conversations.ts'
import type { ConversationContext } from './topics.ts'

const T0 = Date.UTC(2026, 10, 20, 12)
const HOUR = 3_600_000
const ADA = { owner: 'person:ada' }
const BEN = { owner: 'person:ben' }

const memory = () => {
  const kept = new Map<string, string>()
  return {
    get: async <T>(key: string, schema: z.ZodType<T>): Promise<T | undefined> => {
      const json = kept.get(key)
      return json === undefined ? undefined : schema.safeParse(JSON.parse(json)).data
    },
    set: async (key: string, value: unknown): Promise<void> => void kept.set(key, JSON.stringify(value)),
    remove: async (key: string): Promise<void> => void kept.delete(key),
    keys: async (prefix: string): Promise<string[]> => [...kept.keys()].filter((key) => key.startsWith(prefix)).sort(),
  }
}

const bench = (kept = memory(), most = 10) => {
  const clock = { now: T0 }
  const published: ConversationContext[] = []
  const cleared: string[] = []
  const open = openConversations({
    memory: kept,
    now: () => clock.now,
    publish: (context) => void published.push(context),
    ended: (id) => void cleared.push(id),
    endsAfterMs: 24 * HOUR,
    most,
  })
  return { clock, published, cleared, open, kept }
}

test('each change is the next revision, with a day to live; a stale one is refused and changes nothing', async () => {
  const { open, published } = bench()
  await open.change('a', { context: { devices: ['lamp'], zone: 'Kitchen' } }, ADA)
  await open.change('a', { context: { lastIntent: 'light.turn_on' } }, ADA)
  expect(published.at(-1)).toMatchObject({
    rev: 2,
    devices: ['lamp'],
    zone: 'Kitchen',
    lastIntent: 'light.turn_on',
    expiresAt: '2026-11-21T12:00:00.000Z',
  })
  await expect(open.change('a', { context: { devices: ['x'] } }, ADA, 2)).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(open.get('a')?.context).toEqual(published.at(-1))
  expect((await open.change('a', { context: { zone: undefined } }, ADA, 7)).context).toMatchObject({
    rev: 7,
    devices: ['lamp'],
  })
  expect(open.get('a')?.context.zone).toBeUndefined()
})

test('after a day of silence it is gone for everybody, and its topic is cleared once', async () => {
  const { open, clock, published, cleared } = bench()
  await open.change('a', { context: { devices: ['lamp'] } }, ADA)
  clock.now += 24 * HOUR
  expect(open.get('a')).toBeUndefined()
  await open.sweep()
  await open.sweep()
  expect(cleared).toEqual(['a'])
  expect(published).toHaveLength(1)
})

test('what ended while the hub was down is cleared at the start, as is what cannot be read any more', async () => {
  const first = bench()
  await first.open.change('a', {}, ADA)
  await first.kept.set('conversation/old', { context: { conversationId: 'old' }, turns: [] })
  const second = bench(first.kept)
  second.clock.now += 25 * HOUR
  await second.open.loaded
  expect(second.cleared.sort()).toEqual(['a', 'old'])
  expect(second.published).toEqual([])
  expect(await first.kept.keys('conversation/')).toEqual([])
})

test('a conversation stays with whoever began it, and with its place', async () => {
  const { open } = bench()
  await open.change('a', {}, { ...ADA, shared: true })
  await open.change('a', {}, BEN)
  expect(open.get('a')?.context).toMatchObject({ rev: 2, owner: 'person:ada', shared: true })
})

test('a restart finds them as they were, and publishes them again with the same revision', async () => {
  const first = bench()
  await first.open.change('a', { context: { devices: ['lamp'] }, language: 'de', approval: 'ap1' }, ADA)
  const second = bench(first.kept)
  await second.open.loaded
  expect(second.open.get('a')).toEqual(first.open.get('a'))
  expect(second.published).toEqual([first.published.at(-1)])
})

test('they are bounded: of whoever has most, the one silent for longest ends first', async () => {
  const { open, cleared } = bench(memory(), 3)
  await open.change('ben', {}, BEN)
  for (const id of ['a', 'b']) await open.change(id, {}, ADA)
  await open.change('a', {}, ADA)
  await open.change('c', {}, ADA)
  expect(cleared).toEqual(['b'])
  expect(open.get('ben')).toBeDefined()
})

test('turns are taken one after the other, also past one that fails, and not without end', async () => {
  const { open } = bench()
  const order: string[] = []
  const slow = Promise.withResolvers<void>()
  const first = open.inTurn('a', async () => {
    await slow.promise
    order.push('first')
    throw new Error('broke')
  })
  const second = open.inTurn('a', async () => void order.push('second'))
  const waiting = Array.from({ length: 14 }, () => open.inTurn('a', async () => {}))
  await expect(open.inTurn('a', async () => {})).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  slow.resolve()
  await expect(first).rejects.toThrow('broke')
  await second
  await Promise.all(waiting)
  expect(order).toEqual(['first', 'second'])
})

test('fifty turns are kept, and the waiting command finds its conversation', async () => {
  const { open } = bench()
  for (let n = 0; n < 60; n++)
    await open.change('a', { turn: { at: '', who: 'person:ada', text: `${n}`, replies: [] } }, ADA)
  expect(
    open
      .get('a')
      ?.turns.map(({ text }) => text)
      .at(0),
  ).toBe('10')
  await open.change('a', { context: { pending: 'c1' }, approval: 'ap' }, ADA)
  expect(open.waitingFor('c1')).toBe('a')
  expect(open.waitingFor('c2')).toBeUndefined()
})
