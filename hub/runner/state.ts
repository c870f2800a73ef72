// What the hub remembers of a flow and of its present run.
import type { Principal } from '../bus/principal.ts'
import type { FlowFile } from './find-flows.ts'
import type { Item } from './frame.ts'
import type { Skip } from './history.ts'
import type { Input } from './host.ts'
import { type Rate, rate } from './rate.ts'
import type { EdgeView, FlowStatus, FlowView } from './runner.ts'

/** A run: from a recorded start, through deaths of its process, to the next start. */
export interface Run {
  /** In the process; the same again when it is brought up to date in another one. */
  readonly number: number
  readonly file: FlowFile
  inputs: Input[]
  params?: { schema: object; values: Record<string, unknown> } | undefined
  /** Its recorded start. */
  seq: number
  at: number
  kept: Readonly<Record<string, unknown>>
  retained: readonly Item[]
  /** An approximate run heard what came after this, in silence, before it spoke. */
  warm?: { seq: number; at: number }
  approximate?: string
  /** Of its last output or keep change that was heard. */
  n: number
  /** What it keeps by now. */
  keptNow: Record<string, unknown>
  skips: Skip[]
  /** More was skipped than is remembered. */
  isSkipsFull: boolean
  /** Its longest wait, ms. */
  longest: number
}

export interface FlowState {
  readonly id: string
  readonly principal: Principal
  /** Of the version that runs, or is to run. */
  file: FlowFile
  status: FlowStatus
  run?: Run
  /** Params that a person set. */
  params: Record<string, unknown>
  /** What it kept when its last run ended. */
  kept: Record<string, unknown>
  readonly outputs: Set<string>
  /** Topic of its last output. */
  lastOutput: string
  out: number
  restarts: number
  /** When it failed lately, ms. */
  crashes: number[]
  pause: number
  startedAt?: number
  error?: NonNullable<FlowView['error']>
  newer?: NonNullable<FlowView['newer']>
  timer?: NodeJS.Timeout
  /** The edges of its last run as they were at its end: what a flow that does not run would hear. */
  left: EdgeView[]
  /** Counted by the edges of earlier runs. */
  before: { in: number; dropped: number }
  readonly rateOut: Rate
  readonly rates: Map<number, Rate>
  /** Of its last outputs: how late they were on the bus, ms. */
  readonly delays: number[]
  /** When it last took long turns, ms. */
  longAt: number
  busyAt: number
}

export const newFlow = (file: FlowFile, params: Record<string, unknown>): FlowState => ({
  id: file.id,
  principal: { kind: 'flow', id: file.id, roles: [] },
  file,
  status: 'starting',
  params,
  kept: {},
  outputs: new Set(),
  lastOutput: '',
  out: 0,
  restarts: 0,
  crashes: [],
  pause: 0,
  left: [],
  before: { in: 0, dropped: 0 },
  rateOut: rate(),
  rates: new Map(),
  delays: [],
  longAt: -Infinity,
  busyAt: -Infinity,
})

export const newRun = (number: number, file: FlowFile): Run => ({
  number,
  file,
  inputs: [],
  seq: 0,
  at: 0,
  kept: {},
  retained: [],
  n: 0,
  keptNow: {},
  skips: [],
  isSkipsFull: false,
  longest: 0,
})

const SKIPS = 10_000

/** A run of dropped messages, remembered for as long as the run is. */
export const skipped = (run: Run, skip: Skip): void => {
  if (run.skips.length < SKIPS) run.skips.push(skip)
  else run.isSkipsFull = true
}
