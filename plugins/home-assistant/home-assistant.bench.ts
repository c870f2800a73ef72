// How late a change of Home Assistant is heard here: 2,000 entities, 200 changes a second. node plugins/home-assistant/home-assistant.bench.ts
import { fork } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Secret } from '../../hub/health/secret.ts'
import { ROOT, testHub } from '../../hub/testing/hub.ts'
import { fakeHome } from './home-assistant.fake.ts'
import { world } from './plugin.rig.ts'

const ENTITIES = 2000
const PER_DEVICE = 4
const A_SECOND = 200
const SECONDS = Number(process.argv[3] ?? 20)
const TICK_MS = 10

/** Wall-clock ms with fractions, comparable between processes of one machine. */
const now = (): number => performance.timeOrigin + performance.now()
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The peer, in a process of its own: each value is the moment it was sent. */
const peer = async (): Promise<void> => {
  const id = (n: number): string => `sensor.d${Math.floor(n / PER_DEVICE)}_v${n % PER_DEVICE}`
  const home = await fakeHome(
    Object.fromEntries(
      Array.from({ length: ENTITIES }, (_, n) => [id(n), { state: '0', attributes: { unit_of_measurement: 'ms' } }]),
    ),
  )
  const devices = Array.from({ length: ENTITIES / PER_DEVICE }, (_, n) => `d${n}`)
  home.devices = devices.map((name) => ({ id: name, name, identifiers: [['fake', name]] }))
  home.entities = Array.from({ length: ENTITIES }, (_, n) => ({
    entity_id: id(n),
    id: `e${n}`,
    device_id: `d${Math.floor(n / PER_DEVICE)}`,
    platform: 'fake',
  }))
  process.send?.({ url: home.url, token: home.token })
  process.on('message', () => {
    let sent = 0
    const began = now()
    setInterval(() => {
      for (const due = ((now() - began) / 1000) * A_SECOND; sent < due; sent++) {
        home.set(id(Math.floor(Math.random() * ENTITIES)), String(now()))
      }
    }, TICK_MS)
  })
}

const told = (what: string, lags: number[], cpu: NodeJS.CpuUsage, ms: number, longest: number): void => {
  const sorted = lags.sort((a, b) => a - b)
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] ?? Number.NaN).toFixed(1)
  const used = (((cpu.user + cpu.system) / 1000 / ms) * 100).toFixed(1)
  console.log(
    `${what}: ${sorted.length} changes heard in ${(ms / 1000).toFixed(0)} s; lag p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, worst ${at(0.9999)} ms; CPU ${used} % of one core; event loop held at most ${longest.toFixed(0)} ms`,
  )
}

/** Lags of the values in a document that are newer than those seen before. */
const reader = (lags: number[]) => {
  const newest = new Map<string, number>()
  return (device: string, state: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(state)) {
      if (typeof value !== 'number' || value <= (newest.get(`${device}/${key}`) ?? 0)) continue
      newest.set(`${device}/${key}`, value)
      lags.push(now() - value)
    }
  }
}

const measured = async (what: string, lags: number[], begin: () => void): Promise<void> => {
  let longest = 0
  let last = performance.now()
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 5)
    last = performance.now()
  }, 5)
  begin()
  await sleep(2000)
  lags.length = 0
  longest = 0
  const cpu = process.cpuUsage()
  const began = performance.now()
  await sleep(SECONDS * 1000)
  told(what, [...lags], process.cpuUsage(cpu), performance.now() - began, longest)
  clearInterval(beat)
}

const main = async (): Promise<void> => {
  const child = fork(fileURLToPath(import.meta.url), ['peer'])
  const { url, token } = await new Promise<{ url: string; token: string }>((resolve) =>
    child.once('message', resolve as never),
  )
  const credential = {
    baseUrl: url,
    auth: { kind: 'bearer' as const, token: new Secret(token) },
    verifyTls: true,
    scope: [],
  }

  if (process.argv[2] === 'hub') {
    const hub = await testHub({
      env: { PLUGINS_DIR: join(ROOT, 'plugins') },
      prepare: (dir) => {
        mkdirSync(join(dir, 'data'), { mode: 0o700 })
        const peers = join(dir, 'data/peers.yaml')
        writeFileSync(
          peers,
          `home-assistant: { house: { baseUrl: '${url}', auth: { kind: bearer, token: ${token} } } }\n`,
        )
        chmodSync(peers, 0o600)
        writeFileSync(join(dir, 'millrace.yaml'), 'plugins: { home-assistant: {} }\n')
      },
    })
    const lags: number[] = []
    const read = reader(lags)
    const ear = await hub.mqtt({ clientId: 'ui.ada-ear', username: 'ada', password: hub.token })
    ear.client.on('message', (topic, payload) => {
      if (topic.endsWith('/state')) read(topic, JSON.parse(payload.toString()) as Record<string, unknown>)
    })
    await ear.subscribe('jarvis/devices/#', 0)
    await sleep(8000)
    await measured('whole hub, heard by an MQTT client', lags, () => child.send('go'))
    await hub.close()
  } else {
    const lags: number[] = []
    const read = reader(lags)
    const hub = world({ house: credential })
    const began = performance.now()
    hub.start()
    await hub.until(
      'mirrored',
      () => hub.said.filter(({ topic }) => topic.endsWith('/online')).length === ENTITIES / PER_DEVICE,
      30_000,
    )
    console.log(`${ENTITIES} entities mirrored in ${(performance.now() - began).toFixed(0)} ms`)
    let taken = hub.said.length
    const look = setInterval(() => {
      for (; taken < hub.said.length; taken++) {
        const out = hub.said[taken]
        if (out?.topic === 'devices/{device}/state') read(out.params.device, out.payload)
      }
    }, 1)
    await measured('plugin alone', lags, () => child.send('go'))
    clearInterval(look)
    await hub.stop()
  }
  child.kill()
}

await (process.argv[2] === 'peer' ? peer() : main())
