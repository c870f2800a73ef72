// Opens access: who somebody is, and what they may do.
import type { Verdict } from '../broker/broker.ts'
import { no, YES } from '../broker/broker.ts'
import { GATE, HUB, type Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Fatal, Forbidden, Invalid, Missing, reasonOf, Recoverable, Unauthenticated } from '../errors.ts'
import type { Gate } from '../gate/gate.ts'
import type { Health, Log } from '../health/report.ts'
import type { Store } from '../store/store.ts'
import { openTurn } from '../store/turn.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import type { Access, ApiKey, DeviceCredential } from './access.ts'
import { isApiKey, openApiKeys } from './api-keys.ts'
import { openCredentials } from './credentials.ts'
import { openIdentities } from './identities.ts'
import { openLinks } from './links.ts'
import type { Issuer, Vouched } from './oidc/issuer.ts'
import { openSignIn } from './oidc/sign-in.ts'
import { openPasswords, passwordProblem } from './passwords.ts'
import { isExternal, type KnownPerson, openPeople, type People } from './people.ts'
import { may, type Right, rights } from './policy.ts'
import { signingKeys } from './signing-keys.ts'
import { openThrottle } from './throttle.ts'
import { isToken, openTokens } from './tokens.ts'
import { openTopicRights, type TopicParts } from './topic-rights.ts'

export interface AccessParts {
  store: Store
  /** Signing keys are in `keys/` under it. */
  dataDir: string
  clock: Clock
  log: Log
  health?: Health
  /** Topic prefix; only used when no `table` is given. */
  prefix: string
  /** All topics, the plugins' too. Default: the core table. */
  table?: TopicParts['table']
  ownerOf: TopicParts['ownerOf']
  /** Fixes the owner when a credential is issued; throws CONFLICT when another has the device. */
  claimOwner: (device: string, owner: string) => void
  nativeCommands: TopicParts['nativeCommands']
  /** Default: plugins declare nothing. */
  pluginTopics?: TopicParts['pluginTopics']
  /** Told of every change of who may do what, and of logins of admins. */
  audit?: Gate['note']
  adminUser?: string | undefined
  adminPassword?: string | undefined
  /** A token's life. Default 1800 (ID-1). */
  tokenSeconds?: number
  /** How long tokens can be renewed after somebody proved who they are. Default 12. */
  sessionHours?: number
  /** Other systems that say who somebody is. Closed with access. */
  issuers?: readonly Issuer[]
}

const NOBODY = { publishes: [], handles: [] }

/** Client ids of people: `ui.<username>`. No device id has a dot, so they never meet. */
const clientIdOf = (username: string): string => `ui.${username}`

/** A client id is the issued one, or it plus `-suffix`; issued ids hold no `-`, so nobody is another's twin. */
const isForm = (clientId: string, issued: string): boolean =>
  clientId === issued || (clientId.startsWith(`${issued}-`) && /^[\w-]{1,64}$/.test(clientId.slice(issued.length + 1)))

