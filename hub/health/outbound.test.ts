// Calls to peers over HTTP, against a peer on 127.0.0.1 that fails, stalls and lies.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createSecure } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openTls } from '../http/ca.ts'
import { openCorrelation } from './correlation.ts'
import { Credential } from './credential.ts'
import { openHealth } from './health.ts'
import { openMetrics } from './metrics.ts'
import { outbound, type OutboundOptions } from './outbound.ts'
import type { Log } from './report.ts'
import { isSiteAddress, isSiteName } from './site.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

const opened = async (
  answer: (request: IncomingMessage, response: ServerResponse, n: number) => void,
  more: Partial<OutboundOptions> = {},
  auth: unknown = { kind: 'none' },
) => {
  let n = 0
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    answer(request, response, ++n)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const lines: string[] = []
  const write = (event: string, fields?: object) => void lines.push(`${event} ${JSON.stringify(fields)}`)
  const log: Log = { debug: write, info: write, warn: write, error: write, of: () => log }
  const metrics = openMetrics({ process: false })
  const peer = outbound({
    name: 'peer',
    credential: Credential.parse({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`, auth }),
    offline: true,
    log,
    health: openHealth({ clock: { now: () => 0 }, log, metrics }),
    retry: { attempts: 3, firstMs: 2, mostMs: 5, deadlineMs: 10_000 },
    timeoutMs: 10_000,
    ...more,
  })
  return { peer, seen, lines, metrics }
}

test('a call carries the credential and the correlation id, and nothing of the secret is logged', async () => {
  const correlation = openCorrelation()
  const { peer, seen, lines } = await opened(
    (_, response, n) => (n === 1 ? response.writeHead(503).end() : response.end('{"a":1}')),
    { correlation },
    { kind: 'bearer', token: 'hunter22' },
  )
  const answer = await correlation.run('c-7', () => peer.call({ path: '/printer', query: { full: true } }))
  expect(answer.json()).toEqual({ a: 1 })
  expect(seen[1]?.url).toBe('/api/printer?full=true')
  expect(seen[1]?.headers).toMatchObject({ authorization: 'Bearer hunter22', 'x-correlation-id': 'c-7' })
  expect(lines.join('\n')).not.toContain('hunter22')
})

test('429 and 5xx are tried again for a GET; Retry-After is respected', async () => {
  const started = performance.now()
  const { peer, seen } = await opened((_, response, n) =>
    n === 1
      ? response.writeHead(429, { 'retry-after': '0.2' }).end()
      : n === 2
        ? response.writeHead(500).end()
        : response.end('ok'),
  )
  expect((await peer.call({ path: 'x' })).body.toString()).toBe('ok')
  expect(seen).toHaveLength(3)
  expect(performance.now() - started).toBeGreaterThan(195)
})

test('a POST is sent once, unless it carries an idempotency key', async () => {
  const { peer, seen } = await opened((_, response, n) => (n < 3 ? response.writeHead(502).end() : response.end('ok')))
  await expect(peer.call({ method: 'POST', path: 'x', json: { a: 1 } })).rejects.toMatchObject({
    details: { status: 502 },
  })
  expect(seen).toHaveLength(1)
  await peer.call({ method: 'POST', path: 'x', json: { a: 1 }, idempotencyKey: 'k1' })
  expect(seen).toHaveLength(3)
  expect(seen[2]?.headers['idempotency-key']).toBe('k1')
})

test('a 4xx is not tried again and does not open the breaker', async () => {
  const { peer, seen } = await opened((_, response) => response.writeHead(404).end())
  for (let n = 0; n < 6; n++)
    await expect(peer.call({ path: 'x' })).rejects.toMatchObject({ code: 'CONNECTION_ERROR', status: 404 })
  expect(seen).toHaveLength(6)
  expect(peer.breaker.state()).toBe('closed')
})

test('a peer that is down opens the breaker, and then it is left alone', async () => {
  const { peer, seen } = await opened((request) => request.socket.destroy(), {
    limits: { failures: 3, halfOpenAfterMs: 60_000 },
  })
  await expect(peer.call({ path: 'x' })).rejects.toThrow('cannot be reached')
  expect(peer.breaker.state()).toBe('open')
  await expect(peer.call({ path: 'x' })).rejects.toThrow('left alone')
  expect(seen).toHaveLength(3)
})

test('a peer that stalls, or trickles, is given up in time', async () => {
  const { peer } = await opened(
    (request, response) => (request.url === '/api/stall' ? undefined : void response.write('x')),
    { retry: { attempts: 1 }, timeoutMs: 300 },
  )
  for (const path of ['stall', 'trickle']) {
    const started = performance.now()
    await expect(peer.call({ path })).rejects.toThrow('no answer in 300 ms')
    expect(performance.now() - started).toBeLessThan(5_000)
  }
})

test('an answer that is too large is cut off, announced or not', async () => {
  const { peer, seen } = await opened(
    (request, response) => {
      if (request.url === '/api/announced') response.writeHead(200, { 'content-length': 5_000 })
      response.end(Buffer.alloc(5_000))
    },
    { maxBytes: 1_000 },
  )
  for (const path of ['announced', 'sudden']) await expect(peer.call({ path })).rejects.toThrow('more than 1000 bytes')
  expect(seen).toHaveLength(2)
})

test('a redirect is not followed', async () => {
  const { peer, seen } = await opened((_, response) =>
    response.writeHead(302, { location: 'http://example.org/' }).end(),
  )
  await expect(peer.call({ path: 'x' })).rejects.toThrow('redirects to http://example.org/')
  expect(seen).toHaveLength(1)
})

test('a path cannot leave the base address', async () => {
  const { peer, seen } = await opened((_, response) => response.end())
  await expect(peer.call({ path: '../admin' })).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  await peer.call({ path: '//example.org/x' })
  expect(seen.map(({ url }) => url)).toEqual(['/api/example.org/x'])
})

test('OFFLINE_MODE lets no call off the site, by address or by name', async () => {
  const { lines, metrics, peer: _ } = await opened((_request, response) => response.end())
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => log }
  for (const baseUrl of [
    'https://example.org',
    'http://93.184.216.34',
    'http://[2606:4700::1111]',
    'http://100.64.0.1',
  ]) {
    const away = outbound({
      name: 'away',
      credential: Credential.parse({ baseUrl }),
      offline: true,
      log,
      health: openHealth({ clock: { now: () => 0 }, log, metrics }),
    })
    await expect(away.call({ path: '/' })).rejects.toMatchObject({
      code: 'POLICY_ERROR',
      message: expect.stringContaining('OFFLINE_MODE'),
    })
  }
  expect(lines).not.toContain('example.org')
})

test('a name that belongs to the site works in OFFLINE_MODE', async () => {
  const { peer, seen } = await opened((_, response) => response.end('ok'))
  expect((await peer.call({ path: 'x' })).status).toBe(200)
  const port = seen[0]?.socket.localPort
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => log }
  const named = outbound({
    name: 'named',
    credential: Credential.parse({ baseUrl: `http://localhost:${port}` }),
    offline: true,
    log,
    health: openHealth({ clock: { now: () => 0 }, log, metrics: openMetrics({ process: false }) }),
  })
  expect((await named.call({ path: 'x' })).body.toString()).toBe('ok')
  named.close()
})

test('what belongs to the site', () => {
  const inside = [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.1.1',
    '::1',
    'fd00::1',
    'fe80::1',
    '::ffff:192.168.1.1',
  ]
  const outside = ['8.8.8.8', '172.32.0.1', '100.64.0.1', '0.0.0.0', '2606:4700::1111', '::ffff:8.8.8.8', 'nonsense']
  expect(inside.filter((address) => !isSiteAddress(address))).toEqual([])
  expect(outside.filter(isSiteAddress)).toEqual([])
  expect(['hub', 'hub.local', 'octopi.lan', 'localhost', 'x.home.arpa.'].filter((name) => !isSiteName(name))).toEqual(
    [],
  )
  expect(['example.org', 'local.example.org', 'x.local.evil.com'].filter(isSiteName)).toEqual([])
})

test('a credential is checked when it is read', () => {
  const bad = [
    { baseUrl: 'ftp://x' },
    { baseUrl: 'http://ada:secret@x' },
    { baseUrl: 'http://x', auth: { kind: 'bearer' } },
    { baseUrl: 'http://x', auth: { kind: 'api-key', key: 'k', header: 'bad header' } },
    { baseUrl: 'http://x', token: 'stray' },
  ]
  expect(bad.filter((value) => Credential.safeParse(value).success)).toEqual([])
  const good = Credential.parse({ baseUrl: 'https://x', auth: { kind: 'api-key', key: 'hunter22' } })
  expect(good.verifyTls).toBe(true)
  expect(JSON.stringify(good)).not.toContain('hunter22')
})

test('a local name that leads outside is refused in OFFLINE_MODE before anything is sent', async () => {
  const { peer, seen } = await opened((_, response) => response.end('ok'))
  await peer.call({ path: 'x' })
  const port = seen[0]?.socket.localPort
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => log }
  const named = (address: string) =>
    outbound({
      name: 'named',
      credential: Credential.parse({ baseUrl: `http://printer.local:${port}` }),
      offline: true,
      log,
      health: openHealth({ clock: { now: () => 0 }, log, metrics: openMetrics({ process: false }) }),
      resolve: (_, __, done) =>
        done(null, [
          { address: '127.0.0.1', family: 4 },
          { address, family: 4 },
        ]),
    })
  await expect(named('93.184.216.34').call({ path: 'x' })).rejects.toMatchObject({ code: 'POLICY_ERROR' })
  expect(seen).toHaveLength(1)
  expect((await named('127.0.0.1').call({ path: 'x' })).status).toBe(200)
})

test('the certificate of a peer is checked, unless its credential says otherwise', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-outbound-'))
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => log }
  const tls = await openTls({ dir, names: ['localhost'], addresses: ['127.0.0.1'], clock: { now: Date.now }, log })
  const server = createSecure({ key: tls.key, cert: tls.cert }, (_, response) => response.end('ok'))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const call = (more: object) => {
    const peer = outbound({
      name: 'peer',
      credential: Credential.parse({ baseUrl: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ...more }),
      offline: true,
      log,
      health: openHealth({ clock: { now: () => 0 }, log, metrics: openMetrics({ process: false }) }),
      retry: { attempts: 1 },
    })
    return peer.call({ path: '/' }).finally(() => peer.close())
  }
  await expect(call({})).rejects.toMatchObject({ code: 'CONNECTION_ERROR' })
  expect((await call({ ca: tls.ca })).status).toBe(200)
  expect((await call({ verifyTls: false })).status).toBe(200)
  tls.close()
  await rm(dir, { recursive: true })
})
