// The audit after somebody wrote into the database: the row is named.
import { afterEach, describe, expect, test } from 'vitest'
import { bob, cleo, PHRASE } from '../approvals/shop.rig.ts'
import { chained, GENESIS } from '../audit.ts'
import { settle } from '../gate.rig.ts'
import { verifyAudit } from '../verify.ts'
import { asked, undo, type Shop } from './attack.rig.ts'

afterEach(undo)

describe('the audit', () => {
  const chain = async () => {
    const { shop, gate, yes } = await asked()
    await yes(bob, PHRASE)
    await yes(cleo)
    await settle()
    await gate.close()
    const { n = 0 } = (await shop.db.selectFrom('audit').select('n').orderBy('n', 'desc').executeTakeFirst()) ?? {}
    return { db: shop.db, last: n }
  }
  test.each([
    [
      'a byte changed',
      4,
      (db: Shop['db']) => db.updateTable('audit').set({ who: 'person:eve' }).where('n', '=', 4).execute(),
    ],
    [
      'who approved changed',
      0,
      (db: Shop['db']) =>
        db.updateTable('audit').set({ who: 'person:dan' }).where('event', '=', 'approval.given').execute(),
    ],
    ['a row removed', 3, (db: Shop['db']) => db.deleteFrom('audit').where('n', '=', 3).execute()],
    [
      'rows in another order',
      2,
      async (db: Shop['db']) => {
        await db.updateTable('audit').set({ n: 900 }).where('n', '=', 2).execute()
        await db.updateTable('audit').set({ n: 2 }).where('n', '=', 3).execute()
        await db.updateTable('audit').set({ n: 3 }).where('n', '=', 900).execute()
      },
    ],
    [
      'a row put in',
      3,
      async (db: Shop['db']) => {
        const [one] = chained(GENESIS, [
          { at: 0, event: 'approval.given', subject: '', who: 'person:dan', device: '', intent: '', detail: {} },
        ])
        await db.deleteFrom('audit').where('n', '=', 3).execute()
        if (one !== undefined)
          await db
            .insertInto('audit')
            .values({ ...one, n: 3 })
            .execute()
      },
    ],
    ['the end cut off', -1, (db: Shop['db']) => db.deleteFrom('audit').where('n', '>', 5).execute()],
  ])('%s: the row is named', async (_, row, change) => {
    const { db } = await chain()
    expect(await verifyAudit(db)).toMatchObject({ ok: true })
    await change(db)
    const verdict = await verifyAudit(db)
    expect(verdict.ok).toBe(false)
    if (row > 0) expect(verdict.firstBad?.n).toBe(row)
    if (row < 0) expect(verdict.firstBad?.n).toBe(6)
  })
})
