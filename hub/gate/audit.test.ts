// The audit chain: written in order, continued after a restart, and no tampering goes unnoticed.
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { AuditEvent } from './audit.ts'
import { verifyAudit } from './verify.ts'
import { auditCommand } from './cli.ts'
import { handTime, memoryDb, memoryHealth, settle } from './gate.rig.ts'
import { BOUNDS } from './bounds.ts'
import { commandOf, rowOf } from './command.ts'
import { openLedger } from './ledger.ts'
import type { CommandsTable } from './tables.ts'
import { writeTo } from '../store/write.ts'

const event = (n: number): AuditEvent => ({
  at: 1000 + n,
  event: 'request',
  subject: `r${n}`,
  who: 'person:ada',
  device: 'press',
  intent: 'press.close',
  detail: { n, b: [1, { z: 1, a: 'ä' }] },
})

const written = async (rows: number) => {
  const db = await memoryDb()
  const health = memoryHealth()
  const time = handTime()
  const open = () => openLedger({ store: { db, write: writeTo(db) }, health, wait: time.wait, now: time.clock.now() })
  const ledger = await open()
  for (let n = 1; n <= rows; n++) ledger.audit(event(n))
  await ledger.flush()
  await ledger.close()
  return { db, health, open, time }
}

test('what was written verifies, across pages, batches and restarts', async () => {
  const { db, open } = await written(2300)
  expect(await verifyAudit(db)).toEqual({ rows: 2300, ok: true })
  const again = await open()
  again.audit(event(2301))
  await again.flush()
  expect(await verifyAudit(db)).toEqual({ rows: 2301, ok: true })
  expect(await verifyAudit(await memoryDb())).toEqual({ rows: 0, ok: true })
})

test('a changed row is named', async () => {
  const { db } = await written(20)
  await db.updateTable('audit').set({ who: 'person:eve' }).where('n', '=', 7).execute()
  expect(await verifyAudit(db)).toEqual({
    rows: 6,
    ok: false,
    firstBad: { n: 7, why: 'row 7 was changed after it was written' },
  })
})

test('a removed row is named', async () => {
  const { db } = await written(20)
  await db.deleteFrom('audit').where('n', '=', 7).execute()
  expect(await verifyAudit(db)).toMatchObject({
    ok: false,
    firstBad: { n: 7, why: 'row 7 is missing; the next one is 8' },
  })
})

test('reordered rows are found', async () => {
  const { db } = await written(20)
  await db.updateTable('audit').set({ n: 100 }).where('n', '=', 7).execute()
  await db.updateTable('audit').set({ n: 7 }).where('n', '=', 8).execute()
  await db.updateTable('audit').set({ n: 8 }).where('n', '=', 100).execute()
  expect(await verifyAudit(db)).toMatchObject({ ok: false, firstBad: { n: 7 } })
})

test('a cut end is found, and stays found after the hub has written on', async () => {
  const { db, open, health } = await written(20)
  await db.deleteFrom('audit').where('n', '>', 15).execute()
  const verdict = {
    rows: 15,
    ok: false,
    firstBad: { n: 16, why: 'the chain ends at row 15, but it was written up to row 20' },
  }
  expect(await verifyAudit(db)).toEqual(verdict)
  const ledger = await open()
  ledger.audit(event(21))
  await ledger.flush()
  expect(health.reports.map(({ type }) => type)).toEqual(['AuditBroken'])
  expect(await verifyAudit(db)).toMatchObject({
    ok: false,
    firstBad: { n: 16, why: 'row 16 is missing; the next one is 21' },
  })
})

test('a removed head is found', async () => {
  const { db } = await written(5)
  await db.deleteFrom('audit_head').execute()
  expect(await verifyAudit(db)).toMatchObject({ ok: false, firstBad: { n: 5 } })
})

test('a row put in before the first, or with a forged hash, is found', async () => {
  const { db } = await written(5)
  const first = await db.selectFrom('audit').selectAll().where('n', '=', 1).executeTakeFirstOrThrow()
  await db
    .insertInto('audit')
    .values({ ...first, n: 0 })
    .execute()
  expect(await verifyAudit(db)).toMatchObject({ ok: false, firstBad: { n: 0 } })
  await db.deleteFrom('audit').where('n', '=', 0).execute()
  await db
    .updateTable('audit')
    .set({ hash: 'f'.repeat(64) })
    .where('n', '=', 5)
    .execute()
  expect(await verifyAudit(db)).toMatchObject({ ok: false, firstBad: { n: 5 } })
})

