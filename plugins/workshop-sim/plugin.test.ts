// The simulator through its front door, against a real Mosquitto: devices over TCP with credentials, commands, faults, goodbyes.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import type { Subscription } from 'rxjs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Log } from '#hub/plugin'
import { FAULTS } from './faults.ts'
import { machines } from './machines.ts'
import { type Mosquitto, NO_MOSQUITTO, startMosquitto } from './mosquitto.ts'
import plugin from './plugin.ts'

const PREFIX = 'jarvis'
const WAIT_MS = 8000
const ids = machines.map(({ id }) => id)
const users = new Map([...ids, 'observer'].map((name) => [name, randomBytes(9).toString('hex')]))
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => quiet }

interface Seen {
  topic: string
  payload: string
  retain: boolean
}

/** Hears everything; `until` waits for the first message from now on, or already here, that fits. */
const observe = async (port: number) => {
  const seen: Seen[] = []
  const waiting = new Set<() => void>()
  const client: MqttClient = await mqtt.connectAsync({
    host: '127.0.0.1',
    port,
    username: 'observer',
    password: users.get('observer') ?? '',
    protocolVersion: 5,
    reconnectPeriod: 100,
  })
  client.on('error', () => {})
  client.on('message', (topic, payload, { retain }) => {
    seen.push({ topic: topic.slice(PREFIX.length + 1), payload: payload.toString(), retain })
    for (const check of [...waiting]) check()
  })
  await client.subscribeAsync(`${PREFIX}/#`, { rap: true, qos: 1 })
  const until = async (what: string, fits: (all: Seen[]) => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(check)
        reject(new Error(`not seen within ${WAIT_MS} ms: ${what}; last: ${JSON.stringify(seen.slice(-5))}`))
      }, WAIT_MS)
      const check = (): void => {
        if (!fits(seen)) return
        clearTimeout(timer)
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  const of = (topic: string): string[] => seen.filter((m) => m.topic === topic).map(({ payload }) => payload)
  const command = (device: string, id: string, intent: string, payload?: object): void => {
    const now = Date.now()
    const times = { issuedAt: new Date(now).toISOString(), expiresAt: new Date(now + 30_000).toISOString() }
    client.publish(
      `${PREFIX}/devices/${device}/cmd`,
      JSON.stringify({ id, intent, requestedBy: 'person:ada', ...times, ...(payload ? { payload } : {}) }),
      { qos: 1 },
    )
  }
  return { client, seen, until, of, command, forget: () => seen.splice(0) }
}

