// Notifications as they are read, counted and chosen.
import { expect, test } from 'vitest'
import { readNotification, type NotificationItem } from '../api/read-notification.ts'
import { EMPTY, withMessage } from '../live/state.ts'
import { chosen, levelLook, unreadCount } from './words.ts'

const raw = (id: string, more: object = {}) => ({
  id,
  key: `error:${id}`,
  source: 'error',
  severity: 'error',
  title: 'Broke in x',
  text: 'It broke.',
  link: '/errors',
  at: '2026-11-20T08:00:00Z',
  updatedAt: '2026-11-20T08:00:00Z',
  count: 1,
  status: 'open',
  seenBy: [],
  ...more,
})
const read = (...items: object[]): NotificationItem[] => items.map(readNotification).filter((one) => one !== undefined)

test('only what is open and not seen by oneself counts', () => {
  const items = read(
    raw('a'),
    raw('b', { seenBy: ['person:ada'] }),
    raw('c', { status: 'ended' }),
    raw('d', { seenBy: ['person:bob'], updatedAt: '2026-11-20T09:00:00Z' }),
  )
  expect(unreadCount(items, 'person:ada')).toBe(2)
  const ids = (choice: Parameters<typeof chosen>[1]): string[] =>
    chosen(items, choice, 'person:ada').map(({ id }) => id)
  expect(ids('all')).toEqual(['d', 'a', 'b', 'c'])
  expect(ids('unread')).toEqual(['d', 'a', 'c'])
  expect(ids('open')).toEqual(['d', 'a', 'b'])
})

test('what is over is not alarming any more, and an unknown kind is not overlooked', () => {
  const [over, odd] = read(
    raw('a', { severity: 'critical', status: 'ended' }),
    raw('b', { source: 'x', severity: 'y' }),
  )
  expect(over && levelLook(over)).toEqual({ tone: 'idle', word: 'Over' })
  expect(odd && levelLook(odd)).toEqual({ tone: 'bad', word: 'Error' })
  expect(read({ title: 'no id' }, { id: 'x' })).toEqual([])
})

test('the topic is the whole inbox; what is no inbox changes nothing', () => {
  const heard = (payload: unknown) => ({ topic: 'notify/inbox', payload, retained: true, at: 1, n: 1 })
  const first = withMessage(EMPTY, heard({ items: [raw('a'), raw('b')] }))
  expect(first.inbox).toHaveLength(2)
  expect(withMessage(first, heard({ items: [raw('b')] })).inbox).toHaveLength(1)
  expect(withMessage(first, heard('nonsense')).inbox).toHaveLength(2)
  expect(EMPTY.inbox).toBeUndefined()
})
