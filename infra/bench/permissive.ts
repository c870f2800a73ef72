// A broker that lets everybody in, for interoperability suites that know no passwords: node infra/bench/permissive.ts [port] [--deny=filter]…
import { createServer, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { parseArgs } from 'node:util'
import { contains } from '../../hub/bus/filters.ts'
import type { Principal } from '../../hub/bus/principal.ts'
import { no, YES, type Intake, type MqttRights } from '../../hub/broker/broker.ts'
import { openEmbeddedBroker } from '../../hub/broker/embedded.ts'
import { openSessionStore } from '../../hub/broker/sessions/open.ts'
import type { Health, Log } from '../../hub/health/report.ts'

const ANYBODY: Principal = { kind: 'person', id: 'anybody', roles: [] }
/** The keep alive that the suite for MQTT 5 expects a server to set. */
const KEEP_ALIVE_S = 60

const rights = (denied: readonly string[]): MqttRights => ({
  authenticate: async () => ANYBODY,
  mayPublish: () => YES,
  maySubscribe: (_, filter) =>
    denied.some((other) => contains(other, filter)) ? no('denied on the command line') : YES,
  mayRead: () => true,
  onRevoked: () => () => {},
})

const intake = (): Intake => {
  let seq = 0
  return {
    accept(draft, committed) {
      setImmediate(committed)
      return { at: Date.now(), seq: ++seq, cause: 0, correlation: '', n: 0, ...draft }
    },
  }
}

const say =
  (level: string) =>
  (event: string, fields: object = {}) =>
    console.error(level, event, fields)
const log: Log = { debug: () => {}, info: say('info'), warn: say('warn'), error: say('error'), of: () => log }
const health: Health = {
  set: () => {},
  drop: () => {},
  parts: () => [],
  status: () => 'healthy',
  report: (error) => say('error')(error.type, { message: error.message }),
  metrics: { count: () => {}, gauge: () => {}, observe: () => {}, text: async () => '' },
}

const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)])

/** Remaining length (MQTT 5, section 1.5.5). */
const lengthOf = (length: number): Buffer => {
  const bytes: number[] = []
  for (let rest = length; bytes.length === 0 || rest > 0; rest >>= 7) bytes.push((rest & 127) | (rest > 127 ? 128 : 0))
  return Buffer.from(bytes)
}

/** A CONNECT with a name and a password, which the broker lets nobody in without, and what follows it; undefined while it is cut off. */
const named = (bytes: Buffer): Buffer | undefined => {
  let length = 0
  let start = 1
  for (; start <= 4; start++) {
    const byte = bytes[start] ?? 128
    length += (byte & 127) << (7 * (start - 1))
    if (byte < 128) break
  }
  start++
  if (bytes.length < start + length) return undefined
  const connect = Buffer.from(bytes.subarray(start, start + length))
  // Protocol name, its level, then the flags; name and password end the payload.
  const flags = 2 + connect.readUInt16BE(0) + 1
  const before = connect[flags] ?? 0
  const added = (before & 0xc0) === 0 ? Buffer.concat([text('anybody'), text('x')]) : Buffer.alloc(0)
  connect[flags] = before | 0xc0
  return Buffer.concat([
    bytes.subarray(0, 1),
    lengthOf(length + added.length),
    connect,
    added,
    bytes.subarray(start + length),
  ])
}

const withName = (socket: Socket): Duplex => {
  const toBroker = new PassThrough()
  let early: Buffer | undefined = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    if (early === undefined) return void toBroker.write(chunk)
    early = Buffer.concat([early, chunk])
    const ready = named(early)
    if (ready === undefined) return
    early = undefined
    toBroker.write(ready)
  })
  socket.on('end', () => toBroker.end())
  socket.on('close', () => toBroker.destroy())
  socket.on('error', () => toBroker.destroy())
  return Duplex.from({ readable: toBroker, writable: socket })
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { deny: { type: 'string', multiple: true, default: [] } },
})
const folder = mkdtempSync(join(tmpdir(), 'permissive-'))
const persistence = await openSessionStore({ file: join(folder, 'sessions.sqlite'), durability: 'process', log })
const broker = await openEmbeddedBroker({
  rights: rights(values.deny),
  intake: intake(),
  persistence,
  listen: { bind: '127.0.0.1', mqtt: 0 },
  limits: { keepaliveSeconds: KEEP_ALIVE_S },
  log,
  health,
})
const server = createServer({ noDelay: true }, (socket) =>
  broker.handle(withName(socket), socket.remoteAddress ?? 'unknown'),
)
server.listen(Number(positionals[0] ?? 0), '127.0.0.1', () => {
  const address = server.address()
  console.log(`listening on ${typeof address === 'object' && address !== null ? address.port : ''}`)
})

const stop = async () => {
  server.close()
  await broker.close()
  await persistence.close()
  rmSync(folder, { recursive: true, force: true })
  process.exit(0)
}
process.once('SIGTERM', () => void stop())
process.once('SIGINT', () => void stop())
