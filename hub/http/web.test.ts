// The web port: one error shape for everything, correlation ids, docs, and an end in time.
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Fatal, Invalid, Recoverable, STATUS_OF } from '../errors.ts'
import { openCorrelation } from '../health/correlation.ts'
import type { Routes } from './app.ts'
import { opened } from './web.fixture.ts'

const correlation = openCorrelation()
const Body = z.strictObject({
  name: z.string().min(2),
  password: z.string().min(10),
  count: z.number().int().max(5).optional(),
  nested: z.object({ token: z.string().max(3), list: z.array(z.object({ n: z.number() })).optional() }).optional(),
})

const routes: Routes = (app) => {
  app.post('/api/things', { config: { may: 'public' }, schema: { body: Body } }, () => ({ ok: true }))
  app.get(
    '/api/things/:id',
    {
      config: { may: 'public' },
      schema: {
        params: z.object({ id: z.coerce.number() }),
        querystring: z.strictObject({ limit: z.coerce.number().max(3).optional() }),
      },
    },
    () => ({ ok: true }),
  )
  app.get('/api/locked', { config: { may: 'devices.read' } }, (request) => ({ who: request.principal.id }))
  app.get('/api/broken', { config: { may: 'public' } }, () => {
    throw new Error('secret inside: password=hunter22')
  })
  app.get(
    '/api/lying',
    { config: { may: 'public' }, schema: { response: { 200: z.object({ n: z.number() }) } } },
    () => ({ n: 'x' }) as never,
  )
  app.get('/api/code/:code', { config: { may: 'public' } }, (request) => {
    const { code } = request.params as { code: keyof typeof STATUS_OF }
    throw new Recoverable(code, `this is ${code}`, {
      field: 'password',
      value: 'hunter22',
      more: { token: 'hunter22' },
    })
  })
  app.get('/api/invalid', { config: { may: 'public' } }, () => {
    throw new Invalid('speed', 9_000, 'at most 300')
  })
  app.post('/api/echo', { config: { may: 'public' }, schema: { body: z.object({ a: z.number() }) } }, async () => {
    await wait(1)
    return { current: correlation.current() ?? null }
  })
  app.get('/api/slow', { config: { may: 'public' } }, async () => {
    await wait(30_000, undefined, { ref: false })
    return {}
  })
}
const withRoutes = () => opened({ routes: [routes], correlation })
const post = (body: string, type = 'application/json') => ({ method: 'POST', body, headers: { 'content-type': type } })

const expectShape = async (response: Response, status: number, code: string) => {
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toContain('application/json')
  const body = (await response.json()) as {
    error: {
      code: string
      message: string
      details: Record<string, unknown>
      correlation_id: string
      timestamp: string
    }
  }
  expect(Object.keys(body)).toEqual(['error'])
  expect(Object.keys(body.error).sort()).toEqual(['code', 'correlation_id', 'details', 'message', 'timestamp'])
  expect(body.error.code).toBe(code)
  expect(body.error.correlation_id).toBe(response.headers.get('x-correlation-id'))
  expect(response.headers.get('x-request-id')).toBe(body.error.correlation_id)
  expect(JSON.stringify(body)).not.toMatch(/hunter22|\bat .*\.ts:/)
  return body.error
}

test('every refusal has the one shape', async () => {
  const { url } = await withRoutes()
  const cases: [string, RequestInit, number, string][] = [
    ['/api/nothing', {}, 404, 'NOT_FOUND'],
    ['/api/things', { method: 'DELETE' }, 404, 'NOT_FOUND'],
    ['/api/locked', {}, 401, 'AUTH_ERROR'],
    ['/api/things', post('{"a":'), 400, 'VALIDATION_ERROR'],
    ['/api/things', post(''), 400, 'VALIDATION_ERROR'],
    ['/api/things', post('<a/>', 'text/xml'), 415, 'VALIDATION_ERROR'],
    ['/api/things', post(JSON.stringify({ name: 'x'.repeat(2 ** 20) })), 413, 'TOO_LARGE'],
    ['/api/things', post('{"__proto__":{"a":1}}'), 400, 'VALIDATION_ERROR'],
    ['/api/things/abc', {}, 400, 'VALIDATION_ERROR'],
    ['/api/things/1?limit=9', {}, 400, 'VALIDATION_ERROR'],
    ['/api/things/%zz', {}, 400, 'VALIDATION_ERROR'],
    [`/api/things/${'1'.repeat(300)}`, {}, 404, 'NOT_FOUND'],
    ['/api/broken', {}, 500, 'INTERNAL_ERROR'],
    ['/api/lying', {}, 500, 'INTERNAL_ERROR'],
  ]
  for (const [path, init, status, code] of cases) await expectShape(await fetch(url + path, init), status, code)
})

