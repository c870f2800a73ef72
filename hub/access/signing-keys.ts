// The keys that sign the hub's own tokens, in a file of the data folder: one signs, the one before is still believed.
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Clock, iso } from '../clock.ts'
import { Fatal, Missing, reasonOf, Recoverable } from '../errors.ts'
import { makeFolder } from '../store/folder.ts'

const Key = z.strictObject({
  kid: z.string().min(1).max(64),
  alg: z.literal('HS256'),
  secret: z.base64url().min(43),
  /** ms since 1970. */
  createdAt: z.number().int().optional(),
  /** When another key took over, ms since 1970; the one that signs has none. */
  retiredAt: z.number().int().optional(),
})
/** The first key signs; both verify, so that tokens of the old one live on until they expire. */
const KeyFile = z.strictObject({ keys: z.array(Key).min(1).max(2) })

export type SigningKey = z.output<typeof Key>

/** A key without its secret. */
export interface SigningKeyView {
  kid: string
  /** `signs`: new tokens are signed with it; `verifies`: tokens made with it are good until they expire. */
  state: 'signs' | 'verifies'
  createdAt?: string
  retiredAt?: string
}

export interface SigningKeys {
  /** The keys as the file has them, the one that signs first. Throws Fatal when they cannot be used. */
  read(): [SigningKey, ...SigningKey[]]
  list(): SigningKeyView[]
  /** A new key signs from now on; the one that did so far verifies; the one before that is gone. Throws CONFLICT while another process changes the file, Fatal when it cannot be written. */
  rotate(): SigningKeyView
  /** Takes a key away: its tokens are void at once. When it was the one that signs, a new one takes its place. Throws Missing, and as rotate does. */
  revoke(kid: string): void
  /** Changes whenever the file does; '' when it is not there. */
  mark(): string
}

/** A change of the file takes milliseconds; a lock this old was left by a process that died. */
const LOCK_STALE_MS = 10_000

const newKey = (now: number): SigningKey => ({
  kid: randomBytes(6).toString('hex'),
  alg: 'HS256',
  secret: randomBytes(32).toString('base64url'),
  createdAt: now,
})

const viewOf = ({ kid, createdAt, retiredAt }: SigningKey, i: number): SigningKeyView => ({
  kid,
  state: i === 0 ? 'signs' : 'verifies',
  ...(createdAt === undefined ? {} : { createdAt: iso(createdAt) }),
  ...(retiredAt === undefined ? {} : { retiredAt: iso(retiredAt) }),
})

/** The keys in `keys/tokens.json` (mode 0600) of a data folder; the first is made when there is none. */
export const signingKeys = (dataDir: string, clock: Pick<Clock, 'now'>): SigningKeys => {
  const dir = join(dataDir, 'keys')
  const file = join(dir, 'tokens.json')

  const parsed = (): SigningKey[] | undefined => {
    try {
      return KeyFile.parse(JSON.parse(readFileSync(file, 'utf8'))).keys
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      const why =
        error instanceof z.ZodError || error instanceof SyntaxError
          ? 'it is not of the form the hub writes'
          : reasonOf(error)
      throw new Fatal(
        `The keys for access tokens in ${file} cannot be used: ${why}. Restore the file, or remove it: then everybody has to log in again.`,
      )
    }
  }

  /** Writes what `next` makes of the keys: complete or not at all, and one process at a time. */
  const change = (next: (keys: SigningKey[]) => SigningKey[]): void => {
    const draft = `${file}.new`
    const handle = lock(draft)
    try {
      writeSync(handle, JSON.stringify({ keys: next(parsed() ?? []) }))
      closeSync(handle)
      renameSync(draft, file)
    } catch (error) {
      rmSync(draft, { force: true })
      if (error instanceof Recoverable || error instanceof Fatal) throw error
      throw unwritable(file, error)
    }
  }

  const lock = (draft: string): number => {
    try {
      makeFolder(dir)
      const age = ageOf(draft)
      if (age !== undefined && age > LOCK_STALE_MS) rmSync(draft, { force: true })
      return openSync(draft, 'wx', 0o600)
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw unwritable(file, error)
      throw new Recoverable('CONFLICT', 'The signing keys are being changed by somebody else: try again in a moment.')
    }
  }

  const keys = () => {
    let found = parsed()
    if (found === undefined) {
      change((there) => (there.length > 0 ? there : [newKey(clock.now())]))
      found = parsed()
    }
    const [first, ...more] = found ?? []
    if (first === undefined) throw new Fatal(`The keys for access tokens in ${file} are gone. Restore the file.`)
    return [first, ...more] satisfies [SigningKey, ...SigningKey[]]
  }

  const rotated = ([current]: SigningKey[]): SigningKey[] => {
    const now = clock.now()
    return [newKey(now), ...(current === undefined ? [] : [{ ...current, retiredAt: now }])]
  }

  return {
    read: keys,
    list: () => keys().map(viewOf),
    rotate() {
      change(rotated)
      return viewOf(keys()[0], 0)
    },
    revoke(kid) {
      change((there) => {
        const left = there.filter((key) => key.kid !== kid)
        if (left.length === there.length) throw new Missing(`There is no signing key '${kid}'.`)
        return there[0]?.kid === kid ? [newKey(clock.now()), ...left] : left
      })
    },
    mark() {
      try {
        const { mtimeMs, ino, size } = statSync(file)
        return `${mtimeMs} ${ino} ${size}`
      } catch {
        return ''
      }
    },
  }
}

const unwritable = (file: string, error: unknown): Fatal =>
  new Fatal(
    `The keys for access tokens cannot be written to ${file}: ${reasonOf(error)}. Check the rights of the data folder.`,
    error,
  )

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code

/** How long ago a file was written, in ms by the file system's clock; undefined when there is none. */
const ageOf = (path: string): number | undefined => {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return undefined
  }
}
