// The part of the hub that is the broker, with its session store: where MQTT clients come in.
import { join } from 'node:path'
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { OpenBus } from '../bus/open.ts'
import type { Tls } from '../http/ca.ts'
import { openEmbeddedBroker } from './embedded.ts'
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
  sessions: SessionStore
  settings: { bind: string }
  tls: Tls
}

export const brokerPart = async ({
  config,
  clock,
  log,
  health,
  waiting,
  access,
  bus,
  sessions,
  settings,
  tls,
}: Above) => {
  const broker = await openEmbeddedBroker({
    rights: access,
    intake: bus,
    persistence: sessions,
    listen: {
      bind: settings.bind,
      mqtt: config.MQTT_PORT,
      mqtts: { port: config.MQTTS_PORT, tls: { key: tls.key, cert: tls.cert } },
      ws: config.MQTT_WS_PORT,
    },
    limits: {
      connections: config.file.broker.connections,
      connectionsPerAddress: config.file.broker.connectionsPerAddress,
      packet: config.file.broker.packetKiB * 1024,
    },
    log: log.of('broker'),
    health,
    clock,
  })
  bus.connect(broker)
  tls.onRenew((renewed) => broker.renewTls(renewed))
  waiting.delete('broker')
  return broker
}
