// Signed requests: Ed25519 or HMAC-SHA256 over canonical JSON, a nonce that counts once, a window of a minute.
import {
  createHmac,
  createPublicKey,
  randomBytes,
  randomUUID,
  timingSafeEqual,
  verify as verifySignature,
} from 'node:crypto'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { Clock } from '../../clock.ts'
import { Invalid, Missing } from '../../errors.ts'
import type { Tables } from '../../store/store.ts'
import { type Wait, within } from '../bounds.ts'
import { canonical, sha256 } from '../canonical.ts'

export const ALGORITHMS = ['ed25519', 'hmac-sha256'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** A detached signature as it comes with a request. */
export const Signature = z.strictObject({
  keyId: z.string().min(1).max(64).describe('Id of the key, from POST /api/safety/keys'),
  nonce: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,64}$/, 'must be 16 to 64 of A-Z a-z 0-9 _ -')
    .describe('New for each request'),
  issuedAt: z.iso.datetime({ offset: true }),
  expiresAt: z.iso.datetime({ offset: true }).describe('At most 60 s after issuedAt'),
  value: z
    .string()
    .regex(/^[A-Za-z0-9+/_-]{40,100}={0,2}$/, 'must be the signature in base64')
    .describe('The signature, base64'),
})
export type Signature = z.output<typeof Signature>

/** What is signed: what is asked for, by whom, where. */
export interface Signed {
  intent: string
  device: string
  /** The device's area, '' without one. */
  zone: string
  /** Whose wish it is: `person:ada`. */
  user: string
  payload: Record<string, unknown>
}

export interface SigningKey {
  id: string
  owner: string
  algorithm: Algorithm
  createdAt: number
}

export type SignatureFound = { ok: true; evidence: Record<string, unknown> } | { ok: false; why: string }

const LONGEST_MS = 60_000
/** A signer's clock may be ahead by this. */
const AHEAD_MS = 5_000
/** Used nonces are kept longer than they are valid: a clock that is set back makes none of them new. */
const KEEP_NONCE_MS = 7 * 86_400_000
/** The newest two count, so that one can be replaced while the other is in use. */
const ACTIVE_KEYS = 2

/** The text that is signed. */
export const signedText = (
  { intent, device, zone, user, payload }: Signed,
  { nonce, issuedAt, expiresAt }: Pick<Signature, 'nonce' | 'issuedAt' | 'expiresAt'>,
): string =>
  canonical({ intent, device, zone, user, payloadHash: sha256(canonical(payload)), nonce, issuedAt, expiresAt })

export interface SignatureParts {
  db: Kysely<Tables>
  clock: Pick<Clock, 'now'>
  wait: Wait
  /** 32 bytes that HMAC keys are made from, so that no table holds one. */
  master: Buffer
  /** Longest wait for the database, ms. */
  recordMs: number
}

