// Access tokens: JWTs signed with the first of the hub's signing keys, and believed while their key is there.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Role } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Unauthenticated } from '../errors.ts'
import type { SigningKey, SigningKeys } from './signing-keys.ts'

const Claims = z.object({
  sub: z.string(),
  epoch: z.number().int(),
  jti: z.string(),
  exp: z.number(),
  auth_time: z.number().int().optional(),
})

/** The issuer and the audience of the hub's own tokens. */
export const WHO = 'millrace'
const LONGEST = 2048
/** How often the file of the keys is looked at, for changes made from the command line. */
const LOOK_MS = 1000

/** Whether a text has the form of a token. */
export const isToken = (text: string): boolean => /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(text)

export interface KnownToken {
  username: string
  epoch: number
  /** ms since 1970. */
  expiresAt: number
  /** When the person last proved who they are, ms since 1970; renewing a token does not change it. */
  since: number
}

export interface Tokens {
  /** `since` is when the person proved who they are, ms since 1970; left out: now. */
  sign(
    person: { username: string; roles: readonly Role[]; epoch: number },
    since?: number,
  ): Promise<{ token: string; expiresIn: number }>
  /** Whose token it is. Rejects with Unauthenticated when it is forged, expired or of another hub. */
  verify(token: string): Promise<KnownToken>
  /** Looks at the file of the keys again. */
  refresh(): void
  close(): void
}

export interface TokensParts {
  keys: SigningKeys
  clock: Pick<Clock, 'now'>
  /** A token's life. */
  seconds: number
  /** Keys changed, here or from the command line. `alive`: a key is gone whose tokens would not have expired by themselves yet. */
  changed?: (keys: { kids: readonly string[]; gone: readonly string[]; alive: boolean }) => void
  /** The file cannot be used any more; the keys it had before are used on. */
  failed?: (error: unknown) => void
}

/** Opens the tokens. Throws Fatal when the keys cannot be used. */
export const openTokens = ({ keys, clock, seconds, changed, failed }: TokensParts): Tokens => {
  let known: [SigningKey, ...SigningKey[]] = keys.read()
  let mark = keys.mark()
  const nowSeconds = () => Math.floor(clock.now() / 1000)

  const refresh = () => {
    const now = keys.mark()
    if (now === mark) return
    mark = now
    const before = known
    try {
      known = keys.read()
      mark = keys.mark()
    } catch (error) {
      failed?.(error)
      return
    }
    const kids = known.map(({ kid }) => kid)
    const gone = before.filter(({ kid }) => !kids.includes(kid))
    const alive = gone.some(({ retiredAt }) => retiredAt === undefined || retiredAt + seconds * 1000 > clock.now())
    if (kids[0] !== before[0].kid || gone.length > 0) changed?.({ kids, gone: gone.map(({ kid }) => kid), alive })
  }
  const timer = setInterval(refresh, LOOK_MS)
  timer.unref()

  const secretOf = (kid: string | undefined): Uint8Array => {
    const has = () => known.find((key) => key.kid === kid)
    if (has() === undefined) refresh()
    const key = has()
    if (key === undefined) throw invalid()
    return bytesOf(key)
  }

  return {
    async sign({ username, roles, epoch }, since = clock.now()) {
      const { SignJWT } = await jose()
      refresh()
      const [current] = known
      const at = nowSeconds()
      const token = await new SignJWT({ roles: [...roles], epoch, auth_time: Math.floor(since / 1000) })
        .setProtectedHeader({ alg: 'HS256', kid: current.kid, typ: 'JWT' })
        .setIssuer(WHO)
        .setAudience(WHO)
        .setSubject(username)
        .setJti(randomUUID())
        .setIssuedAt(at)
        .setExpirationTime(at + seconds)
        .sign(bytesOf(current))
      return { token, expiresIn: seconds }
    },
    async verify(token) {
      if (token.length > LONGEST) throw invalid()
      const { jwtVerify } = await jose()
      try {
        const { payload } = await jwtVerify(token, ({ kid }) => secretOf(kid), {
          issuer: WHO,
          audience: WHO,
          algorithms: ['HS256'],
          currentDate: new Date(clock.now()),
        })
        const { sub, epoch, exp, auth_time } = Claims.parse(payload)
        // Never longer than the hub makes them, whoever signed it.
        const expiresAt = Math.min(exp * 1000, clock.now() + seconds * 1000)
        return { username: sub, epoch, expiresAt, since: (auth_time ?? payload.iat ?? 0) * 1000 }
      } catch {
        throw invalid()
      }
    },
    refresh,
    close: () => clearInterval(timer),
  }
}

const bytesOf = ({ secret }: SigningKey): Uint8Array => Buffer.from(secret, 'base64url')

/** Loaded with the first login, so that a start does without. */
const jose = () => import('jose')

const invalid = () => new Unauthenticated('This token is not valid, or no longer: get a new one from POST /token.')
