// The whole hub with flows in a folder of its own: journal on, rights checked, flows isolated, and the topics `bench/{n}/in`.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { dataFolder } from './brokers.ts'
import { sleep, start } from './processes.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PERSON = { username: 'bench', password: 'bench-bench-bench' }
const LOADED_MS = 120_000

export interface Login {
  clientId: string
  username?: string
  password?: string
}

/** What `/api/flows` says of a flow, as far as the benchmarks look. */
export interface FlowRow {
  id: string
  status: string
  version: string
  restarts: number
  out: number
  /** It runs in a lane of its own because it takes too much of everybody's time. */
  slow?: boolean
  error?: { message: string }
}

export interface Workshop {
  pid: number
  port: number
  /** A device that may publish below `bench/`. */
  publisher: Login
  /** A person, who may read everything. */
  subscriber: Login
  flowsDir: string
  /** Its environment: another command of the hub for the same data and folders runs with it. */
  env: NodeJS.ProcessEnv
  /** GET of a path of the API. */
  get(path: string): Promise<unknown>
  flows(): Promise<FlowRow[]>
  isOver(): boolean
  said(): string
  /** SIGTERM, and wait. Its data stay. */
  end(): Promise<void>
  /** Ends it and removes its data. */
  stop(): Promise<void>
}

export interface WorkshopOptions {
  /** Text of each flow by the name of its file, without `.ts`. */
  flows: Readonly<Record<string, string>>
  /** Words for node before the program. */
  node?: readonly string[]
  env?: NodeJS.ProcessEnv
}

/** A flow of the benchmarks: what `from(…).pipe(` is followed by, between the imports and the last bracket. */
export const flowText = (about: string, operators: readonly string[], where: string, pipe: string): string =>
  `// ${about}
import { ${operators.join(', ')} } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) =>
  from('bench/{n}/in', { ${where}overload: { dropOldest: 10000 } }).pipe(
    ${pipe},
  ),
)
`

const TOPICS = `import { z } from 'zod'
import { topics, type PayloadsOf } from '#hub'
const rows = topics({ 'bench/{n}/in': { payload: z.looseObject({ t: z.number(), value: z.number() }), qos: 0, retain: false, by: 'granted', native: 'fact', about: 'load' } })
export default rows
declare module '#hub' { interface Topics extends PayloadsOf<typeof rows> {} }
`
const PLUGIN = `import { NEVER } from 'rxjs'
import { z } from 'zod'
import { definePlugin } from '#hub/plugin'
import topics from './topics.ts'
export default definePlugin({ id: 'bench', title: 'Topics of the benchmark', config: z.object({}), handles: [], publishes: [], topics, start: () => NEVER })
`

/** Puts the topics `bench/{n}/in` into a folder of plugins, which is made when missing. */
export const writeTopics = (plugins: string): void => {
  mkdirSync(join(plugins, 'bench'), { recursive: true })
  writeFileSync(join(plugins, 'bench/topics.ts'), TOPICS)
  writeFileSync(join(plugins, 'bench/plugin.ts'), PLUGIN)
}

const token = async (base: string): Promise<string> => {
  const body = new URLSearchParams({ grant_type: 'password', ...PERSON })
  const answer = await fetch(`${base}/token`, { method: 'POST', body })
  return ((await answer.json()) as { access_token: string }).access_token
}

/** Starts it and waits until every flow runs. Rejects, and leaves nothing behind, when one does not within two minutes. */
export const startWorkshop = async ({ flows, node = [], env: more = {} }: WorkshopOptions): Promise<Workshop> => {
  const dir = dataFolder()
  const [flowsDir, plugins] = [join(dir, 'flows'), join(dir, 'plugins')]
  mkdirSync(flowsDir)
  writeTopics(plugins)
  for (const [name, text] of Object.entries(flows)) writeFileSync(join(flowsDir, `${name}.ts`), text)
  const env = {
    PATH: process.env['PATH'],
    HTTP_PORT: '0',
    HTTPS_PORT: '0',
    MQTT_PORT: '0',
    MQTTS_PORT: '0',
    DATA_DIR: join(dir, 'hub'),
    FLOWS_DIR: flowsDir,
    PLUGINS_DIR: plugins,
    ADMIN_USER: PERSON.username,
    ADMIN_PASSWORD: PERSON.password,
    LOG_LEVEL: 'warn',
    ...more,
  }
  const hub = start(process.execPath, [...node, 'hub/start.js'], { cwd: ROOT, env })
  const stop = async () => {
    await hub.end()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const [, http = '', mqtt = ''] = await hub.line(
      /http:\/\/127\.0\.0\.1:(\d+).*?mqtt:\/\/127\.0\.0\.1:(\d+)/,
      180_000,
    )
    const base = `http://127.0.0.1:${http}`
    const password = await token(base)
    const headers = { authorization: `Bearer ${password}`, 'content-type': 'application/json' }
    const made = await fetch(`${base}/api/device-credentials`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ device: 'bench', topics: ['bench/#'] }),
    })
    if (!made.ok) throw new Error(`no credential: ${made.status} ${await made.text()}`)
    const publisher = (await made.json()) as Login
    const get = async (path: string): Promise<unknown> => {
      const answer = await fetch(`${base}${path}`, { headers, signal: AbortSignal.timeout(10_000) })
      if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`)
      return answer.json()
    }
    const rows = async () => ((await get('/api/flows')) as { items: FlowRow[] }).items
    const wanted = Object.keys(flows).length
    for (const late = performance.now() + LOADED_MS; ; await sleep(500)) {
      const items = await rows()
      if (items.length === wanted && items.every(({ status }) => status === 'running')) break
      if (performance.now() > late) throw new Error(`the flows do not run: ${JSON.stringify(items.slice(0, 2))}`)
    }
    return {
      pid: hub.pid,
      port: Number(mqtt),
      publisher,
      subscriber: { clientId: 'ui.bench', username: PERSON.username, password },
      flowsDir,
      env,
      get,
      flows: rows,
      isOver: () => hub.isOver(),
      said: () => hub.said(),
      end: () => hub.end(),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
