// How long devices take from their announcement to their state in the whole hub, as a person's MQTT client hears it. node plugins/discovery/discovery.bench.ts [devices]
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import mqtt from 'mqtt'
import { rig } from './discovery.rig.ts'

const DEVICES = Number(process.argv[2] ?? 500)
const RUNS = 3
const LIMIT_MS = 60_000

interface Order {
  port: number
  login: { clientId: string; username: string; password: string }
  run: number
}

/** Six components: a light, a relay and four sensors, as a Zigbee or ESPHome device of the middle size has. */
const record = (id: string): string => {
  const sensor = (key: string) => ({
    p: 'sensor',
    unit_of_meas: 'W',
    stat_t: `fleet/${id}`,
    val_tpl: `{{ value_json.${key} | float(0) | round(1) }}`,
  })
  return JSON.stringify({
    dev: { ids: [`fleet-${id}`], name: `Fleet ${id}` },
    o: { name: 'fleet' },
    avty: [{ t: 'fleet/bridge' }, { t: `fleet/${id}/lwt` }],
    avty_mode: 'all',
    cmps: {
      light: { p: 'light', schema: 'json', stat_t: `fleet/${id}`, cmd_t: `fleet/${id}/set`, brightness: true },
      relay: { p: 'switch', stat_t: `fleet/${id}`, cmd_t: `fleet/${id}/relay`, val_tpl: '{{ value_json.relay }}' },
      ...Object.fromEntries(['a', 'b', 'c', 'd'].map((key) => [key, sensor(key)])),
    },
  })
}

/** The devices, in a process of their own. Says when the first announcement leaves. */
const peer = (): void => {
  process.on('message', ({ port, login, run }: Order) => {
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { ...login, protocolVersion: 4, reconnectPeriod: 0 })
    const say = (topic: string, payload: string): void => void client.publish(topic, payload, { qos: 0, retain: true })
    client.on('error', (error) => console.error(error.message))
    client.once('connect', () => {
      const ids = Array.from({ length: DEVICES }, (_, n) => `${run}x${n}`)
      say('fleet/bridge', 'online')
      for (const id of ids) {
        say(`fleet/${id}/lwt`, 'online')
        say(`fleet/${id}`, '{"state":"ON","brightness":200,"relay":"ON","a":1.23,"b":2,"c":3,"d":4}')
      }
      client.publish('fleet/marker', 'x', { qos: 1 }, () => {
        const records = ids.map((id): [string, string] => [`homeassistant/device/fleet-${id}/config`, record(id)])
        process.send?.(performance.timeOrigin + performance.now())
        for (const [topic, payload] of records) say(topic, payload)
      })
    })
  })
}

const measured = async (run: number): Promise<void> => {
  const hub = await rig()
  const login = await hub.credential('fleet', ['fleet/#', 'homeassistant/#'])
  const child = fork(fileURLToPath(import.meta.url), [String(DEVICES), 'peer'])
  let longest = 0
  let last = performance.now()
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 5)
    last = performance.now()
  }, 5)
  const began = new Promise<number>((resolve) => child.once('message', (at) => resolve(Number(at))))
  const shown = new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not all within ${LIMIT_MS} ms`)), LIMIT_MS)
    const seen = new Set<string>()
    hub.watcher.client.on('message', (topic, payload) => {
      if (topic.startsWith('jarvis/devices/fleet_') && topic.endsWith('/state') && payload.includes('"d":4'))
        seen.add(topic)
      if (seen.size < DEVICES) return
      clearTimeout(late)
      resolve(performance.timeOrigin + performance.now())
    })
  })
  const before = process.cpuUsage()
  child.send({ port: hub.mqttPort, login, run } satisfies Order)
  const ms = (await shown) - (await began)
  const { user, system } = process.cpuUsage(before)
  clearInterval(beat)
  console.log(
    `${DEVICES} devices of six components: all shown after ${ms.toFixed(0)} ms; CPU of the hub and its reader ${((user + system) / 1000).toFixed(0)} ms, with what they retained before; event loop held at most ${longest.toFixed(0)} ms`,
  )
  child.kill()
  await hub.close()
}

if (process.argv[3] === 'peer') peer()
else for (let run = 0; run < RUNS; run++) await measured(run)
