// Staying on the site: no address and no name leads a token outside while OFFLINE_MODE is on.
import { createServer } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Secret } from '../../hub/health/secret.ts'
import { world } from './plugin.rig.ts'
import { localLookup } from './site.ts'
import { openSocket, type Server } from './socket.ts'

// RFC 5737 and RFC 3849: addresses for examples, which are nobody's.
const OUTSIDE = [
  'http://203.0.113.7:8123',
  'https://203.0.113.7',
  'http://[2001:db8::7]:8123',
  'http://[::ffff:203.0.113.7]',
]

const credential = (baseUrl: string): Server['credential'] => ({
  baseUrl,
  auth: { kind: 'bearer', token: new Secret('not-to-be-sent') },
  verifyTls: true,
  scope: [],
})
const opened = (baseUrl: string, offline: boolean): Promise<unknown> =>
  openSocket({ name: 'house', credential: credential(baseUrl), offline }, AbortSignal.abort()).catch((e: unknown) => e)

test.each(OUTSIDE)('%s is refused before anything is sent, and allowed without OFFLINE_MODE alone', async (baseUrl) => {
  expect(await opened(baseUrl, true)).toMatchObject({
    code: 'POLICY_ERROR',
    message: expect.stringContaining('set OFFLINE_MODE=0'),
  })
  expect(await opened(baseUrl, false)).toMatchObject({ code: 'UNAVAILABLE' })
})

test('a name is refused when any of its addresses is outside, at the moment it is used', async () => {
  const asked = (...addresses: string[]): Promise<unknown> =>
    new Promise((resolve) => {
      const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      localLookup((_host, _options, done) => done(null, found))('house.example', {}, (error, address) =>
        resolve(error ?? address),
      )
    })
  expect(await asked('192.168.1.20')).toBe('192.168.1.20')
  const refused = { code: 'POLICY_ERROR', message: expect.stringContaining('house.example is not on the site') }
  expect(await asked('203.0.113.7')).toMatchObject(refused)
  expect(await asked('192.168.1.20', '2001:db8::7')).toMatchObject(refused)
})

test('health says what to do, and a server that leads elsewhere gets no second call', async () => {
  const hub = world({ house: credential('http://203.0.113.7:8123') })
  hub.start()
  await hub.until('told', () => hub.health.at(-1)?.what.includes('set OFFLINE_MODE=0') ?? false)
  expect(hub.health.at(-1)?.word).toBe('degraded')
  await hub.stop()

  // A redirect is how a server on the site would send the token outside.
  const asked: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => {
      asked.push(data.toString('utf8').split('\r\n', 1)[0] ?? '')
      socket.end('HTTP/1.1 302 Found\r\nlocation: http://203.0.113.7/api/websocket\r\ncontent-length: 0\r\n\r\n')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = z.object({ port: z.number() }).parse(server.address())
  const moved = { name: 'house', credential: credential(`http://127.0.0.1:${port}`), offline: true }
  const failure: unknown = await openSocket(moved, new AbortController().signal).catch((e: unknown) => e)
  expect(failure).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('302') })
  expect(asked).toEqual(['GET /api/websocket HTTP/1.1'])
  server.close()
})
