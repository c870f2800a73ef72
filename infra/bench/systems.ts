// The systems under test: each started as a person would, with the same rules, and stopped by pid.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Setup } from './generator.ts'

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

const line = (child: ChildProcess, wanted: (line: string) => boolean, ms = 30_000): Promise<string> =>
  new Promise((done, failed) => {
    const said: string[] = []
    const late = setTimeout(() => failed(new Error(`no answer in ${ms} ms:\n${said.join('')}`)), ms)
    const hear = (chunk: Buffer) => {
      said.push(chunk.toString())
      const found = said.join('').split('\n').slice(0, -1).find(wanted)
      if (found === undefined) return
      clearTimeout(late)
      done(found)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.on('exit', (code) => failed(new Error(`ended with ${code}:\n${said.join('')}`)))
  })

const end = async (...children: ChildProcess[]): Promise<void> => {
  await Promise.all(
    children.map(
      (child) =>
        new Promise<void>((done) => {
          if (child.exitCode !== null) return done()
          child.removeAllListeners('exit')
          child.on('exit', () => done())
          child.kill('SIGTERM')
          setTimeout(() => child.kill('SIGKILL'), 5000).unref()
        }),
    ),
  )
}
const pidOf = ({ pid }: ChildProcess): number => {
  if (pid === undefined) throw new Error('a process did not start')
  return pid
}
const freePort = async (): Promise<number> => {
  const { createServer } = await import('node:net')
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
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
    mkdirSync(join(root, 'data'), { recursive: true })
    const dir = mkdtempSync(join(root, 'data/bench-'))
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
    const hub = spawn(process.execPath, ['hub/start.js'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
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
    const ready = await line(hub, (l) => l.includes('mqtt://'))
    const said = /http:\/\/127\.0\.0\.1:(\d+).*?mqtt:\/\/127\.0\.0\.1:(\d+)/.exec(ready)
    if (said === null) throw new Error(`the hub says: ${ready}`)
    const [, http = '', mqtt = ''] = said
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
    hub.stdout.resume()
    hub.stderr.resume()
    return {
      pids: [pidOf(hub)],
      setup: {
        port: Number(mqtt),
        topic: 'bench/{n}/in',
        subscribe: 'jarvis/flows/+/out',
        publisher: credential,
        subscriber: { clientId: 'ui.bench', username: 'bench', password: token },
      },
      async stop() {
        await end(hub)
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
    const broker = spawn('mosquitto', ['-p', String(port)], { stdio: 'pipe' })
    await line(broker, (l) => l.includes('running'))
    const worker = spawn(process.execPath, [join(import.meta.dirname, 'peers/rules.ts'), String(port), String(rules)], {
      stdio: 'pipe',
    })
    await line(worker, (l) => l === 'ready')
    return { pids: [pidOf(broker), pidOf(worker)], setup: { port, ...plain }, stop: () => end(worker, broker) }
  },
}

/** aedes as it comes, with the same rules in its process. Our patch is taken out of a copy; nothing else ever starts one. */
export const stockAedes: System = {
  name: 'stock aedes + rxjs',
  async start(rules) {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-stock-'))
    const modules = join(dir, 'node_modules')
    mkdirSync(modules)
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (name !== 'aedes' && !name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name))
    }
    cpSync(join(root, 'node_modules/aedes'), join(modules, 'aedes'), { recursive: true })
    const patch = readdirSync(join(root, 'patches')).find((name) => name.startsWith('aedes+'))
    if (patch !== undefined) execFileSync('git', ['apply', '-R', join(root, 'patches', patch)], { cwd: dir })
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'peers/stock.ts'), join(modules, 'aedes/aedes.js'), String(rules)],
      { stdio: 'pipe' },
    )
    const port = Number(await line(child, (l) => /^\d+$/.test(l)))
    return {
      pids: [pidOf(child)],
      setup: { port, ...plain },
      async stop() {
        await end(child)
        rmSync(dir, { recursive: true, force: true })
      },
    }
  },
}

/** Nothing but the generator and a socket that sends everything back. */
export const mirror: System = {
  name: 'generator alone',
  async start() {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'peers/mirror.ts')], { stdio: 'pipe' })
    const port = Number(await line(child, (l) => /^\d+$/.test(l)))
    return { pids: [pidOf(child)], setup: { port, ...plain }, stop: () => end(child) }
  },
}

export const hasMosquitto = (): boolean =>
  ['/usr/sbin/mosquitto', '/usr/bin/mosquitto', '/usr/local/sbin/mosquitto'].some((path) => existsSync(path))
