// A principal is whoever acts: a person, a device, a flow, a plugin, the hub itself. Every message has exactly one as its origin.
export const ROLES = ['operator', 'engineer', 'safety', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface Principal {
  kind: 'person' | 'device' | 'flow' | 'plugin' | 'gate' | 'hub'
  /** Unique within its kind. For a device credential this is the device id. */
  id: string
  /** People have roles; everything else has none. */
  roles: readonly Role[]
  /** API keys and wall terminals may hold less than their person's roles give: only these rights. */
  scopes?: readonly string[]
  /** Topic filters granted with a device credential, beyond the device's own. */
  topics?: readonly string[]
  /** The MQTT client id this principal was issued; it may connect as this, or as it plus `-suffix`. */
  clientId?: string
  /** When the token or key ends that an MQTT connection was made with, ms since 1970; the connection ends with it. */
  expiresAt?: number
}

/** The origin as it is written in envelopes, the journal and the audit: `device:dust`; `gate` and `hub` stand alone. */
export const originOf = ({ kind, id }: Pick<Principal, 'kind' | 'id'>): string =>
  kind === 'gate' || kind === 'hub' ? kind : `${kind}:${id}`

export const GATE: Principal = { kind: 'gate', id: 'gate', roles: [] }
export const HUB: Principal = { kind: 'hub', id: 'hub', roles: [] }