describe.skipIf(NO_MOSQUITTO !== undefined)(
  `with Mosquitto${NO_MOSQUITTO === undefined ? '' : ` (${NO_MOSQUITTO})`}`,
  () => {
    let broker: Mosquitto
    let watch: Awaited<ReturnType<typeof observe>>
    let running: Subscription | undefined
    let goodbyes: Promise<unknown>[] = []
    let health: string[] = []
    let issued: string[] = []
    let failure: unknown

    const start = (passwordOf = (id: string) => users.get(id) ?? ''): void => {
      running = plugin
        .start({
          config: plugin.config.parse({}),
          prefix: PREFIX,
          offline: true,
          from: () => {
            throw new Error('it reads nothing')
          },
          use: {
            credentials: {
              issue: (device) => {
                issued.push(device)
                return Promise.resolve({ clientId: device, username: device, password: passwordOf(device) })
              },
              broker: () => ({ host: '127.0.0.1', port: broker.port }),
            },
          },
          log: quiet,
          health: (word, what = '') => void health.push(`${word} ${what}`.trim()),
          report: () => {},
          now: () => Date.now(),
          settle: (work) => void goodbyes.push(work),
        })
        .subscribe({ error: (error) => void (failure = error) })
    }
    const stop = async (): Promise<void> => {
      running?.unsubscribe()
      running = undefined
      await Promise.all(goodbyes)
      goodbyes = []
    }
    const allOnline = async (): Promise<void> =>
      watch.until('all online', () => ids.every((id) => watch.of(`devices/${id}/online`).at(-1) === 'true'))

    beforeAll(async () => {
      broker = await startMosquitto(users, PREFIX)
    })
    afterAll(async () => {
      await broker.close()
    })
    beforeEach(async () => {
      health = []
      issued = []
      failure = undefined
      watch = await observe(broker.port)
    })
    afterEach(async () => {
      await stop()
      await watch.client.endAsync(true)
      expect(failure).toBeUndefined()
    })

    test('a dozen devices and a badge reader connect with their own credentials, retain who they are and send samples', async () => {
      start()
      await allOnline()
      await watch.until('samples', () => watch.of('devices/dust/telemetry').length > 1)
      expect(issued).toEqual(ids)
      for (const id of ids) {
        const about: unknown = JSON.parse(watch.of(`devices/${id}/about`)[0] ?? '')
        expect(about).toMatchObject({ name: expect.any(String), intents: { simulate: { type: 'object' } } })
        expect(watch.of(`devices/${id}/state`)).not.toEqual([])
      }
      const retained = watch.seen.filter((m) => m.retain).map(({ topic }) => topic.split('/')[2])
      expect(new Set(retained)).toEqual(new Set(['about', 'online', 'state']))
      await watch.until('healthy', () => health.includes('healthy'))
    })

    test('a command is acknowledged, carried out and shown', async () => {
      start()
      await allOnline()
      watch.command('extractor', 'c1', 'switch.turn_on')
      await watch.until('done', () => watch.of('devices/extractor/ack').some((ack) => ack.includes('"done"')))
      expect(watch.of('devices/extractor/ack')).toEqual([
        '{"id":"c1","status":"accepted"}',
        '{"id":"c1","status":"done"}',
      ])
      expect(watch.of('devices/extractor/state').at(-1)).toBe('{"on":true,"jammed":false}')
    })

    test('someone saws: the air is dusty within seconds', async () => {
      start()
      await allOnline()
      watch.command('dust', 's1', 'simulate')
      await watch.until('dust above 80', () =>
        watch.of('devices/dust/telemetry').some((json) => (JSON.parse(json) as { dust: number }).dust > 80),
      )
    })

    test('offline drops the connection without a goodbye, so that the will speaks, and then comes back', async () => {
      start()
      await allOnline()
      watch.forget()
      watch.command('press', 'o1', 'simulate', { fault: 'offline', seconds: 1 })
      await watch.until('will', () => watch.of('devices/press/online').includes('false'))
      await watch.until('back', () => watch.of('devices/press/online').at(-1) === 'true')
      watch.command('press', 'o2', 'press.stop')
      await watch.until('answer', () => watch.of('devices/press/ack').some((ack) => ack.includes('"o2"')))
      expect(watch.of('devices/press/ack').slice(0, 2)).toEqual([
        '{"id":"o1","status":"accepted"}',
        '{"id":"o1","status":"done"}',
      ])
    })

    test('stopping says goodbye for each device and leaves no socket behind', async () => {
      const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCPSocket')).length
      const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
      const before = { sockets: sockets(), timers: timers() }
      start()
      await allOnline()
      expect(sockets()).toBeGreaterThanOrEqual(before.sockets + ids.length)
      await stop()
      await watch.until('goodbyes', () => ids.every((id) => watch.of(`devices/${id}/online`).at(-1) === 'false'))
      await expect.poll(sockets, { timeout: 2000 }).toBeLessThanOrEqual(before.sockets)
      await expect.poll(timers, { timeout: 2000 }).toBeLessThanOrEqual(before.timers)
      watch.forget()
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(watch.seen).toEqual([])
    })

    test('when the broker dies the devices say so in health and come back by themselves', async () => {
      start()
      await allOnline()
      await expect.poll(() => health.at(-1), { timeout: 2000 }).toBe('healthy')
      await broker.kill()
      await expect
        .poll(() => health.at(-1) ?? '', { timeout: 3000 })
        .toMatch(/^degraded 13 of 13 devices have no connection/)
      watch.forget()
      await broker.start()
      await allOnline()
      await expect.poll(() => health.at(-1), { timeout: 5000 }).toBe('healthy')
    })

    test('stopping while the broker is away and stopping at once leave nothing behind', async () => {
      start()
      await stop()
      await broker.kill()
      try {
        start()
        await new Promise((resolve) => setTimeout(resolve, 200))
        await stop()
      } finally {
        await broker.start()
      }
      expect(failure).toBeUndefined()
    })

    test('a refused password is a reason in health, not a crash, and is not hammered', async () => {
      start((id) => (id === 'thermo' ? 'wrong' : (users.get(id) ?? '')))
      await watch.until('the others online', () =>
        ids.filter((id) => id !== 'thermo').every((id) => watch.of(`devices/${id}/online`).at(-1) === 'true'),
      )
      await expect
        .poll(() => health.at(-1) ?? '', { timeout: 3000 })
        .toMatch(/^degraded 1 of 13 devices have no connection to the broker: thermo \(.*[Nn]ot authorized\)/)
      expect(health.join()).not.toContain('wrong')
    }, 15_000)
  },
)

test('the demo alone switches it on, and its settings have sane defaults', () => {
  expect(plugin.enabled).toBe('demo')
  expect(plugin.config.parse({})).toEqual({ seed: 20, speed: 1 })
  expect(plugin.config.safeParse({ sped: 2 }).success).toBe(false)
})

test('README names every device with its intents and safe ones, and every fault with what it does', async () => {
  const readme = await readFile(join(import.meta.dirname, 'README.md'), 'utf8')
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'))
  const cells = new Map(rows.map((row) => [row.split('`')[1], row]))
  for (const { id, intents, safe = [] } of machines)
    for (const word of [...Object.keys(intents), ...safe]) expect(cells.get(id)).toContain(`\`${word}\``)
  for (const [fault, does] of Object.entries(FAULTS)) expect(cells.get(fault)).toContain(does)
  expect([...cells.keys()].sort()).toEqual([...ids, ...Object.keys(FAULTS)].sort())
})
