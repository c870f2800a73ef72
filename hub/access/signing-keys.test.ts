// The documented rotation of the keys that sign tokens, step by step; from the API and from the command line beside a running hub.
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Unauthenticated } from '../errors.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { silent } from '../testing/stores.ts'
import { eventually } from '../testing/until.ts'
import { handClock, PASSWORD, rig, tempDir } from './access.rig.ts'
import { keysCommand } from './keys-cli.ts'
import { signingKeys } from './signing-keys.ts'

let dir = ''
let store: Store
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-keys-'))
  store = await openStore({ file: join(dir, 'hub.db'), log: silent })
})
afterEach(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

const start = async () => {
  const dataDir = tempDir()
  const it = await rig(store, { dataDir })
  await it.access.addPerson({ username: 'ada', password: PASSWORD, roles: ['admin'] })
  const login = async () => (await it.access.login({ username: 'ada', password: PASSWORD, address: '::1' })).token
  const says: string[] = []
  const command = (...args: string[]) =>
    keysCommand(args, { dataDir, clock: it.clock, say: (text) => void says.push(text) })
  return { ...it, dataDir, login, command, says, file: join(dataDir, 'keys/tokens.json') }
}

const kidOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')).kid

test('a rotation voids no token; the second one ends those of the first key', async () => {
  const { access, login, clock, revoked, notes } = await start()
  const old = await login()
  clock.pass(60)
  const made = access.rotateKeys('person:ada')
  expect(access.signingKeys().map(({ kid, state }) => [kid, state])).toEqual([
    [made.kid, 'signs'],
    [kidOf(old), 'verifies'],
  ])
  const young = await login()
  expect(kidOf(young)).toBe(made.kid)
  for (const token of [old, young]) expect((await access.verify(token)).id).toBe('ada')
  // They expire as if nothing had been.
  clock.pass(1741)
  await expect(access.verify(old)).rejects.toThrow(Unauthenticated)
  await access.verify(young)
  clock.pass(100)
  access.rotateKeys('person:ada')
  expect(access.signingKeys()).toHaveLength(2)
  expect(access.signingKeys().map(({ kid }) => kid)).not.toContain(kidOf(old))
  // Nothing made with the key that is gone could have been alive, so nobody is cut off.
  expect(revoked).toEqual([])
  expect(notes.filter(([event]) => event === 'signing-keys.changed').map(([, who]) => who)).toEqual([
    'person:ada',
    'person:ada',
  ])
})

test('two rotations in a row end living tokens of the first key at once, and connections with them', async () => {
  const { access, login, revoked } = await start()
  const old = await login()
  access.rotateKeys()
  await access.verify(old)
  access.rotateKeys()
  await expect(access.verify(old)).rejects.toThrow(Unauthenticated)
  expect(revoked).toEqual(['person:ada ui.ada'])
})

test('a key that leaked is revoked: its tokens are void, another signs', async () => {
  const { access, login, revoked } = await start()
  const stolen = await login()
  access.revokeSigningKey(String(kidOf(stolen)), 'person:ada')
  await expect(access.verify(stolen)).rejects.toThrow(Unauthenticated)
  expect(revoked).toEqual(['person:ada ui.ada'])
  await access.verify(await login())
  expect(() => access.revokeSigningKey('nobody')).toThrow(/no signing key/)
})

test('the command line changes the keys of a running hub, and it notices within a second or two', async () => {
  const { access, login, command, says, notes } = await start()
  const old = await login()
  expect(command('rotate')).toBe(0)
  expect(says[0]).toMatch(/signs from now on/)
  expect(says.slice(1).map((line) => line.split(/\s+/)[1])).toEqual(['signs', 'verifies'])
  // Used at once, whoever looks first.
  const young = await login()
  expect(kidOf(young)).not.toBe(kidOf(old))
  await access.verify(old)
  expect(command('revoke', String(kidOf(old)))).toBe(0)
  await eventually(
    async () =>
      access.verify(old).then(
        () => 'good',
        () => 'void',
      ),
    (word) => word === 'void',
    { ms: 4000 },
  )
  await access.verify(young)
  expect(notes.filter(([event]) => event === 'signing-keys.changed').map(([, who, , { at }]) => [who, at])).toEqual([
    ['hub', 'command line'],
    ['hub', 'command line'],
  ])
  expect(says.join('\n')).not.toContain('secret')
  expect(command('revoke', 'nobody')).toBe(1)
  expect(() => command('melt')).toThrow(/keys list, keys rotate/)
  expect(command()).toBe(0)
})

test('a file that broke while the hub runs changes nothing until the next start', async () => {
  const { access, login, file } = await start()
  const token = await login()
  const whole = readFileSync(file)
  writeFileSync(file, '{')
  await access.verify(token)
  await access.verify(await login())
  writeFileSync(file, whole)
  await access.verify(token)
})

test('changes exclude each other, the file is complete or not at all, and a lock left behind does not last', () => {
  const dataDir = tempDir()
  const keys = signingKeys(dataDir, handClock())
  keys.read()
  const file = join(dataDir, 'keys/tokens.json')
  writeFileSync(`${file}.new`, '{"half":')
  expect(() => keys.rotate()).toThrow(/being changed by somebody else/)
  expect(keys.list()).toHaveLength(1)
  utimesSync(`${file}.new`, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000))
  keys.rotate()
  expect(keys.list()).toHaveLength(2)
  expect((statSync(file).mode & 0o777).toString(8)).toBe('600')
})
