import { request } from 'node:https'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { wallClock } from '../clock.ts'
import type { Log } from '../health/report.ts'
import { openTls, type Tls } from './ca.ts'
import { type ClaimPorts, isLan, openClaimPorts } from './claim-ports.ts'

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => log }
let tls: Tls
let ports: ClaimPorts
const failed: string[] = []

beforeAll(async () => {
  const dir = join(mkdtempSync(join(tmpdir(), 'millrace-claim-')), 'tls')
  tls = await openTls({ dir, names: ['localhost'], addresses: () => ['127.0.0.1'], clock: wallClock(), log })
  ports = await openClaimPorts({
    app: { routing: (_, response) => void response.end('the app') },
    addresses: ['127.0.0.1', '192.0.2.77'],
    port: 0,
    tls: { key: tls.key, cert: tls.cert },
    failed: (address) => failed.push(address),
  })
})
afterAll(() => {
  ports.close()
  tls.close()
})

const ask = (path: string): Promise<[number | undefined, string]> =>
  new Promise((done, reject) => {
    request(`${ports.urls[0]}${path}`, { ca: tls.ca, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => done([response.statusCode, body]))
    })
      .on('error', reject)
      .end()
  })

test.each(['/claim', '/claim?x=1', '/api/claim', '/assets/index-1a2b.js', '/icon.svg', '/manifest.webmanifest'])(
  'before the claim the network reaches %s',
  async (path) => expect(await ask(path)).toEqual([200, 'the app']),
)

test.each([
  '/',
  '/token',
  '/api/devices',
  '/api/claim/../devices',
  '/assets/../api/devices',
  '/mqtt',
  '/health',
  '//api/claim',
])('and not %s', async (path) => expect((await ask(path))[0]).toBe(403))

test('an address it cannot have is told and left out', () => {
  expect(failed).toEqual(['192.0.2.77'])
  expect(ports.urls).toHaveLength(1)
})

test('loopback is no network', () => {
  expect(['127.0.0.1', '127.1.2.3', '::1', '192.168.1.7', 'fd00::2'].filter(isLan)).toEqual(['192.168.1.7', 'fd00::2'])
})
