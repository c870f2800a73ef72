// The plugin host: starts what was discovered, each plugin supervised, within its declared topics, on bounded edges.
import { reasonOf } from '../errors.ts'
import type { Gate } from '../gate/gate.ts'
import type { Routes } from '../http/app.ts'
import type { Message } from '../streams/message.ts'
import { contextOf, partOf, publishAs, type World } from './context.ts'
import type { Found } from './discover.ts'
import { inOrder } from './order.ts'
import type { Plugin } from './plugin.ts'
import { pluginRoutes } from './routes.ts'
import { assertKnown, configOf, isEnabled, type Settings } from './settings.ts'
import { type Limits, LIMITS, type Run, supervise, type Supervised } from './supervise.ts'
import type { PluginStatus, PluginView } from './view.ts'

export type { PluginStatus, PluginView } from './view.ts'
export { discoverPlugins, type Found } from './discover.ts'

export interface PluginDeps extends World {
  /** Per plugin id, from the config file. */
  settings: Settings
  demo: boolean
  gate: Pick<Gate, 'addInterlock'>
  limits?: Limits
}

export interface Plugins {
  list(): PluginView[]
  /** `GET /api/plugins`, and the routes of every plugin that is switched on. */
  routes: readonly Routes[]
  /** Stops all, the last started first; each has 1.5 seconds. */
  close(): Promise<void>
}

interface Seat {
  id: string
  title: string
  plugin?: Plugin
  status: PluginStatus
  error?: string
  supervised?: Supervised
}

const viewOf = ({ id, title, plugin, status, error, supervised }: Seat): PluginView => ({
  id,
  title,
  status,
  handles: [...(plugin?.handles ?? [])],
  publishes: [...(plugin?.publishes ?? [])],
  restarts: supervised?.run().restarts ?? 0,
  ...(error === undefined ? {} : { error }),
})

/**
 * Starts the plugins that are switched on, those named in `after` first. A plugin that cannot start is named in health, on the
 * error bus and in `list()`; the others go on. Throws Fatal when `settings` name a plugin that does not exist.
 */
