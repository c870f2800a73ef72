// The load: raw sockets with packets made beforehand, so that the generator is cheaper than anything it measures. Talks JSON lines on stdin and stdout.
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { generate, type Packet, parser } from 'mqtt-packet'
import { sleep } from '../processes.ts'
import type { Login } from '../workshop.ts'

/** Of MQTT: 4 for 3.1.1. */
export type Version = 4 | 5
export interface Setup {
  port: number
  version: Version
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
  /** Every output that came, also after the last message was sent. */
  received: number
  /** From the first message to the last output. */
  ms: number
  p50: number
  p99: number
  max: number
  generatorCpuUs: number
}

const open = (login: Login, { port, version }: Setup, heard: (packet: Packet) => void): Promise<Socket> =>
  new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.setNoDelay(true)
      const { username, password } = login
      socket.write(
        generate({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: version,
          clean: true,
          clientId: login.clientId,
          keepalive: 0,
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password: Buffer.from(password) }),
        }),
      )
    })
    const parse = parser({ protocolVersion: version })
    parse.on('packet', (packet) => {
      if (packet.cmd === 'connack') {
        const code = version === 5 ? packet.reasonCode : packet.returnCode
        if (code === 0) done(socket)
        else failed(new Error(`refused: ${code}`))
      } else heard(packet)
    })
    socket.on('data', (chunk: Buffer) => parse.parse(chunk))
    socket.on('error', failed)
    socket.on('close', () => process.exit(0))
  })

/** Silent for so long, what has not come is lost. */
const LOST_MS = 10_000

/** Now, as sixteen digits: nanoseconds since the process began, counted from 10⁹ ms so that the width never changes. */
const stamp = (): string => String(Math.round((1e9 + performance.now()) * 1e6))

const publishes = ({ topic, topics, version }: Setup): ((i: number) => Buffer) => {
  // The stamp is written into the finished packet: fixed width, so the length never changes.
  const packets = Array.from({ length: topics }, (_, n) =>
    generate(
      {
        cmd: 'publish',
        topic: topic.replace('{n}', String(n)),
        payload: `{"t":${'1'.repeat(16)},"sensor":"bench ${n}","unit":"ug/m3","value":21.5,"pad":"${'x'.repeat(48)}"}`,
        qos: 0,
        retain: false,
        dup: false,
      },
      { protocolVersion: version },
    ),
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
  let lastAt = 0
  let latencies: number[] = []
  const subscriber = await open(setup.subscriber, setup, (packet) => {
    if (packet.cmd === 'suback') {
      if (Number(packet.granted[0]) > 2) throw new Error(`${setup.subscribe} is refused`)
      return process.stdout.write('"ready"\n')
    }
    if (packet.cmd !== 'publish') return
    received++
    lastAt = performance.now()
    const text = typeof packet.payload === 'string' ? packet.payload : packet.payload.toString('latin1')
    const at = text.indexOf('"t":')
    if (at >= 0) latencies.push(1e9 + performance.now() - Number(text.slice(at + 4, at + 20)) / 1e6)
  })
  const publisher = await open(setup.publisher, setup, () => {})
  subscriber.write(
    generate(
      { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: setup.subscribe, qos: 0 }] },
      { protocolVersion: setup.version },
    ),
  )
  const make = publishes(setup)
  let i = 0

  /** Until all has come, or nothing has for so long that it never will; so one order's rest does not run into the next. */
  const drained = async (wanted: number): Promise<void> => {
    for (let seen = received, since = performance.now(); received < wanted; await sleep(5)) {
      if (received !== seen) [seen, since] = [received, performance.now()]
      else if (performance.now() - since > LOST_MS) return
    }
  }

  const drive = async ({ rate, ms, window }: Order): Promise<Figures> => {
    const [before, cpu, begun] = [received, process.cpuUsage(), performance.now()]
    latencies = []
    lastAt = begun
    let sent = 0
    let given = 0
    const send = (n: number) => {
      if (n <= 0) return
      const batch = Array.from({ length: n }, () => make(i++))
      sent += n
      publisher.write(Buffer.concat(batch))
    }
    while (performance.now() - begun < ms) {
      if (rate > 0) {
        send(Math.floor(((performance.now() - begun) * rate) / 1000) - sent)
        await sleep(1)
      } else {
        // What was dropped on the way must not stop the load for ever.
        if (performance.now() - Math.max(lastAt, begun) > LOST_MS) given = sent - (received - before)
        send(Math.min(256, window - (sent - given - (received - before))))
        await new Promise((next) => setImmediate(next))
      }
    }
    await drained(before + sent)
    const used = process.cpuUsage(cpu)
    latencies.sort((a, b) => a - b)
    const at = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? Number.NaN
    return {
      sent,
      received: received - before,
      ms: lastAt - begun,
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
