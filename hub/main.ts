// The architecture on one screen: the parts of the hub, started downwards and stopped upwards. See docs/architecture.md.
import { accessPart, claimPart } from './access/part.ts'
import { openBase } from './base.ts'
import { brokerPart, sessionsPart } from './broker/part.ts'
import { busPart } from './bus/part.ts'
import type { Config } from './config.ts'
import { devicesPart } from './devices/part.ts'
import { gatePart } from './gate/part.ts'
import { watchPart } from './health/watch.ts'
import { claimPortsPart, metricsPart, tlsPart, webPart } from './http/part.ts'
import { journalPart, retentionPart } from './journal/part.ts'
import { partsOn } from './parts.ts'
import { foundPart, pluginsPart, tablePart } from './plugins/part.ts'
import { runnerPart } from './runner/part.ts'
import { replaysPart } from './runner/replay/part.ts'
import { errorsPart, folderPart, settingsPart, storePart } from './store/part.ts'

/** The hub's parts on top of settings, time, log and health. Each sees those above it, and nothing else. */
export const parts = (config: Config) =>
  partsOn(openBase(config))
    .part('folder', folderPart) //          one hub at a time in the data folder
    .together({
      store: storePart, //                  tables, on SQLite off the main thread or PostgreSQL
      sessions: sessionsPart, //            retained messages, subscriptions, queues of MQTT clients
      found: foundPart, //                  the plugins there are
    })
    .part('settings', settingsPart) //      what a person set; the address everything binds
    .part('errors', errorsPart) //          the last week of error events
    .part('table', tablePart) //            every topic: core, and each plugin's
    .part('journal', journalPart) //        the record of every message
    .part('retention', retentionPart) //    how long it is kept
    .part('bus', busPart) //                the one way in; bounded edges to everyone inside
    .part('access', accessPart) //          who may do what
    .part('devices', devicesPart) //        who is there, and who owns it
    .part('gate', gatePart) //              where a wish becomes a command
    .part('tls', tlsPart) //                the hub's own certificate
    .part('broker', brokerPart) //          where devices come in
    .part('plugins', pluginsPart) //        the world
    .part('runner', runnerPart) //          the flows, in a process of their own
    .part('replays', replaysPart) //        what a flow would say now to what was recorded
    .part('claim', claimPart) //            the first user
    .part('web', webPart) //                API, app, MQTT over WebSocket
    .part('claimPorts', claimPortsPart) //  the claim page on the network, until it is used
    .part('metrics', metricsPart) //        /metrics on a port of its own, when asked for
    .part('watch', watchPart) //            gauges, and the hub's health on the bus

/** A hub that runs. */
export type Hub = Awaited<ReturnType<typeof startHub>>

/** Starts every part. When one does not start, those above it are stopped again and its error is thrown. */
export const startHub = async (config: Config) => {
  const begun = performance.now()
  const table = parts(config)
  const { up, times, stop } = await table.start()
  const { settings, web, broker, claim, claimPorts, health, log, access } = up
  log.info('hub-ready', { ...times, ready: Math.round(performance.now() - begun) })
  return {
    bind: settings.bind,
    ports: { ...web.ports, ...broker.ports },
    /** The one-time code while nobody owns the hub. */
    claimCode: access.claimed ? undefined : claim.code,
    /** Where the claim page answers besides this machine. */
    claimUrls: claimPorts?.urls ?? [],
    /** Resolves when it shall listen elsewhere: close this hub and start another. */
    reopen: up.reopening.asked,
    health,
    log,
    readyMs: Math.round(performance.now() - begun),
    /** Ends within five seconds. Never throws. */
    async close() {
      await stop()
      health.close()
      log.flush()
    },
  }
}
