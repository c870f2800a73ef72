// Attacks on memory and patience: packets that never end, logins that never come, queues of those who are away.
import { connect, type Socket } from 'node:net'
import { generate } from 'mqtt-packet'
import type { RunningBroker } from '../bench/brokers.ts'
import { memoryOf } from '../bench/cpu.ts'
import { load } from '../bench/load/child.ts'
import type { FanOrder, FanResult, FanSetup } from '../bench/load/fan.ts'
import { sleep } from '../bench/processes.ts'

const EVERY_MS = 25
/** What a start leaves to do, and what it leaves behind, is not the attack's. */
const CALM_MS = 5000

/** The most memory above the start while `work` runs, MiB. */
const growth = async <T>(broker: RunningBroker, work: () => Promise<T>): Promise<{ mib: number; result: T }> => {
  await sleep(CALM_MS)
  const before = memoryOf(broker.pids)
  let most = before
  const look = () => (most = Math.max(most, memoryOf(broker.pids)))
  const timer = setInterval(look, EVERY_MS)
  try {
    const result = await work()
    await sleep(500)
    look()
    return { mib: most - before, result }
  } finally {
    clearInterval(timer)
  }
}

const stranger = (port: number): Promise<Socket> =>
  new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.off('error', failed)
      socket.on('error', () => {})
      done(socket)
    })
    socket.once('error', failed)
    socket.resume()
  })

const closed = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((done) => socket.once('close', () => done()))

const LENGTH_200_MB = [0x80, 0x84, 0xaf, 0x5f]
const BYTES = 200_000_000
const CHUNK = Buffer.alloc(64 * 1024, 0x61)

/** Two CONNECTs and two PUBLISHes of 200 MB each from nobody: memory gained, and how much the broker took. */
export const preauth = async (broker: RunningBroker): Promise<{ mib: number; takenMb: number }> => {
  const flood = async (first: number): Promise<number> => {
    const socket = await stranger(broker.entrance.port)
    let over = false
    const ended = closed(socket).then(() => (over = true))
    let go = () => {}
    socket.on('drain', () => go())
    socket.write(Buffer.from([first, ...LENGTH_200_MB]))
    if (first === 0x10) socket.write(Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0xff, 0xff]))
    const late = performance.now() + 20_000
    for (let sent = 0; sent < BYTES && !over && performance.now() < late; sent += CHUNK.length) {
      if (socket.write(CHUNK)) continue
      await Promise.race([new Promise<void>((drained) => (go = drained)), ended, sleep(2000)])
    }
    const taken = socket.bytesWritten - socket.writableLength
    socket.destroy()
    return taken
  }
  const { mib, result } = await growth(broker, () => Promise.all([0x10, 0x10, 0x30, 0x30].map(flood)))
  return { mib, takenMb: result.reduce((sum, bytes) => sum + bytes, 0) / 1e6 }
}

/** Logins that never come, four kinds: the longest time until the broker closes, s; `atMost` when it does not. */
export const slowloris = async (broker: RunningBroker, atMost = 12): Promise<number> => {
  const { port } = broker.entrance
  const begun = performance.now()
  const login = generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'slow', keepalive: 60 })
  const one = async (drip: (socket: Socket, n: number) => void, everyMs: number): Promise<number> => {
    const socket = await stranger(port)
    let n = 0
    drip(socket, n++)
    const timer = setInterval(() => drip(socket, n++), everyMs)
    await Promise.race([closed(socket), sleep(atMost * 1000)])
    clearInterval(timer)
    socket.destroy()
    return (performance.now() - begun) / 1000
  }
  const times = await Promise.all([
    one(() => {}, 1000),
    one((socket, n) => void (n < login.length - 1 && socket.write(login.subarray(n, n + 1))), 700),
    one((socket, n) => void socket.write(n === 0 ? login.subarray(0, 12) : Buffer.alloc(0)), 1000),
    one((socket, n) => void socket.write(n === 0 ? Buffer.from([0x10, 0xff, 0x7f]) : Buffer.from([0x61])), 400),
  ])
  return Math.max(...times)
}

/** QoS 1 for a durable subscriber that is away, as fast as it is taken: memory gained, and what was acknowledged. */
export const flood = async (
  broker: RunningBroker,
  ms = 10_000,
): Promise<{ mib: number; acked: number; problem: string | undefined }> => {
  const { entrance } = broker
  const setup: FanSetup = { entrance, publishers: 10, subscribers: 0, sleepers: 1, qos: 1 }
  const generator = await load<FanSetup, FanOrder, FanResult>('fan.ts', setup)
  try {
    // What the hub needs for traffic at all is not the queue's.
    await generator.ask({ ms: 1000, window: 100 })
    const { mib, result } = await growth(broker, () => generator.ask({ ms, window: 1000 }, ms + 60_000))
    // The owner of the queue comes back and wants none of it.
    const problem = await generator.ask({ ms: 0 }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    return { mib, acked: result.acked, problem }
  } finally {
    await generator.stop()
  }
}
