// The web port of a whole hub as strangers, roles and pages of other origins meet it: who gets what, and how a no looks.
import { get } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Role } from './bus/principal.ts'
import { testHub, type TestHub } from './testing/hub.ts'
import type { Asking, Login, Wire } from './testing/outsider.ts'

const ErrorBody = z.strictObject({
  error: z.strictObject({
    code: z.string().regex(/^[A-Z_]+$/),
    message: z.string().min(10),
    details: z.record(z.string(), z.unknown()),
    correlation_id: z.string().min(1),
    timestamp: z.iso.datetime(),
  }),
})

const PASSWORD = 'staple battery horse'

describe('a claimed hub', () => {
  let hub: TestHub
  const tokens = new Map<Role | 'limited', string>()

  beforeAll(async () => {
    hub = await testHub({ env: { ALLOWED_ORIGINS: 'https://wall.example' } })
    for (const name of ['operator', 'engineer', 'safety', 'limited'] as const) {
      const roles: Role[] = [name === 'limited' ? 'operator' : name]
      const { status, body } = await hub.api('/api/people', { json: { username: name, password: PASSWORD, roles } })
      expect(status, JSON.stringify(body)).toBe(201)
      tokens.set(name, await hub.login(name, PASSWORD))
    }
    tokens.set('admin', hub.token)
    await hub.credential('lamp')
  })
  afterAll(() => hub.close())

  const text = (body: string, type = 'application/json'): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': type, authorization: `Bearer ${hub.token}` },
    body,
  })
  const raw = async (path: string, init: RequestInit) => {
    const response = await fetch(`${hub.base}${path}`, init)
    const body: unknown = await response.json()
    return { status: response.status, body }
  }

  test.each<[number, string, string, Asking]>([
    [400, 'VALIDATION_ERROR', '/api/journal?limit=0', {}],
    [400, 'VALIDATION_ERROR', '/api/journal?topic=%23/x', {}],
    [400, 'VALIDATION_ERROR', '/api/device-credentials', { json: { device: 'Bad-Id' } }],
    [400, 'VALIDATION_ERROR', '/api/device-credentials', { json: { device: 'lamp', stray: 1 } }],
    [400, 'VALIDATION_ERROR', '/api/device/lamp/command', { json: {} }],
    [401, 'AUTH_ERROR', '/api/devices', { token: null }],
    [401, 'AUTH_ERROR', '/api/devices', { token: 'eyJhbGciOiJub25lIn0.e30.' }],
    [401, 'AUTH_ERROR', '/api/devices', { token: 'mr_nobody_has_this_key' }],
    [
      401,
      'AUTH_ERROR',
      '/token',
      { token: null, form: { grant_type: 'password', username: 'ada', password: 'guess guess' } },
    ],
    [
      401,
      'AUTH_ERROR',
      '/token',
      { token: null, form: { grant_type: 'password', username: 'nobody', password: PASSWORD } },
    ],
    [404, 'NOT_FOUND', '/api/nothing/here', {}],
    [404, 'NOT_FOUND', '/api/devices/nobody', {}],
    [404, 'NOT_FOUND', '/api/commands/none', {}],
    [404, 'NOT_FOUND', '/api/journal/999999999/why', {}],
    [404, 'NOT_FOUND', '/api/device/nobody/command', { json: { intent: 'light.turn_on' } }],
    [404, 'NOT_FOUND', '/api/device-credentials/nobody', { method: 'DELETE' }],
    [404, 'NOT_FOUND', '/api/devices', { method: 'PATCH', json: {} }],
    [409, 'CONFLICT', '/api/people', { json: { username: 'operator', password: PASSWORD, roles: ['operator'] } }],
    [409, 'CONFLICT', '/api/claim', { token: null, json: { code: 'x', username: 'eve', password: PASSWORD } }],
  ])('%i %s: %s', async (status, code, path, asking) => {
    const answer = await hub.api(path, asking)
    const { error } = ErrorBody.parse(answer.body)
    expect({ status: answer.status, code: error.code }).toEqual({ status, code })
    expect(answer.headers.get('x-correlation-id')).toBe(error.correlation_id)
    expect(answer.headers.get('x-request-id')).toBe(error.correlation_id)
    expect(JSON.stringify(answer.body)).not.toMatch(/\bat .*\.ts:\d+|correct horse|staple battery/)
  })

  test.each([
    ['a body that is no JSON', 400, () => text('{"device":')],
    ['a body of another type', 415, () => text('<x/>', 'text/xml')],
    ['a body beyond the limit', 413, () => text(JSON.stringify({ device: 'x'.repeat(3_000_000) }))],
  ])('%s', async (_, status, init) => {
    const answer = await raw('/api/device-credentials', init())
    expect(answer.status).toBe(status)
    ErrorBody.parse(answer.body)
  })

  test('a wrong payload names the field, the value and what it should be', async () => {
    const { body } = await hub.api('/api/device-credentials', { json: { device: 'Bad-Id' } })
    const { details } = ErrorBody.parse(body).error
    expect(details).toMatchObject({ field: 'device', value: 'Bad-Id' })
    expect(details['constraint']).toMatch(/a-z/)
  })

  const everyone: Role[] = ['operator', 'engineer', 'safety', 'admin']
  test.each<[string, Asking, Role[]]>([
    ['/api/devices', {}, everyone],
    ['/api/flows', {}, everyone],
    ['/api/health', {}, everyone],
    ['/api/errors', {}, everyone],
    ['/api/plugins', {}, everyone],
    ['/api/journal', {}, ['engineer', 'safety', 'admin']],
    ['/api/audit', {}, ['engineer', 'safety', 'admin']],
    ['/metrics', {}, ['engineer', 'safety', 'admin']],
    ['/api/device-credentials', {}, ['engineer', 'admin']],
    ['/api/device-credentials', { json: { device: 'other' } }, ['engineer', 'admin']],
    ['/api/people', {}, ['admin']],
    ['/api/safety/stop', { method: 'POST' }, everyone],
  ])('%s %j is for %j', async (path, asking, allowed) => {
    for (const role of everyone) {
      const answer = await hub.api(path, { ...asking, token: tokens.get(role) ?? '' })
      expect(answer.status < 300, `${role}: ${answer.status}`).toBe(allowed.includes(role))
      if (allowed.includes(role)) continue
      expect(answer.status).toBe(403)
      expect(ErrorBody.parse(answer.body).error.code).toBe('POLICY_ERROR')
    }
  })

  test('an API key has its scopes and no more, and ends when it is revoked', async () => {
    const made = await hub.api<{ id: string; key: string }>('/api/keys', {
      json: { name: 'wall', scopes: ['devices.read'] },
    })
    expect(made.status).toBe(201)
    const { id, key } = made.body
    expect((await hub.api('/api/devices', { token: key })).status).toBe(200)
    expect((await hub.api('/api/journal', { token: key })).status).toBe(403)
    expect((await hub.api('/api/keys', { token: key, json: { name: 'more', scopes: ['devices.read'] } })).status).toBe(
      403,
    )
    expect((await hub.api(`/api/keys/${id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await hub.api('/api/devices', { token: key })).status).toBe(401)
  })

  test('a correlation id of the caller comes back, a dangerous one is replaced', async () => {
    const mine = await hub.api('/api/devices', { headers: { 'X-Correlation-ID': 'shift-42.a' } })
    expect(mine.headers.get('x-correlation-id')).toBe('shift-42.a')
    const bad = await hub.api('/api/devices', { headers: { 'X-Correlation-ID': `"><script>${'x'.repeat(500)}` } })
    expect(bad.status).toBe(200)
    expect(bad.headers.get('x-correlation-id')).toMatch(/^[\w.-]{8,64}$/)
  })

  test('a page of another origin may not write, nor read; a listed one may', async () => {
    const from = (origin: string) => ({ headers: { origin }, json: { device: 'lamp' } })
    const evil = await hub.api('/api/device-credentials', from('https://evil.example'))
    expect(evil.status).toBe(403)
    expect(ErrorBody.parse(evil.body).error.details).toMatchObject({ field: 'Origin' })
    expect(evil.headers.get('access-control-allow-origin')).toBeNull()
    const read = await hub.api('/api/devices', { headers: { origin: 'https://evil.example' } })
    expect(read.headers.get('access-control-allow-origin')).toBeNull()
    for (const origin of ['https://wall.example', hub.base]) {
      const answer = await hub.api('/api/device-credentials', from(origin))
      expect(answer.status, origin).toBe(201)
    }
    const asked = await fetch(`${hub.base}/api/devices`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://wall.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(asked.ok).toBe(true)
    expect(asked.headers.get('access-control-allow-origin')).toBe('https://wall.example')
    expect(asked.headers.get('access-control-allow-headers')?.toLowerCase()).toMatch(/authorization/)
  })

  test('a caller is told how much is left, and after a hundred in a minute to wait; others and the stop are not held up', async () => {
    const token = tokens.get('limited') ?? ''
    const first = await hub.api('/api/devices', { token })
    expect(first.headers.get('x-ratelimit-limit')).toBe('100')
    expect(Number(first.headers.get('x-ratelimit-remaining'))).toBe(99)
    const answers = await Promise.all(Array.from({ length: 110 }, () => hub.api('/api/devices', { token })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(99)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(11)
    for (const { headers, body } of refused) {
      expect(ErrorBody.parse(body).error.code).toBe('RATE_LIMITED')
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect((await hub.api('/api/devices', { token: tokens.get('safety') ?? '' })).status).toBe(200)
    expect((await hub.api('/api/safety/stop', { method: 'POST', token })).status).toBe(200)
  })

  test('a person who is removed is out at once', async () => {
    const token = tokens.get('engineer') ?? ''
    expect((await hub.api('/api/devices', { token })).status).toBe(200)
    expect((await hub.api('/api/people/engineer', { method: 'DELETE' })).status).toBe(204)
    expect((await hub.api('/api/devices', { token })).status).toBe(401)
  })

  test('health and readiness need no token; what a part says about itself does', async () => {
    for (const path of ['/health', '/healthz', '/readyz']) {
      expect((await hub.api(path, { token: null })).status, path).toBe(200)
    }
    expect((await hub.api('/metrics', { token: null })).status).toBe(401)
    expect((await hub.api('/api/health', { token: null })).status).toBe(401)
    expect((await hub.api('/api/docs/json', { token: null })).body).toMatchObject({
      openapi: expect.any(String) as string,
    })
  })
})

describe('the other doors for MQTT', () => {
  let hub: TestHub
  let lamp: Login

  beforeAll(async () => {
    hub = await testHub()
    lamp = await hub.credential('lamp')
  })
  afterAll(() => hub.close())

  const talks = async (wire: Wire) => {
    await wire.subscribe('jarvis/devices/lamp/event')
    await wire.publish('jarvis/devices/lamp/event', { type: 'hello' })
    expect((await wire.hears('jarvis/devices/lamp/event')).json()).toEqual({ type: 'hello' })
    await wire.end()
  }

  test('TLS, with the certificate authority that the hub hands out', async () => {
    const { body } = await hub.api<{ text: string }>('/api/ca.pem', { token: null })
    const url = `mqtts://localhost:${hub.hub.ports.mqtts ?? 0}`
    await talks(await hub.mqtt(lamp, { url, ca: body.text }))
    await expect(hub.mqtt(lamp, { url })).rejects.toThrow(/certificate/)
    await expect(hub.mqtt({ ...lamp, password: 'guess' }, { url, ca: body.text })).rejects.toMatchObject({ code: 4 })
  })

  test('HTTPS, with the same authority', async () => {
    const { body } = await hub.api<{ text: string }>('/api/ca.pem', { token: null })
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      get(`https://localhost:${hub.hub.ports.https ?? 0}/healthz`, { ca: body.text }, ({ statusCode }) =>
        resolve(statusCode),
      ).once('error', reject)
    })
    expect(answer).toBe(200)
  })

  test('WebSocket on the web port, for 3.1.1 and 5, but not for pages of another origin', async () => {
    const url = `${hub.base.replace('http', 'ws')}/mqtt`
    for (const protocolVersion of [4, 5] as const) await talks(await hub.mqtt(lamp, { url, protocolVersion }))
    const person = { clientId: 'ui.ada-page', username: 'ada', password: hub.token }
    await (await hub.mqtt(person, { url, wsOptions: { origin: hub.base } })).end()
    await expect(hub.mqtt(person, { url, wsOptions: { origin: 'https://evil.example' } })).rejects.toThrow()
    await expect(hub.mqtt({ ...person, password: 'guess' }, { url })).rejects.toMatchObject({ code: 4 })
  })
})

describe('a hub that nobody has claimed', () => {
  let hub: TestHub
  const claim = (json: Record<string, unknown>) => hub.api('/api/claim', { token: null, json })

  beforeAll(async () => {
    hub = await testHub({ env: { ADMIN_USER: undefined, ADMIN_PASSWORD: undefined } })
  })
  afterAll(() => hub.close())

  test('answers 503 with what to do, whatever token is sent', async () => {
    for (const token of [null, 'mr_whatever']) {
      for (const path of ['/api/devices', '/api/journal', '/metrics', '/api/me']) {
        const answer = await hub.api(path, { token })
        expect(answer.status, path).toBe(503)
        const { error } = ErrorBody.parse(answer.body)
        expect(error).toMatchObject({ code: 'UNAVAILABLE' })
        expect(error.message).toMatch(/link/)
      }
    }
    expect((await hub.api('/readyz', { token: null })).status).toBe(200)
  })

  test('lets no MQTT client in', async () => {
    await expect(hub.mqtt({ clientId: 'lamp', username: 'lamp', password: 'lamp' })).rejects.toThrow(/refused/)
  })

  test('is claimed with the printed code, once', async () => {
    expect((await hub.api('/api/claim', { token: null })).body).toEqual({ claimed: false, open: true })
    const eve = { username: 'eve', password: PASSWORD }
    const wrong = await claim({ ...eve, code: 'AAAA-AAAA-AAAA-AAAA-AAAA' })
    expect(wrong.status).toBe(403)
    ErrorBody.parse(wrong.body)
    const code = hub.hub.claimCode ?? ''
    expect(code).toMatch(/^([0-9A-Z]{4}-){4}[0-9A-Z]{4}$/)
    const weak = await claim({ username: 'ada', password: 'short', code })
    expect(weak.status).toBe(400)
    expect(ErrorBody.parse(weak.body).error.details).toMatchObject({ field: 'password' })
    const made = await claim({ username: 'ada', password: PASSWORD, code: code.toLowerCase() })
    expect(made).toMatchObject({ status: 201, body: { username: 'ada', roles: ['admin'] } })
    expect(await claim({ ...eve, code })).toMatchObject({ status: 409 })
    expect((await hub.api('/api/claim', { token: null })).body).toEqual({ claimed: true, open: false })
    const token = await hub.login('ada', PASSWORD)
    expect((await hub.api('/api/people', { token })).body).toMatchObject({
      items: [{ username: 'ada', roles: ['admin'] }],
    })
    expect((await hub.api('/api/devices', { token: null })).status).toBe(401)
  })
})
