// Signing in with a browser: a whole hub, a real issuer, the code flow with PKCE from the button to the token, and everything that goes wrong on the way.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { testHub, type TestHub } from '../../testing/hub.ts'
import { browse, startIssuer, testKey, type TestIssuer } from './issuer.rig.ts'

const BACK = '/api/login/oidc/callback'
const SECRET = 'a secret: with / and +'

let hub: TestHub
let at: TestIssuer & { close(): Promise<void> }
beforeAll(async () => {
  const redirectUris: string[] = []
  const key = await testKey('one')
  at = await startIssuer(key, { redirectUris, secret: SECRET })
  at.groups = { bob: ['makers'], ada: ['hub-admins'] }
  hub = await testHub({
    prepare(dir) {
      const secretFile = join(dir, 'secret')
      writeFileSync(secretFile, `${SECRET}\n`, { mode: 0o600 })
      const issuer = {
        title: 'the workshop’s account',
        issuer: at.url,
        audience: ['millrace'],
        clientId: 'hub',
        clientSecretFile: secretFile,
        roles: { claim: 'groups', map: { makers: 'engineer', 'hub-admins': 'admin' } },
      }
      writeFileSync(join(dir, 'millrace.yaml'), stringify({ access: { issuers: { sso: issuer } } }))
    },
  })
  redirectUris.push(`${hub.base}${BACK}`)
  at.useKeys(key)
})
afterAll(async () => {
  await hub.close()
  await at.close()
})

const newBinder = () => randomBytes(32).toString('base64url')

