// People: a row each, all of them in memory, because every request asks who somebody is.
import { z } from 'zod'
import { type Role, ROLES } from '../bus/principal.ts'
import { type Clock, iso } from '../clock.ts'
import { Invalid, Missing, Recoverable } from '../errors.ts'
import { isDuplicate } from '../store/errors.ts'
import type { Store } from '../store/store.ts'
import type { Person } from './access.ts'
import { type Passwords, passwordProblem } from './passwords.ts'
import type {} from './tables.ts'

/** User names. Never longer than a client id can carry, and told from device ids by the `ui.` in front of theirs. */
export const Username = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.]{0,30}$/, 'must start with a-z or 0-9 and hold at most 31 of a-z, 0-9, _ and .')

const Roles = z.array(z.enum(ROLES)).max(ROLES.length)
/** Somebody who signs in elsewhere has this in place of a hash: no password fits. */
const NO_PASSWORD = ''

/** A person as access needs one. `hash` never leaves this folder. */
export interface KnownPerson {
  username: string
  roles: readonly Role[]
  /** A token of an earlier epoch is void. */
  epoch: number
  createdAt: number
  /** '' for somebody who signs in at an issuer and has no password here. */
  hash: string
}

export interface People {
  find(username: string): KnownPerson | undefined
  list(): Person[]
  /** Whether there is an admin with a password here: an issuer that is away, or maps roles anew, must not leave the hub without one. */
  hasAdmin(): boolean
  /** Throws Invalid for a bad name, password or role; CONFLICT when the name is taken. */
  add(person: { username: string; password: string; roles: readonly Role[] }): Promise<Person>
  /** Adds somebody who signs in at an issuer and has no password here. Throws as `add` does. */
  addExternal(person: { username: string; roles: readonly Role[] }): Promise<KnownPerson>
  /** Throws Missing; CONFLICT when nobody with a password and the role admin would be left. */
  requireRemovable(username: string): void
  /** Throws as requireRemovable does. */
  remove(username: string): Promise<void>
  /** Throws Missing, Invalid. Voids the person's tokens. */
  setPassword(username: string, password: string): Promise<void>
  /** Whether this is the person's password; takes as long for somebody nobody knows. */
  isPassword(username: string, password: string): Promise<boolean>
  /** Throws Missing, Invalid; CONFLICT when nobody with a password and the role admin would be left. Voids the person's tokens. */
  setRoles(username: string, roles: readonly Role[]): Promise<void>
}

/** Whether somebody signs in at an issuer, and has no password here. */
export const isExternal = ({ hash }: Pick<KnownPerson, 'hash'>): boolean => hash === NO_PASSWORD

const view = (person: KnownPerson): Person => {
  const { username, roles, createdAt } = person
  return { username, roles, createdAt: iso(createdAt), ...(isExternal(person) ? { external: true } : {}) }
}
const isAdmin = (person: KnownPerson): boolean => person.roles.includes('admin') && !isExternal(person)

/** Reads everybody. The changes are made one after the other by the caller (open.ts). */
export const openPeople = async (
  { db }: Pick<Store, 'db'>,
  clock: Pick<Clock, 'now'>,
  passwords: Passwords,
): Promise<People> => {
  const known = new Map<string, KnownPerson>()
  for (const row of await db.selectFrom('people').selectAll().orderBy('username').execute()) {
    const roles = Roles.parse(JSON.parse(row.roles))
    known.set(row.username, {
      username: row.username,
      roles,
      epoch: row.epoch,
      createdAt: row.created_at,
      hash: row.password,
    })
  }

  const existing = (username: string): KnownPerson => {
    const person = known.get(username)
    if (person === undefined) throw new Missing(`There is nobody called '${username}'.`)
    return person
  }
  const hashOf = async (username: string, password: string) => {
    const problem = passwordProblem(password, username)
    if (problem !== undefined) throw new Invalid('password', undefined, problem)
    return passwords.hash(password)
  }
  const rolesOf = (roles: readonly Role[]): Role[] => {
    const parsed = Roles.safeParse([...new Set(roles)])
    if (!parsed.success) throw new Invalid('roles', roles, `must be of ${ROLES.join(', ')}`)
    return parsed.data
  }
  const someOf = (roles: readonly Role[]): Role[] => {
    if (roles.length === 0) throw new Invalid('roles', roles, `must be at least one of ${ROLES.join(', ')}`)
    return rolesOf(roles)
  }
  const requireAnotherAdmin = (person: KnownPerson) => {
    if (!isAdmin(person) || [...known.values()].some((other) => other !== person && isAdmin(other))) return
    throw new Recoverable(
      'CONFLICT',
      `'${person.username}' is the only admin with a password here: give somebody else the role admin first.`,
    )
  }
  const change = async (person: KnownPerson, to: Partial<Pick<KnownPerson, 'hash' | 'roles'>>) => {
    const next = { ...person, ...to, epoch: person.epoch + 1 }
    await db
      .updateTable('people')
      .set({ password: next.hash, roles: JSON.stringify(next.roles), epoch: next.epoch })
      .where('username', '=', person.username)
      .execute()
    known.set(person.username, next)
  }

  const insert = async (username: string, roles: Role[], hash: () => Promise<string>): Promise<KnownPerson> => {
    const name = Username.safeParse(username)
    if (!name.success) throw new Invalid('username', username, name.error.issues[0]?.message ?? 'is not a user name')
    const person = {
      username,
      roles,
      // Not zero: a token of an earlier person with this name must not fit.
      epoch: Math.floor(clock.now() / 1000),
      createdAt: clock.now(),
      hash: await hash(),
    }
    const { epoch, createdAt: created_at } = person
    try {
      await db
        .insertInto('people')
        .values({ username, password: person.hash, roles: JSON.stringify(roles), epoch, created_at })
        .execute()
    } catch (error) {
      if (!isDuplicate(error)) throw error
      throw new Recoverable('CONFLICT', `There is somebody called '${username}' already.`, {
        field: 'username',
        value: username,
      })
    }
    known.set(username, person)
    return person
  }

  const requireRemovable = (username: string) => requireAnotherAdmin(existing(username))

  return {
    requireRemovable,
    find: (username) => known.get(username),
    list: () => [...known.values()].map(view),
    hasAdmin: () => [...known.values()].some(isAdmin),

    add: async ({ username, password, roles }) =>
      view(await insert(username, someOf(roles), () => hashOf(username, password))),
    addExternal: ({ username, roles }) => insert(username, rolesOf(roles), async () => NO_PASSWORD),

    async remove(username) {
      requireRemovable(username)
      await db.deleteFrom('people').where('username', '=', username).execute()
      known.delete(username)
    },

    isPassword(username, password) {
      const person = known.get(username)
      return passwords.verify(person === undefined || isExternal(person) ? undefined : person.hash, password)
    },

    async setPassword(username, password) {
      if (isExternal(existing(username))) {
        throw new Recoverable('CONFLICT', `'${username}' signs in elsewhere and has no password here.`)
      }
      const hash = await hashOf(username, password)
      await change(existing(username), { hash })
    },

    async setRoles(username, roles) {
      const person = existing(username)
      const next = isExternal(person) ? rolesOf(roles) : someOf(roles)
      if (!next.includes('admin')) requireAnotherAdmin(person)
      await change(person, { roles: next })
    },
  }
}
