// Access: people, device credentials, API keys and tokens; and the answers to "may this principal do that?".
import type { MqttRights, Verdict } from '../broker/broker.ts'
import type { Principal, Role } from '../bus/principal.ts'
import type { Right } from './policy.ts'

export interface Person {
  username: string
  roles: readonly Role[]
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
  /** A JWT or an API key. */
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
  close(): Promise<void>
}
