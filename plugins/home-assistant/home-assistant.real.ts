// A real Home Assistant for the tests of this plugin: installed with pip, set up without a browser, in a folder of its own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { z } from 'zod'

/** Home Assistant brings the list of the versions it was released with; without it pip tries for many minutes. */
export const INSTALL = [
  'python3.11 -m venv ~/.cache/millrace-ha',
  '~/.cache/millrace-ha/bin/pip install --no-deps homeassistant==2024.3.3',
  '~/.cache/millrace-ha/bin/pip install -c ~/.cache/millrace-ha/lib/python3.11/site-packages/homeassistant/package_constraints.txt homeassistant==2024.3.3 paho-mqtt==1.6.1 janus Pillow SQLAlchemy fnv-hash-fast hassil home-assistant-frontend home-assistant-intents psutil-home-assistant aiohttp-fast-url-dispatcher aiohttp-zlib-ng aiohttp-cors "josepy<2"',
].join(' && ')

/** The version a program answers with; undefined when it is none. */
export const versionOf = (hass: string): string | undefined => {
  const { status, stdout } = spawnSync(hass, ['--version'], { encoding: 'utf8', timeout: 120_000 })
  return status === 0 ? stdout.trim() : undefined
}

export interface Watch {
  /** Calls of services. */
  calls: { domain: string; service: string; context: string }[]
  /** What the hub told about its commands. */
  told: Record<string, unknown>[]
  end(): void
}

export interface RealHome {
  url: string
  /** A long-lived access token of an administrator. */
  token: string
  version: string
  /** Asks over REST as the administrator. */
  rest(path: string, body?: unknown): Promise<unknown>
  /** State and attributes of an entity; undefined when there is none. */
  state(id: string): Promise<{ state: string; attributes: Record<string, unknown> } | undefined>
  /** Ids of all entities. */
  ids(): Promise<string[]>
  /** One question over its WebSocket as the administrator. */
  ask(message: { type: string; [field: string]: unknown }): Promise<unknown>
  /** What its bus tells from now on. */
  watch(): Promise<Watch>
  /** Connects it to a broker by its own configuration flow. */
  connectMqtt(broker: { port: number; clientId: string; username: string; password: string }): Promise<void>
  /** Changes what it keeps about that broker, such as `protocol`; call it between `stop` and `start`. */
  editMqtt(data: Record<string, unknown>): Promise<void>
  /** What it wrote to its log. */
  said(): string
  stop(): Promise<void>
  /** Ends it without a word. */
  kill(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

const START_MS = 90_000
const STOP_MS = 45_000
const ASK_MS = 15_000

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })

const State = z.looseObject({ entity_id: z.string(), state: z.string(), attributes: z.record(z.string(), z.unknown()) })
const Step = z.looseObject({ flow_id: z.string().optional(), type: z.string(), result: z.unknown().optional() })
const CallEvent = z.looseObject({
  data: z.looseObject({ domain: z.string(), service: z.string() }),
  context: z.looseObject({ id: z.string() }),
})
const ToldEvent = z.looseObject({ data: z.record(z.string(), z.unknown()) })
const ConfigEntries = z.looseObject({
  data: z.looseObject({
    entries: z.array(z.looseObject({ domain: z.string(), data: z.record(z.string(), z.unknown()) })),
  }),
})

/** Beside the demo: what fails, what takes its time, and a scene. */
const FURNITURE = `
light:
  - platform: template
    lights:
      broken_lamp:
        friendly_name: Broken lamp
        value_template: '{{ false }}'
        turn_on: { service: nowhere.at_all }
        turn_off: { service: nowhere.at_all }
      slow_lamp:
        friendly_name: Slow lamp
        value_template: '{{ false }}'
        turn_on: { delay: 30 }
        turn_off: { delay: 30 }
scene:
  - name: Print runs
    entities: { light.bed_light: { state: 'on', brightness: 51 } }
`

