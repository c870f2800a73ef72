// Legal packets with bytes changed, cut, doubled and moved, from a seed: the same seed sends the same packets.
import { generate, type Packet } from 'mqtt-packet'
import { connect } from 'node:net'
import type { Entrance } from '../brokers.ts'
import { serve } from './child.ts'

export interface MutationsSetup {
  entrance: Entrance
  seed: number
}
export interface MutationsOrder {
  packets: number
}
export interface MutationsResult {
  packets: number
  connections: number
  /** Connections that did not end although our half was closed, within five seconds. */
  hanging: number
  /** Connections on which the broker answered at all: the others did not get past their CONNECT. */
  answered: number
}

const LANES = 64
const PER_CONNECTION = 8
const END_MS = 5000
const SILENCE_MS = 200
/** Between the halves of a packet that is cut, and before our half is closed. */
const PIECE_MS = 5
const MOMENT_MS = 30

/** A small, fast generator of reproducible numbers in [0, 1): mulberry32. */
const randomFrom = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const legal = (version: 4 | 5, login: object, clientId: string): { hello: Buffer; others: Buffer[] } => {
  const bytes = (packet: Packet) => generate(packet, { protocolVersion: version })
  const properties = (some: object) => (version === 5 ? { properties: some } : {})
  const qos = [0, 1, 2] as const
  return {
    hello: bytes({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clean: true,
      clientId,
      keepalive: 60,
      ...login,
      ...properties({ sessionExpiryInterval: 0, receiveMaximum: 20, topicAliasMaximum: 5, userProperties: { a: 'b' } }),
      will: { topic: 'bench/will', payload: Buffer.from('gone'), qos: 1, retain: false },
    }),
    others: [
      ...qos.map((level) =>
        bytes({
          cmd: 'publish',
          topic: `bench/wild/${level}`,
          payload: '{"value":21.5}',
          qos: level,
          retain: level === 0,
          dup: false,
          messageId: 10 + level,
          ...properties({
            messageExpiryInterval: 5,
            contentType: 'a/b',
            correlationData: Buffer.from('x'),
            topicAlias: 2,
          }),
        }),
      ),
      ...qos.map((level) =>
        bytes({
          cmd: 'subscribe',
          messageId: 20 + level,
          subscriptions: [
            { topic: `bench/+/${level}`, qos: level },
            { topic: 'bench/#', qos: level },
          ],
          ...properties({ subscriptionIdentifier: 7 }),
        }),
      ),
      bytes({ cmd: 'unsubscribe', messageId: 30, unsubscriptions: ['bench/+/0', 'bench/#'] }),
      bytes({ cmd: 'puback', messageId: 1 }),
      bytes({ cmd: 'pubrec', messageId: 12 }),
      bytes({ cmd: 'pubrel', messageId: 12 }),
      bytes({ cmd: 'pubcomp', messageId: 12 }),
      bytes({ cmd: 'pingreq' }),
      bytes({ cmd: 'disconnect' }),
      ...(version === 5 ? [bytes({ cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'x' } })] : []),
    ],
  }
}

/** One stream of mutations. */
const mutator = (random: () => number) => {
  const below = (n: number) => Math.floor(random() * n)
  const interesting = [0, 1, 0x7f, 0x80, 0xff, 0xc0, 0x23, 0x2b, 0x24]
  const change = (packet: Buffer): Buffer => {
    const made = Buffer.from(packet)
    const at = below(made.length)
    switch (below(8)) {
      case 0:
        made[at] = (made[at] ?? 0) ^ (1 << below(8))
        return made
      case 1:
        made[at] = interesting[below(interesting.length)] ?? 0
        return made
      case 2:
        return made.subarray(0, at)
      case 3:
        return Buffer.concat([made.subarray(0, at), Buffer.from([below(256)]), made.subarray(at)])
      case 4:
        return Buffer.concat([made.subarray(0, at), made.subarray(Math.min(made.length, at + 1 + below(4)))])
      case 5:
        return Buffer.concat([made, made, made])
      case 6:
        made[0] = below(256)
        return made
      default:
        // The length says something else than there is.
        made[1] = Math.min(127, Math.max(0, (made[1] ?? 0) + below(5) - 2))
        return made
    }
  }
  const several = (packets: readonly Buffer[], n: number): Buffer[] =>
    Array.from({ length: n }, () => {
      let packet = packets[below(packets.length)] ?? Buffer.alloc(0)
      for (let times = 1 + below(3); times > 0 && packet.length > 0; times--) packet = change(packet)
      return packet
    })
  return { below, change, several }
}

/** Logs in, sends the rest when the broker has answered, gives it a moment, closes our half and waits for the broker's. */
const deliver = (
  { port, address }: { port: number; address: string },
  hello: Buffer,
  pieces: readonly Buffer[],
): Promise<{ hangs: boolean; isAnswered: boolean }> =>
  new Promise((done) => {
    let [hangs, isSent] = [false, false]
    const socket = connect({ port, host: '127.0.0.1', localAddress: address, noDelay: true })
    const late = setTimeout(() => {
      hangs = true
      socket.destroy()
    }, END_MS)
    const rest = () => {
      if (isSent || socket.destroyed) return
      isSent = true
      for (const [i, piece] of pieces.entries()) setTimeout(() => socket.writable && socket.write(piece), i * PIECE_MS)
      setTimeout(() => socket.end(), MOMENT_MS)
    }
    // Whoever sent a wild CONNECT may get no answer, and sends all the same.
    const unanswered = setTimeout(rest, SILENCE_MS)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(late)
      clearTimeout(unanswered)
      done({ hangs, isAnswered: socket.bytesRead > 0 })
    })
    socket.on('data', rest)
    socket.write(hello)
  })

serve<MutationsSetup, MutationsOrder, MutationsResult>(async ({ entrance, seed }) => {
  const { port, username, password } = entrance
  const login = username === undefined ? {} : { username, password: Buffer.from(password ?? '') }

  return async ({ packets }) => {
    const sum: MutationsResult = { packets: 0, connections: 0, hanging: 0, answered: 0 }
    const lane = async (_: unknown, i: number) => {
      const { below, change, several } = mutator(randomFrom(seed * LANES + i))
      for (let sent = 0; sent < packets / LANES;) {
        const { hello, others } = legal(below(2) === 0 ? 4 : 5, login, `bench-z${i}`)
        const isWildHello = below(8) === 0
        const n = 1 + below(PER_CONNECTION)
        const bytes = Buffer.concat(several(others, n))
        const at = below(bytes.length)
        // In one piece, or cut somewhere.
        const pieces = below(3) > 0 ? [bytes] : [bytes.subarray(0, at), bytes.subarray(at)]
        // Every connection is from somewhere else, or the guesses at passwords would shut everybody out.
        const address = `127.${1 + below(250)}.${below(250)}.${1 + below(250)}`
        sent += n + (isWildHello ? 1 : 0)
        sum.connections++
        const { hangs, isAnswered } = await deliver({ port, address }, isWildHello ? change(hello) : hello, pieces)
        if (hangs) sum.hanging++
        if (isAnswered) sum.answered++
      }
      sum.packets += Math.ceil(packets / LANES)
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    return sum
  }
})
