// The door of the web app: every role at every route, the claim, origins, limits; and the routes of access.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import formbody from '@fastify/formbody'
import { fastify } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ROLES } from '../bus/principal.ts'
import { Recoverable, STATUS_OF } from '../errors.ts'
import type { App } from '../http/app.ts'
import { openStore } from '../store/open.ts'
import { openSettings } from '../store/settings.ts'
import type { Store } from '../store/store.ts'
import { silent } from '../testing/stores.ts'
import { PASSWORD, rig } from './access.rig.ts'
import { openClaim } from './claim.ts'
import { accessGuard } from './guard.ts'
import { peerIn } from './peer.ts'
import { RIGHTS, rights } from './policy.ts'
import { accessRoutes } from './routes.ts'

let dir = ''
let store: Store
const apps: App[] = []
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-guard-'))
  store = await openStore({ file: join(dir, 'hub.db'), log: silent })
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

const start = async (more: (app: App) => void = () => {}) => {
  const changes: unknown[] = []
  const denied: unknown[] = []
  const { access, clock, revoked, notes } = await rig(store)
  const claim = openClaim({ access, settings: openSettings(store), clock, log: silent })
  const app: App = fastify({ routerOptions: { maxParamLength: 256 } }).withTypeProvider<ZodTypeProvider>()
  apps.push(app)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, _, reply) => {
    if (error instanceof Recoverable) {
      return reply
        .code(STATUS_OF[error.code])
        .send({ error: { code: error.code, message: error.message, details: error.details } })
    }
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
    return reply.code(status).send({ error: { code: String(status), message: String(error) } })
  })
  await app.register(formbody)
  const told = {
    ...access,
    changed: (by: string, change: object) => void changes.push({ by, ...change }),
    denied: (by: string, what: object) => void denied.push({ by, ...what }),
  }
  await accessGuard({ access: told, claimed: () => access.claimed, allowedOrigins: ['https://wall.example'], clock })(
    app,
  )
  accessRoutes({ access, claim, prefix: 'jarvis' })(app)
  more(app)
  await app.ready()
  let tokens = 0
  const tokenOf = async (username: string) =>
    (await access.login({ username, password: PASSWORD, address: `192.0.2.${++tokens}` })).token
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  return { app, access, clock, claim, revoked, notes, changes, denied, tokenOf, bearer }
}
type Rig = Awaited<ReturnType<typeof start>>

const everybody = async ({ access, tokenOf }: Rig) => {
  for (const role of ROLES) await access.addPerson({ username: role, password: PASSWORD, roles: [role] })
  return Object.fromEntries(await Promise.all(ROLES.map(async (role) => [role, await tokenOf(role)] as const)))
}

test('a change of the configuration is told with who made it; reading, a refusal and an error are not', async () => {
  const it = await start((app) => {
    app.put('/thing/:id', { config: { may: 'settings.manage' } }, async () => 'done')
    app.get('/thing/:id', { config: { may: 'settings.manage' } }, async () => 'read')
    app.post('/broken', { config: { may: 'flows.manage' } }, async () => {
      throw new Recoverable('CONFLICT', 'not now')
    })
    app.post('/wish', { config: { may: 'devices.request' } }, async () => 'asked')
  })
  const tokens = await everybody(it)
  const send = (who: string, method: 'GET' | 'PUT' | 'POST', url: string) =>
    it.app.inject({
      method,
      url,
      headers: it.bearer(tokens[who] ?? ''),
      ...(method === 'GET' ? {} : { payload: { a: 1 } }),
    })
  expect((await send('operator', 'PUT', '/thing/x')).statusCode).toBe(403)
  expect((await send('nobody', 'POST', '/wish')).statusCode).toBe(401)
  expect((await send('operator', 'GET', '/thing/x')).statusCode).toBe(403)
  expect(it.denied).toMatchObject([
    { by: 'person:operator', route: 'PUT /thing/:id', right: 'settings.manage', reason: expect.any(String) },
    { by: 'nobody', route: 'POST /wish', right: 'devices.request' },
  ])
  expect((await send('admin', 'GET', '/thing/x')).statusCode).toBe(200)
  expect((await send('admin', 'POST', '/broken')).statusCode).toBe(409)
  expect((await send('admin', 'POST', '/wish')).statusCode).toBe(200)
  expect(it.changes).toEqual([])
  await send('admin', 'PUT', '/thing/x')
  expect(it.changes).toEqual([{ by: 'person:admin', route: 'PUT /thing/:id', params: { id: 'x' }, body: { a: 1 } }])
})