/** Installs nothing: `hass` is the program. The first start takes about ten seconds. */
export const realHome = async (hass: string): Promise<RealHome> => {
  const dir = await mkdtemp(join(tmpdir(), 'home-assistant-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const password = randomBytes(9).toString('hex')
  const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: dir, LANG: 'C.UTF-8' }
  await writeFile(
    join(dir, 'configuration.yaml'),
    [
      'homeassistant: { name: Test, time_zone: UTC, unit_system: metric }',
      `http: { server_host: 127.0.0.1, server_port: ${port} }`,
      ...['api', 'websocket_api', 'config', 'auth', 'demo'].map((name) => `${name}:`),
      'logger: { default: warning }',
    ].join('\n') + FURNITURE,
  )
  let child: ChildProcess | undefined
  let said = ''
  let token = ''

  const ask = async (path: string, body: unknown, bearer: string | undefined): Promise<unknown> => {
    const response = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body instanceof URLSearchParams ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: body instanceof URLSearchParams ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(ASK_MS),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
    return JSON.parse(text) as unknown
  }
  const rest: RealHome['rest'] = (path, body) => ask(path, body, token)

  const start = async (): Promise<void> => {
    const started = spawn(hass, ['-c', dir, '--skip-pip'], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-100_000)))
    }
    for (const until = Date.now() + START_MS; ;) {
      const isUp = await fetch(`${url}/api/onboarding`, { signal: AbortSignal.timeout(2000) }).then(
        ({ status }) => status === 200,
        () => false,
      )
      if (isUp) return
      if (started.exitCode !== null || Date.now() > until) throw new Error(`Home Assistant did not start: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null) return
    const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()))
    ending.kill(signal)
    const late = setTimeout(() => ending.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(late)
  }
  const stop = (): Promise<void> => end('SIGTERM')

  /** A line to its WebSocket with one question or subscription. */
  const socket = async (bearer: string, message: object, take: (event: unknown) => void) => {
    const line = new WebSocket(`${url.replace('http', 'ws')}/api/websocket`)
    const result = await new Promise<unknown>((resolve, reject) => {
      line.once('error', reject)
      line.on('message', (data: Buffer) => {
        const said = z
          .looseObject({
            type: z.string(),
            success: z.boolean().optional(),
            result: z.unknown().optional(),
            event: z.unknown().optional(),
          })
          .parse(JSON.parse(data.toString('utf8')))
        if (said.type === 'auth_required') line.send(JSON.stringify({ type: 'auth', access_token: bearer }))
        if (said.type === 'auth_ok') line.send(JSON.stringify({ id: 1, ...message }))
        if (said.type === 'event') take(said.event)
        if (said.type === 'result' && said.success === true) resolve(said.result)
        if (said.type === 'auth_invalid' || said.success === false) reject(new Error(JSON.stringify(said)))
      })
    })
    return { result, end: () => line.terminate() }
  }

  const login = async (): Promise<string> => {
    const client_id = `${url}/`
    const owner = { client_id, name: 'Ada', username: 'ada', password, language: 'en' }
    const begun = await ask('/api/onboarding/users', owner, undefined)
    const { auth_code: code } = z.looseObject({ auth_code: z.string() }).parse(begun)
    const form = { grant_type: 'authorization_code', code, client_id }
    const access = await ask('/auth/token', new URLSearchParams(form), undefined)
    const short = z.looseObject({ access_token: z.string() }).parse(access).access_token
    const made = await socket(
      short,
      { type: 'auth/long_lived_access_token', client_name: 'Millrace', lifespan: 30 },
      () => {},
    )
    made.end()
    return z.string().parse(made.result)
  }

  try {
    await start()
    token = await login()
  } catch (error) {
    await stop()
    await rm(dir, { recursive: true, force: true })
    throw error
  }
  const states = async () => z.array(State).parse(await rest('/api/states'))
  return {
    url,
    token,
    version: z.looseObject({ version: z.string() }).parse(await rest('/api/config')).version,
    rest,
    state: async (id) => (await states()).find(({ entity_id }) => entity_id === id),
    ids: async () => (await states()).map(({ entity_id }) => entity_id),
    ask: async (message) => {
      const { result, end: hangUp } = await socket(token, message, () => {})
      hangUp()
      return result
    },
    watch: async () => {
      const calls: Watch['calls'] = []
      const told: Watch['told'] = []
      const lines = await Promise.all([
        socket(token, { type: 'subscribe_events', event_type: 'call_service' }, (event) => {
          const { data, context } = CallEvent.parse(event)
          calls.push({ domain: data.domain, service: data.service, context: context.id })
        }),
        socket(token, { type: 'subscribe_events', event_type: 'millrace_command' }, (event) => {
          told.push(ToldEvent.parse(event).data)
        }),
      ])
      return { calls, told, end: () => lines.forEach((line) => line.end()) }
    },
    connectMqtt: async ({ port: brokerPort, clientId, username, password: secret }) => {
      const begun = await rest('/api/config/config_entries/flow', { handler: 'mqtt', show_advanced_options: true })
      const { flow_id } = Step.parse(begun)
      const path = `/api/config/config_entries/flow/${flow_id}`
      const basic = { broker: '127.0.0.1', port: brokerPort, username, password: secret }
      await rest(path, { ...basic, advanced_options: true })
      const last = Step.parse(await rest(path, { ...basic, client_id: clientId }))
      if (last.type !== 'create_entry') throw new Error(`Home Assistant's MQTT flow: ${JSON.stringify(last)}`)
    },
    editMqtt: async (data) => {
      const path = join(dir, '.storage/core.config_entries')
      const kept = ConfigEntries.parse(JSON.parse(await readFile(path, 'utf8')))
      for (const entry of kept.data.entries) if (entry.domain === 'mqtt') Object.assign(entry.data, data)
      await writeFile(path, JSON.stringify(kept))
    },
    said: () => said,
    stop,
    kill: () => end('SIGKILL'),
    start,
    close: async () => {
      await end('SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
}
