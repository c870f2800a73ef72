// Tokens of a real issuer: which are taken, for whom, with which roles; and what happens when it rotates its keys or is away.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT } from 'jose'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { Forbidden, Unauthenticated } from '../../errors.ts'
import { openHealth } from '../../health/health.ts'
import { openStore } from '../../store/open.ts'
import { silent } from '../../testing/stores.ts'
import { PASSWORD, rig } from '../access.rig.ts'
import { openIssuer } from './issuer.ts'
import { browse, movableClock, testIssuer, type TestIssuer, testKey, type TestKey, tokensOf } from './issuer.rig.ts'
import type { IssuerSettings } from './settings.ts'

const BACK = 'http://127.0.0.1:9/back'
let [one, two, ec]: TestKey[] = []
beforeAll(async () => {
  ;[one, two, ec] = await Promise.all([testKey('one'), testKey('two'), testKey('ec', 'ES256')])
})
const key = (which: TestKey | undefined): TestKey => {
  if (which === undefined) throw new Error('no key')
  return which
}

/** A hub that knows these issuers, by id. */
const hub = async (settings: Record<string, IssuerSettings>) => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-oidc-'))
  const store = await openStore({ file: join(dir, 'hub.db'), log: silent })
  const clock = movableClock()
  const health = openHealth({ clock, log: silent })
  const issuers = Object.entries(settings).map(([id, one]) =>
    openIssuer({ id, settings: one, clock, log: silent, health }),
  )
  const it = await rig(store, { clock, issuers })
  onTestFinished(async () => {
    await it.access.close()
    health.close()
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { ...it, clock, health, store }
}

const issuer = () => testIssuer(key(one), { redirectUris: [BACK] })

/** Claims as the issuer would make them for ada, an admin. */
const claims = ({ url }: Pick<TestIssuer, 'url'>, now = Date.now()) => ({
  iss: url,
  sub: 'ada-1',
  aud: 'millrace',
  iat: Math.floor(now / 1000),
  exp: Math.floor(now / 1000) + 300,
  groups: ['hub-admins'],
})

test('a token the issuer gave is taken by the API and over MQTT, and names the same person each time', async () => {
  const at = await issuer()
  at.groups = { ada: ['hub-admins', 'chess'], bob: ['makers'], eve: ['chess'] }
  const { access, notes } = await hub({ sso: at.settings() })
  const ada = await tokensOf(at, 'ada', BACK)
  expect(await access.verify(ada.access)).toEqual({
    kind: 'person',
    id: 'sso.ada',
    roles: ['admin'],
    clientId: 'ui.sso.ada',
  })
  expect((await access.verify(ada.access)).id).toBe('sso.ada')
  const bob = await tokensOf(at, 'bob', BACK)
  expect((await access.verify(bob.access)).roles).toEqual(['operator', 'engineer'])
  const login = { clientId: '', username: 'bob', password: Buffer.from(bob.access), address: '192.0.2.1' }
  const { expiresAt, ...who } = await access.authenticate(login)
  expect(who).toMatchObject({ id: 'sso.bob', clientId: 'ui.sso.bob' })
  expect(Math.abs((expiresAt ?? 0) - Date.now() - 600_000)).toBeLessThan(60_000)
  // Somebody without a role is told what to tell an admin, and is nobody here.
  const eve = await tokensOf(at, 'eve', BACK)
  await expect(access.verify(eve.access)).rejects.toThrow(Forbidden)
  await expect(access.verify(eve.access)).rejects.toThrow(/gives you no role here.*'eve'/)
  await expect(access.authenticate({ ...login, password: Buffer.from(eve.access) })).rejects.toThrow(Unauthenticated)
  expect((await access.people()).map(({ username, external }) => [username, external])).toEqual([
    ['sso.ada', true],
    ['sso.bob', true],
  ])
  expect(notes.map(([event, , subject]) => `${event} ${subject}`)).toEqual([
    'person.made sso.ada',
    'person.made sso.bob',
  ])
  // Only admins with a password count: an issuer that is away must not leave the hub without one.
  expect(access.claimed).toBe(false)
})

test('tokens that are not for this hub, of this issuer, of this time, or not signed by it are refused with the reason', async () => {
  const at = await issuer()
  const { access } = await hub({ sso: at.settings() })
  const signer = key(one)
  const good = await signer.sign(claims(at))
  expect((await access.verify(good)).id).toMatch(/^sso\./)
  const pem = await exportSPKI(await asKey(signer))
  const hs = (secret: Uint8Array) =>
    new SignJWT(claims(at)).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret)
  const [head = '', body = '', signature = ''] = good.split('.')
  const changed = Buffer.from(JSON.stringify({ ...claims(at), sub: 'root' })).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const cases: [string, string, RegExp][] = [
    ['audience', await signer.sign({ ...claims(at), aud: 'another' }), /for somebody else/],
    ['no audience', await signer.sign({ ...claims(at), aud: undefined }), /for somebody else/],
    ['issuer', await signer.sign({ ...claims(at), iss: 'https://evil.example' }), /not configured here/],
    ['a longer issuer', await signer.sign({ ...claims(at), iss: `${at.url}/` }), /not configured here/],
    ['expired', await signer.sign({ ...claims(at), exp: now - 31 }), /expired/],
    ['without an end', await signer.sign({ ...claims(at), exp: undefined }), /does not say when it expires/],
    ['not before', await signer.sign({ ...claims(at), nbf: now + 120 }), /not good yet/],
    ['made in the future', await signer.sign({ ...claims(at), iat: now + 120 }), /future/],
    ['without a time', await signer.sign({ ...claims(at), iat: undefined }), /when it was made/],
    ['without a subject', await signer.sign({ ...claims(at), sub: undefined }), /for whom/],
    ['changed', `${head}.${changed}.${signature}`, /signature/],
    ['signed by another', await key(two).sign(claims(at), { kid: 'one' }), /signature/],
    ['a signature cut', `${head}.${body}.${signature.slice(0, -8)}`, /signature/],
    ['HS256 with the public key', await hs(Buffer.from(pem)), /kind of signature/],
    ['HS256 with the modulus', await hs(Buffer.from(signer.publicJwk.n ?? '', 'base64url')), /kind of signature/],
    ['another kind', await key(ec).sign(claims(at), { kid: 'one' }), /key|signature/],
    ['a logout token', await signer.sign({ ...claims(at), events: {} }, { typ: 'logout+jwt' }), /another type/],
    ['too long', await signer.sign({ ...claims(at), pad: 'x'.repeat(9000) }), /./],
  ]
  for (const [name, token, why] of cases) {
    await expect(access.verify(token), name).rejects.toThrow(Unauthenticated)
    await expect(access.verify(token), name).rejects.toThrow(why)
  }
  // Without a signature; and with the algorithm's name in other letters.
  const none = new UnsecuredJWT(claims(at)).encode()
  const noneHead = Buffer.from('{"alg":"nOnE","kid":"one"}').toString('base64url')
  for (const token of [none, `${none}x`, `${noneHead}.${body}.`, `${noneHead}.${body}.${signature}`]) {
    await expect(access.verify(token)).rejects.toThrow(Unauthenticated)
    const login = { clientId: '', username: 'ada', password: Buffer.from(token), address: '192.0.2.1' }
    await expect(access.authenticate(login)).rejects.toThrow(Unauthenticated)
  }
  expect(await access.people()).toHaveLength(1)
})