test('any single change of any field of any row is found', async () => {
  const { db } = await written(12)
  const rows = await db.selectFrom('audit').selectAll().execute()
  const field = fc.constantFrom('at', 'event', 'subject', 'who', 'device', 'intent', 'detail', 'prev', 'hash', 'n')
  await fc.assert(
    fc.asyncProperty(fc.nat(11), field, async (i, name) => {
      const row = rows[i]!
      const value = name === 'at' || name === 'n' ? row[name] + 1000 : `${row[name as 'who']} `
      await db
        .updateTable('audit')
        .set({ [name]: value })
        .where('n', '=', row.n)
        .execute()
      expect((await verifyAudit(db)).ok).toBe(false)
      await db
        .updateTable('audit')
        .set(row)
        .where('n', '=', name === 'n' ? Number(value) : row.n)
        .execute()
      expect((await verifyAudit(db)).ok).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('the command line prints the verdict, names the row and sets the exit code', async () => {
  const { db } = await written(3)
  const lines: string[] = []
  const run = (...args: string[]) => auditCommand(args, { db }, (line) => lines.push(line))
  expect(await run('verify')).toBe(0)
  expect(lines.splice(0)).toEqual([expect.stringMatching(/^The audit chain is whole: 3 rows\. No signed heads/)])
  await db.deleteFrom('audit').where('n', '=', 2).execute()
  expect(await run('verify')).toBe(1)
  expect(lines.splice(0)[0]).toBe('The audit chain is broken at row 2: row 2 is missing; the next one is 3.')
  expect(await run()).toBe(2)
  expect(await run('erase')).toBe(2)
})

test('rows wait while the database fails and are all there, in order, when it is back', async () => {
  const { db, open, health, time } = await written(3)
  const ledger = await open()
  await db.schema.alterTable('audit').renameTo('audit_away').execute()
  for (let n = 4; n <= 10; n++) ledger.audit(event(n))
  await settle()
  expect(ledger.ok).toBe(false)
  expect(health.words.get('audit')).toBe('unhealthy')
  await db.schema.alterTable('audit_away').renameTo('audit').execute()
  const flushed = ledger.flush()
  await time.pass(60)
  await flushed
  expect(ledger.ok).toBe(true)
  expect(health.words.get('audit')).toBe('healthy')
  expect(await verifyAudit(db)).toEqual({ rows: 10, ok: true })
})

test('beyond its bound the ledger drops rows and the chain says how many', async () => {
  const { db, open, time } = await written(0)
  const ledger = await open()
  await db.schema.alterTable('audit').renameTo('audit_away').execute()
  for (let n = 1; n <= 20_010; n++) ledger.audit(event(n))
  await settle()
  expect(ledger.waiting).toBe(20_000)
  await db.schema.alterTable('audit_away').renameTo('audit').execute()
  const flushed = ledger.flush()
  await time.pass(60)
  await flushed
  const gap = await db.selectFrom('audit').select(['detail']).where('event', '=', 'audit.gap').execute()
  expect(gap).toEqual([{ detail: '{"rows":10}' }])
  expect((await verifyAudit(db)).ok).toBe(true)
})

test('texts a database would change are changed before they are hashed', async () => {
  const { db, open } = await written(1)
  const ledger = await open()
  ledger.audit({ ...event(2), subject: '\ud800x', who: 'a\0b', detail: { text: '\udc00\0' } })
  await ledger.flush()
  expect(await verifyAudit(db)).toEqual({ rows: 2, ok: true })
  expect(await db.selectFrom('audit').select(['subject', 'who']).where('n', '=', 2).execute()).toEqual([
    { subject: '\ufffdx', who: 'a\ufffdb' },
  ])
})

const put = (id: string): CommandsTable => ({
  ...rowOf(commandOf({ device: 'press', body: { intent: 'a.b' }, origin: 'person:ada', at: 0, seq: 0, correlation: '', id }, BOUNDS)), // prettier-ignore
})

test('a row the store refuses is replaced by one that says so; everything else is written', async () => {
  const { db, health, open, time } = await written(3)
  await sql`create trigger picky before insert on audit when new.subject = 'r100' begin select raise(abort, 'no such subject'); end`.execute(
    db,
  )
  await sql`create trigger fussy before insert on commands when new.id = 'c5' begin select raise(abort, 'no such id'); end`.execute(
    db,
  )
  const ledger = await open()
  for (let n = 4; n <= 700; n++) ledger.audit(event(n))
  const puts = Array.from({ length: 10 }, (_, i) => ledger.put(put(`c${i}`)))
  const done = Promise.allSettled(puts)
  for (let i = 0; i < 60; i++) await time.pass(100)
  expect((await done).map(({ status }) => status)).toEqual(puts.map((_, i) => (i === 5 ? 'rejected' : 'fulfilled')))
  await ledger.flush()
  expect(ledger.ok).toBe(true)
  expect(await verifyAudit(db)).toEqual({ rows: 701, ok: true })
  const refused = await db.selectFrom('audit').select(['n', 'detail']).where('event', '=', 'audit.unwritable').execute()
  expect(refused.map(({ n, detail }) => [n, JSON.parse(detail)])).toMatchObject([
    [100, { event: 'request', subject: 'r100', why: 'no such subject' }],
    [701, { event: 'command', subject: 'c5', why: 'no such id' }],
  ])
  expect(await db.selectFrom('commands').select('id').execute()).toHaveLength(9)
  expect(health.reports.map(({ type }) => type)).toEqual(['RowRefused', 'RowRefused'])
  await ledger.close()
})

test('a store that takes nothing for a while loses nothing and refuses no row', async () => {
  const { db, health, open, time } = await written(3)
  await sql`create trigger full before insert on audit begin select raise(abort, 'disk full'); end`.execute(db)
  const ledger = await open()
  for (let n = 4; n <= 20; n++) ledger.audit(event(n))
  await time.pass(30_000)
  expect(ledger.ok).toBe(false)
  await sql`drop trigger full`.execute(db)
  await time.pass(10_000)
  expect(await verifyAudit(db)).toEqual({ rows: 20, ok: true })
  expect(health.reports).toEqual([])
  await ledger.close()
})

test('commands that wait for the store take so much memory and no more', async () => {
  const { db, open, time } = await written(0)
  await db.schema.alterTable('commands').renameTo('away').execute()
  const ledger = await open()
  const big = { ...put('x'), payload: 'x'.repeat(1024 * 1024) }
  const puts = Array.from({ length: 80 }, (_, i) => ledger.put({ ...big, id: `c${i}` }))
  const counted = Promise.allSettled(puts)
  await db.schema.alterTable('away').renameTo('commands').execute()
  await time.pass(1000)
  expect((await counted).filter(({ status }) => status === 'rejected')).toHaveLength(16)
  await expect(ledger.put({ ...big, id: 'later' })).resolves.toBeUndefined()
  await ledger.close()
})
