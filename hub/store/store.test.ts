// The store on both databases: settings, transactions, errors, newer tables.
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Fatal, Invalid } from '../errors.ts'
import { eachStore } from '../testing/stores.ts'
import { isDuplicate, StoreError } from './errors.ts'
import { migrations } from './migrations.ts'
import { openSettings } from './settings.ts'

eachStore('the store', (open, dialect) => {
  test('keeps settings, checked when they are read', async () => {
    const settings = openSettings(await open())
    expect(await settings.get('network.open', z.boolean())).toBeUndefined()
    await settings.set('network.open', false)
    await settings.set('network.open', true)
    expect(await settings.get('network.open', z.boolean())).toBe(true)
    await expect(settings.get('network.open', z.string())).rejects.toThrow(Invalid)
    await settings.remove('network.open')
    expect(await settings.get('network.open', z.boolean())).toBeUndefined()
  })

  test('finds everything again after it was closed', async () => {
    const first = await open()
    await openSettings(first).set('shop', { name: 'north' })
    await first.close()
    const settings = openSettings(await open({ again: true }))
    expect(await settings.get('shop', z.object({ name: z.string() }))).toEqual({ name: 'north' })
  })

  test('a transaction that throws leaves nothing behind, and one at a time is inside', async () => {
    const { db } = await open()
    const insert = (key: string) =>
      db.transaction().execute(async (inside) => {
        await inside.insertInto('settings').values({ key, value: '1' }).execute()
        if (key === 'bad') throw new Error('changed my mind')
        await inside
          .insertInto('settings')
          .values({ key: `${key}.more`, value: '2' })
          .execute()
      })
    const ended = await Promise.allSettled(['a', 'bad', 'b'].map(insert))
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const rows = await db
      .selectFrom('settings')
      .select('key')
      .where('key', 'not like', 'store.%')
      .orderBy('key')
      .execute()
    expect(rows.map(({ key }) => key)).toEqual(['a', 'a.more', 'b', 'b.more'])
  })

  test('changes written together are all made, or none', async () => {
    const { db, write } = await open()
    const put = (key: string, value: string) => db.insertInto('settings').values({ key, value })
    await write([put('a', '1'), put('b', '2')])
    await expect(write([put('c', '3'), put('a', '4')])).rejects.toSatisfy(isDuplicate)
    await write([])
    const rows = await db
      .selectFrom('settings')
      .selectAll()
      .where('key', 'not like', 'store.%')
      .orderBy('key')
      .execute()
    expect(rows).toEqual([
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
    ])
  })

  test('changes written together wait for a transaction that is under way, and are no part of it', async () => {
    const { db, write } = await open()
    let written: Promise<void> | undefined
    const undone = db.transaction().execute(async (inside) => {
      await inside.insertInto('settings').values({ key: 'a', value: '1' }).execute()
      written = write([db.insertInto('settings').values({ key: 'b', value: '2' })])
      await new Promise((resolve) => setTimeout(resolve, 20))
      throw new Error('changed my mind')
    })
    await expect(undone).rejects.toThrow('changed my mind')
    await written
    const rows = await db.selectFrom('settings').select('key').where('key', 'not like', 'store.%').execute()
    expect(rows).toEqual([{ key: 'b' }])
  })

  test('a failed statement inside a transaction undoes the whole', async () => {
    const { db } = await open()
    const twice = db.transaction().execute(async (inside) => {
      await inside.insertInto('settings').values({ key: 'a', value: '1' }).execute()
      await inside.insertInto('settings').values({ key: 'a', value: '2' }).execute()
    })
    await expect(twice).rejects.toSatisfy(isDuplicate)
    await db.insertInto('settings').values({ key: 'a', value: '3' }).execute()
    const { value } = await db.selectFrom('settings').select('value').where('key', '=', 'a').executeTakeFirstOrThrow()
    expect(value).toBe('3')
  })

  test('a wrong statement is an error without the values in its text', async () => {
    const { db } = await open()
    const wrong = sql`select ${'hunter2'} from nowhere`.execute(db)
    await expect(wrong).rejects.toThrow(StoreError)
    await expect(wrong).rejects.not.toThrow('hunter2')
    await expect(wrong).rejects.toMatchObject({ code: 'INTERNAL_ERROR' })
  })

  test('counts and stamps are numbers, bytes are buffers', async () => {
    const { db } = await open()
    await db.schema
      .createTable('kinds')
      .addColumn('at', 'bigint')
      .addColumn('raw', dialect === 'sqlite' ? 'blob' : 'bytea')
      .execute()
    const kinds = db.withTables<{ kinds: { at: number; raw: Buffer | null } }>()
    const at = 1_800_000_000_123
    const put = await kinds
      .insertInto('kinds')
      .values({ at, raw: Buffer.from([1, 2, 255]) })
      .executeTakeFirst()
    expect(put.numInsertedOrUpdatedRows).toBe(1n)
    const { n } = await kinds
      .selectFrom('kinds')
      .select(({ fn }) => fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow()
    expect(n).toBe(1)
    const row = await kinds.selectFrom('kinds').selectAll().executeTakeFirstOrThrow()
    expect(row.at).toBe(at)
    expect(Buffer.isBuffer(row.raw)).toBe(true)
    expect(row.raw?.toString('hex')).toBe('0102ff')
    const changed = await kinds.updateTable('kinds').set({ raw: null }).executeTakeFirst()
    expect(changed.numUpdatedRows).toBe(1n)
  })

  test('a hundred callers at once all get their turn', async () => {
    const settings = openSettings(await open())
    await Promise.all(Array.from({ length: 100 }, (_, i) => settings.set(`n${i % 10}`, i)))
    expect(await settings.get('n9', z.number())).toBe(99)
  })

  test('refuses tables of a newer version, names it, and changes nothing', async () => {
    const newer = { ...migrations, '999-from-the-future': { async up() {} } }
    await (await open({ migrations: newer, version: '9.1.0' })).close()
    const older = open({ again: true, version: '0.1.0' })
    await expect(older).rejects.toThrow(Fatal)
    await expect(older).rejects.toThrow(/last used by Millrace 9\.1\.0.*999-from-the-future.*Nothing was changed/)
    await (await open({ again: true, migrations: newer, version: '9.1.0' })).close()
  })

  test('a change of the tables that fails leaves nothing of itself', async () => {
    await (await open()).close()
    const halfway = {
      ...migrations,
      '500-halfway': {
        async up(db: Parameters<(typeof migrations)[string]['up']>[0]) {
          await db.schema.createTable('half').addColumn('id', 'integer').execute()
          await sql`insert into nowhere values (1)`.execute(db)
        },
      },
    }
    await expect(open({ again: true, migrations: halfway })).rejects.toThrow(/at '500-halfway'.*was undone/s)
    const { db } = await open({ again: true })
    const tables = await db.introspection.getTables()
    expect(tables.map(({ name }) => name)).not.toContain('half')
  })

  test('opening again changes nothing', async () => {
    await (await open({ version: '1.0.0' })).close()
    const settings = openSettings(await open({ again: true, version: '2.0.0' }))
    expect(await settings.get('store.version', z.string())).toBe('1.0.0')
  })
})

describe('names of changes', () => {
  test('start with a number and are in order', () => {
    const names = Object.keys(migrations)
    expect(names).toEqual(names.toSorted())
    for (const name of names) expect(name).toMatch(/^\d{3}-[a-z-]+$/)
  })
})