test('every code has its status', async () => {
  const { url } = await withRoutes()
  for (const [code, status] of Object.entries(STATUS_OF)) {
    const error = await expectShape(await fetch(`${url}/api/code/${code}`), status, code)
    expect(error.details).toMatchObject({ field: 'password', value: '[hidden]' })
  }
})

test('a wrong field is named with its value and the constraint; further ones are listed', async () => {
  const { url } = await withRoutes()
  const error = await expectShape(
    await fetch(`${url}/api/things`, post('{"name":"x","password":"long enough","count":7}')),
    400,
    'VALIDATION_ERROR',
  )
  expect(error.details).toMatchObject({
    field: 'name',
    value: 'x',
    constraint: expect.stringMatching(/2/),
    more: [{ field: 'count' }],
  })
  expect(error.message).toContain('name')
  const query = await expectShape(await fetch(`${url}/api/things/1?limit=9`), 400, 'VALIDATION_ERROR')
  expect(query.details).toMatchObject({ field: 'limit', value: '9' })
  const stray = await expectShape(
    await fetch(`${url}/api/things`, post('{"name":"xx","password":"long enough","colour":"red"}')),
    400,
    'VALIDATION_ERROR',
  )
  expect(stray.details).toMatchObject({ field: 'colour', constraint: 'is not known here' })
  const invalid = await expectShape(await fetch(`${url}/api/invalid`), 400, 'VALIDATION_ERROR')
  expect(invalid.details).toEqual({ field: 'speed', value: 9_000, constraint: 'at most 300' })
})

test('the value of a secret field is never repeated', async () => {
  const { url, lines } = await withRoutes()
  const short = await expectShape(
    await fetch(`${url}/api/things`, post('{"name":"xx","password":"hunter22"}')),
    400,
    'VALIDATION_ERROR',
  )
  expect(short.details).toMatchObject({ field: 'password', value: '[hidden]' })
  const nested = await expectShape(
    await fetch(`${url}/api/things`, post('{"name":"xx","password":"long enough","nested":{"token":"hunter22"}}')),
    400,
    'VALIDATION_ERROR',
  )
  expect(nested.details).toMatchObject({ field: 'nested.token', value: '[hidden]' })
  await expectShape(
    await fetch(`${url}/api/things`, post('["hunter22", {"password":"hunter22"}]')),
    400,
    'VALIDATION_ERROR',
  ).catch(() => {})
  await fetch(`${url}/api/nothing?token=hunter22`)
  expect(JSON.stringify(lines)).not.toContain('hunter22')
})

test('an unforeseen error is logged with its stack and reported, and the body says only where to look', async () => {
  const { url, lines, events } = await withRoutes()
  const response = await fetch(`${url}/api/broken`, { headers: { 'x-correlation-id': 'look-here' } })
  const error = await expectShape(response, 500, 'INTERNAL_ERROR')
  expect(error).toMatchObject({ correlation_id: 'look-here', details: {} })
  const line = lines.find(({ event }) => event === 'request.failed')
  expect(line?.fields['error']).toBeInstanceOf(Error)
  expect(events).toMatchObject([{ source: 'http', correlation_id: 'look-here', severity: 'error' }])
  expect(events[0]?.stack).toContain('web.test.ts')
  expect((await fetch(`${url}/api/code/NOT_FOUND`)).status).toBe(404)
})

test('a correlation id is taken over when it is sound, made when it is not, and known throughout the request', async () => {
  const { url, lines } = await withRoutes()
  const init = post('{"a":1}')
  const send = async (id: string) =>
    fetch(`${url}/api/echo`, { ...init, headers: { ...init.headers, 'x-correlation-id': id } })
  const taken = await send('shop-7:a')
  expect(await taken.json()).toEqual({ current: 'shop-7:a' })
  for (const bad of ['has space', 'x'.repeat(200), '"quote"']) {
    const made = await send(bad)
    const id = made.headers.get('x-correlation-id')
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(await made.json()).toEqual({ current: id })
  }
  expect(lines.find(({ event }) => event === 'request')?.fields).toMatchObject({
    path: '/api/echo',
    status: 200,
    correlation: 'shop-7:a',
  })
})