/** Opens the first route as a browser does and gives where it is sent. */
const begin = async (binder: string, issuer = 'sso', headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${hub.base}/api/login/oidc?issuer=${issuer}&binder=${binder}`, { redirect: 'manual', headers })
/** The address the issuer sends the browser back to. */
const back = async (binder: string, login: string): Promise<string> =>
  browse((await begin(binder)).headers.get('location') ?? '', login)
/** What the tab finds behind the # after the hub has sent it on. */
const land = async (address: string): Promise<string> => {
  const answer = await fetch(address, { redirect: 'manual' })
  expect(answer.status).toBe(302)
  const [, code = ''] = /^\/login#oidc=([\w-]+)$/.exec(answer.headers.get('location') ?? '') ?? []
  return code
}
interface Error {
  error: { code: string; message: string }
}
const redeem = (code: string, binder: string) =>
  hub.api<{ access_token: string; expires_in: number; username: string } & Error>('/api/login/oidc/token', {
    method: 'POST',
    token: null,
    json: { code, binder },
  })

describe('the way there and back', () => {
  test('somebody signs in: no cookie, no token in an address, and what they get is a token of this hub', async () => {
    expect((await hub.api('/api/login', { token: null })).body).toEqual({
      issuers: [{ id: 'sso', title: 'the workshop’s account' }],
    })
    const binder = newBinder()
    const there = await begin(binder)
    expect([there.status, there.headers.get('set-cookie'), there.headers.get('cache-control')]).toEqual([
      302,
      null,
      'no-store',
    ])
    const asked = new URL(there.headers.get('location') ?? '')
    expect(asked.origin).toBe(at.url)
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: 'code',
      redirect_uri: `${hub.base}${BACK}`,
      code_challenge_method: 'S256',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    })
    expect(asked.href).not.toContain(binder)
    const code = await land(await browse(asked.href, 'bob'))
    const { status, body } = await redeem(code, binder)
    expect([status, body.username, body.expires_in]).toEqual([200, 'sso.bob', 1800])
    expect((await hub.api('/api/me', { token: body.access_token })).body).toMatchObject({
      id: 'sso.bob',
      roles: ['engineer'],
    })
    const wire = await hub.mqtt({ clientId: 'ui.sso.bob-1', username: 'sso.bob', password: body.access_token })
    expect(await wire.subscribe('jarvis/hub/#')).toBeLessThan(128)
    await wire.end()
    // Once.
    expect((await redeem(code, binder)).status).toBe(410)
    const { body: people } = await hub.api('/api/people')
    expect(people).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ username: 'sso.bob', external: true })]),
    })
  })

  test('the token can be renewed, and the audit has who came in as admin', async () => {
    const binder = newBinder()
    const { body } = await redeem(await land(await back(binder, 'ada')), binder)
    const renewed = await hub.api<{ access_token: string }>('/api/me/token', {
      method: 'POST',
      token: body.access_token,
    })
    expect(renewed.status).toBe(200)
    expect((await hub.api('/api/me', { token: renewed.body.access_token })).body).toMatchObject({ id: 'sso.ada' })
    const rows = JSON.stringify((await hub.api('/api/audit?limit=20')).body)
    expect(rows).toContain('sso.ada')
  })
})

describe('on the way something goes wrong', () => {
  test('another tab cannot take the token, and then nobody can', async () => {
    const mine = newBinder()
    const code = await land(await back(mine, 'bob'))
    const other = await redeem(code, newBinder())
    expect([other.status, other.body.error.message]).toEqual([403, expect.stringContaining('another tab')])
    expect((await redeem(code, mine)).status).toBe(410)
  })

  test('a way back that nobody went, went before, or was made up leads to a reason', async () => {
    const binder = newBinder()
    const address = await back(binder, 'bob')
    const first = await land(address)
    expect(await land(address)).toBe('gone')
    expect((await redeem(first, binder)).status).toBe(200)
    for (const query of ['', '?code=x', '?state=x&code=y', '?error=access_denied']) {
      expect(await land(`${hub.base}${BACK}${query}`)).toBe('gone')
    }
    const { status, body } = await redeem('gone', binder)
    expect([status, body.error.message]).toEqual([410, expect.stringContaining('start again')])
  })

  test('a code of another sign-in, a refusal, or an answer of another issuer gives no token', async () => {
    const [a, b] = [newBinder(), newBinder()]
    const [backA, backB] = [new URL(await back(a, 'bob')), new URL(await back(b, 'ada'))]
    // An attacker's code under the victim's state: PKCE and the nonce belong to the one that was begun.
    const mixed = new URL(backA)
    mixed.searchParams.set('code', backB.searchParams.get('code') ?? '')
    expect((await redeem(await land(mixed.href), a)).status).toBe(401)
    const refused = new URL(backB)
    refused.searchParams.delete('code')
    refused.searchParams.set('error', 'access_denied')
    const no = await redeem(await land(refused.href), b)
    expect([no.status, no.body.error.message]).toEqual([401, expect.stringContaining('access_denied')])
    const binder = newBinder()
    const other = new URL(await back(binder, 'bob'))
    other.searchParams.set('iss', 'https://evil.example')
    expect((await redeem(await land(other.href), binder)).body.error.message).toContain('another issuer')
  })

  test('somebody without a role is told so, and nobody is made of them', async () => {
    const binder = newBinder()
    const { status, body } = await redeem(await land(await back(binder, 'eve')), binder)
    expect([status, body.error.message]).toEqual([403, expect.stringMatching(/no role here.*'eve'/)])
    expect(JSON.stringify((await hub.api('/api/people')).body)).not.toContain('eve')
  })

  test('an issuer that is away is told on the page, not as a page of JSON', async () => {
    const binder = newBinder()
    const address = await back(binder, 'bob')
    at.fault = 'down'
    try {
      const { status, body } = await redeem(await land(address), binder)
      expect([status, body.error.message]).toEqual([503, expect.stringContaining('Sign in with a password')])
    } finally {
      at.fault = 'none'
    }
  })

  test('a strange issuer, binder or name of this hub leads nowhere', async () => {
    expect(await land(`${hub.base}/api/login/oidc?issuer=other&binder=${newBinder()}`)).toMatch(/^[\w-]{43}$/)
    expect((await begin('short')).status).toBe(400)
    // A page of a public name that was made to resolve to this hub.
    const { request } = await import('node:http')
    const binder = newBinder()
    const location = await new Promise<string>((done, fail) => {
      const asked = request(
        `${hub.base}/api/login/oidc?issuer=sso&binder=${binder}`,
        { headers: { host: 'evil.example' } },
        (answer) => (answer.resume(), done(answer.headers.location ?? '')),
      )
      asked.on('error', fail).end()
    })
    const { body } = await redeem(location.replace('/login#oidc=', ''), binder)
    expect(body.error.message).toContain('access.publicUrl')
  })
})
