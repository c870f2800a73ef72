// Access: people, device credentials, API keys and tokens; and the answers to "may this principal do that?".
import type { MqttRights, Verdict } from '../broker/broker.ts'
import type { Principal, Role } from '../bus/principal.ts'
import type { SignIn } from './oidc/sign-in.ts'
import type { Right } from './policy.ts'
import type { SigningKeyView } from './signing-keys.ts'

export interface Person {
  username: string
  roles: readonly Role[]
  createdAt: string
  /** Signs in at an issuer, which also says their roles, and has no password here. */
  external?: boolean
}
/** A name at an issuer, and who that is here. */
export interface Identity {
  id: string
  /** `iss` and `sub` of the issuer's tokens. */
  issuer: string
  subject: string
  /** Left out when the person was removed here: then this subject is not let in. */
  username?: string
  createdAt: string
}
export interface DeviceCredential {
  clientId: string
  device: string
  username: string
  topics: readonly string[]
  createdAt: string
}
export interface ApiKey {
  id: string
  name: string
  owner: string
  scopes: readonly Right[]
  createdAt: string
  expiresAt?: string
}

export interface Access extends MqttRights {
  /** True once there is a person with the role admin. Until then only the claim page answers. */
  readonly claimed: boolean
  /** Password grant. Rejects with Unauthenticated after a constant time, RATE_LIMITED when throttled per user and address. */
  login(login: { username: string; password: string; address: string }): Promise<{ token: string; expiresIn: number }>
  /** A new token for who holds one, until `sessionHours` after they proved who they are. Rejects with Unauthenticated; Forbidden for an API key or a token of an issuer. */
  renew(bearer: string): Promise<{ token: string; expiresIn: number }>
  /** Signing in with a browser at an issuer. */
  readonly signIn: SignIn
  /** A token of this hub, an API key, or a token of a configured issuer. */
  verify(bearer: string): Promise<Principal>
  may(who: Principal, right: Right): Verdict
  /** Who an origin such as `person:ada` or `flow:x` is now, with today's roles and grants; undefined when it is not known any more. */
  principalOf(origin: string): Principal | undefined
  /** May `who` ask `device` for `intent`? People by role, flows always, plugins when they declare it, devices by granted filter. */
  mayRequest(who: Principal, device: string, intent: string): Verdict
  /* Changes name the origin of whoever makes them in `by`, for the audit; without it the hub itself. */
  people(): Promise<Person[]>
  addPerson(person: { username: string; password: string; roles: readonly Role[] }, by?: string): Promise<Person>
  removePerson(username: string, by?: string): Promise<void>
  setPassword(username: string, password: string, by?: string): Promise<void>
  /** Throws Missing, Invalid; CONFLICT for the last admin with a password, and for somebody whose roles an issuer says. Ends their tokens and connections. */
  setRoles(username: string, roles: readonly Role[], by?: string): Promise<Person>
  identities(): Promise<Identity[]>
  /** Lets a person with a password sign in as this subject of a configured issuer (by its id), too. Throws Missing, CONFLICT, Invalid. */
  link(username: string, to: { issuer: string; subject: string }, by?: string): Promise<Identity>
  /** Forgets an identity: the subject is a stranger again. Throws Missing; CONFLICT when the person has no other way in. */
  unlink(id: string, by?: string): Promise<void>
  /** The keys that sign the hub's own tokens, the one that signs first. */
  signingKeys(): SigningKeyView[]
  /** A new key signs; the one before verifies until the next rotation. Throws CONFLICT, Fatal. */
  rotateKeys(by?: string): SigningKeyView
  /** Tokens made with it are void at once, and everybody's MQTT connections end. Throws Missing, CONFLICT, Fatal. */
  revokeSigningKey(kid: string, by?: string): void
  credentials(): Promise<DeviceCredential[]>
  /** A new credential, or new secrets for the same device (the old ones are revoked). The password is returned this once. Throws CONFLICT when somebody else owns the device. */
  issueCredential(
    device: string,
    topics?: readonly string[],
    by?: string,
  ): Promise<DeviceCredential & { password: string }>
  revokeCredential(clientId: string, by?: string): Promise<void>
  keys(owner: string): Promise<ApiKey[]>
  issueKey(
    owner: string,
    key: { name: string; scopes: readonly Right[]; days?: number },
    by?: string,
  ): Promise<ApiKey & { key: string }>
  revokeKey(owner: string, id: string, by?: string): Promise<void>
  /** Told of each request over HTTP that would have done something and that nobody, or somebody without the right, made. */
  denied?(by: string, what: { route: string; right: string; address: string; reason: string }): void
  /** Told of each change of the hub's configuration over HTTP, for the audit. */
  changed?(by: string, change: { route: string; params: unknown; body: unknown }): void
  close(): Promise<void>
}
