// Replays as a hub runs them: in their own process, a few at a time, for whoever asked.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { afterEach, beforeAll, expect, test } from 'vitest'
import type { Principal } from '../../bus/principal.ts'
import { Recoverable, STATUS_OF } from '../../errors.ts'
import type { App } from '../../http/app.ts'
import { rememberingLog } from '../../http/web.fixture.ts'
import { eventually } from '../../testing/until.ts'
import dust from '../../../flows/dust-starts-extractor.ts'
import { journalOf, newFolder, recordOf, type Sent, T0, tidy } from './replay.rig.ts'
import { openReplays, type Replays, ReplayView } from './replays.ts'
import { replayRoutes } from './routes.ts'

const FLOWS = resolve(import.meta.dirname, '../../../flows')
const day: Sent[] = Array.from({ length: 400 }, (_, i) => [i, 'dust/telemetry', { dust: i % 50 < 25 ? 100 : 5 }])
const ada: Principal = { kind: 'person', id: 'ada', roles: ['engineer'] }
const range = { since: new Date(T0).toISOString(), until: new Date(T0 + 900_000).toISOString() }
const id = 'dust-starts-extractor'

let journalDir: string
beforeAll(async () => {
  journalDir = await journalOf(recordOf({ flow: dust, id, sent: day }))
  return tidy
})

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

const flowsWith = (files: Record<string, string>): string => {
  const dir = newFolder()
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  mkdirSync(join(dir, 'flows'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, 'flows', `${name}.ts`), text)
  return join(dir, 'flows')
}
const bodyOf = (expression: string) =>
  `import { map } from 'rxjs'\nimport { flow, message } from '#hub'\nconst held = []\nexport default flow((from) => from('devices/{device}/telemetry').pipe(map(() => { ${expression}; return message('devices/{device}/event', { device: 'x' }, { type: 'y' }) })))\n`
const bad = {
  loop: bodyOf('for (;;) {}'),
  regex: bodyOf(`/^(a+)+$/.test('a'.repeat(64) + 'b')`),
  leak: bodyOf('for (;;) held.push(new Array(1000).fill(held.length))'),
  text: bodyOf(`let s = 'x'; for (;;) { s += s; held.push(s.slice(1)) }`),
  escape: `import fs from 'node:fs'\n${bodyOf('fs')}`,
  broken: 'export default 5\n',
  top: 'for (;;) {}\nexport default 5\n',
}

const replaysOf = (flowsDir = FLOWS, more = {}): Replays => {
  const replays = openReplays({
    flowsDir,
    places: { journalDir, prefix: 'jarvis', topicFiles: [], except: [] },
    clock: { now: () => T0 + 1000_000 },
    log: rememberingLog().log,
    limits: { heapMb: 128, stuckMs: 1000 },
    ...more,
  })
  opened.push(replays)
  return replays
}
const done = (replays: Replays, one: string): Promise<ReplayView> =>
  eventually(
    () => replays.get(ada, one),
    ({ state }) => state !== 'running',
    { ms: 25_000 },
  )

test('a replay of what ran ends with no difference', async () => {
  const replays = replaysOf()
  const view = await done(replays, await replays.start(ada, { flow: id, ...range }))
  expect(view).toMatchObject({ state: 'done', progress: 1, messages: 400 })
  expect(view.report).toMatchObject({ isSame: true, exact: true, version: expect.stringMatching(/^[0-9a-f]{12}$/) })
  expect(view.report?.same).toBeGreaterThan(5)
}, 30_000)

test.each([
  ['loop', /did not come back.*loop without an end/],
  ['regex', /did not come back/],
  ['leak', /memory|MiB/],
  ['text', /memory|MiB|ended/],
  ['escape', /may not import 'node:fs'/],
  ['broken', /no default export/],
  ['top', /did not come back/],
])(
  'a flow that is bad (%s) fails by name, and its process is gone',
  async (flow, why) => {
    const replays = replaysOf(flowsWith(bad))
    const view = await done(replays, await replays.start(ada, { flow, ...range }))
    expect(view.state).toBe('failed')
    expect(view.error).toMatch(why)
  },
  40_000,
)

