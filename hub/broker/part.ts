// The part of the hub that is the broker, with its session store: where MQTT clients come in.
import { join } from 'node:path'
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { OpenBus } from '../bus/open.ts'
import type { Tls } from '../http/ca.ts'
import type { Found } from '../plugins/host.ts'
import type { TopicTable } from '../topics/table.ts'
import type { Broker, Intake } from './broker.ts'
import { openEmbeddedBroker } from './embedded.ts'
import type { Listen } from './listeners.ts'
import { openSessionStore, type SessionStore } from './sessions/open.ts'
import { sessionWords } from './sessions/words.ts'

export const sessionsPart = ({ config, clock, log, health }: Base): Promise<SessionStore> =>
  openSessionStore({
    file: join(config.DATA_DIR, 'sessions.sqlite'),
    durability: config.DURABILITY,
    clock,
    log: log.of('sessions'),
    limits: {
      perClientMessages: config.file.broker.queueMessages,
      perClientBytes: config.file.broker.queueMiB * 2 ** 20,
      maxAgeMs: config.file.broker.queueDays * 86_400_000,
    },
    ...sessionWords(health),
  })

interface Above extends Base {
  access: Access
  bus: OpenBus
  found: Found
  sessions: SessionStore
  settings: { bind: string }
  table: TopicTable
  tls: Tls
}

/** The broker inside, or one outside (BROKER_URL), or both, bridged (BRIDGE_URL). Only the last two load an MQTT client. */
export const brokerPart = async (above: Above): Promise<Broker> => {
  const { config, bus, ready, settings, tls } = above
  const { BROKER_URL, BRIDGE_URL } = config
  if (BROKER_URL !== undefined) {
    const { externalPart } = await import('./external-part.ts')
    // People on the web port are the hub's own: the other broker does not know them.
    const broker = await externalPart(BROKER_URL, above, (intake) =>
      openEmbedded(above, intake, { bind: '127.0.0.1', mqtt: undefined }),
    )
    bus.connect(broker)
    ready('broker')
    return broker
  }
  const broker = await openEmbedded(above, bus, {
    bind: settings.bind,
    mqtt: config.MQTT_PORT,
    mqtts: { port: config.MQTTS_PORT, tls: { key: tls.key, cert: tls.cert } },
    ws: config.MQTT_WS_PORT,
  })
  bus.connect(broker)
  tls.onRenew((renewed) => broker.renewTls(renewed))
  ready('broker')
  if (BRIDGE_URL === undefined) return broker
  try {
    const { bridgedPart } = await import('./external-part.ts')
    const bridge = await bridgedPart(BRIDGE_URL, above, broker)
    return { ...broker, close: () => bridge.close().finally(() => broker.close()) }
  } catch (error) {
    await broker.close()
    throw error
  }
}

const openEmbedded = ({ config, log, health, clock, access, sessions }: Above, intake: Intake, listen: Listen) =>
  openEmbeddedBroker({
    rights: access,
    intake,
    persistence: sessions,
    listen,
    limits: {
      connections: config.file.broker.connections,
      connectionsPerAddress: config.file.broker.connectionsPerAddress,
      sessionsPerOrigin: config.file.broker.sessionsPerPrincipal,
      packet: config.file.broker.packetKiB * 1024,
    },
    log: log.of('broker'),
    health,
    clock,
  })
