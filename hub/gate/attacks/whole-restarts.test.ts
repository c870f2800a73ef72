// Attacks on a whole hub by stops, restarts and clocks, and on its tables while it is off: nothing goes out that should not, and what was written is found.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Attacked, openAttacked, refused, unlock } from './attacked.rig.ts'
import { type Building, PHRASE, type View } from './building.rig.ts'
import { auditCommand } from '../cli.ts'
import { openStore } from '../../store/open.ts'
import { silent } from '../../testing/stores.ts'
import { eventually } from '../../testing/until.ts'

let it: Attacked
let shop: Building
beforeAll(async () => {
  it = await openAttacked()
  shop = it.shop
}, 30_000)
afterAll(() => shop.close())
afterEach(() => it.tidy())

describe('stops, restarts and clocks', () => {
  const realNow = Date.now
  afterEach(() => {
    Date.now = realNow
  })

  test('after a stop: nothing starts, an earlier yes is void, one person cannot release it', async () => {
    const view = await it.asked()
    refused(200)(await shop.answer('bob', view, { phrase: PHRASE }))
    refused(200)(await shop.api('/api/safety/stop', 'olga', { json: { reason: 'smoke' } }))
    refused(410)(await shop.answer('cleo', view))
    refused(409)(await shop.ask('olga', 'gate', unlock))
    await it.held('refused.latch', 'person:olga')
    const { body } = await shop.api<{ approval: View }>('/api/safety/resume', 'cleo', { json: {} })
    refused(200)(await shop.answer('cleo', body.approval, { phrase: PHRASE }))
    refused(403)(await shop.answer('cleo', body.approval, { phrase: PHRASE }))
    await it.held('approval.refused', 'person:cleo')
    refused(200)(await shop.answer('dan', body.approval))
    await shop.row(({ event }) => event === 'latch.released', it.before)
  })

  test('the clock is moved while people are asked: what waits is cancelled', async () => {
    const view = await it.asked()
    refused(200)(await shop.answer('bob', view, { phrase: PHRASE }))
    Date.now = () => realNow() + 600_000
    // His second yes never counts; each try makes the hub look at its clock.
    await eventually(
      () => shop.answer('bob', view),
      ({ status }) => status === 410,
      { everyMs: 300 },
    )
    await it.held('clock.jumped', 'gate')
    refused(410)(await shop.answer('cleo', view))
    const { n } = await shop.row(({ event }) => event === 'clock.jumped', it.before)
    Date.now = realNow
    await eventually(
      async () => (await shop.answer('bob', view)) && shop.rows(n),
      (rows) => rows.some(({ event }) => event === 'clock.jumped'),
      { everyMs: 300 },
    )
  }, 20_000)

  test('after a restart: the first yes still counts once, not for the same person, and a used approval not again', async () => {
    const view = await it.asked()
    refused(200)(await shop.answer('bob', view, { phrase: PHRASE }))
    await shop.restart()
    refused(403)(await shop.answer('bob', view, { phrase: PHRASE }))
    await it.held('approval.refused', 'person:bob')
    refused(200)(await shop.answer('cleo', view))
    const cmd = await shop.of('door').wire.hears('jarvis/devices/door/cmd')
    await shop.of('door').says('ack', { id: cmd.json()['id'], status: 'done' })
    await shop.restart()
    refused(410)(await shop.answer('dan', view))
    await it.held('approval.refused', 'person:dan')
  }, 20_000)

  test('an approval that was changed in the table while the hub was off', async () => {
    const view = await it.asked()
    await shop.restart(() => {
      const db = new Database(join(shop.dataDir, 'hub.sqlite'))
      db.prepare('update approvals set body = replace(body, \'"needed":2\', \'"needed":1\') where id = ?').run(view.id)
      db.close()
    })
    expect((await shop.answer('bob', view, { phrase: PHRASE })).status).not.toBe(200)
    await it.held('approval.refused', 'gate')
  }, 20_000)

  test('a badge of it.before, told late: after a restart it is too old', async () => {
    await shop.of('reader').says('event', { type: 'badge', person: 'olga' })
    await shop.restart(() => {
      Date.now = () => realNow() + 120_000
    })
    const { status, body } = await shop.ask('olga', 'welder', { intent: 'welder.start' })
    expect([status, JSON.stringify(body)]).toEqual([403, expect.stringMatching(/too long ago/)])
    await it.held('refused.presence', 'person:olga')
  }, 20_000)

  test('the clock was set back while the hub was off: what waited is cancelled', async () => {
    const view = await it.asked()
    await shop.restart(() => {
      Date.now = () => realNow() - 600_000
    })
    await it.held('clock.jumped', 'gate')
    refused(410)(await shop.answer('bob', view, { phrase: PHRASE }))
  }, 20_000)
})

describe('the audit, after somebody wrote into the database', () => {
  const verify = async (change: (db: Database.Database) => unknown) => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-tamper-'))
    try {
      cpSync(shop.dataDir, dir, { recursive: true })
      const db = new Database(join(dir, 'hub.sqlite'))
      change(db)
      db.close()
      const store = await openStore({ file: join(dir, 'hub.sqlite'), log: silent })
      const said: string[] = []
      const code = await auditCommand(['verify'], store, (line) => said.push(line), dir)
      await store.close()
      return { code, said: said.join('\n') }
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
  const sql = (text: string) => (db: Database.Database) => db.exec(text)
  beforeAll(() => shop.stop())

  test('nobody wrote: it is whole', async () => {
    expect(await verify(() => {})).toMatchObject({ code: 0, said: expect.stringMatching(/whole/) })
  })
  test.each([
    ['a row changed', sql("update audit set detail = replace(detail, ':', ': ') where n = 7"), /row 7 was changed/],
    ['a row removed', sql('delete from audit where n = 9'), /row 9 is missing/],
    [
      'two rows exchanged',
      sql(
        'update audit set n = -1 where n = 5; update audit set n = 5 where n = 6; update audit set n = 6 where n = -1',
      ),
      /row 5/,
    ],
    ['the tail cut', sql('delete from audit where n > 40'), /chain ends at row 40/],
    [
      'the tail cut, and the head with it',
      sql('delete from audit where n > 40; update audit_head set n = 40, hash = (select hash from audit where n = 40)'),
      /signed head says: the end was cut off/,
    ],
    [
      'a row put before the first',
      sql(
        'insert into audit select -3, at, event, subject, who, device, intent, detail, prev, hash from audit where n = 1',
      ),
      /before the first/,
    ],
  ])('%s: the row is named', async (_, change, why) => {
    expect(await verify(change)).toMatchObject({ code: 1, said: expect.stringMatching(why) })
  })
})
