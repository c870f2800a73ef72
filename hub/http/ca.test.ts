// The hub's own authority: accepted for the hub, for nothing else, by node and by openssl.
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { Fatal } from '../errors.ts'
import { caRoutes, openTls, ownHosts, type TlsOptions } from './ca.ts'
import { addressBytes, serverCertificate } from './certificate.ts'
import { opened, rememberingLog, tempFolder } from './web.fixture.ts'

const DAY = 86_400_000
const start = async (more: Partial<TlsOptions> = {}) => {
  const { log, lines } = rememberingLog()
  const dir = more.dir ?? (await tempFolder())
  const tls = await openTls({
    dir,
    names: ['hub', 'hub.local', 'localhost'],
    addresses: () => ['127.0.0.1', '::1', '192.168.7.5'],
    clock: { now: Date.now },
    log,
    ...more,
  })
  return { tls, dir, lines, leaf: () => new X509Certificate(tls.cert) }
}

/** 'ok', or why a TLS client that trusts only `ca` refuses. */
const handshake = async (pair: { key: string; cert: string }, ca: string, servername: string): Promise<string> => {
  const server = createServer(pair, (socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await new Promise((resolve) => {
      const { port } = server.address() as AddressInfo
      const socket = connect({ port, host: '127.0.0.1', ca, ...(servername === '' ? {} : { servername }) }, () =>
        resolve('ok'),
      )
      socket.on('error', (error) => resolve(error.message))
    })
  } finally {
    server.close()
  }
}

test('a client with the authority connects by name and by address', async () => {
  const { tls } = await start()
  for (const name of ['hub', 'hub.local', 'localhost', '']) expect(await handshake(tls, tls.ca, name)).toBe('ok')
  tls.close()
})

test('the authority cannot vouch for another name or address, even with its own key', async () => {
  const { tls, dir } = await start()
  const { key: caKey, name } = JSON.parse(await readFile(join(dir, 'ca.json'), 'utf8')) as { key: string; name: string }
  const { createPrivateKey } = await import('node:crypto')
  const forge = (hosts: { names: string[]; addresses: string[] }) => {
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const cert = serverCertificate({
      key,
      name: hosts.names[0] ?? 'x',
      hosts,
      authority: { key: createPrivateKey(caKey), name },
      from: Date.now() - DAY,
      until: Date.now() + DAY,
    })
    return { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert }
  }
  expect(await handshake(forge({ names: ['hub'], addresses: [] }), tls.ca, 'hub')).toBe('ok')
  expect(await handshake(forge({ names: ['bank.example'], addresses: [] }), tls.ca, 'bank.example')).toBe(
    'permitted subtree violation',
  )
  expect(await handshake(forge({ names: ['hub'], addresses: ['192.168.7.6'] }), tls.ca, 'hub')).toBe(
    'permitted subtree violation',
  )
  tls.close()
})

test.skipIf(spawnSync('openssl', ['version']).status !== 0)('openssl reads and verifies it', async () => {
  const { tls, dir, leaf } = await start()
  await writeFile(join(dir, 'leaf.pem'), leaf().toString())
  const run = (...args: string[]) => spawnSync('openssl', args, { cwd: dir, encoding: 'utf8' })
  expect(
    run(
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-verify_hostname',
      'hub.local',
      '-CAfile',
      'ca.pem',
      'leaf.pem',
    ).stdout,
  ).toBe('leaf.pem: OK\n')
  const ca = run('x509', '-in', 'ca.pem', '-noout', '-text').stdout
  expect(ca).toMatch(
    /Name Constraints: critical\s+Permitted:\s+DNS:hub\s+DNS:hub\.local\s+DNS:localhost\s+IP:127\.0\.0\.1\/255\.255\.255\.255/,
  )
  expect(ca).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
  expect(ca).toContain('prime256v1')
  const text = run('x509', '-in', 'leaf.pem', '-noout', '-text').stdout
  expect(text).toMatch(
    /DNS:hub, DNS:hub\.local, DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1, IP Address:192\.168\.7\.5/,
  )
  expect(text).toContain('TLS Web Server Authentication')
  tls.close()
})

test('keys are for the owner only, and everything survives a restart', async () => {
  const { tls, dir } = await start()
  for (const file of ['ca.json', 'ca.pem', 'server.key', 'server.pem'])
    expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600)
  const again = await start({ dir })
  expect([again.tls.ca, again.tls.cert, again.tls.key]).toEqual([tls.ca, tls.cert, tls.key])
  tls.close()
  again.tls.close()
})

