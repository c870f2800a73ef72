// The systems with rules in them: each started as a person would, with the same rules, and stopped by pid.
import { join } from 'node:path'
import type { Setup, Version } from './load/flows.ts'
import { freePort, start } from './processes.ts'
import { startStock } from './stock.ts'
import { flowText, startWorkshop } from './workshop.ts'

export interface Running {
  pids: number[]
  setup: Omit<Setup, 'topics'>
  stop(): Promise<void>
}
export interface System {
  name: string
  /** `version` is that of MQTT, 4 for 3.1.1. */
  start(rules: number, version?: Version): Promise<Running>
}
/** `node` are words for node before the hub. */
interface HubSystem extends System {
  start(rules: number, version?: Version, node?: readonly string[]): Promise<Running>
}

export const plain = {
  version: 4 as const,
  publisher: { clientId: 'load' },
  subscriber: { clientId: 'ear' },
  topic: 'bench/{n}/in',
  subscribe: 'bench/+/out',
}

const KEEP_ABOVE = 'filter(({ payload }) => payload.value > 20)'
const DOUBLED = '{ t: payload.t, double: payload.value * 2 }'

/** The same rule as a flow of its own for each sensor. */
const eachRule = (rules: number): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: rules }, (_, n) => [
      `bench-${n}`,
      flowText(
        `Doubles what sensor ${n} says.`,
        ['filter', 'map'],
        `where: { n: '${n}' }, `,
        `${KEEP_ABOVE},
    map(({ payload }) => message('flows/{flow}/{value}', { flow: 'bench-${n}', value: 'out' }, ${DOUBLED}))`,
      ),
    ]),
  )

/** One flow that hears every sensor and has an output topic for each. */
const oneRule = (): Record<string, string> => ({
  'bench-all': flowText(
    'Doubles what each sensor says.',
    ['filter', 'map'],
    '',
    `${KEEP_ABOVE},
    map(({ payload, params }) => message('flows/{flow}/{value}', { flow: 'bench-all', value: \`out-\${params.n}\` }, ${DOUBLED}))`,
  ),
})

const ofHub = (name: string, flows: (rules: number) => Record<string, string>, subscribe: string): HubSystem => ({
  name,
  async start(rules, version = 4, node = []) {
    const { pid, port, publisher, subscriber, stop } = await startWorkshop({ flows: flows(rules), node })
    // People do not read what devices say in their own words; the device itself does.
    const ear = subscribe.startsWith('bench/') ? { ...publisher, clientId: `${publisher.clientId}-ear` } : subscriber
    return { pids: [pid], setup: { port, version, topic: 'bench/{n}/in', subscribe, publisher, subscriber: ear }, stop }
  },
})

/** The hub as it is: journal on, flows isolated, every right checked. */
export const millrace = ofHub('Millrace', eachRule, 'jarvis/flows/+/out')
/** The same with one flow for all sensors. */
export const millraceOne = ofHub('Millrace, one flow for all topics', oneRule, 'jarvis/flows/bench-all/+')
/** The same without a flow: what is published goes straight to the subscriber. */
export const millraceNone = ofHub('Millrace without a flow', () => ({}), 'bench/+/in')

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
