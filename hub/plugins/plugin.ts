// A plugin is a flow that may touch the world: '#hub/plugin'. Same shape, same supervisor, same bounded edges.
import type { Observable } from 'rxjs'
import type { z } from 'zod'
import type { Principal } from '../bus/principal.ts'
import type { Device } from '../devices/devices.ts'
import type { Answer, CommandView, Interlock } from '../gate/gate.ts'
import type { CredentialRecord } from '../health/credential.ts'
import type { ErrorReport, HealthWord, Log } from '../health/report.ts'
import type { Routes } from '../http/app.ts'
import type { FromOptions } from '../streams/flow.ts'
import type { Heard, Message, Topic } from '../streams/message.ts'
import type { Request } from '../topics/core.ts'
import type { TopicRows } from '../topics/row.ts'

export * from '../streams/message.ts'
export { cleared } from '../streams/cleared.ts'
export * from '../topics/row.ts'
export type { FromOptions, Overload } from '../streams/flow.ts'
export type { Answer, CommandView, Interlock, GateRequest, Snapshot } from '../gate/gate.ts'
export type { Principal } from '../bus/principal.ts'
export type { AboutDevice, Device } from '../devices/devices.ts'
export type { Routes } from '../http/app.ts'
export type { Log, HealthWord, ErrorReport } from '../health/report.ts'
export type { CredentialRecord } from '../health/credential.ts'
export { Recoverable, Fatal, reasonOf } from '../errors.ts'
export { isSiteAddress, siteLookup } from '../health/site.ts'
export type {} from '../topics/core.ts'

/** What a plugin may ask the hub for, beyond messages. Named in `needs`, checked at start. */
export interface Capabilities {
  /** Issues credentials for devices this plugin stands for, and says where the broker listens. */
  credentials: {
    issue(device: string): Promise<{ clientId: string; username: string; password: string }>
    broker(): { host: string; port: number }
  }
  /** Addresses and secrets of this plugin's own peers, from peers.yaml in the data folder. */
  peers: {
    names(): string[]
    /** Throws NOT_FOUND, saying what to write where. */
    get(name: string): CredentialRecord
  }
  /** Other people's MQTT conventions: topics outside the hub's prefix, as bytes. Bounded by `native` in the plugin. */
  native: Native
  /** The registry of devices. */
  devices: {
    list(): Device[]
    get(id: string): Device | undefined
    ownerOf(id: string): string | undefined
    /** The stable id for a foreign name: slugged once and kept; a rename keeps the id. `key` is what the peer never changes. */
    idFor(foreign: { key: string; name: string }): string
    /** Makes the plugin the owner. Throws CONFLICT when another has it. */
    claim(id: string): void
    /** Forgets a device of this plugin: its row, its retained topics, its owner. Throws Forbidden for another's. */
    forget(id: string): Promise<void>
  }
  /** Asks the gate in the name of a person who called one of the plugin's routes. What the plugin wants itself it says by message. */
  requests: {
    ask(who: Principal, device: string, request: z.output<typeof Request>): Promise<Answer>
    command(id: string): Promise<CommandView | undefined>
  }
  /** What must outlive the process: JSON values by key, this plugin's own. */
  memory: Memory
}

/** A message of another convention. `payload` is as it came; empty clears a retained one. */
export interface NativeMessage {
  topic: string
  payload: Buffer
  /** Who published it: `device:plug`, `hub` for what an external broker brought. */
  origin: string
  seq: number
  /** ms since 1970; 0 when it was retained by an earlier run. */
  at: number
  retained: boolean
}

export interface Native {
  /** What is retained, then live. Never topics under the hub's own prefix. Throws Forbidden for a filter outside `native.hears`. */
  hear(filter: string): Observable<NativeMessage>
  /**
   * Answers a gate's command on another's topic. `answers` is the id of a `cmd` on a device of this plugin whose result is
   * not there yet; otherwise Forbidden is thrown, and nothing is sent.
   */
  command(message: { topic: string; payload: string | Buffer; qos?: 0 | 1; answers: string }): void
  /** Says a fact under `native.publishes`, such as a discovery record. An empty payload clears it. Throws Forbidden elsewhere and for topics that make something happen. */
  fact(message: { topic: string; payload: string | Buffer; retain: boolean }): void
  /** Topics that make something happen, as learnt from a device: from now on only this plugin may publish them. Replaces what it guarded before. */
  guard(topics: ReadonlySet<string>): void
  /** Whether the principal of an origin may publish a topic, or hear it: what it announces must be its own. */
  may(origin: string, what: 'publish' | 'hear', topic: string): boolean
}

/** At most 1 MiB a value and 32 MiB a plugin. */
export interface Memory {
  /** Undefined when it is not there or does not fit the schema. */
  get<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined>
  set(key: string, value: unknown): Promise<void>
  remove(key: string): Promise<void>
  /** Keys that begin with a prefix, in order. */
  keys(prefix: string): Promise<string[]>
}
export type Capability = keyof Capabilities

export interface Context<Config, In extends Topic, Needs extends Capability> {
  config: Config
  /** Messages of the topics in `handles`. */
  from: <T extends In>(topic: T, options?: FromOptions<T>) => Observable<Heard<T>>
  /** Topic prefix without the slash at its end, for native MQTT clients. */
  prefix: string
  /** OFFLINE_MODE: while it is on, nothing the plugin calls may lie outside the site. */
  offline: boolean
  use: Pick<Capabilities, Needs>
  log: Log
  health(word: HealthWord, what?: string): void
  report(error: Omit<ErrorReport, 'source'>): void
  /** Wall-clock ms. */
  now(): number
  /** Takes work that ends only after unsubscribing (a goodbye on the wire); the hub waits for it, but no longer than 1.5 s. */
  settle(work: Promise<unknown>): void
}

export interface Plugin<
  C extends z.ZodType = z.ZodType,
  In extends Topic = Topic,
  Out extends Topic = Topic,
  Needs extends Capability = Capability,
> {
  id: string
  title: string
  /** Every field described, with a default. */
  config: C
  /** Topics it reads; also its rights. */
  handles: readonly In[]
  /** Topics it writes; also its rights. */
  publishes: readonly Out[]
  needs?: readonly Needs[]
  /** Plugins that must run first. */
  after?: readonly string[]
  /** Its own topics (plugins/<id>/topics.ts). */
  topics?: TopicRows
  /** What it does with topics of other conventions: filters it hears, filters it says facts on, and whether it answers commands there. */
  native?: { hears?: readonly string[]; publishes?: readonly string[]; commands?: boolean }
  interlocks?: readonly Interlock[]
  routes?: Routes
  /** Off unless switched on: `DEMO=1` switches on plugins with `demo`. */
  enabled?: 'always' | 'demo' | 'configured'
  /** Starts the work; unsubscribing is stopping and must leave nothing behind. */
  start: (context: Context<z.output<C>, In, Needs>) => NoInfer<Observable<Message<Out>>>
}

/** Declares a plugin. An undeclared topic does not compile. */
export const definePlugin = <
  C extends z.ZodType,
  const In extends Topic,
  const Out extends Topic,
  const Needs extends Capability = never,
>(
  plugin: Plugin<C, In, Out, Needs>,
): Plugin<C, In, Out, Needs> => plugin
