// The part of the hub that is the web: certificate, app with every part's routes, the claim on the network, metrics on a port of their own.
import { join, resolve } from 'node:path'
import project from '../../package.json' with { type: 'json' }
import type { Access } from '../access/access.ts'
import type { Claim } from '../access/claim.ts'
import { accessGuard } from '../access/guard.ts'
import { accessRoutes } from '../access/routes.ts'
import type { Base } from '../base.ts'
import type { Broker } from '../broker/broker.ts'
import { brokerRoutes } from '../broker/routes.ts'
import type { SessionStore } from '../broker/sessions/store.ts'
import type { Devices } from '../devices/devices.ts'
import { deviceRoutes } from '../devices/routes.ts'
import { reasonOf } from '../errors.ts'
import type { Gate } from '../gate/gate.ts'
import { gateRoutes } from '../gate/routes.ts'
import type { ErrorStore } from '../health/errors-store.ts'
import type { Journal } from '../journal/entry.ts'
import { journalRoutes } from '../journal/routes.ts'
import type { Plugins } from '../plugins/host.ts'
import type { Replays } from '../runner/replay/replays.ts'
import { replayRoutes } from '../runner/replay/routes.ts'
import { flowRoutes } from '../runner/routes.ts'
import type { Runner } from '../runner/runner.ts'
import type { Settings } from '../store/settings.ts'
import type { Store } from '../store/store.ts'
import type { TopicTable } from '../topics/table.ts'
import { caRoutes, openTls, ownHosts, type Tls } from './ca.ts'
import { isLan, openClaimPorts } from './claim-ports.ts'
import { healthRoutes } from './health-routes.ts'
import { networkRoutes } from './network-routes.ts'
import { openMetricsListener } from './metrics-listener.ts'
import { openWeb, type Web } from './web.ts'

const UI = resolve(import.meta.dirname, '../../ui/dist')

export const tlsPart = ({ config, clock, log }: Base): Promise<Tls> =>
  openTls({
    dir: join(config.DATA_DIR, 'tls'),
    names: ownHosts().names,
    addresses: () => ownHosts().addresses,
    clock,
    log: log.of('tls'),
  })

interface Above extends Base {
  settings: Settings & { bind: string }
  store: Store
  errors: ErrorStore
  journal: Journal
  access: Access
  devices: Devices
  gate: Gate
  table: TopicTable
  sessions: SessionStore
  tls: Tls
  broker: Broker
  plugins: Plugins
  runner: Runner
  replays: Replays
  claim: Claim
}

/** Without these the hub cannot do its work. */
const REQUIRED = new Set(['store', 'journal', 'sessions', 'broker', 'audit'])

/** What has not started yet, and what is needed and broken. */
const missing = ({ waiting, health }: Pick<Base, 'waiting' | 'health'>): string[] => [
  ...waiting,
  ...health.parts().flatMap(({ part, status }) => (status === 'unhealthy' && REQUIRED.has(part) ? [part] : [])),
]

/** Every route of the hub. */
const routes = (above: Above) => {
  const {
    config,
    clock,
    health,
    store,
    errors,
    journal,
    access,
    devices,
    gate,
    tls,
    plugins,
    runner,
    replays,
    claim,
    settings,
    reopening,
    broker,
    sessions,
    table,
    log,
  } = above
  const prefix = config.TOPIC_PREFIX
  return [
    healthRoutes({ health, clock, version: project.version, notReady: () => missing(above), errors }),
    caRoutes(tls),
    accessRoutes({
      access,
      claim,
      prefix,
      publicUrl: config.file.access.publicUrl,
      allowedOrigins: config.ALLOWED_ORIGINS,
    }),
    deviceRoutes({ devices, access }),
    gateRoutes({ gate, store }),
    journalRoutes({ journal, prefix }),
    flowRoutes({ runner }),
    replayRoutes({ replays }),
    brokerRoutes({ broker, sessions, access, table, log: log.of('broker') }),
    networkRoutes({ settings, fixed: config.BIND, reopen: reopening.ask }),
    ...plugins.routes,
  ]
}

export const webPart = async (above: Above): Promise<Web> => {
  const { config, clock, log, health, correlation, ready, settings, access, tls, broker } = above
  const allowedOrigins = config.ALLOWED_ORIGINS
  const web = await openWeb({
    config: {
      bind: settings.bind,
      httpPort: config.HTTP_PORT,
      httpsPort: config.HTTPS_PORT,
      allowedOrigins,
      uiDir: UI,
    },
    tls,
    clock,
    log,
    health,
    correlation,
    guard: accessGuard({ access, claimed: () => access.claimed, allowedOrigins, clock }),
    routes: routes(above),
    mqttOverWebSocket: broker.handle,
    openapi: { title: 'Millrace', version: project.version },
  })
  ready('web')
  return web
}

/** While nobody owns the hub and no address was configured, the claim page alone answers on the network. */
export const claimPortsPart = async ({ config, log, tls, claim, web }: Base & { tls: Tls; claim: Claim; web: Web }) => {
  if (claim.code === undefined || config.BIND !== undefined) return undefined
  const ports = await openClaimPorts({
    app: web.app,
    addresses: ownHosts().addresses.filter(isLan),
    port: web.ports.https ?? 0,
    tls: { key: tls.key, cert: tls.cert },
    failed: (address, error) => log.warn('claim-port-closed', { address, error: reasonOf(error) }),
  })
  claim.onClaimed(() => ports.close())
  return ports
}

export const metricsPart = ({ config, health }: Base) =>
  config.METRICS_BIND === undefined
    ? undefined
    : openMetricsListener({ bind: config.METRICS_BIND, metrics: health.metrics })
