// How many lasting sessions one origin may hold.
import { expect, test } from 'vitest'
import { openOwners } from './owners.ts'

const rig = (stored: [string, string][] = []) => {
  const kept = new Map(stored)
  const owners = openOwners({
    most: 100,
    mostOfOne: 3,
    live: () => undefined,
    store: {
      owner: (id) => kept.get(id),
      owners: () => kept,
      setOwner: async (id, origin) => void (origin === undefined ? kept.delete(id) : kept.set(id, origin)),
    },
    failed: (error) => expect.unreachable(String(error)),
  })
  return { owners, kept }
}

test('a session belongs to who opened it', () => {
  const { owners } = rig()
  expect(owners.claim('press', 'device:press', true)).toBe('yes')
  expect(owners.claim('press', 'device:lamp', true)).toBe('taken')
  owners.release('press')
  expect(owners.claim('press', 'device:lamp', false)).toBe('yes')
})

test('one principal holds so many lasting sessions and no more; its old ones and clean ones still come in, and so do others', () => {
  const { owners } = rig([['mal-0', 'device:mal']])
  expect(['mal-1', 'mal-2', 'mal-3'].map((id) => owners.claim(id, 'device:mal', true))).toEqual(['yes', 'yes', 'full'])
  expect(owners.claim('mal-0', 'device:mal', true)).toBe('yes')
  expect(owners.claim('mal-9', 'device:mal', false)).toBe('yes')
  expect(owners.claim('lamp', 'device:lamp', true)).toBe('yes')
})

test('a session that ended makes room', () => {
  const { owners, kept } = rig()
  for (const id of ['mal-1', 'mal-2', 'mal-3']) owners.claim(id, 'device:mal', true)
  // Ended by the store: it expired.
  kept.delete('mal-2')
  expect(owners.claim('mal-4', 'device:mal', true)).toBe('yes')
})
