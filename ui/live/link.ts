// The live line to the hub: MQTT 5 over WebSocket, subscribed to what is shown and nothing else.
import mqtt, { type MqttClient } from 'mqtt'
import { filterProblem } from './topic.ts'

export interface LinkEvents {
  /** The line is up and every wanted filter was asked for. */
  up(): void
  /** The line is down; mqtt.js tries again by itself every two seconds. */
  down(reason: string): void
  /** The hub does not take the token on the live line. */
  refused(reason: string): void
  /** A filter this person may not read, or a wrong one. */
  denied(filter: string): void
  message(topic: string, payload: string, retained: boolean): void
}

export interface Link {
  /** Listens to a filter (full topic) until the returned function is called; listening twice costs nothing. */
  watch(filter: string): () => void
  /** Tries at once, for when the network or the screen comes back. */
  wake(): void
  close(): void
}

const RETRY_MS = 2000
const CONNECT_MS = 4000
const KEEPALIVE_S = 15
/** MQTT 5 reason codes from here on are failures (2.4). */
const FAILURE = 0x80
/** CONNACK: bad user name or password, not authorized (3.2.2.2), and their MQTT 3.1.1 forms. */
const REFUSALS: readonly number[] = [0x86, 0x87, 4, 5]

const codeOf = (error: Error): number => ('code' in error && typeof error.code === 'number' ? error.code : 0)

export const openLink = (
  who: { url: string; clientId: string; username: string; token: string },
  events: LinkEvents,
): Link => {
  const wanted = new Map<string, number>()
  let everUp = false
  const client: MqttClient = mqtt.connect(who.url, {
    protocolVersion: 5,
    clean: true,
    clientId: `${who.clientId}-${crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36) ?? '0'}`,
    username: who.username,
    password: who.token,
    keepalive: KEEPALIVE_S,
    connectTimeout: CONNECT_MS,
    reconnectPeriod: RETRY_MS,
    resubscribe: false,
    queueQoSZero: false,
    // The other variants make a worker from a blob, which the content policy forbids.
    timerVariant: 'native',
  })

  const subscribe = async (filters: readonly string[]): Promise<void> => {
    if (filters.length === 0) return
    try {
      const packet = await client.subscribeAsync(
        Object.fromEntries(filters.map((filter) => [filter, { qos: 0 as const }])),
      )
      for (const { topic, qos } of packet) if (qos >= FAILURE) events.denied(topic)
    } catch {
      // mqtt.js rejects the whole request when one filter is refused: ask one by one to learn which.
      if (!client.connected) return
      if (filters.length === 1) return filters.forEach(events.denied)
      for (const filter of filters) await subscribe([filter])
    }
  }

  client.on('connect', () => {
    everUp = true
    void subscribe([...wanted.keys()]).then(() => {
      if (client.connected) events.up()
    })
  })
  client.on('close', () => {
    events.down(everUp ? 'The live line to the hub is down.' : 'The live line to the hub could not be opened.')
  })
  client.on('error', (error) => {
    if (REFUSALS.includes(codeOf(error))) events.refused(error.message)
  })
  client.on('message', (topic, payload, packet) => {
    events.message(topic, payload.toString(), packet.retain)
  })

  return {
    watch: (filter) => {
      if (filterProblem(filter) !== undefined) return () => undefined
      const before = wanted.get(filter) ?? 0
      wanted.set(filter, before + 1)
      if (before === 0 && client.connected) void subscribe([filter])
      let watching = true
      return () => {
        if (!watching) return
        watching = false
        const left = (wanted.get(filter) ?? 1) - 1
        if (left > 0) {
          wanted.set(filter, left)
          return
        }
        wanted.delete(filter)
        if (client.connected) client.unsubscribe(filter)
      }
    },
    wake: () => {
      if (!client.connected && !client.disconnecting) client.reconnect()
    },
    close: () => {
      client.removeAllListeners('close')
      client.end(true)
    },
  }
}