test('a third one has to wait; one that is cancelled ends at once', async () => {
  const replays = replaysOf(flowsWith(bad), { limits: { heapMb: 128, stuckMs: 20_000 } })
  const [first] = [
    await replays.start(ada, { flow: 'loop', ...range }),
    await replays.start(ada, { flow: 'loop', ...range }),
  ]
  await expect(replays.start(ada, { flow: 'loop', ...range })).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  replays.drop(ada, first)
  expect((await done(replays, first)).state).toBe('cancelled')
  replays.drop(ada, first)
  expect(() => replays.get(ada, first)).toThrow('There is no replay')
  await replays.start(ada, { flow: 'loop', ...range })
}, 30_000)

test('only so many are kept', async () => {
  const replays = replaysOf(flowsWith(bad), { mostKept: 2 })
  const ids: string[] = []
  for (let i = 0; i < 3; i++) {
    ids.push(await replays.start(ada, { flow: 'broken', ...range }))
    await done(replays, ids[i] ?? '')
  }
  expect(() => replays.get(ada, ids[0] ?? '')).toThrow('There is no replay')
  expect(replays.get(ada, ids[2] ?? '').state).toBe('failed')
}, 40_000)

const appOf = async (who: Principal, replays: Replays): Promise<App> => {
  const app = fastify().withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('principal')
  app.addHook('onRequest', async (request) => {
    request.principal = who
  })
  app.setErrorHandler((error, _, reply) =>
    error instanceof Recoverable
      ? reply.code(STATUS_OF[error.code]).send({ message: error.message })
      : reply.send(error),
  )
  replayRoutes({ replays })(app)
  await app.ready()
  opened.push({ close: async () => app.close() })
  return app
}

test('over HTTP: asked, watched, forgotten; somebody else’s is not there', async () => {
  const replays = replaysOf()
  const app = await appOf(ada, replays)
  const asked = await app.inject({ method: 'POST', url: '/api/replays', payload: { flow: id, ...range } })
  expect(asked.statusCode).toBe(202)
  const { id: one } = asked.json<{ id: string }>()
  const url = `/api/replays/${one}`
  const eve = await appOf({ kind: 'person', id: 'eve', roles: ['engineer'] }, replays)
  const root = await appOf({ kind: 'person', id: 'root', roles: ['admin'] }, replays)
  expect((await eve.inject({ url })).statusCode).toBe(404)
  expect((await root.inject({ url })).statusCode).toBe(200)
  const view = await eventually(
    async () => (await app.inject({ url })).json<ReplayView>(),
    ({ state }) => state !== 'running',
    { ms: 20_000 },
  )
  expect(ReplayView.parse(view)).toMatchObject({ state: 'done', flow: id, report: { isSame: true } })
  expect((await eve.inject({ method: 'DELETE', url })).statusCode).toBe(404)
  expect((await app.inject({ method: 'DELETE', url })).statusCode).toBe(204)
  expect((await app.inject({ url })).statusCode).toBe(404)
}, 30_000)

test('over HTTP: what is asked wrongly is said', async () => {
  const replays = replaysOf()
  const app = await appOf(ada, replays)
  const ask = async (payload: object) => (await app.inject({ method: 'POST', url: '/api/replays', payload })).statusCode
  expect(await ask({ flow: 'none-such', ...range })).toBe(404)
  expect(await ask({ flow: '../../etc/passwd', ...range })).toBe(404)
  expect(await ask({ flow: id, since: 'once', until: 'now' })).toBe(400)
  expect(await ask({ flow: id, since: range.until, until: range.since })).toBe(400)
  expect(await ask({ flow: id, since: '1970-01-01', until: 'now' })).toBe(400)
  expect(await ask({ flow: id, ...range, more: 1 })).toBe(400)
  const operator = await appOf({ kind: 'person', id: 'otto', roles: ['operator'] }, replays)
  expect(
    (await operator.inject({ method: 'POST', url: '/api/replays', payload: { flow: id, ...range } })).statusCode,
  ).toBe(403)
  const scoped = await appOf({ ...ada, scopes: ['journal.read'] }, replays)
  expect(
    (await scoped.inject({ method: 'POST', url: '/api/replays', payload: { flow: id, ...range } })).statusCode,
  ).toBe(403)
})
