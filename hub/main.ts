// The architecture on one screen: the parts of the hub, started downwards and stopped upwards. See docs/architecture.md.
import { join, resolve } from 'node:path'
import { z } from 'zod'
import project from '../package.json' with { type: 'json' }
import { openClaim } from './access/claim.ts'
import { matcher } from './access/filters.ts'
import { accessGuard } from './access/guard.ts'
import { openAccess } from './access/open.ts'
import { accessRoutes } from './access/routes.ts'
import { YES } from './broker/broker.ts'
import { openEmbeddedBroker } from './broker/embedded.ts'
import { openSessionStore } from './broker/sessions/open.ts'
import { sessionWords } from './broker/sessions/words.ts'
import { openBus } from './bus/open.ts'
import { HUB } from './bus/principal.ts'
import { wallClock } from './clock.ts'
import type { Config } from './config.ts'
import { reasonOf } from './errors.ts'
import { type OpenDevices, openDevices } from './devices/open.ts'
import { deviceRoutes } from './devices/routes.ts'
import { deviceLimits } from './gate/limits.ts'
import { openGate } from './gate/open.ts'
import { gateRoutes } from './gate/routes.ts'
import { openCorrelation } from './health/correlation.ts'
import { openErrorStore } from './health/errors-store.ts'
import { openHealth } from './health/health.ts'
import type { Health, Log } from './health/report.ts'
import { openLog } from './health/log.ts'
import { watchHub } from './health/watch.ts'
import { caRoutes, openTls, ownHosts } from './http/ca.ts'
import { isLan, openClaimPorts } from './http/claim-ports.ts'
import { healthRoutes } from './http/health-routes.ts'
import { openMetricsListener } from './http/metrics-listener.ts'
import { openWeb } from './http/web.ts'
import type { Journal } from './journal/entry.ts'
import { openJournal } from './journal/journal.ts'
import { keepWithin, wordsOf } from './journal/keep.ts'
import { journalRoutes } from './journal/routes.ts'
import { openParts } from './parts.ts'
import { discoverPlugins, startPlugins } from './plugins/host.ts'
import { pluginTopics } from './plugins/rights.ts'
import { flowRoutes } from './runner/routes.ts'
import { startRunner } from './runner/run.ts'
import { lockDataDir } from './store/lock.ts'
import { openStore } from './store/open.ts'
import { OPEN_TO_NETWORK, openSettings } from './store/settings.ts'
import { message } from './streams/message.ts'
import { core } from './topics/core.ts'
import { nativeCommands } from './topics/native.ts'
import { topicTable } from './topics/table.ts'

/** A hub that runs. */
export interface Hub {
  bind: string
  ports: {
    http: number
    https: number | undefined
    mqtt: number | undefined
    mqtts: number | undefined
    ws: number | undefined
  }
  health: Health
  log: Log
  /** The one-time code while nobody owns the hub. */
  claimCode: string | undefined
  /** Resolves when the claim asked to listen on the network: close this hub and start another. */
  reopen: Promise<void>
  /** ms from the call to ready, and of each part. */
  times: Readonly<Record<string, number>>
  /** Ends within five seconds. Never throws. */
  close(): Promise<void>
}

