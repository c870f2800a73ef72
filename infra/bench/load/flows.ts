// The load: raw sockets with packets made beforehand, so that the generator is cheaper than anything it measures. Talks JSON lines on stdin and stdout.
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { generate, type Packet, parser } from 'mqtt-packet'

interface Login {
  clientId: string
  username?: string
  password?: string
}
export interface Setup {
  port: number
  publisher: Login
  subscriber: Login
  subscribe: string
  /** `{n}` is replaced by 0 … topics-1. */
  topic: string
  topics: number
}
export interface Order {
  /** Messages per second; 0 keeps `window` messages under way. */
  rate: number
  ms: number
  window: number
}
export interface Figures {
  sent: number
  received: number
  ms: number
  p50: number
  p99: number
  max: number
  generatorCpuUs: number
}

const open = (login: Login, port: number, heard: (packet: Packet) => void): Promise<Socket> =>
  new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.setNoDelay(true)
      const { username, password } = login
      socket.write(
        generate({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clean: true,
          clientId: login.clientId,
          keepalive: 0,
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password: Buffer.from(password) }),
        }),
      )
    })
    const parse = parser({ protocolVersion: 4 })
    parse.on('packet', (packet) => {
      if (packet.cmd === 'connack') {
        if (packet.returnCode === 0) done(socket)
        else failed(new Error(`refused: ${packet.returnCode}`))
      } else heard(packet)
    })
    socket.on('data', (chunk: Buffer) => parse.parse(chunk))
    socket.on('error', failed)
    socket.on('close', () => process.exit(0))
  })

/** Now, as sixteen digits: nanoseconds since the process began, counted from 10⁹ ms so that the width never changes. */
const stamp = (): string => String(Math.round((1e9 + performance.now()) * 1e6))

const publishes = ({ topic, topics }: Setup): ((i: number) => Buffer) => {
  // The stamp is written into the finished packet: fixed width, so the length never changes.
  const packets = Array.from({ length: topics }, (_, n) =>
    generate({
      cmd: 'publish',
      topic: topic.replace('{n}', String(n)),
      payload: `{"t":${'1'.repeat(16)},"sensor":"bench ${n}","unit":"ug/m3","value":21.5,"pad":"${'x'.repeat(48)}"}`,
      qos: 0,
      retain: false,
      dup: false,
    }),
  )
  return (i) => {
    const packet = Buffer.from(packets[i % topics] ?? Buffer.alloc(0))
    const at = packet.indexOf('"t":') + 4
    packet.write(stamp(), at)
    return packet
  }
}

const main = async (setup: Setup): Promise<void> => {
  let received = 0
  let latencies: number[] = []
  const subscriber = await open(setup.subscriber, setup.port, (packet) => {
    if (packet.cmd === 'suback') return process.stdout.write('"ready"\n')
    if (packet.cmd !== 'publish') return
    received++
    const text = typeof packet.payload === 'string' ? packet.payload : packet.payload.toString('latin1')
    const at = text.indexOf('"t":')
    if (at >= 0) latencies.push(1e9 + performance.now() - Number(text.slice(at + 4, at + 20)) / 1e6)
  })
  const publisher = await open(setup.publisher, setup.port, () => {})
  subscriber.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: setup.subscribe, qos: 0 }] }))
  const make = publishes(setup)
  let i = 0

  /** Until nothing has come for a third of a second, so that one order's rest does not run into the next. */
  const quiet = async (): Promise<void> => {
    for (let seen = -1, tries = 0; seen !== received && tries < 60; tries++) {
      seen = received
      await new Promise((next) => setTimeout(next, 333))
    }
  }

  const drive = async ({ rate, ms, window }: Order): Promise<Figures> => {
    const [before, cpu, begun] = [received, process.cpuUsage(), performance.now()]
    latencies = []
    let sent = 0
    const send = (n: number) => {
      if (n <= 0) return
      const batch = Array.from({ length: n }, () => make(i++))
      sent += n
      publisher.write(Buffer.concat(batch))
    }
    let last = performance.now()
    let seen = received
    while (performance.now() - begun < ms) {
      if (rate > 0) {
        send(Math.floor(((performance.now() - begun) * rate) / 1000) - sent)
        await new Promise((next) => setTimeout(next, 1))
      } else {
        if (received !== seen) [seen, last] = [received, performance.now()]
        const under = sent - (received - before)
        // What was dropped on the way must not stop the load for ever.
        if (performance.now() - last > 250) sent = received - before
        send(Math.min(256, window - under))
        await new Promise((next) => setImmediate(next))
      }
    }
    const took = performance.now() - begun
    const got = received - before
    const used = process.cpuUsage(cpu)
    await quiet()
    latencies.sort((a, b) => a - b)
    const at = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? Number.NaN
    return {
      sent,
      received: got,
      ms: took,
      p50: at(0.5),
      p99: at(0.99),
      max: at(1),
      generatorCpuUs: used.user + used.system,
    }
  }

  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => {
    void drive(JSON.parse(line) as Order).then((figures) => process.stdout.write(`${JSON.stringify(figures)}\n`))
  })
  lines.on('close', () => process.exit(0))
}

await main(JSON.parse(process.argv[2] ?? '{}') as Setup)
