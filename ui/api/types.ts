// What the hub's API and topics say, as the web app reads it. The one boundary between the app and the hub.

/** JSON Schema of an intent's payload, as far as the app reads it. */
export type JsonSchema = Readonly<Record<string, unknown>>

export interface DeviceItem {
  id: string
  name: string
  kind: string
  area?: string
  online: boolean
  owner: string
  state: Record<string, unknown>
  /** ms since 1970 by the hub's clock; 0 for never. */
  lastSeen: number
  intents: Record<string, JsonSchema>
  safe: string[]
  maker?: string
  model?: string
  via?: string
}

export interface HistoryItem {
  /** ms since 1970 by the hub's clock. */
  at: number
  status: string
  detail?: string
}

export interface CommandItem {
  commandId: string
  device: string
  intent: string
  payload: Record<string, unknown>
  requestedBy: string
  status: string
  history: HistoryItem[]
  reason?: string
  issuedAt: number
  expiresAt: number
  correlationId: string
}

export interface FlowItem {
  id: string
  status: string
  about?: string
  inputs: string[]
  outputs: string[]
  in: number
  out: number
  dropped: number
  restarts: number
  error?: string
}

export interface JournalItem {
  seq: number
  at: number
  topic: string
  payload: unknown
  origin: string
  cause: number
  correlation: string
}

export type HealthWord = 'healthy' | 'degraded' | 'unhealthy' | 'unknown'
export interface HealthPart {
  part: string
  status: HealthWord
  what?: string
  since?: number
}
export interface HealthItem {
  status: HealthWord
  parts: HealthPart[]
}

/** An MQTT client that is connected, or a session whose client sleeps. */
export interface ClientItem {
  clientId: string
  /** Such as `device:dust`; '' when the hub does not know. */
  principal: string
  online: boolean
  address?: string
  /** `3.1`, `3.1.1` or `5.0`. */
  protocol?: string
  /** ms since 1970 by the hub's clock, as the other times. */
  connectedAt?: number
  subscriptions: number
  queued: number
  queuedBytes: number
  dropped: number
  bufferedBytes: number
  lastError?: { at: number; what: string }
  expiresAt?: number
}

export interface Clients {
  items: ClientItem[]
  /** How many there are, also beyond those in `items`. */
  total: number
  counts: { connected: number; asleep: number; queued: number; dropped: number; slowClientsCut: number }
}

export interface RightItem {
  allowed: boolean
  why: string
}

export interface Me {
  kind: string
  id: string
  roles: string[]
  rights: string[]
  /** The MQTT client id issued to this person, if the hub tells it. */
  clientId?: string
  prefix: string
}

export interface Claim {
  claimed: boolean
  open: boolean
}

export interface StopAnswer {
  id: string
  devices: { device: string; intents: string[]; error?: string }[]
}

export interface Dispatched {
  commandId: string
  status: string
}

export interface ErrorBody {
  code: string
  message: string
  details: { field?: string; value?: unknown; constraint?: string }
  correlationId?: string
}