test('whoever asks comes with the address of the connection, and word of a proxy', async () => {
  const it = await start((app) => {
    app.get('/who', { config: { may: 'self.read' } }, async ({ principal }) => peerIn(principal))
  })
  const tokens = await everybody(it)
  const ask = async (headers: Record<string, string> = {}) =>
    (
      await it.app.inject({
        url: '/who',
        remoteAddress: '203.0.113.9',
        headers: { ...it.bearer(tokens['safety'] ?? ''), ...headers },
      })
    ).json<unknown>()
  expect(await ask()).toEqual({ address: '203.0.113.9', passedOn: false })
  expect(await ask({ 'x-forwarded-for': '127.0.0.1' })).toEqual({ address: '203.0.113.9', passedOn: true })
})

describe('every right, for every role', () => {
  test('is what the table says', async () => {
    const it = await start((app) => {
      for (const right of RIGHTS)
        app.get(`/right/${right}`, { config: { may: right } }, async ({ principal }) => principal.id)
    })
    const tokens = await everybody(it)
    const allowed: Record<string, string[]> = {}
    for (const right of RIGHTS) {
      const ask = (headers: Record<string, string>) => it.app.inject({ url: `/right/${right}`, headers })
      expect((await ask({})).statusCode).toBe(401)
      expect((await ask(it.bearer('nonsense'))).statusCode).toBe(401)
      for (const role of ROLES) {
        const { statusCode, body } = await ask(it.bearer(tokens[role] ?? ''))
        expect([right, role, statusCode]).toEqual([
          right,
          role,
          (rights[right] as readonly string[]).includes(role) ? 200 : 403,
        ])
        if (statusCode === 200) {
          expect(body).toBe(role)
          ;(allowed[right] ??= []).push(role)
        }
      }
    }
    // Written out, so that a change of the table is a change here.
    expect(allowed).toEqual({
      'devices.read': ['operator', 'engineer', 'safety', 'admin'],
      'devices.request': ['operator', 'engineer', 'safety', 'admin'],
      'devices.manage': ['engineer', 'admin'],
      'safety.stop': ['operator', 'engineer', 'safety', 'admin'],
      'hazards.approve': ['engineer', 'safety', 'admin'],
      'flows.read': ['operator', 'engineer', 'safety', 'admin'],
      'flows.manage': ['engineer', 'admin'],
      'journal.read': ['engineer', 'safety', 'admin'],
      'audit.read': ['engineer', 'safety', 'admin'],
      'errors.read': ['operator', 'engineer', 'safety', 'admin'],
      'health.read': ['operator', 'engineer', 'safety', 'admin'],
      'metrics.read': ['engineer', 'safety', 'admin'],
      'broker.read': ['engineer', 'safety', 'admin'],
      'keys.own': ['operator', 'engineer', 'safety', 'admin'],
      'self.read': ['operator', 'engineer', 'safety', 'admin'],
      'self.manage': ['operator', 'engineer', 'safety', 'admin'],
      'people.manage': ['admin'],
      'settings.manage': ['admin'],
    })
  })

  test('a key opens only what its scopes name', async () => {
    const it = await start((app) => {
      for (const right of RIGHTS) app.get(`/right/${right}`, { config: { may: right } }, async () => 'in')
    })
    await everybody(it)
    const { key } = await it.access.issueKey('admin', { name: 'metrics', scopes: ['metrics.read'] })
    for (const right of RIGHTS) {
      const { statusCode } = await it.app.inject({ url: `/right/${right}`, headers: it.bearer(key) })
      expect([right, statusCode]).toEqual([right, right === 'metrics.read' ? 200 : 403])
    }
  })

  test('a route that names no right keeps the app from starting', async () => {
    await expect(start((app) => void app.get('/forgotten', async () => 'open to all'))).rejects.toThrow(
      /GET \/forgotten/,
    )
  })

  test('a token anywhere but in the header is no token', async () => {
    const it = await start()
    await everybody(it)
    const token = await it.tokenOf('admin')
    for (const url of [`/api/me?access_token=${token}`, `/api/me?token=${token}`]) {
      expect((await it.app.inject({ url, headers: { cookie: `token=${token}` } })).statusCode).toBe(401)
    }
    for (const authorization of [token, `Basic ${token}`, `Bearer`, `Bearer  `, `Bearer ${token} x`]) {
      expect([
        authorization.slice(0, 9),
        (await it.app.inject({ url: '/api/me', headers: { authorization } })).statusCode,
      ]).toEqual([authorization.slice(0, 9), 401])
    }
  })
})

