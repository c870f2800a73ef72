// The audit held against what was signed and kept elsewhere: what nobody can see in the database alone.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { newestHead, openAnchor } from './anchor.ts'
import { chained, GENESIS } from './audit.ts'
import { auditCommand } from './cli.ts'
import { memoryDb, memoryHealth, rig } from './gate.rig.ts'
import { headKey } from './key-files.ts'
import { headsIn, verifyAudit } from './verify.ts'

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
})

const rows = (n: number, who = 'person:ada') =>
  Array.from({ length: n }, (_, i) => ({
    at: 1000 + i,
    event: 'cmd',
    subject: `r${i}`,
    who,
    device: 'press',
    intent: 'press.open',
    detail: { i },
  }))

/** A chain of `n` rows whose head was anchored. */
const anchored = async (n: number) => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-anchor-'))
  dirs.push(dir)
  const shop = await rig()
  const { db } = shop
  const write = async (chain: ReturnType<typeof chained>) => {
    await db.deleteFrom('audit').execute()
    await db.insertInto('audit').values(chain).execute()
    const { n: end = 0, hash = '' } = chain.at(-1) ?? {}
    await db.deleteFrom('audit_head').execute()
    await db.insertInto('audit_head').values({ id: 1, n: end, hash }).execute()
  }
  await write(chained(GENESIS, rows(n)))
  const key = headKey(dir)
  const file = join(dir, 'audit-heads.jsonl')
  const health = memoryHealth()
  const anchor = openAnchor({
    db,
    bus: shop.bus,
    clock: shop.time.clock,
    health,
    key,
    settings: () => ({ anchorMinutes: 10 }),
    usual: file,
  })
  await anchor.anchor()
  const check = async () => verifyAudit(db, await headsIn(file, key.publicKey))
  return { dir, file, db, key, anchor, check, write, bus: shop.bus, health }
}

test('the head is signed, appended once, told on the bus, and found in the chain', async () => {
  const { check, file, anchor, bus, dir } = await anchored(20)
  await anchor.anchor()
  expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(1)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(join(dir, 'keys', 'audit-head.pem')).mode & 0o777).toBe(0o600)
  expect(bus.said('safety/events/{event}', { event: 'audit-head' })).toMatchObject([
    { payload: { type: 'audit-head', n: 20 } },
  ])
  expect(await check()).toEqual({ rows: 20, ok: true, heads: 1 })
  await anchor.close()
})

test('a tail that was cut off together with the head of the table is named', async () => {
  const { check, write, db } = await anchored(20)
  await write(chained(GENESIS, rows(15)))
  expect(await verifyAudit(db)).toEqual({ rows: 15, ok: true })
  expect(await check()).toMatchObject({ ok: false, firstBad: { n: 16, why: expect.stringMatching(/cut off/) } })
})

test('a chain that was computed anew is named', async () => {
  const { check, write, db } = await anchored(20)
  await write(chained(GENESIS, rows(25, 'person:eve')))
  expect(await verifyAudit(db)).toMatchObject({ ok: true })
  expect(await check()).toMatchObject({ ok: false, firstBad: { n: 20, why: expect.stringMatching(/written anew/) } })
})

test('a head that was changed, or signed by another key, counts for nothing', async () => {
  const { check, file, dir } = await anchored(20)
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('"n":20', '"n":19'))
  expect(await check()).toMatchObject({ ok: false, firstBad: { why: expect.stringMatching(/line 1 .*not signed/) } })
  writeFileSync(file, text)
  expect((await headsIn(file, headKey(join(dir, 'other')).publicKey)).ok).toBe(false)
  appendFileSync(file, '{"n":2')
  expect(await check()).toMatchObject({ ok: true })
})

test('a file that cannot be written is on the health page, and healed when it can', async () => {
  const { dir, db, key, bus, health } = await anchored(3)
  const file = join(dir, 'share', 'heads.jsonl')
  let anchorFile = file
  const anchor = openAnchor({
    db,
    bus,
    clock: { now: () => 0, stamp: () => 0 },
    health,
    key,
    settings: () => ({ anchorMinutes: 10, anchorFile }),
    usual: '',
  })
  await anchor.anchor()
  expect(health.words.get('anchor')).toBe('degraded')
  anchorFile = join(dir, 'heads.jsonl')
  await anchor.close()
  expect(health.words.get('anchor')).toBe('healthy')
})

test('verify, show and export from the command line', async () => {
  const { dir, db, write } = await anchored(20)
  const lines: string[] = []
  const run = async (...args: string[]) => {
    lines.length = 0
    return auditCommand(args, { db }, (line) => void lines.push(line), dir)
  }
  expect(await run('verify')).toBe(0)
  expect(lines[0]).toMatch(/20 rows, and it holds all 1 signed heads/)
  expect(await run('show', '--limit', '3', '--event', 'cm*')).toBe(0)
  expect(lines).toHaveLength(3)
  expect(lines[2]).toMatch(/r19/)
  expect(await run('export', join(dir, 'all.jsonl'))).toBe(0)
  expect(readFileSync(join(dir, 'all.jsonl'), 'utf8').trim().split('\n')).toHaveLength(20)
  await expect(run('export', join(dir, 'all.jsonl'))).rejects.toThrow(/not there yet/)
  for (const bad of [[], ['look'], ['verify', 'x'], ['show', '--limit', '0'], ['show', '--no']])
    expect(await run(...bad)).toBe(2)
  await write(chained(GENESIS, rows(10)))
  expect(await run('verify')).toBe(1)
  expect(lines[0]).toMatch(/broken at row 11/)
  const empty = await memoryDb()
  expect(await auditCommand(['verify'], { db: empty }, () => {}, join(dir, 'nowhere'))).toBe(0)
})

test('the newest head is read from the end of the file, and one that was changed is told', async () => {
  const { dir, file, key, anchor, write } = await anchored(3)
  const newest = () => newestHead(file, key.publicKey)
  expect(await newestHead(join(dir, 'none'), key.publicKey)).toEqual({})
  expect(await newest()).toMatchObject({ newest: { n: 3 } })
  await write(chained(GENESIS, rows(5)))
  await anchor.anchor()
  expect(await newest()).toMatchObject({ newest: { n: 5, signature: expect.any(String) } })
  // As a hub that was killed leaves it.
  appendFileSync(file, '{"n":6,"ha')
  expect(await newest()).toMatchObject({ newest: { n: 5 } })
  writeFileSync(file, readFileSync(file, 'utf8').replace('"n":5', '"n":4'))
  expect(await newest()).toMatchObject({ wrong: expect.stringMatching(/was changed/) })
  writeFileSync(file, 'nothing of the kind\n')
  expect(await newest()).toEqual({ wrong: expect.stringMatching(/holds no head/) })
})