/** Opens access. Throws Fatal when ADMIN_USER or ADMIN_PASSWORD do not fit, or the signing keys cannot be used. */
export const openAccess = async (parts: AccessParts): Promise<Access> => {
  const { store, clock, log, ownerOf, issuers = [], sessionHours = 12 } = parts
  const people = await openPeople(store, clock, openPasswords())
  const topics = openTopicRights({
    table: parts.table ?? topicTable([core], parts.prefix),
    ownerOf,
    pluginTopics: parts.pluginTopics ?? (() => NOBODY),
    nativeCommands: parts.nativeCommands,
    granted: () => credentials.list(),
  })
  const credentials = await openCredentials(store, clock, topics.grantProblem)
  const apiKeys = await openApiKeys(store, clock)
  const identities = await openIdentities(store, clock)
  const throttle = openThrottle(clock)
  const told = new Set<(origin: string, clientId: string) => void>()
  const changes = openTurn({ limit: 100, waitMs: 15_000, what: 'Access' })

  /** Changes come one after the other, so that two removals cannot each leave the other as the last admin. */
  const change = async <T>(work: () => Promise<T>): Promise<T> => {
    await changes.take()
    try {
      return await work()
    } finally {
      changes.give()
    }
  }
  const revoked = (origin: string, clientId: string) => {
    log.info('access-revoked', { origin })
    for (const tell of told) tell(origin, clientId)
  }
  const audit = (event: string, who = 'hub', subject = '', detail: Record<string, unknown> = {}): void =>
    parts.audit?.(event, { who, subject, detail })
  const personRevoked = (username: string) => revoked(`person:${username}`, clientIdOf(username))

  const keys = signingKeys(parts.dataDir, clock)
  /** Who changes the keys, while they are changed here; otherwise it was done on the command line. */
  let changing: string | undefined
  const tokens = openTokens({
    keys,
    clock,
    seconds: parts.tokenSeconds ?? 1800,
    changed({ kids, gone, alive }) {
      log.info('signing-keys-changed', { kids, gone })
      audit('signing-keys.changed', changing ?? 'hub', kids[0], { kids, gone, at: changing ? 'api' : 'command line' })
      if (alive) for (const { username } of people.list()) personRevoked(username)
    },
    failed: (error) =>
      parts.health?.report({ source: 'access', type: 'SigningKeys', category: 'system', message: reasonOf(error) }),
  })
  const changeKeys = <T>(by: string | undefined, work: () => T): T => {
    changing = by ?? 'hub'
    try {
      return work()
    } finally {
      tokens.refresh()
      changing = undefined
    }
  }
  const links = openLinks({ people, identities, issuers, change, audit, revoked: personRevoked })

  const personOf = ({ username, roles }: KnownPerson, key?: ApiKey): Principal => ({
    kind: 'person',
    id: username,
    roles,
    clientId: clientIdOf(username),
    ...(key === undefined ? {} : { scopes: key.scopes }),
  })

  const stale = () => new Unauthenticated('This token is not valid, or no longer: get a new one from POST /token.')
  /** The person with a token of this hub; `since` is when they proved who they are. */
  const holderOf = async (token: string) => {
    const { username, epoch, expiresAt, since } = await tokens.verify(token)
    const person = people.find(username)
    if (person?.epoch !== epoch) throw stale()
    return { person, expiresAt, since }
  }
  /** Who holds a bearer, and until when in ms since 1970. */
  const known = async (bearer: string): Promise<{ who: Principal; until: number | undefined }> => {
    if (bearer.startsWith('mr_')) {
      const key = apiKeys.check(bearer)
      const owner = key && people.find(key.owner)
      if (owner === undefined) throw new Unauthenticated('This API key is not valid, or no longer: make a new one.')
      return { who: personOf(owner, key), until: key?.expiresAt === undefined ? undefined : Date.parse(key.expiresAt) }
    }
    const issuer = links.issuerOf(bearer)
    if (issuer === 'unknown') throw new Unauthenticated('This token is of an issuer that is not configured here.')
    if (issuer !== undefined) {
      const vouched = await issuer.verify(bearer)
      return { who: personOf(await links.personOf(issuer, vouched)), until: vouched.expiresAt }
    }
    const { person, expiresAt } = await holderOf(bearer)
    return { who: personOf(person), until: expiresAt }
  }
  const verify = async (bearer: string): Promise<Principal> => (await known(bearer)).who

  const noteLogin = ({ username, roles }: KnownPerson, detail: Record<string, unknown>) => {
    if (roles.includes('admin')) audit('login', `person:${username}`, username, detail)
  }
  const enter = async (issuer: Issuer, vouched: Vouched, address: string) => {
    const person = await links.personOf(issuer, vouched)
    noteLogin(person, { address, issuer: issuer.id })
    return { ...(await tokens.sign(person)), username: person.username }
  }

  await admit(people, parts, audit)

  return {
    ...topics,

    get claimed() {
      return people.hasAdmin()
    },

    async login({ username, password, address }) {
      throttle.enter(username, address)
      const before = people.find(username)
      const right = await people.isPassword(username, password)
      const person = people.find(username)
      // The same person with the same password as before the check: both may have changed while it ran.
      if (!right || person === undefined || person.epoch !== before?.epoch) {
        // A name nobody has is not logged: it may be a password typed into the wrong field.
        log.warn('login-refused', { address, ...(person && { username }) })
        parts.health?.metrics.count('logins_refused_total', 'Logins with a wrong name or password')
        throw new Unauthenticated('The user name or the password is wrong.')
      }
      throttle.succeed(username, address)
      noteLogin(person, { address })
      return tokens.sign(person)
    },

    async renew(bearer) {
      if (isApiKey(bearer) || links.issuerOf(bearer) !== undefined) {
        throw new Forbidden('Only tokens of this hub are renewed here.')
      }
      const { person, since } = await holderOf(bearer)
      if (clock.now() - since >= sessionHours * 3_600_000) {
        throw new Unauthenticated(`You signed in ${sessionHours} hours ago: sign in again.`)
      }
      return tokens.sign(person, since)
    },

    signIn: openSignIn({ issuers, clock, enter }),

    verify,

    may: (who, right): Verdict => {
      if (may(who, right)) return YES
      const scoped = who.scopes !== undefined && !who.scopes.includes(right)
      return no(
        scoped ? `the key lacks the scope ${right}` : `the right ${right} takes one of: ${rights[right].join(', ')}`,
      )
    },

    async authenticate({ clientId, username, password }) {
      if (username === undefined || password === undefined) {
        throw new Unauthenticated('Connect with a user name and a password: nobody is let in without.')
      }
      const secret = password.toString('utf8')
      // Told apart by their form: what is generated for devices is never of the form of a key or a token.
      if (isApiKey(secret) || isToken(secret)) {
        const { who, until } = await known(secret).catch((error: unknown) => {
          // To a broker somebody without a role is a stranger.
          throw error instanceof Forbidden ? new Unauthenticated(error.message) : error
        })
        return { ...boundTo(who, clientId), ...(until === undefined ? {} : { expiresAt: until }) }
      }
      const credential = credentials.check(username, secret)
      if (credential === undefined) throw new Unauthenticated('The user name or the password is wrong.')
      return boundTo(deviceOf(credential), clientId)
    },

    principalOf(origin) {
      if (origin === 'gate') return GATE
      if (origin === 'hub') return HUB
      const colon = origin.indexOf(':')
      const [kind, id] = [origin.slice(0, colon), origin.slice(colon + 1)]
      if (kind === 'flow' || kind === 'plugin') return { kind, id, roles: [] }
      const person = kind === 'person' ? people.find(id) : undefined
      const credential = kind === 'device' ? credentials.find(id) : undefined
      return (person && personOf(person)) ?? (credential && deviceOf(credential))
    },

    onRevoked(tell) {
      told.add(tell)
      return () => void told.delete(tell)
    },

    people: async () => people.list(),
    async addPerson(person, by) {
      const added = await change(() => people.add(person))
      audit('person.made', by, added.username, { roles: added.roles })
      return added
    },
    async removePerson(username, by) {
      await change(async () => {
        people.requireRemovable(username)
        await identities.bar(username)
        await people.remove(username)
      })
      apiKeys.forget(username)
      audit('person.removed', by, username)
      personRevoked(username)
    },
    async setPassword(username, password, by) {
      await change(() => people.setPassword(username, password))
      audit('password.set', by, username)
      personRevoked(username)
    },

    async setRoles(username, roles, by) {
      const before = await change(async () => {
        const person = people.find(username)
        if (person !== undefined && isExternal(person)) {
          throw new Recoverable(
            'CONFLICT',
            `An issuer says the roles of '${username}' at each sign-in: change them there.`,
          )
        }
        await people.setRoles(username, roles)
        return person?.roles ?? []
      })
      audit('roles.set', by, username, { before, roles })
      personRevoked(username)
      const person = people.list().find((one) => one.username === username)
      if (person === undefined) throw new Missing(`There is nobody called '${username}'.`)
      return person
    },

    identities: async () => identities.list(),
    async link(username, to, by) {
      const identity = await links.link(username, to)
      audit('identity.linked', by, username, { issuer: identity.issuer, subject: identity.subject })
      return identity
    },
    async unlink(id, by) {
      const { issuer, subject, username = '' } = await links.unlink(id)
      audit('identity.removed', by, username, { issuer, subject })
      if (username !== '') personRevoked(username)
    },

    signingKeys: keys.list,
    rotateKeys: (by) => changeKeys(by, keys.rotate),
    revokeSigningKey: (kid, by) => changeKeys(by, () => keys.revoke(kid)),

    credentials: async () => credentials.list(),
    async issueCredential(device, granted = [], by) {
      const replaced = credentials.find(device) !== undefined
      const issued = await change(async () => {
        credentials.requireValid(device, granted)
        parts.claimOwner(device, `device:${device}`)
        return credentials.issue(device, granted)
      })
      audit('credential.issued', by, device, { topics: granted, replaced })
      if (replaced) revoked(`device:${device}`, device)
      return issued
    },
    async revokeCredential(clientId, by) {
      const { device } = await change(() => credentials.revoke(clientId))
      audit('credential.revoked', by, clientId)
      revoked(`device:${device}`, clientId)
    },

    keys: async (owner) => apiKeys.of(owner),
    async issueKey(owner, key, by) {
      const issued = await change(async () => {
        const person = people.find(owner)
        if (person === undefined) throw new Invalid('owner', owner, 'must be a person of this hub')
        const beyond = key.scopes.find((scope: Right) => !may(personOf(person), scope))
        if (beyond !== undefined)
          throw new Forbidden(`A key cannot have the scope ${beyond}: '${owner}' lacks that right.`)
        return apiKeys.issue(owner, key)
      })
      const { id, name, scopes, expiresAt = '' } = issued
      audit('key.made', by, id, { owner, name, scopes, expiresAt })
      return issued
    },
    async revokeKey(owner, id, by) {
      await change(() => apiKeys.revoke(owner, id))
      audit('key.revoked', by, id, { owner })
      personRevoked(owner)
    },

    async close() {
      tokens.close()
      for (const issuer of issuers) issuer.close()
      told.clear()
    },
  }
}

