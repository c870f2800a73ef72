// Device credentials: one per device, a generated password, kept as a salted hash.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { type Clock, iso } from '../clock.ts'
import { Invalid, Missing } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { DeviceId } from '../topics/core.ts'
import type { DeviceCredential } from './access.ts'
import type {} from './tables.ts'

const MOST_TOPICS = 32

export interface Credentials {
  list(): DeviceCredential[]
  /** The credential of a client id, when the password is right. Takes the same time for an unknown one. */
  check(username: string, password: string): DeviceCredential | undefined
  /** Throws Invalid for a bad device id or filter. */
  requireValid(device: string, topics: readonly string[]): void
  /** A new password; an earlier one of this device is void. Throws as requireValid does. */
  issue(device: string, topics: readonly string[]): Promise<DeviceCredential & { password: string }>
  /** Throws Missing. */
  revoke(clientId: string): Promise<DeviceCredential>
  find(clientId: string): DeviceCredential | undefined
}

interface Known {
  credential: DeviceCredential
  salt: string
  hash: Buffer
}

/**
 * SHA-256 and no slow hash: the password is 256 random bits, so there is nothing to guess, and a broker
 * that is restarted has to let in hundreds of devices at once.
 */
const digest = (salt: string, password: string): Buffer => createHash('sha256').update(salt).update(password).digest()

/** Reads all credentials. `problem` says what is wrong with a filter to be granted. */
export const openCredentials = async (
  { db }: Pick<Store, 'db'>,
  clock: Pick<Clock, 'now'>,
  problem: (device: string, filter: string) => string | undefined,
): Promise<Credentials> => {
  const known = new Map<string, Known>()
  for (const row of await db.selectFrom('device_credentials').selectAll().orderBy('client_id').execute()) {
    const { client_id: clientId, device, salt, created_at } = row
    const topics = z.array(z.string()).parse(JSON.parse(row.topics))
    known.set(clientId, {
      credential: { clientId, device, username: clientId, topics, createdAt: iso(created_at) },
      salt,
      hash: Buffer.from(row.hash, 'hex'),
    })
  }
  const nobody = { salt: randomBytes(16).toString('hex'), hash: randomBytes(32) }

  const requireValid = (device: string, topics: readonly string[]) => {
    const id = DeviceId.safeParse(device)
    if (!id.success) throw new Invalid('device', device, id.error.issues[0]?.message ?? 'is not a device id')
    if (topics.length > MOST_TOPICS)
      throw new Invalid('topics', topics.length, `must be at most ${MOST_TOPICS} filters`)
    for (const [i, filter] of topics.entries()) {
      const wrong = problem(device, filter)
      if (wrong !== undefined) throw new Invalid(`topics.${i}`, filter, wrong)
    }
  }

  return {
    list: () => [...known.values()].map(({ credential }) => credential),
    find: (clientId) => known.get(clientId)?.credential,
    requireValid,

    check(username, password) {
      const found = known.get(username)
      const { salt, hash } = found ?? nobody
      return timingSafeEqual(digest(salt, password), hash) ? found?.credential : undefined
    },

    async issue(device, topics) {
      requireValid(device, topics)
      const password = randomBytes(32).toString('base64url')
      const salt = randomBytes(16).toString('hex')
      const hash = digest(salt, password)
      const at = clock.now()
      const row = { device, salt, hash: hash.toString('hex'), topics: JSON.stringify(topics), created_at: at }
      await db
        .insertInto('device_credentials')
        .values({ client_id: device, ...row })
        .onConflict((conflict) => conflict.column('client_id').doUpdateSet(row))
        .execute()
      const credential = { clientId: device, device, username: device, topics: [...topics], createdAt: iso(at) }
      known.set(device, { credential, salt, hash })
      return { ...credential, password }
    },

    async revoke(clientId) {
      const found = known.get(clientId)
      if (found === undefined) throw new Missing(`There is no device credential '${clientId}'.`)
      // First from memory: should the store fail, the device is out rather than in.
      known.delete(clientId)
      await db.deleteFrom('device_credentials').where('client_id', '=', clientId).execute()
      return found.credential
    },
  }
}
