// PostgreSQL when it goes wrong: connections that break, a server that is away, an address that is none.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { type FakePostgres, startPostgres } from '../testing/postgres.fake.ts'
import { silent } from '../testing/stores.ts'
import { openStore } from './open.ts'
import { openSettings } from './settings.ts'

let server: FakePostgres
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server.close())

test('a broken connection fails what was under way, and the next call goes on', async () => {
  const store = await openStore({ url: server.url, file: '', log: silent })
  const settings = openSettings(store)
  await settings.set('a', 1)
  const inside = store.db.transaction().execute(async (t) => {
    await t.insertInto('settings').values({ key: 'b', value: '1' }).execute()
    server.cut()
    await t.insertInto('settings').values({ key: 'c', value: '1' }).execute()
  })
  await expect(inside).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('does not answer'),
  })
  expect(await settings.get('a', z.number())).toBe(1)
  expect(await settings.get('b', z.unknown())).toBeUndefined()
  await store.close()
})

test('a database nobody serves is named without its password', async () => {
  const opening = openStore({ url: 'postgres://ada:hunter2@127.0.0.1:1/shop', file: '', log: silent })
  await expect(opening).rejects.toThrow(
    /The database at 127\.0\.0\.1:1\/shop cannot be used: .*ECONNREFUSED.*Check DATABASE_URL/,
  )
  await expect(opening).rejects.not.toThrow('hunter2')
  await expect(openStore({ url: 'mysql://x/y', file: '', log: silent })).rejects.toThrow('must start with postgres://')
})
