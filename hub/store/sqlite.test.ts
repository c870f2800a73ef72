// SQLite's file and thread when things go wrong: bad files, a full disk, a slow statement, a thread that dies.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Fatal } from '../errors.ts'
import { silent } from '../testing/stores.ts'
import { openStore } from './open.ts'
import { openSettings } from './settings.ts'
import { openSqliteThread } from './sqlite-thread.ts'
import { sqliteDialect } from './sqlite.ts'
import type { Tables } from './store.ts'
import { openTurn } from './turn.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const at = (name: string) => join(dir, name)
const open = (file: string) => openStore({ file, log: silent })
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('the file and its companions are for the owner alone', async () => {
  const store = await open(at('new/hub.db'))
  await openSettings(store).set('a', 1)
  expect([mode(at('new')), mode(at('new/hub.db')), mode(at('new/hub.db-wal'))]).toEqual(['700', '600', '600'])
  await store.close()
})

test('a file that is no database is refused and left as it is', async () => {
  writeFileSync(at('hub.db'), 'not a database at all, but someone wrote it here\n'.repeat(100))
  const before = readFileSync(at('hub.db'))
  await expect(open(at('hub.db'))).rejects.toThrow(/hub\.db is not a database of the hub\. Move it away/)
  expect(readFileSync(at('hub.db')).equals(before)).toBe(true)
})

test('a torn file is refused with what to do', async () => {
  const store = await open(at('hub.db'))
  const settings = openSettings(store)
  for (let i = 0; i < 40; i++) await settings.set(`key${i}`, 'x'.repeat(2000))
  await store.close()
  truncateSync(at('hub.db'), statSync(at('hub.db')).size - 3 * 4096)
  await expect(open(at('hub.db'))).rejects.toThrow(/is damaged\. Restore the last backup/)
})

test('a folder in the place of the file, and a file in the place of the folder, are named', async () => {
  mkdirSync(at('hub.db'))
  await expect(open(at('hub.db'))).rejects.toThrow(Fatal)
  writeFileSync(at('file'), '')
  await expect(open(at('file/hub.db'))).rejects.toThrow(
    /something else has this name\. Choose another folder with DATA_DIR/,
  )
})

test('a file held by another program is named as such', async () => {
  const other = new Database(at('hub.db'))
  other.exec('BEGIN EXCLUSIVE')
  const opening = openSqliteThread(
    { file: at('hub.db'), synchronous: 'NORMAL', busyMs: 50 },
    { deadlineMs: 5000, lost: () => {} },
  )
  await expect(opening).rejects.toMatchObject({ code: 'SQLITE_BUSY' })
  other.close()
})

const bare = async (deadlineMs = 5000, limit = 100) => {
  const lost: Error[] = []
  const thread = await openSqliteThread(
    { file: at('bare.db'), synchronous: 'NORMAL', busyMs: 100 },
    { deadlineMs, lost: (why) => lost.push(why) },
  )
  const db = new Kysely<Tables>({
    dialect: sqliteDialect(thread, openTurn({ limit, waitMs: deadlineMs, what: 'The store' })),
  })
  return { db, thread, lost }
}

test('a full disk is told as one, and what was stored before stays', async () => {
  const { db } = await bare()
  await db.schema.createTable('filler').addColumn('text', 'text').execute()
  await sql`pragma max_page_count = 20`.execute(db)
  const fill = (text: string) => sql`insert into filler values (${text})`.execute(db)
  await fill('first')
  await expect(fill('x'.repeat(200_000))).rejects.toThrow(
    'The disk is full: free some space; what was stored before is intact.',
  )
  const inside = db.transaction().execute(async (t) => {
    await sql`insert into filler values ('second')`.execute(t)
    await sql`insert into filler values (${'x'.repeat(200_000)})`.execute(t)
  })
  await expect(inside).rejects.toThrow('The disk is full')
  const { rows } = await sql<{ text: string }>`select text from filler`.execute(db)
  expect(rows).toEqual([{ text: 'first' }])
  await fill('and it goes on')
  await db.destroy()
})

const ENDLESS =
  'with recursive n(i) as (select 1 union all select i + 1 from n where i < 12000000) select count(*) as c from n'

test('a slow statement fails after its deadline, and so do those that waited too long', async () => {
  const { db, thread } = await bare(100)
  const slow = thread.run({ sql: ENDLESS, parameters: [] })
  await expect(slow).rejects.toThrow(/did not answer within 0\.1 s: try again\. Whether a change was made is not known/)
  await db.destroy()
})

test('a begin that missed its deadline does not swallow what comes after it', async () => {
  const { db, thread } = await bare(400)
  await db.schema.createTable('t').addColumn('n', 'integer').execute()
  const slow = thread.run({ sql: ENDLESS, parameters: [] }).catch(() => 'late')
  const inside = db.transaction().execute((t) => sql`insert into t values (1)`.execute(t))
  await expect(inside).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(await slow).toBe('late')
  const insert = async (): Promise<unknown> => sql`insert into t values (2)`.execute(db).catch(insert)
  await insert()
  await db.destroy()
  const file = new Database(at('bare.db'))
  expect(file.prepare('select distinct n from t').all()).toEqual([{ n: 2 }])
  file.close()
})

test('the log is copied into the database while the store goes on, and does not grow without end', async () => {
  const store = await open(at('hub.db'))
  const put = (n: number) => store.db.insertInto('settings').values({ key: `k${n}`, value: 'x'.repeat(3000) })
  for (let n = 0; n < 3000; n++) await put(n).execute()
  // Read without the store's own connection: what is in the file is what was copied.
  await vi.waitFor(() => expect(statSync(at('hub.db')).size).toBeGreaterThan(4 * 1024 * 1024), 10_000)
  expect(statSync(`${at('hub.db')}-wal`).size).toBeLessThan(64 * 1024 * 1024)
  await store.close()
  expect(existsSync(`${at('hub.db')}-wal`)).toBe(false)
})

test('the line is bounded', async () => {
  const { db } = await bare(5000, 2)
  const ask = () => sql`select 1`.execute(db)
  const ended = await Promise.allSettled([ask(), ask(), ask(), ask(), ask()])
  expect(ended.filter(({ status }) => status === 'rejected').length).toBe(2)
  await expect(ask()).resolves.toBeDefined()
  await db.destroy()
})

test('a closed store says so', async () => {
  const store = await open(at('hub.db'))
  await store.close()
  await expect(openSettings(store).set('a', 1)).rejects.toThrow()
})

test('nothing of a statement that was answered is lost when the process is killed', () => {
  const script = `
    import { openStore } from ${JSON.stringify(join(import.meta.dirname, 'open.ts'))}
    import { openSettings } from ${JSON.stringify(join(import.meta.dirname, 'settings.ts'))}
    const log = { debug() {}, info() {}, warn() {}, error() {}, of: () => log }
    const settings = openSettings(await openStore({ file: ${JSON.stringify(at('hub.db'))}, log }))
    for (let i = 0; i < 20; i++) await settings.set('n' + i, i)
    process.kill(process.pid, 'SIGKILL')`
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  expect([signal, stderr]).toEqual(['SIGKILL', ''])
  const file = new Database(at('hub.db'))
  expect(file.prepare("select count(*) as n from settings where key like 'n%'").get()).toEqual({ n: 20 })
  file.close()
})
