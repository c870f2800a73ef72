// The live line of the fake hub: as much MQTT 5 over WebSocket as mqtt.js needs, and it can die, refuse and fall silent.
import { generate, parser, type Packet } from 'mqtt-packet'
import { matches } from '../live/topic.ts'

/** What a WebSocket is here: the part of ws's socket that is used. */
export interface Wire {
  send(bytes: Buffer): void
  close(): void
  on(event: 'message', listener: (bytes: Buffer) => void): void
  on(event: 'close', listener: () => void): void
}

export interface Line {
  accept(wire: Wire): void
  publish(topic: string, payload: unknown, retain: boolean): void
  /** Ends every connection; the clients may come again. */
  cut(): void
  /** While true, connections are closed before CONNACK. */
  dead: boolean
  readonly subscriptions: ReadonlySet<string>
  readonly clients: readonly { clientId: string; username: string }[]
}

const V5 = { protocolVersion: 5 }
const NOT_AUTHORIZED = 0x87

/** `admits` judges the password of a CONNECT; `mayRead` each filter of a SUBSCRIBE. */
export const fakeLine = (rules: { admits: (token: string) => boolean; mayRead: (filter: string) => boolean }): Line => {
  const retained = new Map<string, string>()
  const open = new Map<Wire, { filters: Set<string>; clientId: string; username: string }>()

  const answer = (wire: Wire, packet: Packet): void => {
    const state = open.get(wire)
    const send = (out: Packet): void => wire.send(generate(out, V5))
    if (packet.cmd === 'connect') {
      const ok = rules.admits(String(packet.password ?? ''))
      send({ cmd: 'connack', reasonCode: ok ? 0 : NOT_AUTHORIZED, sessionPresent: false })
      if (!ok) wire.close()
      else open.set(wire, { filters: new Set(), clientId: packet.clientId, username: packet.username ?? '' })
    } else if (packet.cmd === 'subscribe' && state) {
      const granted = packet.subscriptions.map(({ topic }) => (rules.mayRead(topic) ? 0 : NOT_AUTHORIZED))
      send({ cmd: 'suback', messageId: packet.messageId ?? 1, granted })
      for (const { topic } of packet.subscriptions) {
        if (!rules.mayRead(topic)) continue
        state.filters.add(topic)
        for (const [name, payload] of retained)
          if (matches(topic, name)) send({ cmd: 'publish', topic: name, payload, qos: 0, dup: false, retain: true })
      }
    } else if (packet.cmd === 'unsubscribe' && state) {
      for (const topic of packet.unsubscriptions) state.filters.delete(topic)
      send({ cmd: 'unsuback', messageId: packet.messageId ?? 1, granted: packet.unsubscriptions.map(() => 0) })
    } else if (packet.cmd === 'pingreq') send({ cmd: 'pingresp' })
  }

  const line: Line = {
    dead: false,
    accept: (wire) => {
      if (line.dead) {
        wire.close()
        return
      }
      const reading = parser(V5)
      reading.on('packet', (packet: Packet) => answer(wire, packet))
      reading.on('error', () => wire.close())
      wire.on('message', (bytes) => reading.parse(bytes))
      wire.on('close', () => open.delete(wire))
    },
    publish: (topic, payload, retain) => {
      const text = JSON.stringify(payload)
      if (retain) retained.set(topic, text)
      for (const [wire, { filters }] of open)
        if ([...filters].some((filter) => matches(filter, topic)))
          wire.send(generate({ cmd: 'publish', topic, payload: text, qos: 0, dup: false, retain: false }, V5))
    },
    cut: () => {
      for (const wire of open.keys()) wire.close()
      open.clear()
    },
    get subscriptions() {
      return new Set([...open.values()].flatMap(({ filters }) => [...filters]))
    },
    get clients() {
      return [...open.values()].map(({ clientId, username }) => ({ clientId, username }))
    },
  }
  return line
}
