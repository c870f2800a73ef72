// What one plugin is given: its settings, the topics it declared and the capabilities it named; nothing beyond.
import type { Bus } from '../bus/bus.ts'
import type { Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Forbidden } from '../errors.ts'
import type { Health, Log } from '../health/report.ts'
import type { Message, Topic } from '../streams/message.ts'
import type { Capabilities, Capability, Context, Plugin } from './plugin.ts'

export interface World {
  bus: Pick<Bus, 'from' | 'publish'>
  /** What a plugin may be given. */
  capabilities: (plugin: Pick<Plugin, 'id' | 'native'>) => Capabilities
  /** Topic prefix without the slash at its end. */
  prefix: string
  /** OFFLINE_MODE. */
  offline: boolean
  clock: Pick<Clock, 'now'>
  log: Log
  health: Health
}

const principalOf = (id: string): Principal => ({ kind: 'plugin', id, roles: [] })

/** A plugin's name in health, on the error bus, in the log and on its edges. */
export const partOf = (id: string): string => `plugin:${id}`

/** Refuses every capability the plugin did not name in `needs`. */
const granted = (plugin: Plugin, capabilities: Capabilities): Capabilities =>
  new Proxy(capabilities, {
    get(all, name) {
      const allowed = (plugin.needs ?? []).find((need: Capability) => need === name)
      if (allowed === undefined)
        throw new Forbidden(`Plugin '${plugin.id}' must name '${String(name)}' in needs to use it.`)
      return all[allowed]
    },
  })

/** The context of one run; `settle` takes work that ends only after unsubscribing. */
export const contextOf = (
  plugin: Plugin,
  config: unknown,
  settle: (work: Promise<unknown>) => void,
  { bus, capabilities, prefix, offline, clock, log, health }: World,
): Context<unknown, Topic, Capability> => ({
  config,
  prefix,
  offline,
  settle,
  use: granted(plugin, capabilities(plugin)),
  log: log.of(partOf(plugin.id)),
  from: (topic, options) => {
    if (!plugin.handles.includes(topic))
      throw new Forbidden(`Plugin '${plugin.id}' must name '${topic}' in handles to read it.`)
    return bus.from(topic, { ...options, name: partOf(plugin.id) })
  },
  health: (word, what) => {
    health.set(partOf(plugin.id), word, what)
  },
  report: (error) => {
    health.report({ ...error, source: partOf(plugin.id) })
  },
  now: () => clock.now(),
})

/** Publishes an output as the plugin. Throws Forbidden for a topic it did not declare, and what the bus throws. */
export const publishAs = (plugin: Plugin, output: Message, bus: Pick<Bus, 'publish'>): void => {
  if (!plugin.publishes.includes(output.topic))
    throw new Forbidden(`Plugin '${plugin.id}' must name '${output.topic}' in publishes to write it.`)
  bus.publish(principalOf(plugin.id), output)
}
