// Watches the running hub: its gauges for /metrics, and `hub/health` on the bus when a part changes, at most once a second.
import type { Broker } from '../broker/broker.ts'
import type { SessionStore } from '../broker/sessions/store.ts'
import type { Bus } from '../bus/bus.ts'
import { HUB } from '../bus/principal.ts'
import { type Clock, iso } from '../clock.ts'
import type { Devices } from '../devices/devices.ts'
import { reasonOf } from '../errors.ts'
import type { Gate } from '../gate/gate.ts'
import type { Journal } from '../journal/entry.ts'
import type { Runner } from '../runner/runner.ts'
import { message } from '../streams/message.ts'
import type { Health, Log } from './report.ts'

export interface Watched {
  bus: Bus
  broker: Pick<Broker, 'clients' | 'counters'>
  sessions: Pick<SessionStore, 'sizes'>
  journal: Pick<Journal, 'stats'>
  runner: Pick<Runner, 'flows'>
  gate: Pick<Gate, 'open'>
  devices: Pick<Devices, 'list'>
  health: Health
  clock: Pick<Clock, 'now'>
  log: Log
}

const EVERY_MS = 1000
/** The protocol level of CONNECT, and what people call it. */
const PROTOCOLS = { 3: '3.1', 4: '3.1.1', 5: '5.0' }

/** Watches until it is closed. */
export const watchPart = ({
  bus,
  broker,
  sessions,
  journal,
  runner,
  gate,
  devices,
  health,
  clock,
  log,
}: Watched): { close(): void } => {
  const { gauge } = health.metrics
  const each = (values: object) =>
    Object.entries(values).flatMap(([kind, value]: [string, unknown]) =>
      typeof value === 'number' ? [{ labels: { kind }, value }] : [],
    )
  gauge('bus_messages', 'Messages on the bus since the start, by what became of them', () => each(bus.counters()))
  gauge('broker_counts', 'Counts of the broker since the start', () => each(broker.counters()))
  gauge(
    'broker_sessions',
    'Sessions, subscriptions, retained and waiting messages of the broker, and what it lost',
    () => each(sessions.sizes()),
  )
  gauge('broker_clients', 'Connected MQTT clients by version of the protocol', () => {
    const clients = broker.clients()
    return Object.entries(PROTOCOLS).map(([protocol, name]) => ({
      labels: { protocol: name },
      value: clients.filter((client) => client.protocol === Number(protocol)).length,
    }))
  })
  gauge('broker_unsent_bytes', 'Bytes written to MQTT clients that they have not taken yet', () =>
    broker.clients().reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
  )
  gauge('journal_counts', 'Segments, bytes and waiting entries of the journal', () => each(journal.stats()))
  gauge('gate_open_commands', 'Commands that have no result yet', () => gate.open)
  gauge('devices', 'Devices by presence', () => {
    const online = devices.list().filter((device) => device.online).length
    return [
      { labels: { online: 'true' }, value: online },
      { labels: { online: 'false' }, value: devices.list().length - online },
    ]
  })
  gauge('flow_messages', 'Messages of each flow since the start', () =>
    runner.flows().flatMap((flow) => [
      { labels: { flow: flow.id, kind: 'in' }, value: flow.in },
      { labels: { flow: flow.id, kind: 'out' }, value: flow.out },
      { labels: { flow: flow.id, kind: 'dropped' }, value: flow.dropped },
    ]),
  )
  gauge('flow_restarts', 'Restarts of each flow since the start', () =>
    runner.flows().map((flow) => ({ labels: { flow: flow.id }, value: flow.restarts })),
  )

  let last = ''
  const tell = (): void => {
    const parts = health.parts()
    const now = JSON.stringify(parts)
    if (now === last) return
    last = now
    try {
      bus.publish(HUB, message('hub/health', {}, { status: health.status(), at: iso(clock.now()), parts }))
    } catch (error) {
      log.warn('health-not-published', { error: reasonOf(error) })
    }
  }
  tell()
  const timer = setInterval(tell, EVERY_MS)
  return { close: () => clearInterval(timer) }
}