export const openSignatures = ({ db, clock, wait, master, recordMs }: SignatureParts) => {
  const secretOf = (id: string): Buffer => createHmac('sha256', master).update(`hazard-key:${id}`).digest()

  const keysOf = async (owner: string): Promise<(SigningKey & { publicKey: string })[]> => {
    const rows = await db
      .selectFrom('hazard_keys')
      .selectAll()
      .where('owner', '=', owner)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(ACTIVE_KEYS)
      .execute()
    return rows.map(({ id, algorithm, created_at, public_key }) => ({
      id,
      owner,
      algorithm: algorithm === 'ed25519' ? 'ed25519' : 'hmac-sha256',
      createdAt: Number(created_at),
      publicKey: public_key,
    }))
  }

  /** True when the nonce is new; it is used from then on. */
  const use = async (nonce: string, now: number): Promise<boolean> => {
    const { numInsertedOrUpdatedRows: n } = await db
      .insertInto('hazard_nonces')
      .values({ nonce, used_at: now })
      .onConflict((on) => on.column('nonce').doNothing())
      .executeTakeFirst()
    return n === 1n
  }

  const isRight = (
    key: { id: string; algorithm: Algorithm; publicKey: string },
    text: string,
    value: Buffer,
  ): boolean => {
    if (key.algorithm === 'ed25519') return verifySignature(null, Buffer.from(text), publicKeyOf(key.publicKey), value)
    const expected = createHmac('sha256', secretOf(key.id)).update(text).digest()
    return value.length === expected.length && timingSafeEqual(value, expected)
  }

  const judged = async (signed: Signed, signature: Signature): Promise<SignatureFound> => {
    const no = (why: string): SignatureFound => ({ ok: false, why })
    const now = clock.now()
    const [issued, expires] = [Date.parse(signature.issuedAt), Date.parse(signature.expiresAt)]
    if (!(expires > issued) || expires - issued > LONGEST_MS)
      return no(`the signature is valid for longer than ${LONGEST_MS / 1000} s, or for no time`)
    if (issued > now + AHEAD_MS) return no('the signature was made in the future: compare the clocks')
    if (expires <= now) return no('the signature has expired: sign again, and compare the clocks')
    const owners = [signed.user, `device:${signed.device}`]
    const key = (await Promise.all(owners.map(keysOf))).flat().find(({ id }) => id === signature.keyId)
    if (key === undefined) return no(`no active key '${signature.keyId}' belongs to ${owners.join(' or ')}`)
    if (!isRight(key, signedText(signed, signature), Buffer.from(signature.value, 'base64')))
      return no('the signature does not fit this request')
    // Last, so that nobody can use up another's nonce without the key.
    if (!(await use(`${key.id}:${signature.nonce}`, now))) return no('the nonce was used before: this is a replay')
    return {
      ok: true,
      evidence: {
        keyId: key.id,
        owner: key.owner,
        algorithm: key.algorithm,
        nonce: signature.nonce,
        value: signature.value,
      },
    }
  }

  return {
    /** Whether a signature is right for this request, now, once. What cannot be checked in time is no. */
    async judge(signed: Signed, signature: Signature): Promise<SignatureFound> {
      const found = await within(recordMs, judged(signed, signature), wait).catch(() => 'late' as const)
      return found === 'late'
        ? { ok: false, why: 'the signature could not be checked: the database does not answer' }
        : found
    },
    keys: async (owner: string): Promise<SigningKey[]> => (await keysOf(owner)).map(({ publicKey: _, ...key }) => key),
    /** A new key. The two newest of an owner count, older ones are removed. `secret` (base64) is given once, for HMAC only. Throws Invalid for a public key that is none. */
    async add(
      owner: string,
      wish: { algorithm: Algorithm; publicKey?: string },
    ): Promise<SigningKey & { secret?: string }> {
      const id = randomUUID()
      const publicKey = wish.algorithm === 'ed25519' ? checkedKey(wish.publicKey) : ''
      const createdAt = clock.now()
      await db.transaction().execute(async (trx) => {
        await trx
          .insertInto('hazard_keys')
          .values({ id, owner, algorithm: wish.algorithm, public_key: publicKey, created_at: createdAt })
          .execute()
        const all = await trx
          .selectFrom('hazard_keys')
          .select('id')
          .where('owner', '=', owner)
          .orderBy('created_at', 'desc')
          .execute()
        const old = all
          .map((row) => row.id)
          .filter((other) => other !== id)
          .slice(ACTIVE_KEYS - 1)
        if (old.length > 0) await trx.deleteFrom('hazard_keys').where('id', 'in', old).execute()
      })
      return {
        id,
        owner,
        algorithm: wish.algorithm,
        createdAt,
        ...(wish.algorithm === 'hmac-sha256' ? { secret: secretOf(id).toString('base64') } : {}),
      }
    },
    /** Removes a key of this owner; throws NOT_FOUND when it has none of that id. */
    async remove(owner: string, id: string): Promise<void> {
      const { numDeletedRows } = await db
        .deleteFrom('hazard_keys')
        .where('owner', '=', owner)
        .where('id', '=', id)
        .executeTakeFirst()
      if (numDeletedRows !== 1n) throw new Missing(`There is no signing key '${id}' of ${owner}.`)
    },
    /** Whose key it is; undefined for none. */
    async ownerOf(id: string): Promise<string | undefined> {
      return (await db.selectFrom('hazard_keys').select('owner').where('id', '=', id).executeTakeFirst())?.owner
    },
    async prune(): Promise<void> {
      await db
        .deleteFrom('hazard_nonces')
        .where('used_at', '<', clock.now() - KEEP_NONCE_MS)
        .execute()
    },
  }
}

export type Signatures = ReturnType<typeof openSignatures>

/** 32 random bytes for `master`, when there is no data folder. */
export const freshMaster = (): Buffer => randomBytes(32)

const publicKeyOf = (base64: string) =>
  createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' })

/** A public key in PEM, or SPKI in base64, as SPKI in base64. */
const checkedKey = (text: string | undefined): string => {
  const wrong = () =>
    new Invalid('publicKey', text?.slice(0, 100), 'must be an Ed25519 public key: PEM, or SPKI in base64')
  if (text === undefined) throw wrong()
  try {
    const key = text.includes('-----BEGIN PUBLIC KEY-----') ? createPublicKey(text) : publicKeyOf(text)
    if (key.asymmetricKeyType !== 'ed25519') throw wrong()
    return key.export({ type: 'spki', format: 'der' }).toString('base64')
  } catch {
    throw wrong()
  }
}