export const startPlugins = (found: Found, deps: PluginDeps): Plugins => {
  const { settings, demo, bus, gate, capabilities, clock, health, limits = LIMITS } = deps
  const log = deps.log.of('plugins')
  assertKnown(found, settings)

  const report = (id: string, type: string, message: string, thrown?: unknown): void => {
    const stack = thrown instanceof Error && thrown.stack !== undefined ? { stack: thrown.stack } : {}
    health.report({
      source: partOf(id),
      type,
      message,
      severity: 'error',
      category: 'system',
      details: { plugin: id },
      ...stack,
    })
  }

  const fail = (seat: Seat, status: PluginStatus, error: string): void => {
    seat.status = status
    seat.error = error
    log.error('plugin-not-started', { plugin: seat.id, status, error })
    health.set(partOf(seat.id), 'degraded', `Plugin '${seat.id}' ${status}: ${error}`)
    report(seat.id, 'PluginNotStarted', `Plugin '${seat.id}' ${status}: ${error}`)
  }

  const publish = (plugin: Plugin, output: Message): void => {
    try {
      publishAs(plugin, output, bus)
    } catch (error) {
      health.metrics.count('plugin_refused_total', 'Messages of plugins that were refused.', {
        plugin: plugin.id,
      })
      report(plugin.id, 'PluginMessageRefused', reasonOf(error), error)
    }
  }

  const crashed = (seat: Seat, { status, error = '' }: Run, thrown: unknown): void => {
    const what =
      status === 'restarting'
        ? `Plugin '${seat.id}' failed and is being restarted: ${error}`
        : `Plugin '${seat.id}' failed ${limits.crashes} times in ${limits.withinMs / 1000} s and is quarantined until the hub starts again: ${error}`
    health.metrics.count('plugin_crashes_total', 'Crashes of plugins.', { plugin: seat.id })
    health.set(partOf(seat.id), 'degraded', what)
    report(seat.id, status === 'restarting' ? 'PluginCrashed' : 'PluginQuarantined', what, thrown)
  }

  const changed = (seat: Seat, run: Run, thrown: unknown): void => {
    seat.status = run.status
    if (run.error !== undefined) seat.error = run.error
    log.info('plugin-status', { plugin: seat.id, ...run })
    if (run.status === 'restarting' || run.status === 'quarantined') crashed(seat, run, thrown)
    if (run.status === 'stopped') health.drop(partOf(seat.id))
    if (run.status === 'stopped' && thrown !== undefined) report(seat.id, 'PluginStopFailed', reasonOf(thrown), thrown)
  }

  const begin = (seat: Seat, plugin: Plugin): void => {
    const missing = (plugin.needs ?? []).find((need) => !(need in capabilities(plugin)))
    if (missing !== undefined) {
      fail(seat, 'not startable', `needs: '${missing}' is not offered by this hub`)
      return
    }
    const read = configOf(plugin, settings)
    if ('error' in read) {
      fail(seat, 'misconfigured', read.error)
      return
    }
    seat.supervised = supervise<Message>({
      start: (settle) => {
        // Stated before the run, so that what the plugin says of itself meanwhile stands.
        health.set(partOf(plugin.id), 'healthy')
        return plugin.start(contextOf(plugin, read.config, settle, deps))
      },
      take: (output) => {
        publish(plugin, output)
      },
      changed: (run, thrown) => {
        changed(seat, run, thrown)
      },
      now: () => clock.now(),
      limits,
    })
  }

  const enabled = found.plugins.filter((plugin) => isEnabled(plugin, settings, demo))
  const seats: Seat[] = [
    ...found.plugins.map((plugin): Seat => ({
      id: plugin.id,
      title: plugin.title,
      plugin,
      status: enabled.includes(plugin) ? 'starting' : 'off',
    })),
    ...found.bad.map(({ id }): Seat => ({ id, title: id, status: 'failed to load' })),
  ]
  const seatOf = (id: string): Seat | undefined => seats.find((seat) => seat.id === id)
  const whyNot = (id: string): string => {
    const seat = seatOf(id)
    if (!seat) return 'is not here'
    return seat.status === 'off' ? 'is switched off' : seat.status
  }

  for (const { id, error } of found.bad) {
    const seat = seatOf(id)
    if (seat) fail(seat, 'failed to load', error)
  }
  // An interlock guards whether or not its plugin comes up.
  for (const interlock of enabled.flatMap(({ interlocks }) => interlocks ?? [])) gate.addInterlock(interlock)
  const { ready, stuck } = inOrder(enabled, whyNot)
  for (const { node, error } of stuck) {
    const seat = seatOf(node.id)
    if (seat) fail(seat, 'not startable', error)
  }
  const started: Seat[] = []
  for (const plugin of ready) {
    const seat = seatOf(plugin.id)
    if (!seat) continue
    started.unshift(seat)
    begin(seat, plugin)
  }

  const routesOf = ({ id, routes }: Plugin): Routes[] => {
    if (!routes) return []
    return [
      (app) => {
        try {
          routes(app)
        } catch (error) {
          const what = `Plugin '${id}' could not add its routes: ${reasonOf(error)}`
          health.set(`${partOf(id)}:routes`, 'degraded', what)
          report(id, 'PluginRoutesFailed', what, error)
        }
      },
    ]
  }

  const list = (): PluginView[] => seats.map(viewOf).sort((a, b) => a.id.localeCompare(b.id))

  const stop = async ({ id, supervised }: Seat): Promise<void> => {
    if (!supervised || (await supervised.stop())) return
    const what = `Plugin '${id}' did not finish stopping within ${limits.stopMs / 1000} s; the hub went on.`
    log.warn('plugin-stop-late', { plugin: id })
    report(id, 'PluginStopLate', what)
  }

  return {
    list,
    routes: [pluginRoutes(list), ...enabled.flatMap(routesOf)],
    close: async () => {
      await Promise.all(started.map(stop))
    },
  }
}
