// API keys: `mr_<id>_<secret>`, for scripts and wall terminals; each belongs to a person and may do no more than that person.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { type Clock, iso } from '../clock.ts'
import { Invalid, Missing, Recoverable } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { ApiKey } from './access.ts'
import { type Right, RIGHTS } from './policy.ts'
import type {} from './tables.ts'

const MOST_PER_PERSON = 50
const MOST_DAYS = 3650
const DAY_MS = 86_400_000
const KEY = /^mr_([0-9a-f]{12})_[\w-]{43}$/

/** Whether a text has the form of an API key. */
export const isApiKey = (text: string): boolean => KEY.test(text)

export interface ApiKeys {
  /** The key's row, when the secret is right and it has not expired. */
  check(key: string): ApiKey | undefined
  of(owner: string): ApiKey[]
  /** Throws Invalid. `days` is its life; without it the key does not expire. */
  issue(
    owner: string,
    key: { name: string; scopes: readonly Right[]; days?: number },
  ): Promise<ApiKey & { key: string }>
  /** Throws Missing, also for somebody else's key. */
  revoke(owner: string, id: string): Promise<void>
  /** The store removes them with their owner; this forgets them. */
  forget(owner: string): void
}

/** No salt and no slow hash: the secret is 256 random bits. */
const digest = (key: string): Buffer => createHash('sha256').update(key).digest()

interface Known {
  view: ApiKey
  hash: Buffer
  /** ms since 1970. */
  expires: number
}

export const openApiKeys = async ({ db }: Pick<Store, 'db'>, clock: Pick<Clock, 'now'>): Promise<ApiKeys> => {
  const known = new Map<string, Known>()
  const nobody = randomBytes(32)
  const remember = (view: ApiKey, hash: Buffer, expires: number | null) =>
    known.set(view.id, { view, hash, expires: expires ?? Infinity })

  for (const row of await db.selectFrom('api_keys').selectAll().orderBy('created_at').execute()) {
    const { id, name, owner, created_at, expires_at } = row
    // A right that no longer exists is no scope any more.
    const scopes = z.array(z.string()).parse(JSON.parse(row.scopes))
    remember(
      {
        id,
        name,
        owner,
        scopes: RIGHTS.filter((right) => scopes.includes(right)),
        createdAt: iso(created_at),
        ...(expires_at === null ? {} : { expiresAt: iso(expires_at) }),
      },
      Buffer.from(row.hash, 'hex'),
      expires_at,
    )
  }
  const of = (owner: string) => [...known.values()].filter(({ view }) => view.owner === owner).map(({ view }) => view)

  return {
    of,

    check(key) {
      const found = known.get(KEY.exec(key)?.[1] ?? '')
      const right = timingSafeEqual(digest(key), found?.hash ?? nobody)
      return right && found !== undefined && clock.now() < found.expires ? found.view : undefined
    },

    async issue(owner, { name, scopes, days }) {
      const label = name.trim()
      if (label.length < 1 || label.length > 80) throw new Invalid('name', name, 'must have 1 to 80 characters')
      if (scopes.length === 0) throw new Invalid('scopes', scopes, 'must name at least one right')
      if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= MOST_DAYS)) {
        throw new Invalid('days', days, `must be a whole number from 1 to ${MOST_DAYS}`)
      }
      if (of(owner).length >= MOST_PER_PERSON) {
        throw new Recoverable('CONFLICT', `'${owner}' has ${MOST_PER_PERSON} keys already: revoke one first.`)
      }
      const id = randomBytes(6).toString('hex')
      const key = `mr_${id}_${randomBytes(32).toString('base64url')}`
      const hash = digest(key)
      const at = clock.now()
      const expires = days === undefined ? null : at + days * DAY_MS
      const chosen = RIGHTS.filter((right) => scopes.includes(right))
      await db
        .insertInto('api_keys')
        .values({
          id,
          name: label,
          owner,
          hash: hash.toString('hex'),
          scopes: JSON.stringify(chosen),
          created_at: at,
          expires_at: expires,
        })
        .execute()
      const made = { id, name: label, owner, scopes: chosen, createdAt: iso(at) }
      const view = expires === null ? made : { ...made, expiresAt: iso(expires) }
      remember(view, hash, expires)
      return { ...view, key }
    },

    async revoke(owner, id) {
      if (known.get(id)?.view.owner !== owner) throw new Missing(`There is no key '${id}'.`)
      known.delete(id)
      await db.deleteFrom('api_keys').where('id', '=', id).execute()
    },

    forget(owner) {
      for (const { id } of of(owner)) known.delete(id)
    },
  }
}
