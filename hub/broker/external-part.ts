// Wires the hub to a broker outside: its address and id, the outbox, the people on the web port; alone or as a bridge beside the broker inside.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Access } from '../access/access.ts'
import type { Base } from '../base.ts'
import type { Envelope } from '../bus/envelope.ts'
import { contains } from '../bus/filters.ts'
import type { OpenBus } from '../bus/open.ts'
import type { Config } from '../config.ts'
import { Fatal, reasonOf } from '../errors.ts'
import type { Secret } from '../health/secret.ts'
import { demandSite, siteLookup } from '../health/site.ts'
import type { Found } from '../plugins/host.ts'
import { isEnabled } from '../plugins/settings.ts'
import { nativeFacts } from '../topics/native.ts'
import type { TopicTable } from '../topics/table.ts'
import { bridgeFilters, openBridge } from './bridge.ts'
import type { Broker, Intake } from './broker.ts'
import { type Outbox, openOutbox, OUTBOX_BOUNDS } from './external-outbox.ts'
import { type BrokerAddress, brokerAddress } from './external-url.ts'
import { type ExternalBroker, openExternalBroker } from './external.ts'
import { openSessionStore } from './sessions/open.ts'

interface Above extends Base {
  access: Access
  bus: OpenBus
  found: Found
  table: TopicTable
}

/** What a line needs, whichever way it is used. */
interface Outside {
  address: BrokerAddress
  clientId: string
  outbox: Outbox
  ca: string | undefined
  lookup: ReturnType<typeof siteLookup> | undefined
  close(): Promise<void>
}

const ID = /^millrace-[0-9a-f]{8}$/

/** The client id under which the other broker keeps the hub's session; made once. Short enough for every 3.1.1 broker [MQTT-3.1.3-5]. */
const clientIdIn = (folder: string): string => {
  const file = join(folder, 'mqtt-id')
  try {
    const known = readFileSync(file, 'utf8').trim()
    if (ID.test(known)) return known
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const fresh = `millrace-${randomBytes(4).toString('hex')}`
  writeFileSync(file, `${fresh}\n`, { mode: 0o600 })
  return fresh
}

const authority = (file: string | undefined): string | undefined => {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Fatal(`BROKER_CA_FILE cannot be read: ${reasonOf(error)}`, error)
  }
}

const onSite = (config: Config, variable: string, host: string): void => {
  if (!config.OFFLINE_MODE) return
  try {
    demandSite(host)
  } catch (error) {
    throw new Fatal(`${variable}: ${reasonOf(error)}`, error)
  }
}

const openOutside = async (variable: string, url: Secret, { config, clock, log, health }: Base): Promise<Outside> => {
  const address = brokerAddress(variable, url)
  onSite(config, variable, address.host)
  const ca = authority(config.BROKER_CA_FILE)
  const gap = (count: number, why: string): void => {
    health.metrics.count('outbox_dropped_total', 'Messages for another broker that were given up', { why }, count)
    health.report({
      source: 'broker',
      type: 'OutboxDropped',
      severity: 'warning',
      category: 'resource',
      message:
        why === 'late'
          ? `${count} message for ${address.said} became too old before it could be sent; a command is never sent after its time.`
          : `${count} message for ${address.said} was dropped: more than ${OUTBOX_BOUNDS.messages} messages or ${OUTBOX_BOUNDS.bytes / 2 ** 20} MiB wait for it. Bring that broker back.`,
      details: { why },
    })
  }
  const store = await openSessionStore({
    file: join(config.DATA_DIR, 'outbox.sqlite'),
    durability: config.DURABILITY,
    clock,
    log: log.of('outbox'),
    onBroken: (sentence) => health.set('outbox', 'unhealthy', sentence),
    onHealed: () => health.set('outbox', 'healthy'),
  })
  const outbox = await openOutbox({ store, clock, lost: (_, why) => gap(1, why) })
  return {
    address,
    clientId: clientIdIn(config.DATA_DIR),
    outbox,
    ca,
    lookup: config.OFFLINE_MODE ? siteLookup() : undefined,
    close: () => store.close(),
  }
}

/**
 * The hub's own topics, and the facts of other conventions that have a row or that a plugin reads or hears. A plugin that
 * hears everything is given the conventions the hub knows: not all that somebody else's broker carries.
 */
const externalFilters = ({ table, found, config }: Pick<Above, 'table' | 'found' | 'config'>): string[] => {
  const facts = [...table.rows].flatMap(([key, row]) => (row.native === 'fact' ? [table.filterOf(key)] : []))
  const read = found.plugins.flatMap(({ handles }) => handles.map((topic) => table.filterOf(topic)))
  const heard = found.plugins
    .filter((plugin) => isEnabled(plugin, config.file.plugins, config.DEMO))
    .flatMap(({ native }) => native?.hears ?? [])
    .flatMap((filter) => (filter === '#' ? nativeFacts : [filter]))
  const outside = [...facts, ...read, ...heard].filter((filter) => !filter.startsWith(`${table.prefix}/`))
  const all = [...new Set([`${table.prefix}/#`, ...outside])]
  // Where two filters meet, a broker may deliver twice.
  return all.filter((filter) => !all.some((other) => other !== filter && contains(other, filter)))
}

/** `openLocal` opens the broker for the web port, with the given intake and no listeners. */
export const externalPart = async (
  url: Secret,
  above: Above,
  openLocal: (intake: Intake) => Promise<Broker>,
): Promise<Broker> => {
  const { bus, access, table, clock, log, health } = above
  const { close, ...outside } = await openOutside('BROKER_URL', url, above)
  const carry = (envelope: Envelope): void => {
    broker
      .carry(envelope)
      .catch((error: unknown) =>
        health.report({ source: 'broker', type: 'DeliveryFailed', message: reasonOf(error), category: 'system' }),
      )
  }
  const local = await openLocal({
    accept(draft, committed) {
      const envelope = bus.accept(draft, committed)
      if (envelope !== undefined) carry(envelope)
      return envelope
    },
  }).catch(async (error: unknown) => {
    await close()
    throw error
  })
  const broker: ExternalBroker = await openExternalBroker({
    ...outside,
    filters: externalFilters(above),
    table,
    intake: bus,
    retained: bus.retained('#'),
    local,
    rights: access,
    log: log.of('broker'),
    health,
    clock,
  })
  return { ...broker, close: () => broker.close().finally(close) }
}

/** The broker inside with a bridge beside it. */
export const bridgedPart = async (url: Secret, above: Above, broker: Broker): Promise<{ close(): Promise<void> }> => {
  const { config, bus, table, clock, log, health } = above
  const filters = bridgeFilters(config.file.bridge, config.TOPIC_PREFIX)
  const { close, ...outside } = await openOutside('BRIDGE_URL', url, above)
  const bridge = openBridge({ ...outside, filters, table, bus, broker, log: log.of('bridge'), health, clock })
  return { close: () => bridge.close().finally(close) }
}
