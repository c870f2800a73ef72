// The hub's end of the process of flows, as the runner sees it.
import type { Clock } from '../clock.ts'
import type { Log } from '../health/report.ts'
import type { Envelope } from '../bus/envelope.ts'
import type { Journal } from '../journal/entry.ts'
import type { Gap } from './edges.ts'
import type { Item, Output } from './frame.ts'
import type { Skip } from './history.ts'
import type { Input } from './host.ts'
import type { Loaded, LoadOrder } from './loads.ts'
import type { ProcessLimits, Verdict } from './process.ts'
import type { ChildEvent } from './protocol.ts'

export interface LinkLimits extends ProcessLimits {
  /** ms for a flow's file to load. */
  loadMs: number
  /** First and longest pause before a dead process is started again, ms. */
  respawnMs: { first: number; longest: number }
}

export interface LinkOptions {
  flowsDir: string
  topicFiles: readonly string[]
  prefix: string
  /** Where the hub stands, for schedules. */
  site?: { timezone: string; latitude?: number; longitude?: number }
  clock: Clock
  log: Log
  limits: LinkLimits
  journal: Pick<Journal, 'read' | 'reserve'>
  publish(output: Output): void
  /** What the process says of flows, but for answers to `load` and `start`. */
  event(event: ChildEvent): void
  gap(gap: Gap): void
  /** The process is gone. Another one follows; then `up` is called. */
  down(verdict: Verdict): void
  /** A process is there, without flows: load them and begin or resume each. */
  up(): Promise<void>
  /** Time has jumped ahead, by so many ms: called before anything is sent that tells the new time. */
  jumped(byMs: number): void
  /** Its whole history can be heard again. */
  isExact(flow: number): boolean
  /** A resumed flow has caught up with the others; with an error when its history could not be read. */
  present(flow: number, error?: Error): void
}

/** A new run, at the present position. */
export interface Begin {
  kept: Readonly<Record<string, unknown>>
  retained(inputs: readonly Input[]): Envelope[]
  /** The run whose place it takes between two messages, with what that one kept. */
  replaces?: number
  /** Called before anything that it says is heard. */
  begun(begun: Begun): void
}

export interface Begun {
  /** It hears what comes after this, from that time on. */
  seq: number
  at: number
  kept: Readonly<Record<string, unknown>>
  retained: readonly Item[]
}

/** A run that goes on: it hears its history in silence, then what waits for it. */
export interface Resume extends Begun {
  /** What it keeps when its history is over. */
  keptNow: Readonly<Record<string, unknown>>
  /** Outputs up to this number were said before. */
  mutedTo: number
  /** Says nothing at all before its history is over. */
  silent: boolean
  skips: readonly Skip[]
}

export interface Link {
  /** Starts the first process; resolves when `up` has returned, or when the first try has failed. */
  start(): Promise<void>
  offer(envelope: Envelope): void
  /** Loads a flow's file in the process. Rejects with Unloadable, or with Recoverable when the process is gone or has never been: then it is started, and `up` is called. */
  load(flow: number, order: LoadOrder): Promise<Loaded>
  /** Starts a loaded flow at the present position. Rejects with Recoverable when the process ends meanwhile. */
  begin(flow: number, inputs: readonly Input[], begin: Begin): Promise<void>
  /** Starts a loaded flow where an earlier process, or an earlier hub, left it. `present` is called when it is there. */
  resume(flow: number, inputs: readonly Input[], resume: Resume): void
  /** Reads the history of all that were resumed since the last call. */
  catchUp(): void
  stop(flow: number): void
  /** Gives a flow a lane of its own, so that it holds up nobody; or takes it away. */
  slow(flow: number, on: boolean): void
  isSlow(flow: number): boolean
  /** Up to which seq a run that waits for a process has heard; undefined when it is new to this link. */
  position(flow: number): number | undefined
  /** It is not yet where the others are. */
  isBehind(flow: number): boolean
  /** Lets every turn be marked: whoever ends the process next is named. */
  markAll(on: boolean): void
  edge(edge: number): { in: number; dropped: number }
  forgetCounts(inputs: readonly Input[]): void
  depths(flow: number): number[]
  /** What waits in the common line. */
  readonly waiting: number
  /** Replaces the process when nothing is outstanding or `withinMs` have passed, without a culprit. */
  recycle(withinMs: number): Promise<void>
  /** What the runner's page shows of the process. */
  view(): { pid?: number; restarts: number; sent: number; waiting: number; rss: number; behind: number }
  close(): Promise<void>
}

export type { Verdict }
