// The part of the hub that is the plugins: found first, because the topic table needs theirs; started when there is a broker to connect to.
import { join } from 'node:path'
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { Broker } from '../broker/broker.ts'
import type { Bus } from '../bus/bus.ts'
import type { Devices } from '../devices/devices.ts'
import { Forbidden, Recoverable } from '../errors.ts'
import type { Gate } from '../gate/gate.ts'
import type { Store } from '../store/store.ts'
import { core } from '../topics/core.ts'
import type { Guarded } from '../topics/native.ts'
import { topicTable, type TopicTable } from '../topics/table.ts'
import { discoverPlugins, type Found, startPlugins } from './host.ts'
import { openMemory } from './memory.ts'
import { openNative } from './native.ts'
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
  access: Access & { guarded: Guarded }
  devices: Devices
  store: Store
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
  devices,
  store,
  broker,
  settings,
}: Above) => {
  const everywhere = settings.bind === '0.0.0.0' || settings.bind === '::'
  const peers = readPeers(join(config.DATA_DIR, 'peers.yaml'))
  const native = openNative({ bus, access, devices, guard: access.guarded.set, prefix: config.TOPIC_PREFIX })
  const plugins = startPlugins(found, {
    settings: config.file.plugins,
    demo: config.DEMO,
    bus,
    gate,
    prefix: config.TOPIC_PREFIX,
    offline: config.OFFLINE_MODE,
    clock,
    log,
    health,
    capabilities: ({ id, native: conventions }) => ({
      credentials: {
        issue: (device) => access.issueCredential(device),
        broker: () => {
          if (broker.ports.mqtt === undefined) throw new Recoverable('UNAVAILABLE', NO_BROKER)
          return { host: everywhere ? '127.0.0.1' : settings.bind, port: broker.ports.mqtt }
        },
      },
      peers: { names: () => peers.names(id), get: (name) => peers.of(id, name) },
      native: native.of({ id, ...(conventions === undefined ? {} : { native: conventions }) }),
      devices: {
        list: () => devices.list(),
        get: (device) => devices.get(device),
        ownerOf: (device) => devices.ownerOf(device),
        idFor: (foreign) => devices.idFor({ by: id, ...foreign }),
        claim: (device) => devices.claim(device, `plugin:${id}`),
        forget: async (device) => {
          if (devices.ownerOf(device) !== `plugin:${id}`)
            throw new Forbidden(`'${device}' is no device of plugin '${id}'.`)
          await devices.forget(device)
        },
      },
      requests: {
        ask: (who, device, request) => gate.ask(who, device, request),
        command: (command) => gate.command(command),
      },
      memory: openMemory(store.db, id),
    }),
  })
  ready('plugins')
  return {
    ...plugins,
    close: async () => {
      await plugins.close()
      native.close()
    },
  }
}
