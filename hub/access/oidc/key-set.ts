// An issuer's public keys: fetched when they are needed, kept for a while, fetched again for a key nobody has seen.
import type { CryptoKey, FlattenedJWSInput, JSONWebKeySet, JWK, JWTHeaderParameters } from 'jose'
import { z } from 'zod'
import type { Clock } from '../../clock.ts'
import { reasonOf, Unauthenticated } from '../../errors.ts'

/** Only public keys of the kinds that sign; a secret that both sides know has no place here (RFC 7517, 4.1). */
const isPublic = (value: unknown): value is JWK =>
  typeof value === 'object' && value !== null && 'kty' in value && ['RSA', 'EC', 'OKP'].includes(String(value.kty))
const KeySet = z.object({ keys: z.array(z.unknown()).max(100) })

/** How long keys are used before they are asked for again. */
export const FRESH_MS = 10 * 60_000
/** Between two tries, whoever asks: a made-up key id, or an issuer that is away, costs one call each time this has passed. */
export const COOL_DOWN_MS = 30_000

export interface KeySetParts {
  /** Fetches the document; rejects when it cannot, within a deadline of its own. */
  fetch: () => Promise<unknown>
  clock: Pick<Clock, 'now'>
  /** Keys of before are believed for so long when no newer ones can be fetched, in ms. */
  staleMs: number
  /** Told of each try: the reason it failed, or undefined. */
  tried: (problem: string | undefined) => void
}

export interface KeySet {
  /** The key for a signature. Rejects with Unauthenticated saying why there is none. */
  keyFor(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey>
}

interface Known {
  find: (header: JWTHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>
  fetchedAt: number
}

const isUnknownKey = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_JWKS_NO_MATCHING_KEY'

export const openKeySet = ({ fetch, clock, staleMs, tried }: KeySetParts): KeySet => {
  let known: Known | undefined
  let pending: Promise<void> | undefined
  let triedAt = -Infinity
  let problem = ''

  const load = async (): Promise<void> => {
    const { createLocalJWKSet } = await import('jose')
    try {
      const { keys } = KeySet.parse(await fetch())
      const usable = keys.filter(isPublic)
      if (usable.length === 0) throw new Error('there is no public key in its answer')
      const set: JSONWebKeySet = { keys: usable }
      known = { find: createLocalJWKSet(set), fetchedAt: clock.now() }
      problem = ''
    } catch (error) {
      problem = error instanceof z.ZodError ? 'its answer is no set of keys' : reasonOf(error)
    }
    tried(problem === '' ? undefined : problem)
  }
  /** Tries once, for all who wait; nothing while it cools down. */
  const refetch = (): Promise<void> => {
    if (pending !== undefined) return pending
    const since = clock.now() - triedAt
    if (since >= 0 && since < COOL_DOWN_MS) return Promise.resolve()
    triedAt = clock.now()
    pending = load().finally(() => {
      pending = undefined
    })
    return pending
  }
  const age = (): number => (known === undefined ? Infinity : Math.abs(clock.now() - known.fetchedAt))
  const away = (): Unauthenticated =>
    new Unauthenticated(
      known === undefined
        ? `The keys of the issuer cannot be fetched (${problem}), so that nobody's token can be checked. Try again in a minute.`
        : `The issuer has not answered for ${Math.floor(age() / 3_600_000)} h (${problem}): its keys of before are not believed any more.`,
    )

  return {
    async keyFor(header, token) {
      if (age() > FRESH_MS) await refetch()
      if (known === undefined || (age() > FRESH_MS && age() > staleMs)) throw away()
      try {
        return await known.find(header, token)
      } catch (error) {
        if (!isUnknownKey(error)) throw error
        await refetch()
        return known.find(header, token)
      }
    },
  }
}
