// The runner keeps flows running: in a process of their own, on the logical clock, each with its own bounded edges.
import type { Overload } from '../streams/flow.ts'

/** `ended`: it completed and says nothing more. */
export type FlowStatus = 'starting' | 'running' | 'restarting' | 'quarantined' | 'failed to load' | 'ended'

export interface EdgeView {
  topic: string
  filter: string
  latest: boolean
  overload: Overload
  in: number
  dropped: number
  depth: number
  /** Messages per second, lately. */
  rate: number
}

export interface FlowView {
  id: string
  status: FlowStatus
  /** First comment line of its file: what it does in one sentence. */
  about: string
  /** Topics it reads and, as far as seen, writes. */
  inputs: string[]
  outputs: string[]
  in: number
  out: number
  dropped: number
  restarts: number
  /** Of the file's content. */
  version: string
  startedAt?: string
  /** `place` is file.ts:line in the folder of flows. */
  error?: { message: string; stack?: string; at: string; place?: string }
  edges: EdgeView[]
  rateIn: number
  rateOut: number
  /** From the time at which it spoke, by its own clock, to its output being on the bus; of the last 256. */
  delayMs?: { p50: number; p99: number }
  /** Its memory is not exactly what it would be had it never been interrupted. */
  approximate?: { why: string; since: string }
  /** It uses more than its share of time and runs in its own lane. */
  slow?: boolean
  params?: { schema: object; values: Record<string, unknown> }
  /** A version on disk that does not run yet, or was rejected: the old one goes on. */
  newer?: { version: string; state: 'checking' | 'rejected'; error?: { message: string; place?: string } }
}

export interface FlowDetail extends FlowView {
  source: string
  kept: { key: string; value: unknown }[]
  runSince?: string
  recentIn: { seq: number; at: string; topic: string; payload: unknown }[]
  recentOut: { seq: number; at: string; topic: string; payload: unknown; cause: number }[]
}

export interface ProcessView {
  pid?: number
  restarts: number
  sent: number
  waiting: number
  /** Bytes. */
  rss: number
  /** Messages that flows have to catch up with. */
  behind: number
}

export interface Runner {
  flows(): FlowView[]
  /** Rejects with Missing. */
  flow(id: string): Promise<FlowDetail>
  /** Lets a flow that is quarantined, has ended or did not load run again, from its file as it is now. Rejects with Missing or, when it runs, with CONFLICT. */
  release(id: string): Promise<void>
  /** Other params, from the next message on; those left out have their defaults. Rejects with Missing, or Invalid naming the field. `by` is who asked. */
  setParams(id: string, values: Record<string, unknown>, by: string): Promise<void>
  /** The process of flows. */
  process(): ProcessView
  /** Replaces the process of flows by a fresh one, without a loss. */
  recycle(): Promise<void>
  close(): Promise<void>
}