/** Starts every part. When one does not start, those before it are stopped again and its error is thrown. */
export const startHub = async (config: Config): Promise<Hub> => {
  const begun = performance.now()
  const data = (name: string) => join(config.DATA_DIR, name)
  const prefix = config.TOPIC_PREFIX
  const correlation = openCorrelation()
  const log = openLog({ level: config.LOG_LEVEL, correlation })
  const parts = openParts(log)
  const waiting = new Set(['store', 'journal', 'broker', 'plugins', 'flows', 'web'])
  // Parts that ask each other are joined here: whoever comes later is asked through these.
  const later: { journal?: Journal; devices?: OpenDevices } = {}
  const clock = wallClock((byMs) => later.journal?.note('clock-step', { byMs }))
  try {
    const health = await parts.start('health', openHealth({ clock, log }), (part) => part.close())
    await parts.start('data folder', lockDataDir(config.DATA_DIR), (held) => held.release())
    const durability = config.DURABILITY
    const store = await parts.start(
      'store',
      openStore({
        url: config.DATABASE_URL,
        file: data('hub.sqlite'),
        log: log.of('store'),
        durability,
        lost: (why) => health.set('store', 'unhealthy', `${why.message} Restart the hub.`),
      }),
      (part) => part.close(),
    )
    const settings = openSettings(store)
    const errors = await parts.start(
      'errors',
      openErrorStore({ store, clock, log, retainDays: config.file.errors.days }),
      (part) => part.close(),
    )
    const bind = config.BIND ?? ((await settings.get(OPEN_TO_NETWORK, z.boolean())) ? '0.0.0.0' : '127.0.0.1')
    waiting.delete('store')

    const found = await discoverPlugins(config.PLUGINS_DIR)
    const table = topicTable([core, ...found.topicTables.map(({ rows }) => rows)], prefix)
    const sessions = await parts.start(
      'sessions',
      openSessionStore({
        file: data('sessions.sqlite'),
        durability,
        clock,
        log: log.of('sessions'),
        ...sessionWords(health),
      }),
      (part) => part.close(),
    )
    const journal = await parts.start(
      'journal',
      openJournal(data('journal'), { durability, clock, snapshot: () => bus.snapshot(), ...wordsOf(health) }),
      (part) => part.close(),
    )
    later.journal = journal
    clock.resume(journal.lastAt)
    const bus = openBus({
      table,
      journal,
      clock,
      health,
      journalExcept: config.file.journal.except,
      mayPublish: (who, topic) => access.mayPublish(who, topic),
      mayOwn: (origin, device) => later.devices?.mayWrite(origin, device) ?? YES,
    })
    bus.restore(await sessions.retained())
    health.connect((event, { severity, source }) => {
      errors.add(event)
      bus.publish(HUB, message('errors/{severity}/{source}', { severity, source }, event))
    })
    await parts.start('retention', keepWithin(journal, config.file.journal, { clock, log, health }), (stop) => stop())
    waiting.delete('journal')

    const isCommand = nativeCommands.map(matcher)
    const access = await parts.start(
      'access',
      openAccess({
        store,
        dataDir: config.DATA_DIR,
        clock,
        log: log.of('access'),
        health,
        prefix,
        table,
        ownerOf: (device) => later.devices?.ownerOf(device),
        claimOwner: (device, owner) => later.devices?.claim(device, owner),
        nativeCommands: (topic) => isCommand.some((matches) => matches(topic)),
        pluginTopics: pluginTopics(found, table),
        adminUser: config.ADMIN_USER,
        adminPassword: config.ADMIN_PASSWORD,
      }),
      (part) => part.close(),
    )
    const devices = await parts.start(
      'devices',
      openDevices({ bus, store, clock, log, health, prefix, access }),
      (part) => part.close(),
    )
    later.devices = devices
    const gate = await parts.start(
      'gate',
      openGate({
        bus,
        store,
        devices,
        access,
        clock,
        log,
        health,
        prefix,
        journal,
        principalOf: access.principalOf,
        limits: deviceLimits(config.file.limits),
      }),
      (part) => part.close(),
    )

    const tls = await parts.start(
      'tls',
      openTls({
        dir: data('tls'),
        names: ownHosts().names,
        addresses: () => ownHosts().addresses,
        clock,
        log: log.of('tls'),
      }),
      (part) => part.close(),
    )
    const pair = () => ({ key: tls.key, cert: tls.cert })
    const broker = await parts.start(
      'broker',
      openEmbeddedBroker({
        rights: access,
        intake: bus,
        persistence: sessions,
        listen: {
          bind,
          mqtt: config.MQTT_PORT,
          mqtts: { port: config.MQTTS_PORT, tls: pair() },
          ws: config.MQTT_WS_PORT,
        },
        log: log.of('broker'),
        health,
        clock,
      }),
      (part) => part.close(),
    )
    bus.connect(broker)
    tls.onRenew((renewed) => broker.renewTls(renewed))
    waiting.delete('broker')

    const capabilities = {
      credentials: {
        issue: (device: string) => access.issueCredential(device),
        broker: () => ({
          host: bind === '0.0.0.0' || bind === '::' ? '127.0.0.1' : bind,
          port: broker.ports.mqtt ?? 0,
        }),
      },
    }
    const plugins = await parts.start(
      'plugins',
      startPlugins(found, {
        settings: config.file.plugins,
        demo: config.DEMO,
        bus,
        gate,
        capabilities,
        prefix,
        clock,
        log,
        health,
      }),
      (part) => part.close(),
    )
    waiting.delete('plugins')
    const topicFiles = found.topicTables.map(({ plugin }) => join(config.PLUGINS_DIR, plugin, 'topics.ts'))
    const runner = await parts.start(
      'flows',
      startRunner({
        flowsDir: config.FLOWS_DIR,
        topicFiles,
        bus,
        journal,
        prefix,
        clock,
        log: log.of('runner'),
        health,
      }),
      (part) => part.close(),
    )
    waiting.delete('flows')

    const claim = openClaim({ access, settings, clock, log: log.of('access') })
    const routes = [
      healthRoutes({ health, clock, version: project.version, notReady: () => [...waiting], errors }),
      caRoutes(tls),
      accessRoutes({ access, claim, prefix }),
      deviceRoutes({ devices, access }),
      gateRoutes({ gate, store }),
      journalRoutes({ journal, prefix }),
      flowRoutes({ runner }),
      ...plugins.routes,
    ]
    const web = await parts.start(
      'web',
      openWeb({
        config: {
          bind,
          httpPort: config.HTTP_PORT,
          httpsPort: config.HTTPS_PORT,
          allowedOrigins: config.ALLOWED_ORIGINS,
          uiDir: resolve(import.meta.dirname, '../ui/dist'),
        },
        tls,
        clock,
        log,
        health,
        correlation,
        guard: accessGuard({ access, claimed: () => access.claimed, allowedOrigins: config.ALLOWED_ORIGINS, clock }),
        routes,
        mqttOverWebSocket: broker.handle,
        openapi: { title: 'Millrace', version: project.version },
      }),
      (part) => part.close(),
    )
    if (claim.code !== undefined && config.BIND === undefined) {
      const claimPorts = await parts.start(
        'claim',
        openClaimPorts({
          app: web.app,
          addresses: ownHosts().addresses.filter(isLan),
          port: web.ports.https ?? 0,
          tls: pair(),
          failed: (address, error) => log.warn('claim-port-closed', { address, error: reasonOf(error) }),
        }),
        (part) => part.close(),
      )
      claim.onClaimed(() => claimPorts.close())
    }
    if (config.METRICS_BIND !== undefined)
      await parts.start(
        'metrics',
        openMetricsListener({ bind: config.METRICS_BIND, metrics: health.metrics }),
        (part) => part.close(),
      )
    await parts.start('watch', watchHub({ bus, broker, journal, runner, gate, devices, health, clock, log }), (stop) =>
      stop(),
    )
    waiting.delete('web')

    journal.note('hub-start', { version: project.version, node: process.version })
    const times = { ...parts.times(), ready: Math.round(performance.now() - begun) }
    log.info('hub-ready', { version: project.version, ...times })
    return {
      bind,
      health,
      log,
      ports: { ...web.ports, ...broker.ports },
      claimCode: claim.code,
      reopen: new Promise((done) =>
        claim.onClaimed(({ openToNetwork }) => openToNetwork && config.BIND === undefined && done()),
      ),
      times,
      async close() {
        journal.note('hub-stop', {})
        await parts.stop()
        log.flush()
      },
    }
  } catch (error) {
    await parts.stop()
    log.flush()
    throw error
  }
}