const deviceOf = ({ device, topics, clientId }: DeviceCredential): Principal => ({
  kind: 'device',
  id: device,
  roles: [],
  topics,
  clientId,
})

const boundTo = (who: Principal, clientId: string): Principal => {
  const issued = who.clientId ?? ''
  // Without a client id the broker gives one of the issued form.
  if (clientId === '' || isForm(clientId, issued)) return who
  throw new Forbidden(`The client id must be ${issued}, or ${issued}- and something of your own.`, {
    field: 'clientId',
    value: clientId,
  })
}

/** The admin of an unattended install: made, or brought to this password and the role admin. */
const admit = async (
  people: People,
  { adminUser, adminPassword, log }: AccessParts,
  audit: (event: string, who?: string, subject?: string, detail?: Record<string, unknown>) => void,
): Promise<void> => {
  if (adminUser === undefined && adminPassword === undefined) return
  if (adminUser === undefined || adminPassword === undefined) {
    throw new Fatal('ADMIN_USER and ADMIN_PASSWORD go together: set both, or none to claim the hub by its link.')
  }
  const problem = passwordProblem(adminPassword, adminUser)
  if (problem !== undefined) throw new Fatal(`ADMIN_PASSWORD: ${problem}.`)
  const known = people.find(adminUser)
  try {
    if (known === undefined) {
      await people.add({ username: adminUser, password: adminPassword, roles: ['admin'] })
      log.info('admin-made', { username: adminUser })
      audit('person.made', 'hub', adminUser, { roles: ['admin'] })
      return
    }
    if (!known.roles.includes('admin')) {
      await people.setRoles(adminUser, [...known.roles, 'admin'])
      audit('roles.set', 'hub', adminUser, { roles: [...known.roles, 'admin'] })
    }
    if (!(await people.isPassword(adminUser, adminPassword))) {
      await people.setPassword(adminUser, adminPassword)
      log.info('admin-password-set', { username: adminUser })
      audit('password.set', 'hub', adminUser)
    }
  } catch (error) {
    if (error instanceof Invalid) throw new Fatal(`ADMIN_USER: ${reasonOf(error)}.`, error)
    throw error
  }
}