const asKey = async ({ publicJwk }: TestKey) => {
  const made = await importJWK(publicJwk, 'RS256', { extractable: true })
  if (made instanceof Uint8Array) throw new Error('not a public key')
  return made
}

test('without an audience only the browser is let in, and another application can be kept out', async () => {
  const at = await issuer()
  const closed = await hub({ sso: at.settings({ audience: [] }) })
  await expect(closed.access.verify(await key(one).sign(claims(at)))).rejects.toThrow(/no audience is configured/)
  const { access } = await hub({ sso: at.settings({ authorizedParties: ['hub'] }) })
  await access.verify(await key(one).sign({ ...claims(at), azp: 'hub' }))
  await expect(access.verify(await key(one).sign({ ...claims(at), azp: 'game' }))).rejects.toThrow(
    /another application/,
  )
  await expect(access.verify(await key(one).sign(claims(at)))).rejects.toThrow(/another application/)
})

test('a new key of the issuer is fetched once; made-up ones cost a call every half minute', async () => {
  const at = await issuer()
  const { access, clock } = await hub({ sso: at.settings() })
  const jwks = () => at.calls.filter((path) => path === '/jwks').length
  const sign = (by: TestKey | undefined, kid = key(by).kid) => key(by).sign(claims(at, clock.now()), { kid })
  await access.verify(await sign(one))
  expect(jwks()).toBe(1)
  at.useKeys(key(two), key(one))
  // Just fetched: what has changed since is seen when it has cooled down.
  await expect(access.verify(await sign(two))).rejects.toThrow(/did not have/)
  expect(jwks()).toBe(1)
  clock.pass(31)
  await Promise.all([sign(two), sign(two), sign(one)].map(async (token) => access.verify(await token)))
  expect(jwks()).toBe(2)
  for (let i = 0; i < 20; i++)
    await expect(access.verify(await sign(one, `made-up-${i}`))).rejects.toThrow(Unauthenticated)
  expect(jwks()).toBe(2)
  clock.pass(31)
  for (let i = 0; i < 20; i++)
    await expect(access.verify(await sign(one, `made-up-${i}`))).rejects.toThrow(Unauthenticated)
  expect(jwks()).toBe(3)
  // A key the issuer withdrew is not believed once the keys are fetched again.
  at.useKeys(key(two))
  clock.pass(601)
  await expect(access.verify(await sign(one))).rejects.toThrow(/did not have/)
  await access.verify(await sign(two))
})