test('what is not HTTP is answered and closed', async () => {
  const { web, url } = await withRoutes()
  const said = await new Promise<string>((resolve, reject) => {
    let text = ''
    const socket = connect(web.ports.http, '127.0.0.1', () =>
      socket.write('\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00\r\n\r\n'),
    )
    socket.on('data', (bytes) => (text += bytes.toString()))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
  expect(said).toMatch(/^HTTP\/1\.1 400 /)
  expect(JSON.parse(said.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'VALIDATION_ERROR' } })
  expect((await fetch(`${url}/api/things/1`)).status).toBe(200)
})

test('a route that does not say who may use it stops the start', async () => {
  const start = opened({ routes: [(app) => app.get('/api/forgotten', () => ({}))] })
  await expect(start).rejects.toThrow(/GET \/api\/forgotten/)
  await expect(start).rejects.toBeInstanceOf(Fatal)
})

test('a taken port is named, with the way to another', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const start = opened({ config: { bind: '127.0.0.1', httpPort: port, allowedOrigins: [], uiDir: '/nowhere' } })
  await expect(start).rejects.toThrow(
    `Port ${port} is taken by another program. Choose another one with HTTP_PORT=${port + 1}`,
  )
  await expect(start).rejects.toBeInstanceOf(Fatal)
  other.close()
})

test('the headers let a page run its own scripts only, and do not force HTTPS on the LAN', async () => {
  const { url } = await withRoutes()
  const { headers } = await fetch(url)
  const policy = headers.get('content-security-policy') ?? ''
  expect(policy).toContain("script-src 'self'")
  expect(policy).not.toMatch(/script-src[^;]*unsafe|upgrade-insecure|https:/)
  expect(headers.get('strict-transport-security')).toBeNull()
  expect(headers.get('x-content-type-options')).toBe('nosniff')
})

test('other origins get no CORS headers unless they are listed', async () => {
  const plain = await withRoutes()
  const foreign = await fetch(`${plain.url}/api/things/1`, { headers: { origin: 'https://evil.example' } })
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull()
  const listed = await opened({ routes: [routes], allowedOrigins: ['https://wall.example'] })
  const asked = await fetch(`${listed.url}/api/locked`, {
    method: 'OPTIONS',
    headers: { origin: 'https://wall.example', 'access-control-request-method': 'GET' },
  })
  expect(asked.headers.get('access-control-allow-origin')).toBe('https://wall.example')
  const evil = await fetch(`${listed.url}/api/things/1`, { headers: { origin: 'https://evil.example' } })
  expect(evil.headers.get('access-control-allow-origin')).not.toBe('https://evil.example')
})

test('the API describes itself, from its schemas, without anything from elsewhere', async () => {
  const { url } = await withRoutes()
  const json = (await (await fetch(`${url}/api/docs/json`)).json()) as {
    openapi: string
    paths: Record<string, Record<string, { description?: string; security?: unknown[] }>>
  }
  expect(json.openapi).toBe('3.1.0')
  expect(JSON.stringify(json.paths['/api/things'])).toContain('password')
  expect(json.paths['/api/locked']?.['get']?.description).toContain('devices.read')
  expect(json.paths['/api/broken']?.['get']?.security).toEqual([])
  expect(json.paths['/*']).toBeUndefined()
  const page = await fetch(`${url}/api/docs`)
  const html = await page.text()
  expect(page.status).toBe(200)
  expect(html).not.toMatch(/<script(?![^>]*src=)[^>]*>|https?:\/\//)
  const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path)
  expect(assets.length).toBeGreaterThan(3)
  for (const path of assets) expect((await fetch(new URL(path ?? '', page.url))).status).toBe(200)
})

test('it stops within two seconds, with requests and idle sockets open', async () => {
  const { web, url } = await withRoutes()
  await fetch(`${url}/api/things/1`)
  const idle = connect(web.ports.http, '127.0.0.1')
  const slow = fetch(`${url}/api/slow`).catch((error: unknown) => error)
  await new Promise((resolve) => idle.once('connect', resolve))
  await wait(20)
  const started = performance.now()
  await web.close()
  expect(performance.now() - started).toBeLessThan(2_000)
  expect(await slow).toBeInstanceOf(Error)
  await expect(fetch(url)).rejects.toThrow()
})
