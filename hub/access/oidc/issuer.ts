// One issuer: checks its tokens, and leads a browser there and back (OpenID Connect Core 1.0, code flow with PKCE).
import type { JWTPayload, JWTVerifyOptions } from 'jose'
import { z } from 'zod'
import type { Role } from '../../bus/principal.ts'
import type { Clock } from '../../clock.ts'
import { reasonOf, Recoverable, Unauthenticated } from '../../errors.ts'
import type { Secret } from '../../health/secret.ts'
import { type Outbound, outbound, PeerRefused } from '../../health/outbound.ts'
import type { Health, Log } from '../../health/report.ts'
import { mappedRoles } from './claims.ts'
import { readPem, readSecret } from './files.ts'
import { openKeySet } from './key-set.ts'
import { whyNot } from './refusals.ts'
import { type IssuerSettings, isSafeUrl } from './settings.ts'

export interface IssuerParts {
  id: string
  settings: IssuerSettings
  clock: Pick<Clock, 'now'>
  log: Log
  health: Pick<Health, 'set' | 'drop' | 'metrics'>
}

/** Somebody an issuer vouches for. */
export interface Vouched {
  /** The issuer's address and its name for somebody; the only thing they are recognised by. */
  issuer: string
  subject: string
  /** What its claims give here; undefined when roles are given in the hub. */
  roles: readonly Role[] | undefined
  claims: JWTPayload
  /** ms since 1970. */
  issuedAt: number
  expiresAt: number
}

export interface Issuer {
  readonly id: string
  readonly title: string
  readonly settings: IssuerSettings
  /** A bearer token. Rejects with Unauthenticated saying why it is not taken. */
  verify(token: string): Promise<Vouched>
  /** Where to send a browser. Rejects with UNAVAILABLE when the issuer cannot be reached, NOT_FOUND when it has no button. */
  authorizeUrl(trip: { redirectUri: string; state: string; nonce: string; challenge: string }): Promise<string>
  /** What the browser came back with. Rejects with Unauthenticated, or UNAVAILABLE when the issuer cannot be reached. */
  exchange(back: { code: string; redirectUri: string; verifier: string; nonce: string }): Promise<Vouched>
  close(): void
}

/** RFC 8414 and OpenID Connect Discovery 1.0, section 3: what is used of it. */
const Discovery = z.object({
  issuer: z.string(),
  jwks_uri: z.string().optional(),
  authorization_endpoint: z.string().optional(),
  token_endpoint: z.string().optional(),
  userinfo_endpoint: z.string().optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
})
type Discovery = z.output<typeof Discovery>
const Answer = z.object({ id_token: z.string().max(16_384), access_token: z.string().max(16_384).optional() })

const CALL_MS = 2500
const MAX_BYTES = 256 * 1024
const DISCOVERED_MS = 10 * 60_000
/** Clocks of two machines differ. */
const SKEW_SECONDS = 30
const LONGEST = 8192
/** RFC 9068, 2.1; a logout token or a key binding is signed by the same keys and is no proof of anything here. */
const TYPES = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt'])

const jose = () => import('jose')

