// Access tokens: JWTs signed with a key that is made at first start and kept in the data folder.
import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Role } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Fatal, reasonOf, Unauthenticated } from '../errors.ts'
import { makeFolder } from '../store/folder.ts'

/** The first key signs; all verify, so that a new key can be put first while tokens of the old one live on. */
const KeyFile = z.strictObject({
  keys: z
    .array(z.strictObject({ kid: z.string().min(1).max(64), alg: z.literal('HS256'), secret: z.base64url().min(43) }))
    .min(1)
    .max(2),
})

const Claims = z.object({ sub: z.string(), epoch: z.number().int(), jti: z.string(), exp: z.number() })

const WHO = 'millrace'
const LONGEST = 2048

/** Whether a text has the form of a token. */
export const isToken = (text: string): boolean => /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(text)

export interface Tokens {
  sign(person: {
    username: string
    roles: readonly Role[]
    epoch: number
  }): Promise<{ token: string; expiresIn: number }>
  /** Whose token it is. Rejects with Unauthenticated when it is forged, expired or of another hub. */
  verify(token: string): Promise<{ username: string; epoch: number }>
}

/** Reads or makes `keys/tokens.json` (mode 0600) in the data folder. Throws Fatal when it cannot. `seconds` is a token's life. */
export const openTokens = (dataDir: string, clock: Pick<Clock, 'now'>, seconds: number): Tokens => {
  const { current, all } = keysIn(join(dataDir, 'keys'))
  const bytesOf = ({ secret }: Key) => Buffer.from(secret, 'base64url')
  const secrets = new Map(all.map((key) => [key.kid, bytesOf(key)]))
  const signing = bytesOf(current)
  const nowSeconds = () => Math.floor(clock.now() / 1000)
  return {
    async sign({ username, roles, epoch }) {
      const { SignJWT } = await jose()
      const at = nowSeconds()
      const token = await new SignJWT({ roles: [...roles], epoch })
        .setProtectedHeader({ alg: 'HS256', kid: current.kid, typ: 'JWT' })
        .setIssuer(WHO)
        .setAudience(WHO)
        .setSubject(username)
        .setJti(randomUUID())
        .setIssuedAt(at)
        .setExpirationTime(at + seconds)
        .sign(signing)
      return { token, expiresIn: seconds }
    },
    async verify(token) {
      if (token.length > LONGEST) throw invalid()
      const { jwtVerify } = await jose()
      try {
        const { payload } = await jwtVerify(token, ({ kid: by }) => secrets.get(by ?? '') ?? refuse(), {
          issuer: WHO,
          audience: WHO,
          algorithms: ['HS256'],
          currentDate: new Date(clock.now()),
        })
        const { sub, epoch } = Claims.parse(payload)
        return { username: sub, epoch }
      } catch {
        throw invalid()
      }
    },
  }
}

/** Loaded with the first login, so that a start does without. */
const jose = () => import('jose')

const invalid = () => new Unauthenticated('This token is not valid, or no longer: get a new one from POST /token.')
const refuse = (): never => {
  throw invalid()
}

type Key = z.output<typeof KeyFile>['keys'][number]

const keysIn = (dir: string): { current: Key; all: Key[] } => {
  const file = join(dir, 'tokens.json')
  try {
    makeFolder(dir)
    const all = KeyFile.parse(JSON.parse(readFileSync(file, 'utf8'))).keys
    const [current] = all
    if (current !== undefined) return { current, all }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      const why =
        error instanceof z.ZodError || error instanceof SyntaxError
          ? 'it is not of the form the hub writes'
          : reasonOf(error)
      throw new Fatal(
        `The keys for access tokens in ${file} cannot be used: ${why}. Restore the file, or remove it: then everybody has to log in again.`,
      )
    }
  }
  const key: Key = { kid: randomBytes(6).toString('hex'), alg: 'HS256', secret: randomBytes(32).toString('base64url') }
  try {
    // Complete or not at all: a hub that is killed here must not leave half a key.
    writeFileSync(`${file}.new`, JSON.stringify({ keys: [key] }), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  } catch (error) {
    throw new Fatal(
      `The keys for access tokens cannot be written to ${file}: ${reasonOf(error)}. Check the rights of the data folder.`,
      error,
    )
  }
  return { current: key, all: [key] }
}