describe('before the claim', () => {
  test('everything but what is public answers 503 and says how to claim', async () => {
    const { app } = await start()
    const refused = await app.inject({ url: '/api/me', headers: { authorization: 'Bearer x' } })
    expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'UNAVAILABLE'])
    expect(refused.json().error.message).toMatch(/open the link it printed.*ADMIN_USER/)
    expect((await app.inject({ url: '/api/claim' })).json()).toEqual({ claimed: false, open: true })
    const login = {
      method: 'POST',
      url: '/token',
      payload: { username: 'admin', password: 'anything at all' },
    } as const
    expect((await app.inject(login)).statusCode).toBe(401)
  })

  test('the claim makes an admin who can log in', async () => {
    const { app, claim, bearer } = await start()
    const payload = { code: claim.code, username: 'ada', password: PASSWORD, openToNetwork: false }
    const ask = (body: object) => app.inject({ method: 'POST', url: '/api/claim', payload: body })
    expect((await ask({ ...payload, code: 'wrong' })).statusCode).toBe(403)
    expect((await ask({ ...payload, more: 1 })).statusCode).toBe(400)
    expect((await ask({ ...payload, password: 'short' })).statusCode).toBe(400)
    const made = await ask(payload)
    expect([made.statusCode, made.json()]).toMatchObject([201, { username: 'ada', roles: ['admin'] }])
    expect((await ask(payload)).statusCode).toBe(409)
    const form = `grant_type=password&username=ada&password=${encodeURIComponent(PASSWORD)}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const token = await app.inject({ method: 'POST', url: '/token', headers, payload: form })
    expect(token.json()).toEqual({ access_token: expect.any(String), token_type: 'bearer', expires_in: 1800 })
    expect(token.headers['cache-control']).toBe('no-store')
    const me = await app.inject({ url: '/api/me', headers: bearer(token.json().access_token) })
    expect(me.json()).toEqual({
      kind: 'person',
      id: 'ada',
      prefix: 'jarvis',
      origin: 'person:ada',
      clientId: 'ui.ada',
      roles: ['admin'],
      rights: RIGHTS,
    })
  })
})

describe('the routes of access', () => {
  test('wrong logins are 401 and then 429 with Retry-After', async () => {
    const it = await start()
    await everybody(it)
    const login = (payload: object) => it.app.inject({ method: 'POST', url: '/token', payload })
    expect((await login({ grant_type: 'client_credentials', username: 'admin', password: PASSWORD })).statusCode).toBe(
      400,
    )
    expect((await login({ username: 'admin' })).statusCode).toBe(400)
    for (let i = 0; i < 5; i++) expect((await login({ username: 'admin', password: 'wrong' })).statusCode).toBe(401)
    const slowed = await login({ username: 'admin', password: PASSWORD })
    expect([slowed.statusCode, slowed.headers['retry-after']]).toEqual([429, '1'])
  })

  test('an admin lets people in and out', async () => {
    const it = await start()
    const tokens = await everybody(it)
    const as = (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
      it.app.inject({ method, url, headers: it.bearer(tokens['admin'] ?? ''), ...(payload && { payload }) })
    expect(
      (await as('POST', '/api/people', { username: 'carl', password: PASSWORD, roles: ['safety'] })).statusCode,
    ).toBe(201)
    expect(
      (await as('POST', '/api/people', { username: 'carl', password: PASSWORD, roles: ['safety'] })).statusCode,
    ).toBe(409)
    expect(
      (await as('POST', '/api/people', { username: 'dora', password: PASSWORD, roles: ['king'] })).statusCode,
    ).toBe(400)
    const { items } = (await as('GET', '/api/people')).json()
    expect(items.map(({ username }: { username: string }) => username).toSorted()).toEqual([
      'admin',
      'carl',
      'engineer',
      'operator',
      'safety',
    ])
    expect(JSON.stringify(items)).not.toContain('argon2')
    expect((await as('POST', '/api/people/carl/password', { password: 'a better password' })).statusCode).toBe(204)
    expect((await as('DELETE', '/api/people/carl')).statusCode).toBe(204)
    expect((await as('DELETE', '/api/people/carl')).statusCode).toBe(404)
    expect((await as('DELETE', '/api/people/admin')).statusCode).toBe(409)
  })

  test('an admin gives other roles, which end what was done with the old ones; the last admin stays one', async () => {
    const it = await start()
    const tokens = await everybody(it)
    const set = (name: string, roles: readonly string[], by = 'admin') =>
      it.app.inject({
        method: 'PUT',
        url: `/api/people/${name}/roles`,
        headers: it.bearer(tokens[by] ?? ''),
        payload: { roles },
      })
    expect((await set('operator', ['admin'], 'engineer')).statusCode).toBe(403)
    for (const roles of [[], ['king'], ['admin', 'admin', 'admin', 'admin', 'admin']]) {
      expect((await set('operator', roles)).statusCode).toBe(400)
    }
    expect((await set('nobody', ['operator'])).statusCode).toBe(404)
    expect((await set('admin', ['operator'])).statusCode).toBe(409)
    expect((await set('operator', ['engineer', 'safety'])).json()).toMatchObject({ roles: ['engineer', 'safety'] })
    expect(it.revoked).toEqual(['person:operator ui.operator'])
    expect(it.notes.at(-1)).toEqual([
      'roles.set',
      'person:admin',
      'operator',
      { before: ['operator'], roles: ['engineer', 'safety'] },
    ])
    const me = (token: string) => it.app.inject({ url: '/api/me', headers: it.bearer(token) })
    expect((await me(tokens['operator'] ?? '')).statusCode).toBe(401)
    expect((await me(await it.tokenOf('operator'))).json()).toMatchObject({ roles: ['engineer', 'safety'] })
    // Of two admins at the same moment, one stays.
    await set('safety', ['admin'])
    const [first, second] = await Promise.allSettled([
      it.access.setRoles('admin', ['operator']),
      it.access.setRoles('safety', ['operator']),
    ])
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected'])
  })

  test('a token is renewed until twelve hours after the password; a key is not', async () => {
    const it = await start()
    await everybody(it)
    const renew = (token: string) => it.app.inject({ method: 'POST', url: '/api/me/token', headers: it.bearer(token) })
    let token = await it.tokenOf('operator')
    for (let minutes = 0; minutes < 720; minutes += 24) {
      it.clock.pass(24 * 60)
      if (minutes + 24 >= 720) break
      const answer = await renew(token)
      expect([minutes, answer.statusCode, answer.headers['cache-control']]).toEqual([minutes, 200, 'no-store'])
      token = answer.json().access_token
    }
    const late = await renew(token)
    expect([late.statusCode, late.json().error.message]).toEqual([401, expect.stringContaining('12 hours ago')])
    const { key } = await it.access.issueKey('admin', { name: 'x', scopes: ['self.read'] })
    expect((await renew(key)).statusCode).toBe(403)
  })

  test('the signing keys are for admins, and no answer has a secret', async () => {
    const it = await start()
    const tokens = await everybody(it)
    const as = (role: string, method: 'GET' | 'POST' | 'DELETE', url: string) =>
      it.app.inject({ method, url, headers: it.bearer(tokens[role] ?? '') })
    for (const role of ['operator', 'engineer', 'safety']) {
      expect((await as(role, 'GET', '/api/signing-keys')).statusCode).toBe(403)
      expect((await as(role, 'POST', '/api/signing-keys')).statusCode).toBe(403)
    }
    const [{ kid }] = (await as('admin', 'GET', '/api/signing-keys')).json().items
    const made = await as('admin', 'POST', '/api/signing-keys')
    expect([made.statusCode, made.json().state]).toEqual([201, 'signs'])
    const listed = (await as('admin', 'GET', '/api/signing-keys')).json()
    expect(listed.items).toEqual([
      { kid: made.json().kid, state: 'signs', createdAt: expect.any(String) },
      { kid, state: 'verifies', createdAt: expect.any(String), retiredAt: expect.any(String) },
    ])
    expect((await as('admin', 'DELETE', `/api/signing-keys/${kid}`)).statusCode).toBe(204)
    expect((await as('admin', 'GET', '/api/signing-keys')).statusCode).toBe(401)
  })

  test('people change their own password when they know it', async () => {
    const it = await start()
    await everybody(it)
    const token = await it.tokenOf('operator')
    const change = (current: string) =>
      it.app.inject({
        method: 'POST',
        url: '/api/me/password',
        headers: it.bearer(token),
        payload: { current, password: 'a better password' },
      })
    expect((await change('wrong')).statusCode).toBe(401)
    expect((await change(PASSWORD)).statusCode).toBe(204)
    expect((await change('a better password')).statusCode).toBe(401)
  })

  test('keys are made by people, seen once, and only by their owner', async () => {
    const it = await start()
    const tokens = await everybody(it)
    const as = (bearer: string, method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
      it.app.inject({ method, url, headers: it.bearer(bearer), ...(payload && { payload }) })
    const [admin = '', operator = ''] = [tokens['admin'], tokens['operator']]
    const made = await as(admin, 'POST', '/api/keys', {
      name: 'script',
      scopes: ['keys.own', 'people.manage'],
      days: 7,
    })
    expect(made.statusCode).toBe(201)
    const { id, key } = made.json()
    expect((await as(admin, 'GET', '/api/keys')).body).not.toContain(key)
    expect((await as(operator, 'GET', '/api/keys')).json()).toEqual({ items: [] })
    expect((await as(operator, 'DELETE', `/api/keys/${id}`)).statusCode).toBe(404)
    expect((await as(operator, 'POST', '/api/keys', { name: 'x', scopes: ['people.manage'] })).statusCode).toBe(403)
    expect((await as(key, 'POST', '/api/keys', { name: 'more', scopes: ['devices.read'] })).statusCode).toBe(403)
    expect((await as(key, 'GET', '/api/people')).statusCode).toBe(200)
    expect((await as(key, 'GET', '/api/me')).statusCode).toBe(403)
    expect((await as(admin, 'DELETE', `/api/keys/${id}`)).statusCode).toBe(204)
    expect((await as(key, 'GET', '/api/people')).statusCode).toBe(401)
    expect(it.revoked).toEqual(['person:admin ui.admin'])
  })
})

describe('pages of other sites', () => {
  test('do not change anything here', async () => {
    const it = await start()
    const tokens = await everybody(it)
    const ask = (origin: string | undefined, method: 'GET' | 'POST' = 'POST') =>
      it.app.inject({
        method,
        url: '/api/keys',
        headers: {
          ...it.bearer(tokens['admin'] ?? ''),
          host: 'hub.local:8080',
          ...(origin === undefined ? {} : { origin }),
        },
        ...(method === 'POST' && { payload: { name: 'x', scopes: ['devices.read'] } }),
      })
    for (const origin of [undefined, 'http://hub.local:8080', 'https://wall.example']) {
      expect([origin, (await ask(origin)).statusCode]).toEqual([origin, 201])
    }
    for (const origin of [
      'https://evil.example',
      'http://hub.local',
      'http://hub.local:8080.evil.example',
      'null',
      'https://wall.example.evil',
      'x',
    ]) {
      expect([origin, (await ask(origin)).statusCode]).toEqual([origin, 403])
    }
    expect((await ask('https://evil.example', 'GET')).statusCode).toBe(200)
  })
})

describe('limits', () => {
  test('a hundred requests in a sliding minute, each for himself', async () => {
    const it = await start(
      (app) => void app.post('/stop', { config: { may: 'safety.stop', unlimited: true } }, async () => 'stopped'),
    )
    const tokens = await everybody(it)
    const ask = (role: string, url = '/api/me', method: 'GET' | 'POST' = 'GET') =>
      it.app.inject({ method, url, headers: it.bearer(tokens[role] ?? '') })
    for (let i = 0; i < 50; i++) await ask('operator')
    it.clock.pass(40)
    for (let i = 0; i < 49; i++) await ask('operator')
    const last = await ask('operator')
    expect([last.statusCode, last.headers['x-ratelimit-limit'], last.headers['x-ratelimit-remaining']]).toEqual([
      200,
      '100',
      '0',
    ])
    const over = await ask('operator')
    expect([over.statusCode, over.headers['retry-after'], over.headers['x-ratelimit-remaining']]).toEqual([
      429,
      '20',
      '0',
    ])
    expect(over.json().error).toMatchObject({ code: 'RATE_LIMITED', details: { retryAfter: 20 } })
    expect((await ask('operator', '/stop', 'POST')).statusCode).toBe(200)
    expect((await ask('admin')).statusCode).toBe(200)
    it.clock.pass(20)
    // Half of the window is free again, not all of it.
    const codes = []
    for (let i = 0; i < 51; i++) codes.push((await ask('operator')).statusCode)
    expect([codes.filter((code) => code === 200).length, codes.at(-1)]).toEqual([50, 429])
  })

  test('wrong tokens and addresses nobody serves count for the address', async () => {
    const it = await start()
    const tokens = await everybody(it)
    const codes = []
    for (let i = 0; i < 101; i++)
      codes.push((await it.app.inject({ url: '/api/me', headers: it.bearer(`wrong${i}`) })).statusCode)
    expect([codes[99], codes[100]]).toEqual([401, 429])
    expect((await it.app.inject({ url: '/api/me', headers: it.bearer(tokens['admin'] ?? '') })).statusCode).toBe(200)
    const lost = []
    for (let i = 0; i < 1001; i++) lost.push((await it.app.inject({ url: `/nowhere/${i}` })).statusCode)
    expect([lost[999], lost[1000]]).toEqual([404, 429])
  })
})
