// The part of the hub that is the plugins: found first, because the topic table needs theirs; started when there is a broker to connect to.
import { join } from 'node:path'
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { Broker } from '../broker/broker.ts'
import type { Bus } from '../bus/bus.ts'
import { Recoverable } from '../errors.ts'
import type { Gate } from '../gate/gate.ts'
import { core } from '../topics/core.ts'
import { topicTable, type TopicTable } from '../topics/table.ts'
import { discoverPlugins, type Found, startPlugins } from './host.ts'
import { readPeers } from './peers.ts'

export const foundPart = ({ config }: Base): Promise<Found> => discoverPlugins(config.PLUGINS_DIR)

export const tablePart = ({ config, found }: Base & { found: Found }): TopicTable =>
  topicTable([core, ...found.topicTables.map(({ rows }) => rows)], config.TOPIC_PREFIX)

const NO_BROKER =
  'This plugin connects devices of its own to the hub’s broker, and the hub uses another one (BROKER_URL): switch the plugin off, or run the hub’s own broker.'

interface Above extends Base {
  found: Found
  bus: Bus
  gate: Gate
  access: Access
  broker: Broker
  settings: { bind: string }
}

export const pluginsPart = ({
  config,
  clock,
  log,
  health,
  ready,
  found,
  bus,
  gate,
  access,
  broker,
  settings,
}: Above) => {
  const everywhere = settings.bind === '0.0.0.0' || settings.bind === '::'
  const peers = readPeers(join(config.DATA_DIR, 'peers.yaml'))
  const plugins = startPlugins(found, {
    settings: config.file.plugins,
    demo: config.DEMO,
    bus,
    gate,
    prefix: config.TOPIC_PREFIX,
    clock,
    log,
    health,
    capabilities: (id) => ({
      credentials: {
        issue: (device) => access.issueCredential(device),
        broker: () => {
          if (broker.ports.mqtt === undefined) throw new Recoverable('UNAVAILABLE', NO_BROKER)
          return { host: everywhere ? '127.0.0.1' : settings.bind, port: broker.ports.mqtt }
        },
      },
      peers: { names: () => peers.names(id), get: (name) => peers.of(id, name) },
    }),
  })
  ready('plugins')
  return plugins
}
