// Node-RED as it comes from npm, with Mosquitto as its broker: the same rules with core nodes, no editor, no admin API, no log.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Version } from './load/flows.ts'
import { freePort, start } from './processes.ts'
import { plain, type System } from './systems.ts'

/** The version that is compared. */
export const NODE_RED = '5.0.7'

const folder = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'millrace-bench',
  `node-red-${NODE_RED}`,
)
const words = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', `node-red@${NODE_RED}`]
/** What a person types to install it. */
export const installLine = `npm ${words.join(' ')}`

const installed = (): string | undefined => {
  try {
    const file = createRequire(join(folder, 'package.json')).resolve('node-red/package.json')
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
    return version === NODE_RED ? join(dirname(file), 'red.js') : undefined
  } catch {
    return undefined
  }
}

/** Its program, installed into a cache folder of the user when it is not there yet. Undefined when that fails. */
export const nodeRed = async (): Promise<string | undefined> => {
  const known = installed()
  if (known !== undefined) return known
  mkdirSync(folder, { recursive: true })
  if (!existsSync(join(folder, 'package.json'))) writeFileSync(join(folder, 'package.json'), '{}\n')
  process.stderr.write(`installing Node-RED ${NODE_RED} into ${folder}\n`)
  try {
    await promisify(execFile)('npm', words, { timeout: 300_000 })
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  }
  return installed()
}

const settings = `module.exports = {
  flowFile: 'flows.json',
  httpAdminRoot: false,
  httpNodeRoot: false,
  disableEditor: true,
  credentialSecret: false,
  telemetry: { enabled: false, updateNotification: false },
  diagnostics: { enabled: false, ui: false },
  runtimeState: { enabled: false, ui: false },
  contextStorage: { default: { module: 'memory' } },
  logging: { console: { level: 'off', metrics: false, audit: false } },
  uiHost: '127.0.0.1',
  uiPort: 0,
}
`

interface Rule {
  name: string
  listens: string
  says: string
}

const functionOf = (says: string): string =>
  `if (msg.payload.value > 20) {
  return { topic: ${says}, payload: { t: msg.payload.t, double: msg.payload.value * 2 } }
}`

/** Three nodes for a rule: mqtt in that parses JSON, a function that decides and computes, mqtt out that writes JSON. */
const flowsJson = (rules: readonly Rule[], port: number, version: Version): object[] => [
  { id: 'tab', type: 'tab', label: 'bench', disabled: false },
  {
    id: 'broker',
    type: 'mqtt-broker',
    name: '',
    broker: '127.0.0.1',
    port: String(port),
    clientid: 'node-red',
    autoConnect: true,
    usetls: false,
    protocolVersion: String(version),
    keepalive: '60',
    cleansession: true,
    autoUnsubscribe: true,
  },
  ...rules.flatMap(({ name, listens, says }) => [
    {
      id: `in-${name}`,
      type: 'mqtt in',
      z: 'tab',
      topic: listens,
      qos: '0',
      datatype: 'json',
      broker: 'broker',
      nl: false,
      rap: true,
      rh: 0,
      inputs: 0,
      wires: [[`do-${name}`]],
    },
    {
      id: `do-${name}`,
      type: 'function',
      z: 'tab',
      func: functionOf(says),
      outputs: 1,
      timeout: 0,
      noerr: 0,
      libs: [],
      wires: [[`out-${name}`]],
    },
    {
      id: `out-${name}`,
      type: 'mqtt out',
      z: 'tab',
      topic: '',
      qos: '0',
      retain: 'false',
      broker: 'broker',
      wires: [],
    },
  ]),
]

const system = (name: string, program: string, rulesOf: (rules: number) => Rule[]): System => ({
  name,
  async start(rules, version = 4) {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-node-red-'))
    const port = await freePort()
    // A listener on 127.0.0.1 with everybody let in; otherwise its defaults, and so without persistence.
    writeFileSync(
      join(dir, 'mosquitto.conf'),
      `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n`,
    )
    const broker = start('mosquitto', ['-c', join(dir, 'mosquitto.conf')])
    const stopBroker = async () => {
      await broker.end()
      rmSync(dir, { recursive: true, force: true })
    }
    try {
      await broker.line(/running/)
      writeFileSync(join(dir, 'settings.js'), settings)
      writeFileSync(join(dir, 'package.json'), '{}\n')
      writeFileSync(join(dir, 'flows.json'), JSON.stringify(flowsJson(rulesOf(rules), port, version)))
      const env = { PATH: process.env['PATH'], HOME: dir, NODE_ENV: 'production' }
      const red = start(process.execPath, [program, '--userDir', dir, '--settings', join(dir, 'settings.js')], {
        cwd: dir,
        env,
      })
      const stop = async () => {
        await red.end()
        await stopBroker()
      }
      return { pids: [broker.pid, red.pid], setup: { port, ...plain, version }, stop }
    } catch (error) {
      await stopBroker()
      throw error
    }
  },
})

/** A rule of its own for each sensor, as a person would draw it. */
export const nodeRedEach = (program: string): System =>
  system('Node-RED + Mosquitto', program, (rules) =>
    Array.from({ length: rules }, (_, n) => ({
      name: String(n),
      listens: `bench/${n}/in`,
      says: `'bench/${n}/out'`,
    })),
  )

/** The cheapest way there is: one mqtt in with a wildcard and one function for all sensors. */
export const nodeRedOne = (program: string): System =>
  system('Node-RED, one rule for all topics', program, () => [
    { name: 'all', listens: 'bench/+/in', says: `'bench/' + msg.topic.split('/')[1] + '/out'` },
  ])