test('an issuer that is away: keys of before are believed for a while, then nobody; it heals by itself', async () => {
  const at = await issuer()
  const { access, clock, health } = await hub({ sso: at.settings({ staleHours: 2 }) })
  const status = () => health.parts().find(({ part }) => part === 'login sso')
  const sign = () => key(one).sign(claims(at, clock.now()))
  await access.verify(await sign())
  expect(status()?.status).toBe('healthy')
  for (const fault of ['down', 'nonsense', 'redirect'] as const) {
    at.fault = fault
    clock.pass(1300)
    expect((await access.verify(await sign())).id).toMatch(/^sso\./)
    expect(status()).toMatchObject({ status: 'degraded' })
  }
  at.fault = 'down'
  clock.pass(7200)
  await expect(access.verify(await sign())).rejects.toThrow(/has not answered for 3 h.*not believed any more/)
  await expect(access.verify(await sign())).rejects.toThrow(Unauthenticated)
  at.fault = 'none'
  clock.pass(31)
  await access.verify(await sign())
  expect(status()?.status).toBe('healthy')
})

test('an issuer that never answered: a clear refusal, in time, and the next try is not at once', async () => {
  const at = await issuer()
  at.fault = 'silent'
  const { access, clock } = await hub({ sso: at.settings() })
  const began = performance.now()
  await expect(access.verify(await key(one).sign(claims(at)))).rejects.toThrow(
    /keys of the issuer cannot be fetched.*no answer in/,
  )
  expect(performance.now() - began).toBeLessThan(4500)
  const calls = at.calls.length
  await expect(access.verify(await key(one).sign(claims(at)))).rejects.toThrow(Unauthenticated)
  expect(at.calls).toHaveLength(calls)
  at.fault = 'none'
  clock.pass(31)
  await access.verify(await key(one).sign(claims(at, clock.now())))
})

test('roles are those of the newest token; an older one with others is void', async () => {
  const at = await issuer()
  const { access, clock, revoked, notes } = await hub({ sso: at.settings() })
  const sign = (groups: string[] | string | undefined, ago = 0) =>
    key(one).sign({ ...claims(at, clock.now() - ago * 1000), preferred_username: 'Ada Lovelace', groups })
  const admin = await sign(['hub-admins'])
  expect(await access.verify(admin)).toMatchObject({ id: 'sso.ada_lovelace', roles: ['admin'] })
  clock.pass(60)
  expect((await access.verify(await sign('makers'))).roles).toEqual(['operator', 'engineer'])
  expect(access.principalOf('person:sso.ada_lovelace')?.roles).toEqual(['operator', 'engineer'])
  expect(revoked).toEqual(['person:sso.ada_lovelace ui.sso.ada_lovelace'])
  await expect(access.verify(admin)).rejects.toThrow(/roles have changed since/)
  expect(access.principalOf('person:sso.ada_lovelace')?.roles).toEqual(['operator', 'engineer'])
  clock.pass(60)
  await expect(access.verify(await sign(['chess']))).rejects.toThrow(Forbidden)
  expect(access.principalOf('person:sso.ada_lovelace')?.roles).toEqual([])
  await expect(access.verify(await sign(undefined))).rejects.toThrow(Forbidden)
  expect(notes.map(([event, who, , detail]) => [event, who, detail['roles']])).toEqual([
    ['person.made', 'hub', ['admin']],
    ['roles.set', 'hub', ['operator', 'engineer']],
    ['roles.set', 'hub', []],
  ])
})

