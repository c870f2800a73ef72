// MQTT over WebSocket on the web ports: bytes both ways, and only for those who may.
import { once } from 'node:events'
import { Agent, get } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { authorityCertificate } from './certificate.ts'
import { openTls, type Tls } from './ca.ts'
import { opened, rememberingLog, tempFolder } from './web.fixture.ts'

const open = (url: string, options: { protocols?: string[]; origin?: string; ca?: string } = {}) => {
  const { protocols = ['mqtt'], origin, ca } = options
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, {
    ...(origin === undefined ? {} : { origin }),
    ...(ca === undefined ? {} : { ca }),
  })
  const done = new Promise<{ open: boolean; status?: number; code?: number }>((resolve) => {
    socket.once('open', () => resolve({ open: true }))
    socket.once('unexpected-response', (_, response) => resolve({ open: false, status: response.statusCode ?? 0 }))
    socket.once('error', () => {})
  })
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  return { socket, done, closed }
}

const tls = async (): Promise<Tls> =>
  openTls({
    dir: await tempFolder(),
    names: ['localhost'],
    addresses: () => ['127.0.0.1'],
    clock: { now: Date.now },
    log: rememberingLog().log,
  })

test('a client gets a byte stream to the broker, with its address', async () => {
  const { url, streams } = await opened()
  const { socket, done } = open(`${url}/mqtt`)
  expect(await done).toEqual({ open: true })
  expect(socket.protocol).toBe('mqtt')
  const [first] = streams
  expect(first?.address).toBe('127.0.0.1')
  socket.send(Buffer.from([0x10, 0x00]))
  const [bytes] = (await once(first!.stream, 'data')) as [Buffer]
  expect([...bytes]).toEqual([0x10, 0x00])
  const answer = once(socket, 'message')
  first?.stream.write(Buffer.from([0x20, 0x02]))
  const [message, isBinary] = (await answer) as [Buffer, boolean]
  expect([[...message], isBinary]).toEqual([[0x20, 0x02], true])
  const ended = once(first!.stream, 'close')
  socket.close()
  await ended
})

test('the same over HTTPS, beside ordinary requests', async () => {
  const own = await tls()
  const { web, streams } = await opened({ tls: own, httpsPort: 0 })
  const url = `https://localhost:${web.ports.https}`
  const { socket, done } = open(`${url}/mqtt`, { ca: own.ca })
  expect(await done).toEqual({ open: true })
  socket.send(Buffer.from([1, 2, 3]))
  expect(await once(streams[0]!.stream, 'data')).toEqual([Buffer.from([1, 2, 3])])
  const [response] = (await once(get(`${url}/api/nothing`, { agent: new Agent({ ca: own.ca }) }), 'response')) as [
    IncomingMessage,
  ]
  expect(response.statusCode).toBe(404)
  response.resume()
  expect(await open(`${url}/mqtt`, { ca: own.ca, origin: 'https://evil.example' }).done).toEqual({
    open: false,
    status: 403,
  })
  const started = performance.now()
  const gone = once(socket, 'close')
  await web.close()
  await gone
  expect(performance.now() - started).toBeLessThan(2_000)
  own.close()
})

test('a page of another origin is refused before the upgrade; the own page and listed ones are not', async () => {
  const { web, url, streams, health } = await opened({ allowedOrigins: ['https://wall.example'] })
  for (const origin of [
    'https://evil.example',
    'null',
    'file://',
    url.replace('127.0.0.1', '127.0.0.2'),
    'https://wall.example.evil',
  ])
    expect(await open(`${url}/mqtt`, { origin }).done).toEqual({ open: false, status: 403 })
  expect(streams).toEqual([])
  const left = () => new Promise<number>((resolve) => web.app.server.getConnections((_, count) => resolve(count)))
  await expect.poll(left, { timeout: 1_000 }).toBe(0)
  expect(await health.metrics.text()).toContain('millrace_http_foreign_origins_total 5')
  for (const origin of [url, 'https://wall.example'])
    expect(await open(`${url}/mqtt`, { origin }).done).toEqual({ open: true })
})

test('a client that does not ask for the subprotocol is closed, and so is one that sends text or too much', async () => {
  const { url, streams } = await opened()
  expect(await open(`${url}/mqtt`, { protocols: [] }).closed).toBe(1002)
  expect(streams).toHaveLength(0)
  const text = open(`${url}/mqtt`)
  await text.done
  text.socket.send('CONNECT')
  expect(await text.closed).toBe(1006)
  const large = open(`${url}/mqtt`)
  await large.done
  large.socket.send(Buffer.alloc(3 * 1024 * 1024))
  expect([1006, 1009]).toContain(await large.closed)
  expect((await fetch(`${url}/api/docs/json`)).status).toBe(200)
})

test('an upgrade elsewhere is answered, not served, and harms nobody', async () => {
  const { url } = await opened()
  for (const path of ['/api/nothing', '/', '/devices', '/api/docs/json', '/healthz'])
    expect(await open(url + path).done).toEqual({ open: false, status: 404 })
  const plain = await fetch(`${url}/mqtt`)
  expect(plain.status).toBe(404)
  expect(await plain.json()).toMatchObject({ error: { code: 'NOT_FOUND' } })
})

test('stopping ends sockets of clients that do not answer a close', async () => {
  const { web, url } = await opened()
  const { socket, done, closed } = open(`${url}/mqtt`)
  await done
  socket.pause()
  const started = performance.now()
  await web.close()
  expect(performance.now() - started).toBeLessThan(2_000)
  socket.resume()
  await Promise.race([closed, wait(1_000)])
  expect(socket.readyState).toBeGreaterThanOrEqual(WebSocket.CLOSING)
})

test('a phone without the authority is turned away, and a renewed certificate is served at once', async () => {
  const own = await tls()
  const { web } = await opened({ tls: own, httpsPort: 0 })
  const url = `https://localhost:${web.ports.https}/api/nothing`
  const ask = (ca: string) =>
    new Promise<string>((resolve) => {
      get(url, { agent: new Agent({ ca }) }, (response) => {
        resolve(String(response.statusCode))
        response.resume()
      }).on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
    })
  const { generateKeyPairSync } = await import('node:crypto')
  const stranger = authorityCertificate({
    key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    name: 'x',
    hosts: { names: ['localhost'], addresses: [] },
    from: Date.now() - 1_000,
    until: Date.now() + 1e9,
  })
  expect(await ask(stranger)).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED|CERT_SIGNATURE/)
  expect(await ask(own.ca)).toBe('404')
  own.close()
})