test('the certificate lasts 397 days and is renewed 30 days before its end, and those who serve it are told', async () => {
  const time = { now: Date.now() }
  const { tls, leaf } = await start({ clock: { now: () => time.now } })
  const { validFrom, validTo } = leaf()
  expect((Date.parse(validTo) - Date.parse(validFrom)) / DAY).toBe(397)
  const first = tls.cert
  const told: string[] = []
  tls.onRenew(({ cert }) => told.push(cert))
  time.now += 360 * DAY
  await tls.check()
  expect(tls.cert).toBe(first)
  time.now += 8 * DAY
  await tls.check()
  expect(tls.cert).not.toBe(first)
  expect(told).toEqual([tls.cert])
  tls.close()
})

test('an address that went and came back is followed; one the authority does not cover is left out and said', async () => {
  let addresses = ['127.0.0.1', '192.168.7.5']
  const { tls, lines, leaf } = await start({ addresses: () => addresses })
  const move = async (to: string[]) => {
    addresses = to
    await tls.check()
  }
  await move(['127.0.0.1'])
  expect(leaf().checkIP('127.0.0.1')).toBeDefined()
  await move(['127.0.0.1', '192.168.7.5'])
  expect(leaf().checkIP('192.168.7.5')).toBeDefined()
  await move(['127.0.0.1', '10.0.0.9'])
  await tls.check()
  expect(leaf().checkIP('10.0.0.9')).toBeUndefined()
  expect(lines.filter(({ event }) => event === 'tls.uncovered')).toMatchObject([
    { fields: { addresses: ['10.0.0.9'] } },
  ])
  expect(await handshake(tls, tls.ca, 'hub.local')).toBe('ok')
  tls.close()
})

test('a torn server certificate is made again; a torn authority stops the start and says what to do', async () => {
  const { tls, dir } = await start()
  tls.close()
  await writeFile(join(dir, 'server.pem'), tls.cert.slice(0, 200))
  const mended = await start({ dir })
  expect(mended.tls.ca).toBe(tls.ca)
  expect(await handshake(mended.tls, tls.ca, 'hub')).toBe('ok')
  mended.tls.close()
  await writeFile(join(dir, 'ca.json'), '{"name":')
  await expect(start({ dir })).rejects.toThrow(/Restore the file from a backup, or delete/)
  await expect(start({ dir })).rejects.toBeInstanceOf(Fatal)
})

test('a phone can fetch the authority without a token', async () => {
  const { tls } = await start()
  const { url } = await opened({ routes: [caRoutes(tls)] })
  const response = await fetch(`${url}/api/ca.pem`)
  expect(response.headers.get('content-type')).toBe('application/x-x509-ca-cert')
  expect(await response.text()).toBe(tls.ca)
  tls.close()
})

test('the hub’s own hosts are names and private addresses only', () => {
  const { names, addresses } = ownHosts()
  expect(names).toContain('localhost')
  expect(addresses).toEqual(expect.arrayContaining(['127.0.0.1', '::1']))
  expect(names.filter((name) => !/^[a-z0-9.-]+$/.test(name))).toEqual([])
})

test('addresses become their bytes', () => {
  const hex = (address: string) => addressBytes(address).toString('hex')
  expect(hex('192.168.7.5')).toBe('c0a80705')
  expect(hex('::1')).toBe(`${'0'.repeat(31)}1`)
  expect(hex('fd00::a:1')).toBe('fd0000000000000000000000000a0001')
  expect(hex('fe80:1:2:3:4:5:6:7')).toBe('fe800001000200030004000500060007')
})
