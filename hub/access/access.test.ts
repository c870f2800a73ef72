// People, tokens, keys and device credentials, on both databases.
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT, UnsecuredJWT } from 'jose'
import { expect, test } from 'vitest'
import { Fatal, Forbidden, Invalid, Missing, Unauthenticated } from '../errors.ts'
import { eachStore } from '../testing/stores.ts'
import { PASSWORD, rig, tempDir } from './access.rig.ts'
import type { Right } from './policy.ts'

const from = '192.0.2.1'
const ada = { username: 'ada', password: PASSWORD, roles: ['admin'] as const }
const bob = { username: 'bob', password: PASSWORD, roles: ['operator'] as const }

eachStore('access', (open, dialect) => {
  test('a person logs in, is known by the token, and not after it expired', async () => {
    const { access, clock } = await rig(await open())
    expect(access.claimed).toBe(false)
    expect(await access.addPerson(ada)).toMatchObject({ username: 'ada', roles: ['admin'] })
    expect(access.claimed).toBe(true)
    const { token, expiresIn } = await access.login({ username: 'ada', password: PASSWORD, address: from })
    expect(expiresIn).toBe(1800)
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ sub: 'ada', roles: ['admin'], exp: claims.iat + 1800, jti: expect.any(String) })
    expect(await access.verify(token)).toEqual({ kind: 'person', id: 'ada', roles: ['admin'], clientId: 'ui.ada' })
    clock.pass(1799)
    await access.verify(token)
    clock.pass(2)
    await expect(access.verify(token)).rejects.toThrow(Unauthenticated)
  })

  test('nobody is let in while there are no people, whatever the password', async () => {
    const { access } = await rig(await open())
    for (const password of ['x', PASSWORD, 'admin']) {
      await expect(access.login({ username: 'admin', password, address: from })).rejects.toThrow(Unauthenticated)
    }
  })

  test('passwords are kept as argon2id, keys and device passwords as hashes, and nothing in clear', async () => {
    const store = await open()
    const { access } = await rig(store)
    await access.addPerson(ada)
    const { password } = await access.issueCredential('press')
    const { key } = await access.issueKey('ada', { name: 'script', scopes: ['devices.read'] })
    const rows = {
      people: await store.db.selectFrom('people').selectAll().execute(),
      devices: await store.db.selectFrom('device_credentials').selectAll().execute(),
      keys: await store.db.selectFrom('api_keys').selectAll().execute(),
    }
    expect(rows.people[0]?.password).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    const text = JSON.stringify(rows)
    for (const secret of [PASSWORD, password, key, key.slice('mr_0123456789ab_'.length)])
      expect(text).not.toContain(secret)
    expect(Buffer.from(password, 'base64url').length).toBeGreaterThanOrEqual(16)
  })

  test('everything is there again after a restart, tokens too', async () => {
    const dataDir = tempDir()
    const first = await open()
    const before = (await rig(first, { dataDir })).access
    await before.addPerson(ada)
    const { token } = await before.login({ username: 'ada', password: PASSWORD, address: from })
    const { key } = await before.issueKey('ada', { name: 'script', scopes: ['devices.read', 'errors.read'], days: 30 })
    const issued = await before.issueCredential('press', ['zigbee2mqtt/#'])
    await first.close()
    const { access } = await rig(await open({ again: true }), { dataDir })
    expect(access.claimed).toBe(true)
    expect((await access.verify(token)).id).toBe('ada')
    expect(await access.verify(key)).toMatchObject({ id: 'ada', scopes: ['devices.read', 'errors.read'] })
    expect(await access.credentials()).toEqual([
      { clientId: 'press', device: 'press', username: 'press', topics: ['zigbee2mqtt/#'], createdAt: issued.createdAt },
    ])
    const login = { clientId: 'press', username: 'press', password: Buffer.from(issued.password), address: from }
    expect(await access.authenticate(login)).toEqual({
      kind: 'device',
      id: 'press',
      roles: [],
      topics: ['zigbee2mqtt/#'],
      clientId: 'press',
    })
  })

  test('names, passwords and roles are checked', async () => {
    const { access } = await rig(await open())
    for (const username of ['', 'Ada', 'a/b', '../x', 'a b', '_a', 'x'.repeat(32), 'é', 'a-b', '+', '#']) {
      await expect(access.addPerson({ ...ada, username })).rejects.toThrow(Invalid)
    }
    for (const password of ['', 'short', '1234567', 'x'.repeat(257)]) {
      await expect(access.addPerson({ ...ada, password })).rejects.toMatchObject({
        details: { field: 'password', value: undefined },
      })
    }
    await expect(access.addPerson({ ...ada, roles: [] })).rejects.toThrow(Invalid)
    await expect(access.addPerson({ ...ada, roles: ['king' as 'admin'] })).rejects.toThrow(Invalid)
    expect(await access.people()).toEqual([])
    await access.addPerson(ada)
    await expect(access.addPerson(ada)).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('a new password voids tokens and ends connections; keys live on', async () => {
    const { access, revoked } = await rig(await open())
    await access.addPerson(ada)
    const { token } = await access.login({ username: 'ada', password: PASSWORD, address: from })
    const { key } = await access.issueKey('ada', { name: 'script', scopes: ['devices.read'] })
    await access.setPassword('ada', 'another good one')
    await expect(access.verify(token)).rejects.toThrow(Unauthenticated)
    await expect(access.login({ username: 'ada', password: PASSWORD, address: from })).rejects.toThrow(Unauthenticated)
    expect((await access.verify(key)).id).toBe('ada')
    expect(revoked).toEqual(['person:ada ui.ada'])
    await expect(access.setPassword('nobody', 'another good one')).rejects.toThrow(Missing)
  })

  test('who is removed is out: tokens, keys and connections; the last admin stays', async () => {
    const store = await open()
    const { access, clock, revoked } = await rig(store)
    await access.addPerson(ada)
    await access.addPerson({ ...bob, roles: ['admin'] })
    const { token } = await access.login({ username: 'bob', password: PASSWORD, address: from })
    const { key } = await access.issueKey('bob', { name: 'script', scopes: ['devices.read'] })
    const removals = await Promise.allSettled([access.removePerson('bob'), access.removePerson('ada')])
    expect(removals.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    for (const bearer of [token, key]) await expect(access.verify(bearer)).rejects.toThrow(Unauthenticated)
    expect(revoked).toEqual(['person:bob ui.bob'])
    expect(await store.db.selectFrom('api_keys').selectAll().execute()).toEqual([])
    clock.pass(1)
    // Somebody new with the same name is somebody else.
    await access.addPerson(bob)
    for (const bearer of [token, key]) await expect(access.verify(bearer)).rejects.toThrow(Unauthenticated)
    await expect(access.removePerson('carl')).rejects.toThrow(Missing)
  })

  test('a key holds what its owner may hold, until it expires or is revoked', async () => {
    const { access, clock, revoked } = await rig(await open())
    await access.addPerson(bob)
    await expect(access.issueKey('bob', { name: 'x', scopes: ['people.manage'] })).rejects.toThrow(Forbidden)
    await expect(access.issueKey('bob', { name: ' ', scopes: ['devices.read'] })).rejects.toThrow(Invalid)
    await expect(access.issueKey('bob', { name: 'x', scopes: [] })).rejects.toThrow(Invalid)
    await expect(access.issueKey('bob', { name: 'x', scopes: ['no.such' as Right] })).rejects.toThrow()
    await expect(access.issueKey('bob', { name: 'x', scopes: ['devices.read'], days: 0 })).rejects.toThrow(Invalid)
    const { key, id } = await access.issueKey('bob', { name: 'wall', scopes: ['devices.read'], days: 1 })
    const who = await access.verify(key)
    expect(access.may(who, 'devices.read').ok).toBe(true)
    expect(access.may(who, 'devices.request')).toEqual({ ok: false, reason: 'the key lacks the scope devices.request' })
    clock.pass(86_400)
    await expect(access.verify(key)).rejects.toThrow(Unauthenticated)
    await expect(access.revokeKey('ada', id)).rejects.toThrow(Missing)
    await access.revokeKey('bob', id)
    expect(await access.keys('bob')).toEqual([])
    expect(revoked).toEqual(['person:bob ui.bob'])
    const again = await access.issueKey('bob', { name: 'wall', scopes: ['devices.read'] })
    const wrong = `${again.key.slice(0, -1)}${again.key.endsWith('A') ? 'B' : 'A'}`
    for (const bearer of [
      wrong,
      again.key.slice(0, -1),
      `${again.key}x`,
      'mr_',
      'mr__',
      `mr_${again.id}_`,
      'mr_constructor_x',
    ]) {
      await expect(access.verify(bearer)).rejects.toThrow(Unauthenticated)
    }
  })

  test('a device gets one credential; a new one replaces it and ends its connections', async () => {
    const { access, revoked, owners } = await rig(await open())
    const connect = (password: string, clientId = 'press') =>
      access.authenticate({ clientId, username: 'press', password: Buffer.from(password), address: from })
    const first = await access.issueCredential('press')
    expect(revoked).toEqual([])
    const second = await access.issueCredential('press', ['zigbee2mqtt/#'])
    expect(revoked).toEqual(['device:press press'])
    await expect(connect(first.password)).rejects.toThrow(Unauthenticated)
    expect((await connect(second.password)).topics).toEqual(['zigbee2mqtt/#'])
    expect((await access.credentials()).length).toBe(1)
    await access.revokeCredential('press')
    expect(revoked).toEqual(['device:press press', 'device:press press'])
    await expect(connect(second.password)).rejects.toThrow(Unauthenticated)
    await expect(access.revokeCredential('press')).rejects.toThrow(Missing)
    for (const device of ['', 'Press', 'press-2', 'ui.ada', 'a/b', '+', 'constructor.x']) {
      await expect(access.issueCredential(device)).rejects.toThrow(Invalid)
    }
    await expect(access.issueCredential('press', ['zigbee2mqtt/#', '#'])).rejects.toMatchObject({
      details: { field: 'topics.1' },
    })
    await expect(
      access.issueCredential(
        'press',
        Array.from({ length: 33 }, (_, i) => `a${i}`),
      ),
    ).rejects.toThrow(Invalid)
    owners.set('press', 'plugin:printers')
    await expect(access.issueCredential('press')).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('an origin leads to who it is now', async () => {
    const { access } = await rig(await open())
    await access.addPerson(ada)
    await access.issueCredential('press', ['zigbee2mqtt/#'])
    expect(access.principalOf('person:ada')).toEqual({
      kind: 'person',
      id: 'ada',
      roles: ['admin'],
      clientId: 'ui.ada',
    })
    expect(access.principalOf('device:press')).toMatchObject({ kind: 'device', id: 'press', topics: ['zigbee2mqtt/#'] })
    expect(access.principalOf('flow:door')).toEqual({ kind: 'flow', id: 'door', roles: [] })
    expect([access.principalOf('gate')?.kind, access.principalOf('hub')?.kind]).toEqual(['gate', 'hub'])
    await access.revokeCredential('press')
    for (const origin of [
      'device:press',
      'person:bob',
      'device:ada',
      'person:press',
      '',
      'ada',
      'king:ada',
      'person:',
    ]) {
      expect([origin, access.principalOf(origin)]).toEqual([origin, undefined])
    }
  })

  if (dialect !== 'sqlite') return

  test('over MQTT a client id is bound to who connects', async () => {
    const { access } = await rig(await open())
    await access.addPerson(ada)
    const press = await access.issueCredential('press')
    await access.issueCredential('press_2')
    const { token } = await access.login({ username: 'ada', password: PASSWORD, address: from })
    const { key } = await access.issueKey('ada', { name: 'wall', scopes: ['devices.read'] })
    const connect = (clientId: string, username: string | undefined, password: string | undefined) =>
      access.authenticate({
        clientId,
        username,
        password: password === undefined ? undefined : Buffer.from(password),
        address: from,
      })

    // Without one the broker gives one of the issued form.
    for (const clientId of ['press', 'press-2', 'press-sub_1', '']) {
      expect((await connect(clientId, 'press', press.password)).id).toBe('press')
    }
    for (const clientId of [
      'press_2',
      'press2',
      'pres',
      'press-',
      'press-a/b',
      'press-#',
      'ui.ada',
      `press-${'x'.repeat(65)}`,
      'constructor',
    ]) {
      await expect(connect(clientId, 'press', press.password)).rejects.toThrow(Forbidden)
    }
    for (const secret of [token, key]) {
      expect(await connect('ui.ada-phone', 'ada', secret)).toMatchObject({ kind: 'person', id: 'ada' })
      expect(await connect('ui.ada', 'whoever', secret)).toMatchObject({ kind: 'person', id: 'ada' })
      for (const clientId of ['press', 'ada', 'ui.bob', 'ui.ada2', 'ui.ada.x']) {
        await expect(connect(clientId, 'ada', secret)).rejects.toThrow(Forbidden)
      }
    }
    expect((await connect('ui.ada', 'ada', key)).scopes).toEqual(['devices.read'])
    for (const [username, password] of [
      [undefined, undefined],
      ['press', undefined],
      [undefined, press.password],
      ['press', ''],
      ['press', 'wrong'],
      ['press_2', press.password],
      ['ada', PASSWORD],
      ['nobody', press.password],
      ['__proto__', press.password],
    ] as const) {
      await expect(connect(username ?? 'x', username, password)).rejects.toThrow(Unauthenticated)
    }
  })

  test('forged tokens are refused', async () => {
    const dataDir = tempDir()
    const { access, clock } = await rig(await open(), { dataDir })
    await access.addPerson(ada)
    const { keys } = JSON.parse(readFileSync(join(dataDir, 'keys/tokens.json'), 'utf8'))
    const secret = Buffer.from(keys[0].secret, 'base64url')
    const epoch = Math.floor(clock.now() / 1000)
    const make = (
      claims: object,
      { by = secret, alg = 'HS256', kid = keys[0].kid, aud = 'millrace', exp = epoch + 60 } = {},
    ) =>
      new SignJWT({ epoch, jti: 'j', roles: ['admin'], ...claims })
        .setProtectedHeader({ alg, kid })
        .setSubject('ada')
        .setIssuer('millrace')
        .setAudience(aud)
        .setExpirationTime(exp)
        .sign(by)
    expect((await access.verify(await make({}))).id).toBe('ada')
    const forged = [
      await make({}, { by: Buffer.alloc(32, 1) }),
      await make({}, { by: Buffer.alloc(64, 1), alg: 'HS512' }),
      await make({}, { kid: 'other' }),
      await make({}, { aud: 'elsewhere' }),
      await make({}, { exp: epoch - 1 }),
      await make({ epoch: epoch - 1 }),
      await make({ epoch: undefined }),
      await make({ sub: 'nobody' }).then((token) => token.replace(/\.[^.]*\./, '.e30.')),
      new UnsecuredJWT({ epoch, jti: 'j' })
        .setSubject('ada')
        .setIssuer('millrace')
        .setAudience('millrace')
        .setExpirationTime(epoch + 60)
        .encode(),
      '',
      'eyJ.eyJ.x',
      'x'.repeat(5000),
    ]
    for (const token of forged) await expect(access.verify(token)).rejects.toThrow(Unauthenticated)
  })

  test('the key for tokens is for the owner alone, and a broken one is named', async () => {
    const dataDir = tempDir()
    const store = await open()
    await rig(store, { dataDir })
    const file = join(dataDir, 'keys/tokens.json')
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
    expect([mode(join(dataDir, 'keys')), mode(file)]).toEqual(['700', '600'])
    writeFileSync(file, '{"keys":[')
    await expect(rig(store, { dataDir })).rejects.toThrow(
      /tokens\.json cannot be used: .*remove it: then everybody has to log in again/,
    )
    await expect(rig(store, { dataDir })).rejects.toThrow(Fatal)
  })

  test('guessing is slowed down, per person and address, longer each time', async () => {
    const { access, clock } = await rig(await open())
    await access.addPerson(ada)
    const guess = (address = from, password = 'wrong') => access.login({ username: 'ada', password, address })
    for (let i = 0; i < 5; i++) await expect(guess()).rejects.toThrow(Unauthenticated)
    const waits: unknown[] = []
    for (let i = 0; i < 4; i++) {
      const refused = await guess(from, PASSWORD).catch(
        (error: { code: string; details: { retryAfter: number } }) => error,
      )
      expect(refused).toMatchObject({ code: 'RATE_LIMITED' })
      const wait = 'details' in refused ? refused.details.retryAfter : 0
      waits.push(wait)
      clock.pass(wait)
      await expect(guess()).rejects.toThrow(Unauthenticated)
    }
    expect(waits).toEqual([1, 2, 4, 8])
    expect((await guess('192.0.2.2', PASSWORD)).token).toBeDefined()
    clock.pass(16)
    expect((await guess(from, PASSWORD)).token).toBeDefined()
    expect((await guess(from, PASSWORD)).token).toBeDefined()
  })

  test('one address that tries many names is slowed down too, also when all come at once', async () => {
    const { access } = await rig(await open())
    const tries = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) =>
        access.login({ username: `name${i}`, password: 'wrong', address: `2001:db8::${i}` }),
      ),
    )
    const codes = tries.map((one) => (one.status === 'rejected' && 'code' in one.reason ? one.reason.code : ''))
    expect(codes.filter((code) => code === 'AUTH_ERROR').length).toBe(20)
    expect(codes.filter((code) => code === 'RATE_LIMITED').length).toBe(10)
  })

  test('a name nobody has takes as long as a wrong password', async () => {
    const { access } = await rig(await open())
    await access.addPerson(ada)
    const spent = { ada: 0, nobody: 0 }
    for (let i = 0; i < 8; i++) {
      for (const username of ['ada', 'nobody'] as const) {
        // Of the processor, not of the wall: a busy machine must not decide this test.
        const began = process.cpuUsage()
        await access.login({ username, password: 'wrong', address: `198.51.100.${i}` }).catch(() => undefined)
        spent[username] += process.cpuUsage(began).user
      }
    }
    expect(spent.nobody / spent.ada).toBeGreaterThan(0.5)
    expect(spent.nobody / spent.ada).toBeLessThan(2)
  })

  test('every change of who may do what is told to the audit, with who made it', async () => {
    const { access, notes } = await rig(await open(), { adminUser: 'root', adminPassword: 'a long password' })
    const by = 'person:root'
    await access.login({ username: 'root', password: 'a long password', address: from })
    await access.addPerson(bob, by)
    await access.login({ username: 'bob', password: PASSWORD, address: from })
    await access.setPassword('bob', 'another long one', 'person:bob')
    const { id } = await access.issueKey('bob', { name: 'script', scopes: ['devices.read'] }, 'person:bob')
    await access.revokeKey('bob', id, 'person:bob')
    await access.issueCredential('press', ['zigbee2mqtt/#'], by)
    await access.revokeCredential('press', by)
    await access.removePerson('bob', by)
    await expect(access.removePerson('bob', by)).rejects.toThrow(Missing)
    expect(notes).toEqual([
      ['person.made', 'hub', 'root', { roles: ['admin'] }],
      ['login', by, 'root', { address: from }],
      ['person.made', by, 'bob', { roles: ['operator'] }],
      ['password.set', 'person:bob', 'bob', {}],
      ['key.made', 'person:bob', id, { owner: 'bob', name: 'script', scopes: ['devices.read'], expiresAt: '' }],
      ['key.revoked', 'person:bob', id, { owner: 'bob' }],
      ['credential.issued', by, 'press', { topics: ['zigbee2mqtt/#'], replaced: false }],
      ['credential.revoked', by, 'press', {}],
      ['person.removed', by, 'bob', {}],
    ])
  })

  test('an unattended install makes its admin, keeps it, and follows a new password', async () => {
    const store = await open()
    const dataDir = tempDir()
    const start = (adminPassword: string, adminUser = 'root') => rig(store, { dataDir, adminUser, adminPassword })
    const first = await start('a long password')
    expect(first.access.claimed).toBe(true)
    const { token } = await first.access.login({ username: 'root', password: 'a long password', address: from })
    const second = await start('a long password')
    expect((await second.access.verify(token)).roles).toEqual(['admin'])
    const third = await start('another password')
    await expect(third.access.verify(token)).rejects.toThrow(Unauthenticated)
    await third.access.login({ username: 'root', password: 'another password', address: from })
    await third.access.addPerson(bob)
    const fourth = await start('bobs new password', 'bob')
    expect(await fourth.access.people()).toMatchObject([
      { username: 'bob', roles: ['operator', 'admin'] },
      { username: 'root', roles: ['admin'] },
    ])
    await expect(start('short')).rejects.toThrow('ADMIN_PASSWORD: must have at least 8 characters.')
    await expect(start('a long password', 'Root!')).rejects.toThrow(/^ADMIN_USER: /)
    await expect(rig(store, { adminUser: 'root' })).rejects.toThrow(/ADMIN_USER and ADMIN_PASSWORD go together/)
  })
})
