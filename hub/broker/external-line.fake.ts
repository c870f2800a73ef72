// A broker that misbehaves: it does not answer, hangs up over one topic, refuses, or knows its size. It speaks real MQTT on 127.0.0.1.
import { createServer, type Socket } from 'node:net'
import mqttPacket, { type IConnectPacket, type IPublishPacket, type Packet } from 'mqtt-packet'

export interface Manners {
  /** Answers a PUBLISH; by default with PUBACK. `undefined`: not at all. */
  published?: (packet: IPublishPacket, socket: Socket) => number | undefined
  properties?: Record<string, unknown>
  /** CONNACK reason. */
  reasonCode?: number
}

export interface FakeBroker {
  port: number
  manners: Manners
  connects: IConnectPacket[]
  published: { topic: string; text: string; dup: boolean; connection: number; expiry: number | undefined }[]
  acks: number[]
  /** Sends to the client that is connected. */
  send(packet: Packet): void
  cut(): void
  close(): void
}

export const fakeBroker = async (manners: Manners = {}): Promise<FakeBroker> => {
  const sockets = new Set<Socket>()
  let latest: { socket: Socket; version: number } | undefined
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let version = 4
    const parser = mqttPacket.parser()
    const say = (packet: Packet) => socket.write(mqttPacket.generate(packet, { protocolVersion: version }))
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        fake.connects.push(packet)
        version = packet.protocolVersion ?? 4
        latest = { socket, version }
        const { reasonCode = 0, properties = {} } = fake.manners
        say({ cmd: 'connack', sessionPresent: false, reasonCode, returnCode: reasonCode, properties })
      } else if (packet.cmd === 'subscribe') {
        say({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 1) })
      } else if (packet.cmd === 'publish') {
        const { topic, payload, dup, messageId, properties, qos } = packet
        const expiry = properties?.messageExpiryInterval
        fake.published.push({ topic, text: payload.toString(), dup, connection: fake.connects.length, expiry })
        const code = fake.manners.published === undefined ? 0 : fake.manners.published(packet, socket)
        if (qos > 0 && code !== undefined) say({ cmd: 'puback', messageId: messageId ?? 0, reasonCode: code })
      } else if (packet.cmd === 'puback') fake.acks.push(packet.messageId ?? 0)
      else if (packet.cmd === 'pingreq') say({ cmd: 'pingresp' })
    })
    parser.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => parser.parse(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const fake: FakeBroker = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    manners,
    connects: [],
    published: [],
    acks: [],
    send(packet) {
      latest?.socket.write(mqttPacket.generate(packet, { protocolVersion: latest.version }))
    },
    cut: () => sockets.forEach((socket) => socket.destroy()),
    close() {
      server.close()
      sockets.forEach((socket) => socket.destroy())
    },
  }
  return fake
}
