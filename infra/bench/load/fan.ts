// Traffic from some publishers to some subscribers: as much as keeps a window full, or burst by burst.
import type { Entrance } from '../brokers.ts'
import { serve } from './child.ts'
import { answer, leave, open, PUBACK, PUBLISH, publishPacket, publishParts, subscribe, type Client } from './wire.ts'

export interface FanSetup {
  entrance: Entrance
  publishers: number
  subscribers: number
  /** Durable sessions that subscribe with QoS 1 and leave before the load begins. */
  sleepers: number
  qos: 0 | 1
}
export interface FanOrder {
  ms: number
  /** Messages under way at once; or, as `burst`, so many are sent when every subscriber has the last ones. */
  window?: number
  burst?: number
}
export interface FanResult {
  sent: number
  acked: number
  received: number
  ms: number
  /** Given up after half a second without any progress. */
  lost: number
  /** From a burst's first byte to the last subscriber, ms. */
  p50: number
  p99: number
  generatorCpuUs: number
}

const STUCK_MS = 500
const PAYLOAD = `{"t":${'1'.repeat(16)},"sensor":"bench","unit":"ug/m3","value":21.5,"pad":"${'x'.repeat(50)}"}`

const subscriber = (counts: { received: number }) => {
  let acks: Buffer[] = []
  let client: Client | undefined
  const flush = () => {
    client?.socket.write(Buffer.concat(acks))
    acks = []
  }
  return {
    join: (made: Client) => (client = made),
    take(type: number, flags: number, bytes: Buffer, at: number) {
      if (type !== PUBLISH) return
      counts.received++
      if ((flags & 6) === 0) return
      if (acks.push(answer(PUBACK, publishParts(flags, bytes, at).id)) === 1) process.nextTick(flush)
    },
  }
}

serve<FanSetup, FanOrder, FanResult | undefined>(async (setup) => {
  const { entrance, qos } = setup
  const counts = { sent: 0, acked: 0, received: 0 }
  const clients: Client[] = []
  const sleeper = (n: number) => `bench-sleeper${n}`
  const wipe = async () => {
    for (let n = 0; n < setup.sleepers; n++) await leave(await open(entrance, { id: sleeper(n) }))
  }
  await wipe()
  for (let n = 0; n < setup.sleepers; n++) {
    await leave(await subscribe(entrance, { id: sleeper(n), clean: false }, 'bench/load/+', 1))
  }
  for (let n = 0; n < setup.subscribers; n++) {
    const { take, join } = subscriber(counts)
    const client = await subscribe(entrance, { id: `bench-s${n}`, take }, 'bench/load/+', qos)
    join(client)
    clients.push(client)
  }
  const publishers: (() => Buffer)[] = []
  const sockets: Client['socket'][] = []
  for (let n = 0; n < setup.publishers; n++) {
    const client = await open(entrance, { id: `bench-p${n}`, take: (type) => void (type === PUBACK && counts.acked++) })
    clients.push(client)
    sockets.push(client.socket)
    const packet = publishPacket(`bench/load/${n}`, PAYLOAD, qos, 1)
    // Behind the fixed header, whose length is two bytes from 128 on, and the topic.
    const topicAt = (packet[1] ?? 0) < 128 ? 2 : 3
    const idAt = topicAt + 2 + packet.readUInt16BE(topicAt)
    let id = 0
    publishers.push(() => {
      if (qos === 0) return packet
      const made = Buffer.from(packet)
      made.writeUInt16BE((id = (id % 65_535) + 1), idAt)
      return made
    })
  }
  let isOver = false
  for (const { socket } of clients) socket.once('close', () => (isOver = true))

  let turn = 0
  const send = (n: number) => {
    if (n <= 0) return
    const shares = new Map<number, Buffer[]>()
    for (let i = 0; i < n; i++) {
      const who = turn++ % publishers.length
      const share = shares.get(who) ?? []
      share.push(publishers[who]?.() ?? Buffer.alloc(0))
      shares.set(who, share)
    }
    for (const [who, share] of shares) sockets[who]?.write(share.length === 1 ? (share[0] ?? '') : Buffer.concat(share))
    counts.sent += n
  }
  /** Messages that have arrived everywhere, and are acknowledged where that is asked for. */
  const done = (): number => {
    const heard = setup.subscribers === 0 ? Number.POSITIVE_INFINITY : counts.received / setup.subscribers
    return Math.floor(Math.min(heard, qos === 0 ? Number.POSITIVE_INFINITY : counts.acked))
  }

  return async ({ ms, window = 0, burst = 0 }) => {
    if (ms === 0) {
      await wipe()
      return undefined
    }
    counts.sent = counts.acked = counts.received = 0
    const [cpu, begun] = [process.cpuUsage(), performance.now()]
    const trips: number[] = []
    let [lost, seen, moved, launched] = [0, 0, begun, 0]
    while (performance.now() - begun < ms) {
      if (isOver) throw new Error('the broker closed a connection of the load')
      const ready = done()
      if (counts.acked + counts.received !== seen) [seen, moved] = [counts.acked + counts.received, performance.now()]
      let under = counts.sent - lost - ready
      if (under > 0 && performance.now() - moved > STUCK_MS) {
        lost += under
        under = 0
        moved = performance.now()
      }
      if (burst === 0) send(Math.min(256, window - under))
      else if (under <= 0) {
        if (launched > 0) trips.push(performance.now() - launched)
        launched = performance.now()
        send(burst)
      }
      await new Promise((next) => setImmediate(next))
    }
    const took = performance.now() - begun
    const used = process.cpuUsage(cpu)
    const { sent, acked, received } = counts
    // The rest arrives before the next order begins.
    for (let last = -1, tries = 0; last !== counts.received + counts.acked && tries < 40; tries++) {
      last = counts.received + counts.acked
      await new Promise((next) => setTimeout(next, 150))
    }
    trips.sort((a, b) => a - b)
    const at = (q: number) => trips[Math.min(trips.length - 1, Math.floor(trips.length * q))] ?? Number.NaN
    return {
      sent,
      acked,
      received,
      ms: took,
      lost,
      p50: at(0.5),
      p99: at(0.99),
      generatorCpuUs: used.user + used.system,
    }
  }
})
