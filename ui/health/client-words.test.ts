// MQTT clients in words.
import { expect, test } from 'vitest'
import { readClients } from '../api/read.ts'
import { bytesText, stateOf } from './client-words.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9960, '10 kB'],
  [999_600, '1.0 MB'],
  [31_400_000, '31 MB'],
  [5e12, '5000 GB'],
])('%i bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test('clients are read from the answer, what is missing left out, and say how they are', () => {
  const answer = {
    items: [
      { clientId: 'a', online: true, protocol: 5, bufferedBytes: 70_000, connectedAt: '1970-01-01T00:00:01Z' },
      { clientId: 'b', online: false, principal: 'device:b', expiresAt: '1970-01-01T00:00:02Z', queued: 3 },
      { clientId: 'c', online: true, lastError: { at: '1970-01-01T00:00:03Z', what: 'refused' } },
      { online: true },
    ],
    total: 9,
    counts: { connected: 2, asleep: 1 },
  }
  const clients = readClients(answer)
  expect(clients).toMatchObject({
    items: [
      { clientId: 'a', protocol: '5.0', connectedAt: 1000 },
      { clientId: 'b', expiresAt: 2000, queued: 3 },
      { clientId: 'c', lastError: { at: 3000, what: 'refused' } },
    ],
    total: 9,
    counts: { connected: 2, asleep: 1, queued: 0, dropped: 0, slowClientsCut: 0 },
  })
  expect(clients?.items[1]).not.toHaveProperty('address')
  expect(clients?.items.map((client) => stateOf(client).word)).toEqual(['Behind', 'Asleep', 'Connected'])
  expect(readClients({ items: 'none' })).toBeUndefined()
})
