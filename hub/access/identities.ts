// Who signs in at an issuer, and who that is here: recognised by issuer and subject alone, never by a name or an e-mail address.
import { randomBytes } from 'node:crypto'
import { type Clock, iso } from '../clock.ts'
import { Invalid, Missing, Recoverable } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { Identity } from './access.ts'
import type {} from './tables.ts'

export interface KnownIdentity {
  id: string
  issuer: string
  subject: string
  /** Undefined when the person was removed here. */
  username: string | undefined
  /** ms since 1970. */
  rolesAt: number
  createdAt: number
}

export interface Identities {
  find(issuer: string, subject: string): KnownIdentity | undefined
  of(username: string): KnownIdentity[]
  list(): Identity[]
  /** Throws CONFLICT when this subject is somebody already, or was removed; Invalid. */
  add(identity: { issuer: string; subject: string; username: string; rolesAt: number }): Promise<Identity>
  /** Remembers which token gave the roles. */
  setRolesAt(id: string, at: number): Promise<void>
  /** The person is gone; their subjects are not let in again. */
  bar(username: string): Promise<void>
  /** Forgets one: who it was is a stranger again. Throws Missing. */
  remove(id: string): Promise<KnownIdentity>
}

const LONGEST = 255
/** More people than a site has; a mistake in an issuer's rights must not fill the memory. */
const MOST = 10_000

const keyOf = (issuer: string, subject: string): string => JSON.stringify([issuer, subject])

const view = ({ id, issuer, subject, username, createdAt }: KnownIdentity): Identity => ({
  id,
  issuer,
  subject,
  ...(username === undefined ? {} : { username }),
  createdAt: iso(createdAt),
})

/** Reads all. The changes are made one after the other by the caller (open.ts). */
export const openIdentities = async ({ db }: Pick<Store, 'db'>, clock: Pick<Clock, 'now'>): Promise<Identities> => {
  const known = new Map<string, KnownIdentity>()
  for (const row of await db.selectFrom('identities').selectAll().orderBy('created_at').execute()) {
    const { id, issuer, subject, roles_at: rolesAt, created_at: createdAt } = row
    known.set(keyOf(issuer, subject), { id, issuer, subject, username: row.username ?? undefined, rolesAt, createdAt })
  }
  const all = () => [...known.values()]
  const byId = (id: string): KnownIdentity => {
    const found = all().find((one) => one.id === id)
    if (found === undefined) throw new Missing(`There is no identity '${id}'.`)
    return found
  }

  return {
    find: (issuer, subject) => known.get(keyOf(issuer, subject)),
    of: (username) => all().filter((one) => one.username === username),
    list: () => all().map(view),

    async add({ issuer, subject, username, rolesAt }) {
      if (subject.length < 1 || subject.length > LONGEST) {
        throw new Invalid('subject', subject.slice(0, 50), `must have 1 to ${LONGEST} characters`)
      }
      const other = known.get(keyOf(issuer, subject))
      if (other !== undefined) {
        const who = other.username === undefined ? 'somebody who was removed here' : `'${other.username}'`
        throw new Recoverable('CONFLICT', `This subject is ${who} already: remove identity ${other.id} first.`)
      }
      if (known.size >= MOST) throw new Recoverable('CONFLICT', `There are ${MOST} identities already: remove some.`)
      const id = randomBytes(6).toString('hex')
      const createdAt = clock.now()
      await db
        .insertInto('identities')
        .values({ id, issuer, subject, username, roles_at: rolesAt, created_at: createdAt })
        .execute()
      const made = { id, issuer, subject, username, rolesAt, createdAt }
      known.set(keyOf(issuer, subject), made)
      return view(made)
    },

    async setRolesAt(id, at) {
      byId(id).rolesAt = at
      await db.updateTable('identities').set({ roles_at: at }).where('id', '=', id).execute()
    },

    async bar(username) {
      for (const one of all()) if (one.username === username) one.username = undefined
      await db.updateTable('identities').set({ username: null }).where('username', '=', username).execute()
    },

    async remove(id) {
      const found = byId(id)
      known.delete(keyOf(found.issuer, found.subject))
      await db.deleteFrom('identities').where('id', '=', id).execute()
      return found
    },
  }
}
