// A real issuer on 127.0.0.1 for tests: oidc-provider, its keys, and a browser that goes through its pages.
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import Provider from 'oidc-provider'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import type { Clock } from '../../clock.ts'
import { type IssuerSettings, IssuerSettings as Schema } from './settings.ts'

export interface TestKey {
  kid: string
  publicJwk: JWK
  privateJwk: JWK
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
}

/** A key pair of an issuer. */
export const testKey = async (kid: string, alg = 'RS256'): Promise<TestKey> => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const more = { kid, alg, use: 'sig' }
  return {
    kid,
    publicJwk: { ...(await exportJWK(publicKey)), ...more },
    privateJwk: { ...(await exportJWK(privateKey)), ...more },
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header }).sign(privateKey),
  }
}

/** The wall clock, moved by hand. */
export const movableClock = (): Clock & { pass(seconds: number): void } => {
  let ahead = 0
  const now = () => Date.now() + ahead
  return { now, stamp: now, pass: (seconds) => (ahead += seconds * 1000) }
}

export interface TestIssuer {
  /** `iss`. */
  url: string
  /** Its settings here; `more` on top. */
  settings(more?: Partial<Record<keyof IssuerSettings, unknown>>): IssuerSettings
  /** It has these keys from now on, the first one signs. */
  useKeys(...keys: TestKey[]): void
  /** What it says of somebody in `groups`, by the name they log in with. */
  groups: Record<string, string[]>
  /** Calls it got, by path. */
  calls: string[]
  /** What it does instead of answering. */
  fault: 'none' | 'down' | 'silent' | 'nonsense' | 'redirect'
}

const serve = async (server: Server): Promise<number> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

interface TestIssuerOptions {
  /** Where applications get browsers back; read again by `useKeys`. */
  redirectUris?: string[]
  secret?: string
}

/** Starts one; it is gone after the test. */
export const testIssuer = async (key: TestKey, options: TestIssuerOptions = {}): Promise<TestIssuer> => {
  const it = await startIssuer(key, options)
  onTestFinished(it.close)
  return it
}

/** Starts one, for whoever closes it. */
export const startIssuer = async (
  key: TestKey,
  { redirectUris = [], secret }: TestIssuerOptions = {},
): Promise<TestIssuer & { close(): Promise<void> }> => {
  let provider: ReturnType<Provider['callback']> = (_, response) => void response.writeHead(503).end()
  const calls: string[] = []
  const server = createServer((request, response) => {
    calls.push(new URL(request.url ?? '/', 'http://x').pathname)
    if (it.fault === 'down') return void request.socket.destroy()
    if (it.fault === 'silent') return
    if (it.fault === 'nonsense') return void response.writeHead(200).end('<html>a captive portal</html>')
    if (it.fault === 'redirect') return void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
    provider(request, response)
  })
  const url = `http://127.0.0.1:${await serve(server)}`

  const it: TestIssuer & { close(): Promise<void> } = {
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
    url,
    calls,
    groups: {},
    fault: 'none',
    settings: (more = {}) =>
      Schema.parse({
        issuer: url,
        audience: ['millrace'],
        clientId: 'hub',
        scopes: ['openid', 'profile'],
        roles: { claim: 'groups', map: { 'hub-admins': 'admin', makers: ['operator', 'engineer'] } },
        ...more,
      }),
    useKeys(...keys) {
      provider = new Provider(url, {
        jwks: { keys: keys.map(({ privateJwk }) => privateJwk) },
        cookies: { keys: ['for tests'] },
        clients: [
          {
            client_id: 'hub',
            redirect_uris: redirectUris,
            ...(secret === undefined
              ? { token_endpoint_auth_method: 'none' }
              : { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' }),
          },
        ],
        claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
        conformIdTokenClaims: false,
        pkce: { required: () => true },
        ttl: { AccessToken: 600, IdToken: 600, Session: 600, Grant: 600, Interaction: 600 },
        findAccount: (_: unknown, accountId: string) => ({
          accountId,
          claims: () => ({ sub: accountId, preferred_username: accountId, groups: it.groups[accountId] ?? [] }),
        }),
        extraTokenClaims: (_: unknown, token: { accountId: string }) => ({
          preferred_username: token.accountId,
          groups: it.groups[token.accountId] ?? [],
        }),
        features: {
          resourceIndicators: {
            enabled: true,
            defaultResource: () => 'urn:millrace',
            useGrantedResource: () => true,
            getResourceServerInfo: () => ({
              scope: 'openid profile',
              audience: 'millrace',
              accessTokenFormat: 'jwt',
              jwt: { sign: { alg: 'RS256' } },
            }),
          },
        },
      }).callback()
    },
  }
  it.useKeys(key)
  return it
}

/** A browser without a page: keeps cookies, follows redirects up to the first address outside of `origin`, fills in the issuer's forms. */
export const browse = async (start: string, login: string): Promise<string> => {
  const { origin } = new URL(start)
  const cookies = new Map<string, string>()
  let [url, body]: [string, URLSearchParams | undefined] = [start, undefined]
  for (let step = 0; step < 20; step++) {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    const answer = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers,
      signal: AbortSignal.timeout(5000),
      ...(body === undefined ? {} : { body }),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    const html = await answer.text()
    if (location !== null) {
      ;[url, body] = [new URL(location, url).href, undefined]
      if (new URL(url).origin !== origin) return url
      continue
    }
    const [, action] = /<form[^>]* action="([^"]+)"/.exec(html) ?? []
    const [, prompt = ''] = /name="prompt" value="([^"]+)"/.exec(html) ?? []
    if (action === undefined) throw new Error(`The issuer answers ${answer.status}: ${html.slice(0, 500)}`)
    url = new URL(action.replaceAll('&amp;', '&'), url).href
    body = new URLSearchParams({ prompt, login, password: 'any' })
  }
  throw new Error('The issuer redirects for ever.')
}

/** What an issuer gives an application of its own for somebody: a real access token and ID token. */
export const tokensOf = async (
  { url }: TestIssuer,
  login: string,
  redirectUri: string,
): Promise<{ access: string; id: string }> => {
  const verifier = randomBytes(32).toString('base64url')
  const ask = new URL(`${url}/auth`)
  ask.search = new URLSearchParams({
    response_type: 'code',
    client_id: 'hub',
    redirect_uri: redirectUri,
    scope: 'openid profile',
    nonce: 'n',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString()
  const back = new URL(await browse(ask.href, login))
  const answer = await fetch(`${url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'hub',
      code: back.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: verifier,
    }),
    signal: AbortSignal.timeout(5000),
  })
  const { access_token: access, id_token: id } = Tokens.parse(await answer.json())
  return { access, id }
}
const Tokens = z.object({ access_token: z.string(), id_token: z.string() })
