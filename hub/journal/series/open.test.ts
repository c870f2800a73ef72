// Roll-ups as the hub has them: beside a journal that is written, over HTTP, after a kill, with a full house.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Recoverable, STATUS_OF } from '../../errors.ts'
import type { App } from '../../http/app.ts'
import type { Entry, Journal } from '../entry.ts'
import { openJournal } from '../journal.ts'
import { journalRoutes } from '../routes.ts'
import type { SeriesOptions } from './open.ts'

const T0 = Date.UTC(2026, 10, 20, 8)
const MINUTE = 60_000
let dir = ''
let now = T0
const journals: Journal[] = []
const apps: App[] = []
const told: string[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'series-open-'))
  now = T0 + 60 * MINUTE
  told.length = 0
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  for (const journal of journals.splice(0)) await journal.close()
  rmSync(dir, { recursive: true, force: true })
})

const open = async (more: Partial<SeriesOptions> = {}): Promise<Journal> => {
  const journal = await openJournal(join(dir, 'journal'), {
    durability: 'process',
    clock: { stamp: () => now },
    segmentBytes: 64 * 1024,
    series: {
      file: join(dir, 'series.sqlite'),
      prefix: 'jarvis',
      clock: { now: () => now },
      tell: (type, sentence) => told.push(`${type}: ${sentence}`),
      ...more,
    },
  })
  journals.push(journal)
  return journal
}
const say = (journal: Journal, device: string, payload: object, at: number): Promise<void> => {
  const entry: Entry = {
    kind: 'message',
    seq: journal.reserve(),
    at,
    cause: 0,
    n: 0,
    topic: `jarvis/devices/${device}/telemetry`,
    payload: Buffer.from(JSON.stringify(payload)),
    qos: 0,
    retain: false,
    origin: `device:${device}`,
    correlation: '',
  }
  return new Promise((resolve, reject) =>
    journal.append(entry, (error) => (error === undefined ? resolve() : reject(error))),
  )
}
const webOf = (journal: Journal): App => {
  const bare = fastify().withTypeProvider<ZodTypeProvider>()
  bare.setValidatorCompiler(validatorCompiler)
  bare.setSerializerCompiler(serializerCompiler)
  bare.setErrorHandler((error, _, reply) => {
    if (error instanceof Recoverable)
      return reply.code(STATUS_OF[error.code]).send({ message: error.message, details: error.details })
    return reply.send(error)
  })
  journalRoutes({ journal, prefix: 'jarvis' })(bare)
  apps.push(bare)
  return bare
}
const get = async (app: App, url: string) => {
  const answer = await app.inject({ url })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

test('a chart has what was written a moment ago, before and after it was rolled up', async () => {
  const journal = await open()
  const app = webOf(journal)
  for (let minute = 0; minute < 10; minute++)
    for (const value of [1, 3]) await say(journal, 'dust', { pm25: minute + value, on: true }, T0 + minute * MINUTE)
  const range = 'from=2026-11-20T08:00:00Z&to=2026-11-20T08:10:00Z'
  const url = `/api/devices/dust/series?field=pm25&${range}`
  const before = await get(app, url)
  expect(before.status).toBe(200)
  expect(before.body).toMatchObject({ kind: 'number', resolution: 'minute', seconds: 60, behind: false })
  expect(before.body['points']).toHaveLength(10)
  expect((before.body['points'] as unknown[])[9]).toEqual({
    at: '2026-11-20T08:09:00.000Z',
    min: 10,
    max: 12,
    mean: 11,
    last: 12,
    n: 2,
  })
  await journal.series?.past({ device: 'dust', field: 'pm25', from: T0, until: now, points: 10 })
  await say(journal, 'dust', { pm25: 100 }, T0 + 9 * MINUTE + 1000)
  const after = await get(app, url)
  expect((after.body['points'] as unknown[])[9]).toMatchObject({ max: 100, n: 3 })
  expect(after.body['upTo']).toEqual({ seq: 21, at: '2026-11-20T08:09:01.000Z' })
  const on = await get(app, `/api/devices/dust/series?field=on&from=1h&points=30`)
  expect(on.body).toMatchObject({ kind: 'switch', to: '2026-11-20T09:00:00.000Z' })
  expect((on.body['points'] as { mean: number }[]).every(({ mean }) => mean === 1)).toBe(true)
})

test('what is not there is answered with what is meant', async () => {
  const journal = await open()
  const app = webOf(journal)
  await say(journal, 'dust_1', { pm25: 1, temperature: 20, occupied: true }, T0)
  const of = (device: string, query: string) => get(app, `/api/devices/${device}/series?${query}`)
  expect(await of('dust_1', 'field=temprature')).toEqual({
    status: 404,
    body: {
      message: "'dust_1' has no past of 'temprature'. Did you mean 'temperature'? It has: pm25, temperature.",
      details: { field: 'field', value: 'temprature', near: ['temperature'], has: ['pm25', 'temperature'] },
    },
  })
  expect((await of('dust_2', 'field=pm25')).body['message']).toContain("Did you mean 'dust_1'?")
  expect((await of('dust_1', 'field=occupied')).body['message']).toContain('is about people')
  for (const query of [
    'field=pm25&from=1h&to=2h',
    'field=pm25&from=soon',
    'field=pm25&points=1001',
    'field=pm25&points=1',
    'field=pm25&from=99999d',
    'from=1h',
    `field=${'x'.repeat(65)}`,
  ])
    expect((await of('dust_1', query)).status, query).toBe(400)
})

test('it follows the journal without being asked, and the file can be thrown away', async () => {
  const first = await open({ passMs: 50 })
  await say(first, 'dust', { pm25: 7 }, T0)
  await expect.poll(() => existsSync(join(dir, 'series.sqlite')), { timeout: 10_000 }).toBe(true)
  await journals.splice(0)[0]?.close()
  for (const end of ['', '-wal', '-shm']) rmSync(join(dir, `series.sqlite${end}`), { force: true })
  const again = await open()
  const past = await again.series?.past({ device: 'dust', field: 'pm25', from: T0, until: now, points: 10 })
  expect(past).toMatchObject({ points: [{ last: 7, n: 1 }] })
  expect(told).toEqual([])
})

test('made anew when the journal is another one or the file is damaged, and that is said', async () => {
  const first = await open()
  await say(first, 'dust', { pm25: 7 }, T0)
  await passed(first)
  await journals.splice(0)[0]?.close()
  rmSync(join(dir, 'journal'), { recursive: true })
  const second = await open()
  await say(second, 'dust', { pm25: 9 }, T0)
  const past = await second.series?.past({ device: 'dust', field: 'pm25', from: T0, until: now, points: 10 })
  expect(past).toMatchObject({ points: [{ last: 9, n: 1 }] })
  expect(told.splice(0).join()).toMatch(/SeriesRenewed: .* made from another journal/)
  await journals.splice(0)[0]?.close()
  writeFileSync(join(dir, 'series.sqlite'), 'this is no database, whatever its name says; it is long enough to be one')
  const third = await open()
  expect(await third.series?.past({ device: 'dust', field: 'pm25', from: T0, until: now, points: 10 })).toMatchObject({
    points: [{ last: 9 }],
  })
  expect(told.join()).toMatch(/SeriesRenewed: .*damaged/)
})

test('a full house and a folder that cannot be written are told once', async () => {
  const journal = await open({ bounds: { perDevice: 2 } })
  await say(journal, 'mad', { a: 1, b: 2, c: 3, d: 4 }, T0)
  await passed(journal)
  await say(journal, 'mad', { e: 1 }, T0)
  await passed(journal)
  expect(told.splice(0)).toEqual([expect.stringMatching(/SeriesFull: 'mad' reports more than 2 different values/)])
  await journals.splice(0)[0]?.close()
  rmSync(join(dir, 'series.sqlite'))
  mkdirSync(join(dir, 'series.sqlite'))
  const broken = await open({ passMs: 30 })
  await say(broken, 'mad', { a: 1 }, T0)
  await expect.poll(() => told.length, { timeout: 10_000 }).toBe(1)
  expect(told[0]).toMatch(/SeriesFailed: .*nothing of the journal is lost/)
  await say(broken, 'mad', { a: 1 }, T0)
  await expect(
    broken.series?.past({ device: 'mad', field: 'a', from: T0, until: now, points: 10 }),
  ).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(told.length).toBe(1)
})

/** Follows to the end, as the hub does every few minutes. */
const passed = async (journal: Journal): Promise<void> => {
  const { series } = journal
  if (series === undefined || !('pass' in series) || typeof series.pass !== 'function') throw new Error('no roll-ups')
  await series.pass()
}

const child = (dir: string): string => `
  import { openJournal } from ${JSON.stringify(join(import.meta.dirname, '../journal.ts'))}
  const journal = await openJournal(${JSON.stringify(join(dir, 'journal'))}, {
    durability: 'process', clock: { stamp: () => 0 }, segmentBytes: 40_000,
    series: { file: ${JSON.stringify(join(dir, 'series.sqlite'))}, prefix: 'jarvis', clock: { now: () => ${T0} }, tell: console.error, passMs: 20 },
  })
  let at = ${T0} + journal.lastSeq * 100
  setInterval(() => {
    for (let i = 0; i < 20; i++) {
      const seq = journal.reserve()
      journal.append({ kind: 'message', seq, at: at += 100, cause: 0, n: 0, topic: 'jarvis/devices/dust/telemetry',
        payload: Buffer.from(JSON.stringify({ n: seq, on: seq % 7 < 3 })), qos: 0, retain: false, origin: 'device:dust', correlation: '' })
    }
  }, 1)
  console.log('writes')`

test('nothing is missing or counted twice when the process is killed again and again while it rolls up', async () => {
  for (let round = 0; round < 4; round++) {
    const hub = spawn(process.execPath, ['--input-type=module', '-e', child(dir)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(hub.stdout, 'data', { signal: AbortSignal.timeout(15_000) })
    await new Promise((done) => setTimeout(done, 250 + round * 130))
    hub.kill('SIGKILL')
    await once(hub, 'exit', { signal: AbortSignal.timeout(5000) })
  }
  const journal = await open()
  const said: Entry[] = []
  for (let from = 1; ;) {
    const part = await journal.read({ fromSeq: from, kinds: ['message'] })
    if (part.length === 0) break
    for (const one of part) said.push(one)
    from = (part.at(-1)?.seq ?? 0) + 1
  }
  expect(said.length).toBeGreaterThan(1000)
  const last = said.at(-1)?.at ?? 0
  for (const field of ['n', 'on'] as const) {
    const past = await journal.series?.past({ device: 'dust', field, from: T0, until: last + MINUTE, points: 1000 })
    if (past === undefined || 'none' in past) throw new Error('no points')
    const values = said.map(({ payload }) => Number((JSON.parse(payload.toString()) as Record<string, unknown>)[field]))
    expect(past.points.reduce((sum, { n }) => sum + n, 0)).toBe(values.length)
    expect(Math.max(...past.points.map(({ max }) => max))).toBe(Math.max(...values))
    if (field === 'n')
      expect(Math.round(past.points.reduce((sum, { n, mean }) => sum + n * mean, 0))).toBe(
        values.reduce((a, b) => a + b, 0),
      )
  }
})
