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

export interface FlowError {
  message: string
  stack?: string
  /** ms since 1970 by the hub's clock; 0 when it is not known. */
  at: number
  /** Such as `dust.ts:14`. */
  place?: string
}

/** One topic a flow hears, with the queue in front of it. */
export interface FlowEdge {
  topic: string
  filter: string
  latest: boolean
  /** What is kept when it is too slow: `newest only`, or how many before the oldest go. */
  keeps: 'newest only' | number
  in: number
  dropped: number
  depth: number
  /** Messages per second. */
  rate: number
}

export interface FlowParams {
  schema: JsonSchema
  values: Record<string, unknown>
}

/** A version on disk that does not run (yet): the old one goes on. */
export interface NewerFlow {
  version: string
  state: 'checking' | 'rejected'
  error?: { message: string; place?: string }
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
  version: string
  /** ms since 1970 by the hub's clock, as the other times. */
  startedAt?: number
  error?: FlowError
  edges: FlowEdge[]
  /** Messages per second; missing where the hub does not tell. */
  rateIn?: number
  rateOut?: number
  /** From a message's stamp to its output. */
  delayMs?: { p50: number; p99: number }
  /** What it remembers was made good only as far as the journal reaches. */
  approximate?: { why: string; since: number }
  /** It uses more than its share of time and runs in its own lane. */
  slow: boolean
  params?: FlowParams
  newer?: NewerFlow
}

export interface FlowMessage {
  seq: number
  at: number
  topic: string
  payload: unknown
  cause?: number
}

export interface FlowDetail extends FlowItem {
  source: string
  kept: { key: string; value: unknown }[]
  runSince?: number
  recentIn: FlowMessage[]
  recentOut: FlowMessage[]
}

export const ROW_KINDS = ['same', 'changed', 'only then', 'only now', 'unanswered then'] as const
export type RowKind = (typeof ROW_KINDS)[number]

/** One decision, as it was taken then and would be taken now. */
export interface ReplayRow {
  at: number
  seq?: number
  cause: number
  topic: string
  kind: RowKind
  then?: unknown
  now?: unknown
  /** When it was said, or in which order, where that differs. */
  told: { what: 'time' | 'order'; then?: unknown; now?: unknown }[]
  /** After the first difference: the recorded world is no longer what would have happened. */
  beyond: boolean
}

export interface ReplayFailure {
  message: string
  place?: string
  at: number
}

export interface ReplayReport {
  version: string
  since: number
  until: number
  exact: boolean
  /** Why it is not exact. */
  why?: string
  messages: number
  tookMs: number
  thenCount: number
  nowCount: number
  same: number
  /** How many differ in all, also beyond the rows told. */
  different: number
  /** How many that differ are counted and not told. */
  untold: number
  /** The recorded starts of the flow that were followed. */
  starts: number[]
  /** The flow threw now, or had thrown then. */
  failure?: ReplayFailure
  failureThen?: ReplayFailure
  notes: string[]
  firstDifference?: { at: number; cause: number }
  rows: ReplayRow[]
}

export interface Replay {
  id: string
  flow: string
  state: 'running' | 'done' | 'cancelled' | 'failed'
  /** 0 to 1. */
  progress: number
  messages: number
  error?: string
  report?: ReplayReport
}

export interface PluginItem {
  id: string
  title: string
  status: string
  /** Topics it reads and writes, without the prefix. */
  handles: string[]
  publishes: string[]
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
  details: { field?: string; value?: unknown; constraint?: string; retryAfter?: unknown }
  correlationId?: string
}
