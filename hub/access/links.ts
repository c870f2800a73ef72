// The person behind a token of an issuer: recognised, made the first time, and given the roles it gives now.
import type { Role } from '../bus/principal.ts'
import { Forbidden, Recoverable, Unauthenticated } from '../errors.ts'
import type { Identity } from './access.ts'
import type { Identities, KnownIdentity } from './identities.ts'
import { suggestedName } from './oidc/claims.ts'
import type { Issuer, Vouched } from './oidc/issuer.ts'
import { isExternal, type KnownPerson, type People } from './people.ts'

export interface LinksParts {
  people: People
  identities: Identities
  issuers: readonly Issuer[]
  /** Changes come one after the other. */
  change: <T>(work: () => Promise<T>) => Promise<T>
  audit: (event: string, who?: string, subject?: string, detail?: Record<string, unknown>) => void
  /** Ends a person's connections. */
  revoked: (username: string) => void
}

export interface Links {
  /** The issuer that says it made this token, by its `iss`, which nobody has checked yet; undefined for the hub's own. */
  issuerOf(token: string): Issuer | 'unknown' | undefined
  /** Rejects with Forbidden when nothing gives them a role here, Unauthenticated when the token is older than their roles. */
  personOf(issuer: Issuer, vouched: Vouched): Promise<KnownPerson>
  /** Lets somebody with a password here sign in as this subject, too. Throws Missing, CONFLICT, Invalid. */
  link(username: string, to: { issuer: string; subject: string }): Promise<Identity>
  /** Throws Missing, CONFLICT. */
  unlink(id: string): Promise<KnownIdentity>
}

const LONGEST = 8192

const issuedBy = (token: string): unknown => {
  if (token.length > LONGEST) return undefined
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
    return typeof payload === 'object' && payload !== null && 'iss' in payload ? payload.iss : undefined
  } catch {
    return undefined
  }
}

const isSame = (a: readonly Role[], b: readonly Role[]): boolean =>
  a.length === b.length && a.every((role) => b.includes(role))

export const openLinks = ({ people, identities, issuers, change, audit, revoked }: LinksParts): Links => {
  const noRole = (issuer: Issuer, { subject }: Vouched): Forbidden =>
    new Forbidden(
      `${issuer.title} gives you no role here. Ask an admin of this hub for one; your name there is '${subject.slice(0, 100)}'.`,
    )
  const made = (person: KnownPerson, issuer: Issuer, { subject, roles }: Vouched) =>
    audit('person.made', 'hub', person.username, { roles, issuer: issuer.id, subject })

  const makePerson = (issuer: Issuer, vouched: Vouched): Promise<KnownPerson> =>
    change(async () => {
      const { roles = [], subject, claims, issuedAt } = vouched
      const known = identities.find(vouched.issuer, subject)
      const there = known?.username === undefined ? undefined : people.find(known.username)
      if (there !== undefined) return there
      if (roles.length === 0) throw noRole(issuer, vouched)
      // First the identity: when the hub is killed in between, the person is made at the next sign-in, and by nobody else.
      const username =
        known?.username ??
        suggestedName(
          { id: issuer.id, claims, subject, usernameClaim: issuer.settings.usernameClaim },
          (name) => people.find(name) !== undefined,
        )
      if (known === undefined) await identities.add({ issuer: vouched.issuer, subject, username, rolesAt: issuedAt })
      const person = await people.addExternal({ username, roles })
      made(person, issuer, vouched)
      return person
    })

  /** The newest token decides: one that was made before their roles changed is void, so that two cannot take turns. */
  const withRoles = async (
    person: KnownPerson,
    identity: KnownIdentity,
    roles: readonly Role[],
    { issuedAt, issuer }: Vouched,
  ): Promise<KnownPerson> => {
    if (isSame(person.roles, roles)) {
      identity.rolesAt = Math.max(identity.rolesAt, issuedAt)
      return person
    }
    const { username } = person
    const now = await change(async () => {
      const latest = people.find(username)
      if (latest === undefined || isSame(latest.roles, roles)) return latest
      if (issuedAt < identity.rolesAt) return undefined
      await people.setRoles(username, roles)
      await identities.setRolesAt(identity.id, issuedAt)
      audit('roles.set', 'hub', username, { before: latest.roles, roles, issuer })
      revoked(username)
      return people.find(username)
    })
    if (now !== undefined) return now
    throw new Unauthenticated('Your roles have changed since this token was made: get a new one from its issuer.')
  }

  return {
    issuerOf(token) {
      if (issuers.length === 0) return undefined
      const by = issuedBy(token)
      const found = issuers.find(({ settings }) => settings.issuer === by)
      return found ?? (typeof by === 'string' && URL.canParse(by) ? 'unknown' : undefined)
    },

    async personOf(issuer, vouched) {
      const identity = identities.find(vouched.issuer, vouched.subject)
      if (identity === undefined) return makePerson(issuer, vouched)
      if (identity.username === undefined) {
        throw new Forbidden('An admin of this hub has removed you from it. Ask them to let you in again.')
      }
      const person = people.find(identity.username) ?? (await makePerson(issuer, vouched))
      // Who has a password here has the roles that were given here.
      const now =
        isExternal(person) && vouched.roles !== undefined
          ? await withRoles(person, identity, vouched.roles, vouched)
          : person
      if (now.roles.length === 0) throw noRole(issuer, vouched)
      return now
    },

    link: (username, { issuer: id, subject }) =>
      change(async () => {
        const issuer = issuers.find((one) => one.id === id)
        if (issuer === undefined) throw new Recoverable('NOT_FOUND', `There is no issuer '${id}' in the configuration.`)
        const person = people.find(username)
        if (person === undefined) throw new Recoverable('NOT_FOUND', `There is nobody called '${username}'.`)
        if (isExternal(person)) {
          throw new Recoverable('CONFLICT', `'${username}' was made by an issuer and has its one subject already.`)
        }
        return identities.add({ issuer: issuer.settings.issuer, subject, username, rolesAt: 0 })
      }),

    unlink: (id) =>
      change(async () => {
        const found = identities.list().find((one) => one.id === id)
        const person = found?.username === undefined ? undefined : people.find(found.username)
        if (person !== undefined && isExternal(person)) {
          throw new Recoverable(
            'CONFLICT',
            `'${person.username}' signs in with nothing else: remove the person instead.`,
          )
        }
        return identities.remove(id)
      }),
  }
}
