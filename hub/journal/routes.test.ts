import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Recoverable, STATUS_OF } from '../errors.ts'
import type { App } from '../http/app.ts'
import type { Entry, Journal } from './entry.ts'
import { openJournal } from './journal.ts'
import { journalRoutes } from './routes.ts'

let dir: string
let journal: Journal
let app: App

const entry = (seq: number, more: Partial<Entry> = {}): Entry => ({
  kind: 'message',
  seq,
  at: Date.UTC(2026, 10, 20, 8, 0, seq),
  cause: seq - 1,
  n: 0,
  topic: `jarvis/devices/d${seq % 2}/state`,
  payload: Buffer.from(`{"n":${seq}}`),
  qos: 1,
  retain: true,
  origin: `device:d${seq % 2}`,
  correlation: '',
  ...more,
})

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'journal-routes-'))
  journal = await openJournal(dir, { durability: 'process', clock: { stamp: () => 0 } })
  for (let i = 1; i <= 10; i++) journal.append(entry(journal.reserve()))
  journal.append(
    entry(journal.reserve(), {
      topic: 'other/bytes',
      payload: Buffer.from([0xff, 0]),
      n: 3,
      correlation: 'c-1',
      qos: 2,
      retain: false,
    }),
  )
  const bare = fastify().withTypeProvider<ZodTypeProvider>()
  bare.setValidatorCompiler(validatorCompiler)
  bare.setSerializerCompiler(serializerCompiler)
  bare.setErrorHandler((error, _, reply) => {
    if (error instanceof Recoverable) return reply.code(STATUS_OF[error.code]).send({ message: error.message })
    return reply.send(error)
  })
  journalRoutes({ journal, prefix: 'jarvis' })(bare)
  app = bare
})
afterEach(async () => {
  await app.close()
  await journal.close()
  rmSync(dir, { recursive: true, force: true })
})

const get = async (
  url: string,
): Promise<{ status: number; body: { items: { seq: number }[]; next: number | null; message: string } }> => {
  const answer = await app.inject({ url })
  return { status: answer.statusCode, body: answer.json() }
}
const seqs = async (url: string): Promise<number[]> => (await get(url)).body.items.map(({ seq }) => seq)

test('entries are shown with what the hub knows of them, oldest first', async () => {
  const { status, body } = await get('/api/journal?since=10')
  expect(status).toBe(200)
  expect(body).toEqual({
    items: [
      {
        seq: 10,
        at: '2026-11-20T08:00:10.000Z',
        kind: 'message',
        topic: 'jarvis/devices/d0/state',
        payload: { n: 10 },
        origin: 'device:d0',
        cause: 9,
        correlation: '',
        qos: 1,
        retain: true,
      },
      {
        seq: 11,
        at: '2026-11-20T08:00:11.000Z',
        kind: 'message',
        topic: 'other/bytes',
        payload: { base64: '/wA=' },
        origin: 'device:d1',
        cause: 10,
        correlation: 'c-1',
        qos: 2,
        retain: false,
        n: 3,
      },
    ],
    next: null,
  })
})

test('pages follow each other both ways', async () => {
  for (const order of ['oldest', 'newest']) {
    const bound = order === 'oldest' ? 'since' : 'until'
    const all: number[] = []
    for (let next: number | null = order === 'oldest' ? 1 : 11; next !== null;) {
      const page = await get(`/api/journal?order=${order}&limit=4&${bound}=${next}`)
      all.push(...page.body.items.map(({ seq }) => seq))
      next = page.body.next
    }
    const whole = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    expect(all).toEqual(order === 'oldest' ? whole : whole.reverse())
  }
})

test('a filter works with and without the prefix; times bound as well as numbers', async () => {
  expect(await seqs('/api/journal?topic=jarvis/devices/d1/%23')).toEqual([1, 3, 5, 7, 9])
  expect(await seqs('/api/journal?topic=devices/%2B/state&until=3')).toEqual([1, 2, 3])
  expect(await seqs('/api/journal?topic=other/bytes')).toEqual([11])
  expect(await seqs('/api/journal?topic=%23&since=2026-11-20T08:00:05Z&until=2026-11-20T08:00:07.000Z')).toEqual([
    5, 6, 7,
  ])
})

test('why gives the chain, newest first; an unknown seq is not found', async () => {
  expect(await seqs('/api/journal/4/why')).toEqual([4, 3, 2, 1])
  const missing = await get('/api/journal/4000/why')
  expect(missing.status).toBe(404)
  expect(missing.body.message).toContain('no entry 4000')
})

test('a query that makes no sense is answered with what is wrong', async () => {
  for (const [url, part] of [
    ['/api/journal?topic=a%23', 'topic'],
    ['/api/journal?since=yesterday', 'since'],
    ['/api/journal?limit=5000', 'limit'],
    ['/api/journal?order=random', 'order'],
    ['/api/journal/x/why', 'seq'],
  ] as const) {
    const { status, body } = await get(url)
    expect(status, url).toBe(400)
    expect(body.message).toContain(part)
  }
})
