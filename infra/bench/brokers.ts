// The brokers under test, without rules: the whole hub, Mosquitto from Debian, and a stock aedes.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePort, start, type Started } from './processes.ts'
import { startStock } from './stock.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PERSON = { username: 'bench', password: 'bench-bench-bench' }

/** What a client of the load needs to get in. Client ids are `bench`, or `bench-` and something. */
export interface Entrance {
  port: number
  username?: string
  password?: string
}

export interface RunningBroker {
  entrance: Entrance
  /** The roots of its processes. */
  pids: number[]
  isAlive(): boolean
  /** kill -9, with all it started. */
  kill(): Promise<void>
  /** SIGTERM. */
  end(): Promise<void>
  /** Starts it again on the same port and data. Resolves when it has said that it is ready. */
  again(): Promise<void>
  /** The hub's page and API. */
  http?: string
  /** What it has printed lately. */
  said(): string
  /** Ends it and removes its data. */
  close(): Promise<void>
}

export interface BrokerOptions {
  /** The hub's DURABILITY. */
  durability?: 'process' | 'power'
  /** Mosquitto keeps what it has on disk as often as Debian's default does, and without its limit of 1,000 queued. */
  durable?: boolean
  /** Words for node before the program. */
  node?: readonly string[]
}

export interface BrokerKind {
  name: string
  start(options?: BrokerOptions): Promise<RunningBroker>
}

/** A folder on the same disk as the hub's own data, so that fsync is a real one. */
export const dataFolder = (): string => {
  mkdirSync(join(ROOT, 'data'), { recursive: true })
  return mkdtempSync(join(ROOT, 'data/bench-'))
}

const api = async (base: string): Promise<{ clientId: string; username: string; password: string; token: string }> => {
  const body = new URLSearchParams({ grant_type: 'password', ...PERSON })
  const { access_token: token } = (await (await fetch(`${base}/token`, { method: 'POST', body })).json()) as {
    access_token: string
  }
  const made = await fetch(`${base}/api/device-credentials`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ device: 'bench', topics: ['bench/#'] }),
  })
  if (!made.ok) throw new Error(`no credential: ${made.status} ${await made.text()}`)
  return { ...((await made.json()) as { clientId: string; username: string; password: string }), token }
}

const READY = /http:\/\/127\.0\.0\.1:(\d+).*?mqtt:\/\/127\.0\.0\.1:(\d+)/

/** The hub as npm start runs it: journal on, rights checked, flows' process beside it; no plugins, no flows. */
export const hub: BrokerKind = {
  name: 'Millrace',
  async start({ durability = 'process', node = [] } = {}) {
    const dir = dataFolder()
    const [http, mqtt] = [await freePort(), await freePort()]
    mkdirSync(join(dir, 'flows'))
    mkdirSync(join(dir, 'plugins'))
    const env = {
      PATH: process.env['PATH'],
      HTTP_PORT: String(http),
      MQTT_PORT: String(mqtt),
      HTTPS_PORT: '0',
      MQTTS_PORT: '0',
      DATA_DIR: join(dir, 'hub'),
      FLOWS_DIR: join(dir, 'flows'),
      PLUGINS_DIR: join(dir, 'plugins'),
      ADMIN_USER: PERSON.username,
      ADMIN_PASSWORD: PERSON.password,
      DURABILITY: durability,
      LOG_LEVEL: 'warn',
    }
    let running: Started
    const up = async (): Promise<void> => {
      running = start(process.execPath, [...node, join(ROOT, 'hub/start.js')], { cwd: dir, env })
      await running.line(READY, 180_000)
    }
    const close = async () => {
      await running.end()
      rmSync(dir, { recursive: true, force: true })
    }
    try {
      await up()
      const base = `http://127.0.0.1:${http}`
      const { username, password } = await api(base)
      return {
        entrance: { port: mqtt, username, password },
        get pids() {
          return [running.pid]
        },
        http: base,
        isAlive: () => !running.isOver(),
        said: () => running.said(),
        kill: () => running.kill(),
        end: () => running.end(),
        again: up,
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

/** Mosquitto from Debian. With `durable` it has Debian's persistence (saved every 30 minutes and at its end). */
export const mosquitto: BrokerKind = {
  name: 'Mosquitto',
  async start({ durable = false } = {}) {
    const dir = dataFolder()
    const port = await freePort()
    const file = join(dir, 'mosquitto.conf')
    writeFileSync(
      file,
      [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        'set_tcp_nodelay true',
        // Started by root it would become the user mosquitto, who may not write here.
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        ...(durable ? ['persistence true', `persistence_location ${dir}/`, 'max_queued_messages 0'] : []),
        '',
      ].join('\n'),
    )
    let running: Started
    const up = async (): Promise<void> => {
      running = start('mosquitto', ['-c', file])
      await running.line(/running/)
    }
    const close = async () => {
      await running.end()
      rmSync(dir, { recursive: true, force: true })
    }
    try {
      await up()
    } catch (error) {
      await close()
      throw error
    }
    return {
      entrance: { port },
      get pids() {
        return [running.pid]
      },
      isAlive: () => !running.isOver(),
      said: () => running.said(),
      kill: () => running.kill(),
      end: () => running.end(),
      again: up,
      close,
    }
  },
}

/** aedes as it comes: no patch, no limits, everything in memory. It does not come back as what it was. */
export const stock: BrokerKind = {
  name: 'stock aedes',
  async start() {
    const { process: running, port, remove } = await startStock(0)
    return {
      entrance: { port },
      pids: [running.pid],
      isAlive: () => !running.isOver(),
      said: () => running.said(),
      kill: () => running.kill(),
      end: () => running.end(),
      again: () => Promise.reject(new Error('stock aedes keeps nothing to start again with')),
      async close() {
        await running.end()
        remove()
      },
    }
  },
}

export const hasMosquitto = (): boolean =>
  ['/usr/sbin/mosquitto', '/usr/bin/mosquitto', '/usr/local/sbin/mosquitto'].some((path) => existsSync(path))

/** All that can run here. */
export const brokers = (): BrokerKind[] => [hub, ...(hasMosquitto() ? [mosquitto] : []), stock]

/** Starts some, hands them over, and closes them whatever happens. */
export const withBrokers = async <T>(
  kinds: readonly (readonly [BrokerKind, BrokerOptions?])[],
  work: (running: { name: string; broker: RunningBroker }[]) => Promise<T>,
): Promise<T> => {
  const running: { name: string; broker: RunningBroker }[] = []
  try {
    for (const [kind, options] of kinds) running.push({ name: kind.name, broker: await kind.start(options) })
    return await work(running)
  } finally {
    await Promise.all(running.map(({ broker }) => broker.close()))
  }
}
