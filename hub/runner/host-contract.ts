// What the host and whoever runs it say to each other: definitions, starts, what flows say and keep.
import type { Overload } from '../streams/flow.ts'
import type { Item, Output } from './frame.ts'

/** One `from(…)` of a flow, as the hub needs to know it. */
export interface Input {
  /** Number of the edge: unique in the host, the same again when the same flow is defined again. */
  edge: number
  topic: string
  /** MQTT filter of what it hears. */
  filter: string
  /** Starts with the retained values. */
  latest: boolean
  overload: Overload
}

/** What is wrong with a payload. */
export interface Wrong {
  field: string
  constraint: string
}

/** What a flow is before it runs: what it hears, and what people may change of it. */
export interface Definition {
  inputs: Input[]
  /** `schema` is a JSON Schema; `values` are complete, defaults filled in. */
  params?: { schema: Record<string, unknown>; values: Record<string, unknown> }
}

/** Where a flow begins. */
export interface Start {
  /** Its logical time, ms since 1970. */
  at: number
  /** It hears what comes after this `seq`. */
  since?: number
  /** Its outputs and keep changes are numbered from here on. */
  n?: number
  /** What is retained at its position: `from.latest` begins with these. */
  retained?: Iterable<Item>
  /** What it kept, by key. */
  kept?: Readonly<Record<string, unknown>>
  /** Outputs and keep changes up to this n were said before: they are counted and not said. Infinity: say nothing until `speak`. */
  mutedTo?: number
  /** The flow's name: with `at` and `since` it makes the ids of its requests. Default: its number. */
  name?: string
}

/** A change of what a flow keeps. (flow, start, n) is its name, as with outputs. */
export interface Kept {
  readonly flow: number
  /** Counted together with the outputs. */
  readonly n: number
  readonly at: number
  readonly cause: number
  readonly key: string
  /** As JSON has it; absent when the key is forgotten. */
  readonly value?: unknown
}

/** A kept value that does not fit its schema any more: its initial value is used instead. */
export interface SetAside {
  readonly flow: number
  readonly key: string
  readonly value: unknown
  readonly constraint: string
}

/** A flow, from outside. */
export interface HostView {
  /** Of its last output or keep change. */
  n: number
  /** Its logical time. */
  at: number
  /** Up to which message it has heard. */
  seq: number
  /** Its longest wait, ms. */
  longest: number
  /** How many of its timers wait. */
  pending: number
}

/** What the host tells whoever runs it. */
export interface Listener {
  output(output: Output): void
  kept(kept: Kept): void
  setAside(what: SetAside): void
  /** A flow threw, or did what flows may not; it has been stopped. `cause` is the `seq` of what it answered, 0 for none. */
  failed(flow: number, error: unknown, cause: number): void
  /** A flow completed: it will say nothing more. */
  ended(flow: number): void
  /** A payload does not fit its topic; no flow got it. */
  bad(item: Item, wrong: Wrong): void
  /** Before each turn: the name of the flow, where a watchdog can read it. */
  turn?(flow: number): void
}
