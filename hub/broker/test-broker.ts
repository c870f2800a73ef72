// For tests: an embedded broker on random ports with honest in-memory neighbours, and clients that speak MQTT to it.
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import memory from 'aedes-persistence'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import mqttPacket, { type Packet } from 'mqtt-packet'
import type { Draft, Envelope } from '../bus/envelope.ts'
import { originOf, type Principal } from '../bus/principal.ts'
import { Forbidden, Unauthenticated } from '../errors.ts'
import type { Health, Log } from '../health/report.ts'
import { no, YES, type Intake, type MqttRights } from './broker.ts'
import { openEmbeddedBroker, type EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded.ts'
import type { Persistence } from './persistence.ts'
import { contains } from '../bus/filters.ts'

export interface LogLine {
  level: string
  event: string
  fields: Record<string, unknown>
}

export const testLog = (): { log: Log; lines: LogLine[] } => {
  const lines: LogLine[] = []
  const at =
    (level: string) =>
    (event: string, fields: object = {}) =>
      void lines.push({ level, event, fields: { ...fields } })
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), of: () => log }
  return { log, lines }
}

export const testHealth = (): Health => ({
  set: () => {},
  drop: () => {},
  parts: () => [],
  status: () => 'healthy',
  report: () => {},
  metrics: { count: () => {}, gauge: () => {}, observe: () => {}, text: async () => '' },
})

/** Who may do what in these tests. Filters, checked by containment. */
interface Person {
  principal: Principal
  password: string
  publish: readonly string[]
  read: readonly string[]
}
const device = (id: string, topics: readonly string[] = []): Person => ({
  principal: { kind: 'device', id, roles: [], clientId: id },
  password: `${id}-secret`,
  publish: [`jarvis/devices/${id}/#`, ...topics],
  read: [`jarvis/devices/${id}/#`, ...topics],
})
const people = (): Map<string, Person> =>
  new Map<string, Person>([
    ['dust', device('dust')],
    ['lamp', device('lamp')],
    ['press', device('press')],
    [
      'ada',
      {
        principal: { kind: 'person', id: 'ada', roles: ['admin'] },
        password: 'ada-secret',
        publish: ['jarvis/devices/+/request', 'load/#'],
        read: ['jarvis/#', 'load/#'],
      },
    ],
    [
      'bob',
      {
        principal: { kind: 'person', id: 'bob', roles: ['operator'] },
        password: 'bob-secret',
        publish: ['load/#'],
        read: ['load/#'],
      },
    ],
    [
      'wild',
      { principal: { kind: 'person', id: 'wild', roles: [] }, password: 'wild-secret', publish: ['#'], read: ['#'] },
    ],
  ])

export interface TestRights extends MqttRights {
  revoke(origin: string, clientId: string): void
  people: Map<string, Person>
}

export const testRights = (): TestRights => {
  const known = people()
  const byOrigin = (who: Principal) =>
    [...known.values()].find(({ principal }) => originOf(principal) === originOf(who))
  const heard = new Set<(origin: string, clientId: string) => void>()
  return {
    people: known,
    async authenticate({ clientId, username, password }) {
      const person = known.get(username ?? '')
      if (person === undefined || password?.toString() !== person.password) throw new Unauthenticated()
      const issued = person.principal.clientId
      if (issued !== undefined && clientId !== '' && clientId !== issued && !clientId.startsWith(`${issued}-`)) {
        throw new Forbidden('this client id belongs to somebody else')
      }
      return person.principal
    },
    mayPublish: (who, topic) =>
      topic.endsWith('/cmd') || !byOrigin(who)?.publish.some((filter) => contains(filter, topic))
        ? no('not your topic')
        : YES,
    maySubscribe: (who, filter) =>
      byOrigin(who)?.read.some((own) => contains(own, filter)) ? YES : no('not yours to read'),
    mayRead: (who, topic) => byOrigin(who)?.read.some((own) => contains(own, topic)) ?? false,
    onRevoked(tell) {
      heard.add(tell)
      return () => heard.delete(tell)
    },
    revoke: (origin, clientId) => heard.forEach((tell) => tell(origin, clientId)),
  }
}

export interface TestIntake extends Intake {
  accepted: Envelope[]
  /** While true nothing is committed. */
  held: boolean
  release(error?: Error): void
  /** What the policy makes of a draft; undefined refuses it. */
  policy: (draft: Draft) => Draft | undefined
}

export const testIntake = (): TestIntake => {
  const waiting: ((error?: Error) => void)[] = []
  const intake: TestIntake = {
    accepted: [],
    held: false,
    policy: (draft) => draft,
    accept(draft, committed) {
      const found = intake.policy(draft)
      if (found === undefined) return undefined
      const envelope = envelopeOf(found, intake.accepted.length + 1)
      intake.accepted.push(envelope)
      if (intake.held) waiting.push(committed)
      else setImmediate(committed)
      return envelope
    },
    release(error) {
      intake.held = false
      for (const committed of waiting.splice(0)) committed(error)
    },
  }
  return intake
}

export const envelopeOf = (draft: Draft, seq = 1): Envelope => ({
  at: seq,
  seq,
  cause: 0,
  correlation: '',
  n: 0,
  ...draft,
})