test('two issuers: the same subject is two people, and a name there is no name here', async () => {
  const [first, second] = [await issuer(), await testIssuer(key(two))]
  const { access } = await hub({
    sso: first.settings(),
    clerk: second.settings({
      roles: { claim: 'https://millrace/roles', map: { boss: 'admin' } },
      usernameClaim: 'email',
    }),
  })
  await access.addPerson({ username: 'ada', password: PASSWORD, roles: ['admin'] })
  const here = await access.verify(
    await key(one).sign({ ...claims(first), preferred_username: 'ada', email: 'ada@x.example' }),
  )
  const there = await access.verify(
    await key(two).sign({ ...claims(second), email: 'ada@x.example', 'https://millrace/roles': 'boss' }),
  )
  expect([here.id, there.id]).toEqual(['sso.ada', 'clerk.ada'])
  // The other's key under one's name.
  await expect(access.verify(await key(two).sign(claims(first)))).rejects.toThrow(Unauthenticated)
  // Another subject with the same name is another person.
  const twin = await access.verify(await key(one).sign({ ...claims(first), sub: 'ada-2', preferred_username: 'ada' }))
  expect(twin.id).toMatch(/^sso\.ada_[0-9a-f]{8}$/)
})

test('an admin links somebody by issuer and subject; their roles stay those given here', async () => {
  const at = await issuer()
  const { access, notes } = await hub({ sso: at.settings({ roles: undefined }) })
  await access.addPerson({ username: 'ada', password: PASSWORD, roles: ['safety'] })
  const token = await key(one).sign({ ...claims(at), preferred_username: 'ada', email: 'ada@x.example' })
  await expect(access.verify(token)).rejects.toThrow(Forbidden)
  await expect(access.link('ada', { issuer: 'other', subject: 'ada-1' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const { id } = await access.link('ada', { issuer: 'sso', subject: 'ada-1' }, 'person:root')
  await expect(access.link('ada', { issuer: 'sso', subject: 'ada-1' })).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(await access.verify(token)).toMatchObject({ id: 'ada', roles: ['safety'] })
  await access.unlink(id, 'person:root')
  await expect(access.verify(token)).rejects.toThrow(Forbidden)
  expect(notes.map(([event, who]) => [event, who]).slice(1)).toEqual([
    ['identity.linked', 'person:root'],
    ['identity.removed', 'person:root'],
  ])
})

test('who was removed here stays out, whatever the issuer says, until an admin forgets the identity', async () => {
  const at = await issuer()
  const { access, revoked } = await hub({ sso: at.settings() })
  const token = await key(one).sign({ ...claims(at), preferred_username: 'ada' })
  await access.verify(token)
  const [identity] = await access.identities()
  await expect(access.unlink(identity?.id ?? '')).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(access.setRoles('sso.ada', ['operator'])).rejects.toThrow(/An issuer says the roles/)
  await expect(access.setPassword('sso.ada', PASSWORD)).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(access.login({ username: 'sso.ada', password: '', address: '::1' })).rejects.toThrow(Unauthenticated)
  await access.removePerson('sso.ada')
  expect(revoked).toEqual(['person:sso.ada ui.sso.ada'])
  await expect(access.verify(token)).rejects.toThrow(/removed you/)
  expect(await access.people()).toEqual([])
  await access.unlink(identity?.id ?? '')
  expect((await access.verify(token)).id).toBe('sso.ada')
})

test('an ID token with the nonce of another sign-in is refused', async () => {
  const at = await issuer()
  const clock = movableClock()
  const health = openHealth({ clock, log: silent })
  onTestFinished(() => health.close())
  const it = openIssuer({ id: 'sso', settings: at.settings(), clock, log: silent, health })
  onTestFinished(it.close)
  const verifier = 'v'.repeat(43)
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const back = async (nonce: string) => {
    const url = await it.authorizeUrl({ redirectUri: BACK, state: 's', nonce, challenge })
    const code = new URL(await browse(url, 'ada')).searchParams.get('code') ?? ''
    return it.exchange({ code, redirectUri: BACK, verifier, nonce: 'mine' })
  }
  expect((await back('mine')).subject).toBe('ada')
  await expect(back('theirs')).rejects.toThrow(/not the one that was begun/)
})
