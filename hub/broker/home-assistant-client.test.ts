// Home Assistant's client, the real library: clean start, retained will, discovery, and many commands at once.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { heardBy, until, within } from './test-broker.ts'
import { restartable } from './test-restart.ts'

const isInstalled = (() => {
  try {
    execFileSync('python3', ['-c', 'import paho.mqtt.enums'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
const missing = isInstalled ? '' : ' (skipped: pip install paho-mqtt)'

const CONFIGS = 300
const COMMANDS = 500
const STATUS = 'homeassistant/status'

interface Told {
  event: string
  [field: string]: unknown
}

const homeAssistant = (port: number, version: 4 | 5) => {
  const script = fileURLToPath(new URL('home-assistant-client.py', import.meta.url))
  const child = spawn('python3', [script, `${port}`, `${version}`, `${CONFIGS}`, `${COMMANDS}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const told: Told[] = []
  createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line) as Told))
  return {
    async next(event: string): Promise<Told> {
      await until(event, () => told.some((line) => line.event === event), 10_000)
      return told.find((line) => line.event === event) ?? { event }
    },
    told,
    async end(how: 'die' | 'leave') {
      const exit = once(child, 'exit')
      child.stdin.write(`${how}\n`)
      await within(5000, 'its end', exit)
    },
    kill: () => child.kill('SIGKILL'),
  }
}

for (const version of [4, 5] as const) {
  test.skipIf(!isInstalled)(
    `Home Assistant finds ${CONFIGS} devices and sends ${COMMANDS} commands, MQTT ${version}${missing}`,
    async () => {
      await using site = await restartable()
      const hub = await site.start()
      const devices = await hub.client('wild', { clientId: 'devices' })
      const heard = heardBy(devices)
      await devices.subscribeAsync(['home/command', STATUS], { qos: 1 })
      const config = (n: number) => [
        `homeassistant/sensor/n${n}/config`,
        JSON.stringify({ name: `sensor ${n}`, unique_id: `n${n}` }),
      ]
      await Promise.all(
        Array.from({ length: CONFIGS }, (_, n) => {
          const [topic = '', payload = ''] = config(n)
          return devices.publishAsync(topic, payload, { qos: 1, retain: true })
        }),
      )
      let home = homeAssistant(hub.port, version)
      try {
        expect(await home.next('connected')).toMatchObject({ reason: 0, present: false })
        expect(await home.next('subscribed')).toMatchObject({ granted: 500, of: 500 })
        expect(await home.next('discovered')).toMatchObject({ configs: CONFIGS, qos: 1 })
        expect(await home.next('commanded')).toMatchObject({ acknowledged: COMMANDS + 1 })
        await until('every command', () => heard.filter((line) => line.startsWith('home/command')).length >= COMMANDS)
        expect(heard.filter((line) => line.startsWith('home/command'))).toEqual(
          Array.from({ length: COMMANDS }, (_, n) => `home/command ${n}`),
        )
        await devices.publishAsync('home/state/7', 'on', { qos: 1, retain: true })
        expect(await home.next('state')).toMatchObject({ topic: 'home/state/7', payload: 'on', retain: false })
        // It dies without a DISCONNECT, comes back, and leaves as it should.
        await home.end('die')
        await until('its will', () => heard.at(-1) === `${STATUS} offline`)
        expect((await hub.broker.storedRetained()).find(({ topic }) => topic === STATUS)?.payload.toString()).toBe(
          'offline',
        )

        home = homeAssistant(hub.port, version)
        expect(await home.next('connected')).toMatchObject({ reason: 0, present: false })
        expect(await home.next('discovered')).toMatchObject({ configs: CONFIGS })
        expect(await home.next('state')).toMatchObject({ topic: 'home/state/7', payload: 'on', retain: true })
        await until('its birth', () => heard.filter((line) => line === `${STATUS} online`).length === 2)
        await home.next('commanded')
        await home.end('leave')
        await until('it is gone', () => hub.broker.clients().length === 1)
        expect(heard.filter((line) => line === `${STATUS} offline`)).toHaveLength(1)
        expect(hub.broker.counters()).toMatchObject({ dropped: 0, malformed: 0, slowClientsCut: 0 })
        expect(hub.store.sizes()).toMatchObject({ sessions: 0, queued: 0, wills: 0 })
      } finally {
        home.kill()
      }
    },
  )
}