/**
 * The memory store of aedes-persistence. It takes two PUBRELs of one client for the same entry, because neither has a
 * broker id; here each gets one.
 */
export const memoryPersistence = (): Persistence => {
  // The package's types describe an ES module, the package is CommonJS.
  const store = (memory as unknown as () => Persistence)()
  const update = store.outgoingUpdate.bind(store)
  store.outgoingUpdate = (client, packet) =>
    update(client, packet.brokerId === undefined ? { ...packet, brokerId: `pubrel ${packet.messageId}` } : packet)
  return store
}

export interface TestBroker extends AsyncDisposable {
  broker: EmbeddedBroker
  port: number
  rights: TestRights
  intake: TestIntake
  persistence: Persistence
  lines: LogLine[]
  /** An mqtt.js client that is connected, or a rejection with the CONNACK code. Closed with the broker. */
  client(user: string, options?: IClientOptions): Promise<MqttClient>
}

export const openTestBroker = async (options: Partial<EmbeddedBrokerOptions> = {}): Promise<TestBroker> => {
  const rights = testRights()
  const intake = testIntake()
  const persistence = options.persistence ?? memoryPersistence()
  const { log, lines } = testLog()
  const clients: MqttClient[] = []
  const broker = await openEmbeddedBroker({
    rights,
    intake,
    log,
    health: testHealth(),
    listen: { bind: '127.0.0.1', mqtt: 0 },
    ...options,
    persistence,
  })
  const port = broker.ports.mqtt ?? 0
  return {
    broker,
    port,
    rights,
    intake,
    persistence,
    lines,
    async client(user, more = {}) {
      const client = await connected(`mqtt://127.0.0.1:${port}`, user, more)
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.endAsync(true)))
      await broker.close()
    },
  }
}

/** Connects once, without trying again. */
export const connected = async (url: string, user: string, options: IClientOptions = {}): Promise<MqttClient> => {
  const client = mqtt.connect(url, {
    clientId: user,
    username: user,
    password: `${user}-secret`,
    reconnectPeriod: 0,
    connectTimeout: 4000,
    ...options,
  })
  client.on('error', () => {})
  await within(
    5000,
    'the connection',
    new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve())
      client.once('error', reject)
      client.once('close', () => reject(new Error('closed before it was connected')))
    }),
  )
  return client
}

/** Waits, but not for ever. */
export const within = async <T>(ms: number, what: string, promise: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Waits until something is so. */
export const until = async (what: string, so: () => boolean | Promise<boolean>, ms = 4000): Promise<void> => {
  const end = performance.now() + ms
  while (!(await so())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** The messages a client gets, as `topic payload`. */
export const heardBy = (client: MqttClient): string[] => {
  const heard: string[] = []
  client.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString()}`))
  return heard
}

/** A round trip: whatever was sent to the client before has arrived after it. */
export const settled = async (client: MqttClient, topic: string): Promise<void> => {
  const mark = `mark-${Math.random()}`
  const come = new Promise<void>((resolve) =>
    client.on('message', (at, payload) => {
      if (at === topic && payload.toString() === mark) resolve()
    }),
  )
  await client.subscribeAsync(topic, { qos: 1 })
  await client.publishAsync(topic, mark, { qos: 1 })
  await within(4000, 'the mark', come)
}

export interface RawClient {
  /** Packets received so far. */
  packets: Packet[]
  send(...parts: (Packet | Buffer)[]): void
  /** The first packet of this kind, now or later. */
  next(cmd: string): Promise<Packet>
  /** Hears packets as they come. */
  onPacket(heard: (packet: Packet) => void): void
  closed: Promise<void>
  readonly isClosed: boolean
  socket: Socket
}

/** A client that can send anything. */
export const rawClient = async (port: number, version: 4 | 5 = 4): Promise<RawClient> => {
  const socket = connectTcp({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const parser = mqttPacket.parser({ protocolVersion: version })
  const packets: Packet[] = []
  const seen = new Set<Packet>()
  let told = () => {}
  parser.on('packet', (packet: Packet) => {
    packets.push(packet)
    told()
  })
  socket.on('data', (chunk: Buffer) => parser.parse(chunk))
  let isClosed = false
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      isClosed = true
      told()
      resolve()
    }),
  )
  return {
    packets,
    onPacket: (heard) => void parser.on('packet', heard),
    socket,
    closed,
    get isClosed() {
      return isClosed
    },
    send(...parts) {
      const bytes = parts.map((part) =>
        Buffer.isBuffer(part) ? part : mqttPacket.generate(part, { protocolVersion: version }),
      )
      socket.write(Buffer.concat(bytes))
    },
    async next(cmd) {
      for (;;) {
        const found = packets.find((packet) => packet.cmd === cmd && !seen.has(packet))
        if (found) {
          seen.add(found)
          return found
        }
        if (isClosed) throw new Error(`closed before ${cmd} came`)
        await within(5000, cmd, new Promise<void>((resolve) => (told = resolve)))
      }
    },
  }
}

export const connectPacket = (user: string, version: 4 | 5 = 4, more: object = {}): Packet => ({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: version,
  clean: true,
  clientId: user,
  keepalive: 60,
  username: user,
  password: Buffer.from(`${user}-secret`),
  ...more,
})
