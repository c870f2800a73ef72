// A plugin is a flow that may touch the world: '#hub/plugin'. Same shape, same supervisor, same bounded edges.
import type { Observable } from 'rxjs'
import type { z } from 'zod'
import type { Interlock } from '../gate/gate.ts'
import type { CredentialRecord } from '../health/credential.ts'
import type { ErrorReport, HealthWord, Log } from '../health/report.ts'
import type { Routes } from '../http/app.ts'
import type { FromOptions } from '../streams/flow.ts'
import type { Heard, Message, Topic } from '../streams/message.ts'
import type { TopicRows } from '../topics/row.ts'

export * from '../streams/message.ts'
export * from '../topics/row.ts'
export type { FromOptions, Overload } from '../streams/flow.ts'
export type { Interlock, GateRequest, Snapshot } from '../gate/gate.ts'
export type { Log, HealthWord, ErrorReport } from '../health/report.ts'
export type { CredentialRecord } from '../health/credential.ts'
export { Recoverable, Fatal, reasonOf } from '../errors.ts'
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
}
export type Capability = keyof Capabilities

export interface Context<Config, In extends Topic, Needs extends Capability> {
  config: Config
  /** Messages of the topics in `handles`. */
  from: <T extends In>(topic: T, options?: FromOptions<T>) => Observable<Heard<T>>
  /** Topic prefix without the slash at its end, for native MQTT clients. */
  prefix: string
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