export const openIssuer = ({ id, settings, clock, log, health }: IssuerParts): Issuer => {
  const { issuer, clientId } = settings
  const ca = settings.caFile === undefined ? undefined : readPem(id, settings.caFile)
  const secret = settings.clientSecretFile === undefined ? undefined : readSecret(id, settings.clientSecretFile)
  const part = `login ${id}`
  const ways = new Map<string, Outbound>()

  // A person named this issuer in the configuration: it is a peer like any other, and may be off the site.
  const wayTo = (origin: string): Outbound => {
    const known = ways.get(origin)
    if (known !== undefined) return known
    const made = outbound({
      name: ways.size === 0 ? part : `${part} ${ways.size + 1}`,
      credential: {
        baseUrl: origin,
        auth: { kind: 'none' },
        verifyTls: true,
        scope: [],
        ...(ca === undefined ? {} : { ca }),
      },
      offline: false,
      log,
      health: { ...health, set: () => {} },
      limits: { failures: 10, halfOpenAfterMs: 20_000 },
      retry: { attempts: 1 },
      timeoutMs: CALL_MS,
      maxBytes: MAX_BYTES,
    })
    ways.set(origin, made)
    return made
  }
  const call = async (address: string | undefined, how: Omit<Parameters<Outbound['call']>[0], 'path'> = {}) => {
    if (address === undefined || !isSafeUrl(address)) {
      throw new Recoverable('CONNECTION_ERROR', `${issuer} names no https address for what is needed of it`)
    }
    const url = new URL(address)
    return (await wayTo(url.origin).call({ ...how, path: url.pathname + url.search })).json()
  }

  let discovered: { document: Discovery; at: number } | undefined
  const discovery = async (): Promise<Discovery> => {
    if (discovered !== undefined && Math.abs(clock.now() - discovered.at) < DISCOVERED_MS) return discovered.document
    const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const found = await call(address).catch((error: unknown) => {
      throw new Error(`its discovery document cannot be had: ${reasonOf(error)}`)
    })
    const parsed = Discovery.safeParse(found)
    if (!parsed.success) throw new Error('its discovery document is not of the form of OpenID Connect')
    if (parsed.data.issuer !== issuer) {
      throw new Error(`it calls itself ${parsed.data.issuer.slice(0, 200)}; set issuer to exactly that if it is right`)
    }
    discovered = { document: parsed.data, at: clock.now() }
    return parsed.data
  }

  const keys = openKeySet({
    clock,
    staleMs: settings.staleHours * 3_600_000,
    fetch: async () => call(settings.jwksUri ?? (await discovery()).jwks_uri),
    tried(problem) {
      if (problem === undefined) health.set(part, 'healthy')
      else
        health.set(
          part,
          'degraded',
          `The keys of ${issuer} cannot be fetched: ${problem}. Who signed in goes on for ${settings.staleHours} h; check that the hub reaches it.`,
        )
    },
  })

  const check = async (token: string, options: JWTVerifyOptions): Promise<JWTPayload> => {
    if (token.length > LONGEST)
      throw new Unauthenticated(`A token of ${settings.title ?? id} is longer than ${LONGEST} bytes.`)
    const { jwtVerify } = await jose()
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys.keyFor, {
        ...options,
        issuer,
        algorithms: [...settings.algorithms],
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(clock.now()),
        requiredClaims: ['sub', 'exp', 'iat'],
      })
      if (!TYPES.has(protectedHeader.typ?.toLowerCase()) || 'events' in payload)
        throw new Error('it is of another type')
      if ((payload.iat ?? 0) * 1000 > clock.now() + SKEW_SECONDS * 1000) throw new Error('it is from the future')
      return payload
    } catch (error) {
      const why = error instanceof Unauthenticated ? error.message : whyNot(error)
      health.metrics.count('issuer_tokens_refused_total', 'Tokens of issuers that were not taken', { issuer: id })
      log.warn('issuer-token-refused', { issuer: id, why })
      throw error instanceof Unauthenticated ? error : new Unauthenticated(`This token of ${id} is not taken: ${why}.`)
    }
  }
  const vouched = (payload: JWTPayload, more: Record<string, unknown> = {}): Vouched => {
    const { sub = '', iat = 0, exp = 0 } = payload
    if (sub === '' || sub.length > 255)
      throw new Unauthenticated(`This token of ${id} is not taken: sub has no or too many characters.`)
    const claims = { ...more, ...payload }
    return {
      issuer,
      subject: sub,
      roles: settings.roles === undefined ? undefined : mappedRoles(claims, settings.roles),
      claims,
      issuedAt: iat * 1000,
      expiresAt: exp * 1000,
    }
  }
  const verified = async (token: string): Promise<JWTPayload> => {
    if (settings.audience.length === 0) {
      throw new Unauthenticated(
        `Tokens of ${id} are not taken here, because no audience is configured: sign in with a browser.`,
      )
    }
    const payload = await check(token, { audience: [...settings.audience] })
    const party = payload['azp'] ?? payload['client_id']
    if (settings.authorizedParties.length > 0 && !settings.authorizedParties.some((one) => one === party)) {
      throw new Unauthenticated(`This token of ${id} is not taken: it was made for another application.`)
    }
    return payload
  }

  /** What the ID token leaves out of the role claim may stand in the access token (Keycloak's default), or come from userinfo. */
  const moreClaims = async (idToken: JWTPayload, access: string | undefined): Promise<Record<string, unknown>> => {
    if (settings.roles === undefined || access === undefined || mappedRoles(idToken, settings.roles).length > 0)
      return {}
    const isSame = (claims: { sub?: unknown } | undefined) => claims !== undefined && claims.sub === idToken.sub
    if (settings.audience.length > 0 && /^eyJ/.test(access)) {
      const payload = await verified(access).catch(() => undefined)
      if (payload !== undefined && isSame(payload) && mappedRoles(payload, settings.roles).length > 0) return payload
    }
    const { userinfo_endpoint: address } = await discovery()
    if (address === undefined) return {}
    const told = await call(address, { headers: { authorization: `Bearer ${access}` } }).catch((error: unknown) => {
      // It has no more to say of them: then they have the roles that are known, which are none.
      if (error instanceof PeerRefused && error.status < 500) return undefined
      throw error
    })
    const answer = z.looseObject({ sub: z.string() }).safeParse(told)
    return answer.success && isSame(answer.data) ? answer.data : {}
  }

  return {
    id,
    title: settings.title ?? id,
    settings,
    verify: async (token) => vouched(await verified(token)),

    async authorizeUrl({ redirectUri, state, nonce, challenge }) {
      const { authorization_endpoint: address } = await reached(id, discovery())
      if (clientId === undefined || address === undefined || !isSafeUrl(address)) {
        throw new Recoverable('NOT_FOUND', `There is no sign-in with ${id}: its clientId is not configured.`)
      }
      const url = new URL(address)
      const query = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: [...new Set(['openid', ...settings.scopes])].join(' '),
        state,
        nonce,
        code_challenge: challenge,
        code_challenge_method: 'S256',
      }
      for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
      return url.href
    },

    async exchange({ code, redirectUri, verifier, nonce }) {
      if (clientId === undefined) throw new Unauthenticated(`There is no sign-in with ${id}.`)
      const { token_endpoint: address, token_endpoint_auth_methods_supported: ways } = await reached(id, discovery())
      const byForm = ways !== undefined && !ways.includes('client_secret_basic') && ways.includes('client_secret_post')
      const form = new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        client_id: clientId,
        ...(secret !== undefined && byForm ? { client_secret: secret.reveal() } : {}),
      })
      const answer = await reached(
        id,
        call(address, {
          method: 'POST',
          body: form.toString(),
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            ...(secret !== undefined && !byForm ? { authorization: basic(clientId, secret) } : {}),
          },
        }),
      )
      const parsed = Answer.safeParse(answer)
      if (!parsed.success)
        throw new Unauthenticated(`${id} gave no ID token: its client must be one of OpenID Connect.`)
      const payload = await check(parsed.data.id_token, { audience: clientId })
      // OpenID Connect Core 1.0, 3.1.3.7: steps 4, 5 and 11.
      if (payload['nonce'] !== nonce)
        throw new Unauthenticated('This sign-in is not the one that was begun: start again.')
      const party = payload['azp']
      if (
        (Array.isArray(payload.aud) && payload.aud.length > 1 && party === undefined) ||
        (party ?? clientId) !== clientId
      ) {
        throw new Unauthenticated(`This token of ${id} is not taken: it was made for another application.`)
      }
      return vouched(payload, await reached(id, moreClaims(payload, parsed.data.access_token)))
    },

    close() {
      for (const way of ways.values()) way.close()
      health.drop(part)
    },
  }
}

/** RFC 6749, 2.3.1: both are encoded as in a form before they are joined. */
const basic = (user: string, secret: Secret): string =>
  `Basic ${Buffer.from(`${formText(user)}:${formText(secret.reveal())}`).toString('base64')}`
const formText = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2)

/** An issuer that does not answer, or says no, is told as such: the person can only try again. */
const reached = async <T>(id: string, work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (error) {
    if (error instanceof Unauthenticated) throw error
    if (error instanceof PeerRefused && error.status < 500) {
      throw new Unauthenticated(`${id} did not accept this sign-in (${error.status}): start again.`)
    }
    throw new Recoverable(
      'UNAVAILABLE',
      `${id} cannot be asked: ${reasonOf(error)}. Sign in with a password, or try again.`,
    )
  }
}
