import { expect, test } from 'vitest'
import type { ClientView } from './broker.ts'
import { clientRows, countRows, isAbout } from './client-rows.ts'
import type { SessionView } from './sessions/store.ts'

const client = (clientId: string, more: Partial<ClientView> = {}): ClientView => ({
  clientId,
  principal: `device:${clientId}`,
  address: '10.0.0.7',
  protocol: 5,
  connectedAt: 1000,
  subscriptions: 2,
  dropped: 0,
  bufferedBytes: 0,
  ...more,
})
const session = (clientId: string, more: Partial<SessionView> = {}): SessionView => ({
  clientId,
  owner: `device:${clientId}`,
  queued: 0,
  queuedBytes: 0,
  subscriptions: 1,
  dropped: 0,
  ...more,
})
const none = () => undefined

test('a client that is connected and has a session is one row, with what waits for it and all it lost', () => {
  const rows = clientRows({
    clients: [client('dust', { dropped: 2, bufferedBytes: 9 })],
    sessions: [session('dust', { queued: 3, queuedBytes: 300, dropped: 5, expiresAt: 99 })],
    lastErrorOf: none,
  })
  expect(rows).toEqual([
    {
      clientId: 'dust',
      principal: 'device:dust',
      online: true,
      address: '10.0.0.7',
      protocol: 5,
      connectedAt: 1000,
      subscriptions: 2,
      queued: 3,
      queuedBytes: 300,
      dropped: 7,
      bufferedBytes: 9,
    },
  ])
})

test('a session without a connection sleeps: no address, but an end; one that nobody owns has no principal', () => {
  const { owner: _, ...nobody } = session('old')
  const rows = clientRows({
    clients: [],
    sessions: [session('lamp', { queued: 1, queuedBytes: 10, expiresAt: 5000 }), nobody],
    lastErrorOf: none,
  })
  expect(rows).toEqual([
    {
      clientId: 'lamp',
      principal: 'device:lamp',
      online: false,
      subscriptions: 1,
      queued: 1,
      queuedBytes: 10,
      dropped: 0,
      bufferedBytes: 0,
      expiresAt: 5000,
    },
    expect.objectContaining({ clientId: 'old', principal: '' }),
  ])
})

test('trouble comes first, then who is connected, then by name; the counts are of all', () => {
  const error = { at: 1, what: 'Connection refused: wrong password' }
  const rows = clientRows({
    clients: [client('c'), client('b'), client('z')],
    sessions: [session('a', { queued: 4, queuedBytes: 40 }), session('y', { dropped: 3 }), session('b')],
    lastErrorOf: (clientId) => (clientId === 'z' ? error : undefined),
  })
  expect(rows.map(({ clientId }) => clientId)).toEqual(['y', 'z', 'b', 'c', 'a'])
  expect(rows[1]?.lastError).toEqual(error)
  expect(countRows(rows)).toEqual({ connected: 3, asleep: 2, queued: 4, queuedBytes: 40, dropped: 3 })
  const found = (text: string) => rows.filter((row) => isAbout(row, text)).map(({ clientId }) => clientId)
  expect(found(' DEVICE:B ')).toEqual(['b'])
  expect(found('password')).toEqual(['z'])
  expect(found('10.0.0.7')).toEqual(['z', 'b', 'c'])
  expect(found('nobody')).toEqual([])
})
