// The systems with rules in them: each started as a person would, with the same rules, and stopped by pid.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { dataFolder } from './brokers.ts'
import type { Setup } from './load/flows.ts'
import { freePort, start } from './processes.ts'
import { startStock } from './stock.ts'

const root = resolve(import.meta.dirname, '../..')

export interface Running {
  pids: number[]
  setup: Omit<Setup, 'topics'>
  stop(): Promise<void>
}
export interface System {
  name: string
  start(rules: number): Promise<Running>
}

const plain = {
  publisher: { clientId: 'load' },
  subscriber: { clientId: 'ear' },
  topic: 'bench/{n}/in',
  subscribe: 'bench/+/out',
}

/** The hub as it is: journal on, flows isolated, every right checked. */
export const millrace: System = {
  name: 'Millrace',
  async start(rules) {
    const dir = dataFolder()
    const flows = join(dir, 'flows')
    const plugins = join(dir, 'plugins')
    mkdirSync(flows)
    mkdirSync(join(plugins, 'bench'), { recursive: true })
    writeFileSync(
      join(plugins, 'bench/topics.ts'),
      `import { z } from 'zod'
import { topics, type PayloadsOf } from '#hub'
const rows = topics({ 'bench/{n}/in': { payload: z.looseObject({ t: z.number(), value: z.number() }), qos: 0, retain: false, by: 'granted', native: 'fact', about: 'load' } })
export default rows
declare module '#hub' { interface Topics extends PayloadsOf<typeof rows> {} }
`,
    )
    writeFileSync(
      join(plugins, 'bench/plugin.ts'),
      `import { NEVER } from 'rxjs'
import { z } from 'zod'
import { definePlugin } from '#hub/plugin'
import topics from './topics.ts'
export default definePlugin({ id: 'bench', title: 'Topics of the benchmark', config: z.object({}), handles: [], publishes: [], topics, start: () => NEVER })
`,
    )
    for (let n = 0; n < rules; n++) {
      writeFileSync(
        join(flows, `bench-${n}.ts`),
        `// Doubles what sensor ${n} says.
import { filter, map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) =>
  from('bench/{n}/in', { where: { n: '${n}' }, overload: { dropOldest: 10000 } }).pipe(
    filter(({ payload }) => payload.value > 20),
    map(({ payload }) => message('flows/{flow}/{value}', { flow: 'bench-${n}', value: 'out' }, { t: payload.t, double: payload.value * 2 })),
  ),
)
`,
      )
    }
    const hub = start(process.execPath, ['hub/start.js'], {
      cwd: root,
      env: {
        PATH: process.env['PATH'],
        HTTP_PORT: '0',
        HTTPS_PORT: '0',
        MQTT_PORT: '0',
        MQTTS_PORT: '0',
        DATA_DIR: join(dir, 'hub'),
        FLOWS_DIR: flows,
        PLUGINS_DIR: plugins,
        ADMIN_USER: 'bench',
        ADMIN_PASSWORD: 'bench-bench-bench',
        LOG_LEVEL: 'warn',
      },
    })
    const [, http = '', mqtt = ''] = await hub.line(
      /http:\/\/127\.0\.0\.1:(\d+).*?mqtt:\/\/127\.0\.0\.1:(\d+)/,
      180_000,
    )
    const base = `http://127.0.0.1:${http}`
    const body = new URLSearchParams({ grant_type: 'password', username: 'bench', password: 'bench-bench-bench' })
    const { access_token: token } = (await (await fetch(`${base}/token`, { method: 'POST', body })).json()) as {
      access_token: string
    }
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const made = await fetch(`${base}/api/device-credentials`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ device: 'bench', topics: ['bench/#'] }),
    })
    const credential = (await made.json()) as { clientId: string; username: string; password: string }
    for (const late = Date.now() + 60_000; ;) {
      const { items } = (await (await fetch(`${base}/api/flows`, { headers })).json()) as {
        items: { status: string }[]
      }
      if (items.length === rules && items.every(({ status }) => status === 'running')) break
      if (Date.now() > late) throw new Error(`the flows do not run: ${JSON.stringify(items.slice(0, 2))}`)
      await new Promise((next) => setTimeout(next, 1000))
    }
    return {
      pids: [hub.pid],
      setup: {
        port: Number(mqtt),
        topic: 'bench/{n}/in',
        subscribe: 'jarvis/flows/+/out',
        publisher: credential,
        subscriber: { clientId: 'ui.bench', username: 'bench', password: token },
      },
      async stop() {
        await hub.end()
        rmSync(dir, { recursive: true, force: true })
      },
    }
  },
}

/** Mosquitto from Debian with its defaults (no persistence), and a process of rules beside it. */
export const mosquitto: System = {
  name: 'Mosquitto + mqtt.js/rxjs',
  async start(rules) {
    const port = await freePort()
    const broker = start('mosquitto', ['-p', String(port)])
    await broker.line(/running/)
    const worker = start(process.execPath, [join(import.meta.dirname, 'peers/rules.ts'), String(port), String(rules)])
    await worker.line(/^ready$/m)
    return {
      pids: [broker.pid, worker.pid],
      setup: { port, ...plain },
      async stop() {
        await Promise.all([worker.end(), broker.end()])
      },
    }
  },
}

/** aedes as it comes, with the same rules in its process. */
export const stockAedes: System = {
  name: 'stock aedes + rxjs',
  async start(rules) {
    const { process: running, port, remove } = await startStock(rules)
    return {
      pids: [running.pid],
      setup: { port, ...plain },
      async stop() {
        await running.end()
        remove()
      },
    }
  },
}

/** Nothing but the generator and a socket that sends everything back. */
export const mirror: System = {
  name: 'generator alone',
  async start() {
    const child = start(process.execPath, [join(import.meta.dirname, 'peers/mirror.ts')])
    const [port] = await child.line(/^\d+$/m)
    return { pids: [child.pid], setup: { port: Number(port), ...plain }, stop: () => child.end() }
  },
}
