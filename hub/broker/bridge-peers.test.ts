// The whole hub beside a real Mosquitto, bridged: a device that moves from one to the other, what may cross, and circles.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testHub, type TestHub } from '../testing/hub.ts'
import { type Login, outsider, type Outsider, type Wire } from '../testing/outsider.ts'
import { eventually } from '../testing/until.ts'
import { MISSING, mosquitto, type Mosquitto, olderThan5, WHY } from './external.rig.ts'

interface Part {
  part: string
  status: string
  what?: string
}
interface Items<T> {
  items: T[]
}

const LAMP = { name: 'Lamp', kind: 'light', intents: { 'light.turn_on': {}, 'light.turn_off': {} } }
const CROSSES = `bridge:
  in: ['jarvis/devices/+/#', 'zigbee2mqtt/#']
  out: ['jarvis/devices/#', 'jarvis/devices/lamp/#', 'zigbee2mqtt/#']
`
/** What each part says of itself; `/health` has only the word, but answers as often as it is asked. */
const bridgeOf = async (hub: TestHub, path = '/api/health'): Promise<Part | undefined> =>
  (await hub.api<{ parts: Part[] }>(path)).body.parts.find(({ part }) => part === 'bridge')
const isUp = (hub: TestHub, wanted = true) =>
  eventually(
    () => bridgeOf(hub, '/health'),
    (part) => part !== undefined && (part.status !== 'unhealthy') === wanted,
    { ms: 15_000 },
  )
const SELDOM = { everyMs: 300 }
const errorsOf = async (hub: TestHub) =>
  (await hub.api<Items<{ type: string; severity: string }>>('/api/errors')).body.items
const openHub = (port: number) =>
  testHub({
    env: { BRIDGE_URL: `mqtt://127.0.0.1:${port}` },
    prepare: (dir) => writeFileSync(join(dir, 'millrace.yaml'), CROSSES),
  })

describe.skipIf(MISSING.length > 0).each([
  ['MQTT 5', false],
  ['MQTT 3.1.1', true],
])(`the hub beside Mosquitto, bridged with %s${WHY}`, (_, isOld) => {
  let peer: Mosquitto
  let port: number
  let older: { close(): void } | undefined
  let hub: TestHub
  let out: Outsider
  let lamp: Login
  let here: Wire
  let there: Wire
  /** Somebody on Mosquitto who hears everything. */
  let ear: Wire

  beforeAll(async () => {
    peer = await mosquitto()
    await peer.start()
    port = peer.port
    if (isOld) {
      const proxy = await olderThan5(peer.port)
      older = proxy
      port = proxy.port
    }
    hub = await openHub(port)
    out = outsider(hub.base, peer.port, () => hub.token)
    lamp = await hub.credential('lamp', ['zigbee2mqtt/#'])
    ear = await out.mqtt({ clientId: 'ear' }, { protocolVersion: 5 })
    await ear.subscribe('#')
    await isUp(hub)
  })
  afterAll(async () => {
    await out?.leave()
    await hub?.close()
    older?.close()
    await peer?.remove()
  })

  const ask = async (wire: Wire, intent: string): Promise<void> => {
    const { body, status } = await hub.api<{ commandId: string }>('/api/device/lamp/command', { json: { intent } })
    expect(status).toBe(202)
    const mine = ({ topic, text }: { topic: string; text: string }, leaf: string) =>
      topic === `jarvis/devices/lamp/${leaf}` && text.includes(body.commandId)
    const cmd = await wire.hears((heard) => mine(heard, 'cmd'))
    expect(cmd.json()).toMatchObject({ intent })
    await wire.publish('jarvis/devices/lamp/ack', { id: body.commandId, status: 'done' })
    const result = await wire.hears((heard) => mine(heard, 'result'))
    expect(result.json()).toMatchObject({ status: 'done' })
  }

  test('a device works at the hub', async () => {
    here = await hub.mqtt(lamp)
    for (const leaf of ['cmd', 'result']) await here.subscribe(`jarvis/devices/lamp/${leaf}`)
    await here.publish('jarvis/devices/lamp/about', LAMP, { retain: true })
    await here.publish('jarvis/devices/lamp/online', true, { retain: true })
    await here.publish('jarvis/devices/lamp/state', { at: 'hub' }, { retain: true })
    await eventually(
      () => hub.api('/api/devices/lamp'),
      ({ status }) => status === 200,
    )
    await ask(here, 'light.turn_on')
  })

  test('what it says, and its commands, reach the other broker once, with QoS and retain as they are', async () => {
    await ear.hears(({ topic }) => topic === 'jarvis/devices/lamp/result')
    const about = (leaf: string) => ear.heard.filter(({ topic }) => topic === `jarvis/devices/lamp/${leaf}`)
    for (const leaf of ['about', 'online', 'state', 'cmd', 'ack', 'result']) expect(about(leaf), leaf).toHaveLength(1)
    const late = await out.mqtt({ clientId: 'late' })
    await late.subscribe('jarvis/devices/lamp/#')
    const state = await late.hears('jarvis/devices/lamp/state')
    expect(state.packet).toMatchObject({ retain: true, qos: 1 })
    expect(late.heard.map(({ topic }) => topic.split('/').at(-1)).sort()).toEqual(['about', 'online', 'state'])
  })

  test('it moves to the other broker and nobody notices: state, command, ack, result', async () => {
    await here.end()
    there = await out.mqtt({ clientId: 'lamp' })
    for (const leaf of ['cmd', 'result']) await there.subscribe(`jarvis/devices/lamp/${leaf}`)
    await there.publish('jarvis/devices/lamp/online', true, { retain: true })
    await there.publish('jarvis/devices/lamp/state', { at: 'mosquitto' }, { retain: true })
    const { body } = await eventually(
      () => hub.api<{ state: object; owner: string }>('/api/devices/lamp'),
      (answer) => JSON.stringify(answer.body.state).includes('mosquitto'),
    )
    expect(body).toMatchObject({ owner: 'device:lamp', online: true })
    await ask(there, 'light.turn_off')
    await ask(there, 'light.turn_on')
  })

  test('and back', async () => {
    await there.end()
    here = await hub.mqtt(lamp)
    for (const leaf of ['cmd', 'result', 'state']) await here.subscribe(`jarvis/devices/lamp/${leaf}`)
    expect((await here.hears('jarvis/devices/lamp/state')).text).toBe('{"at":"mosquitto"}')
    await here.publish('jarvis/devices/lamp/state', { at: 'hub again' }, { retain: true })
    await ear.hears(({ text }) => text.includes('hub again'))
    await ask(here, 'light.turn_off')
  })

  test('nothing of its own comes back: each message is in the journal once, and no command is taken for a foreign one', async () => {
    const { body } = await hub.api<Items<{ payload: object }>>('/api/journal?topic=jarvis/devices/lamp/state')
    expect(body.items.map(({ payload }) => JSON.stringify(payload)).sort()).toEqual([
      '{"at":"hub again"}',
      '{"at":"hub"}',
      '{"at":"mosquitto"}',
    ])
    expect((await errorsOf(hub)).map(({ type }) => type)).not.toContain('GateBypassed')
  })

  test('facts come in as the bridge, and reach clients of the hub', async () => {
    await here.subscribe('zigbee2mqtt/#')
    const plug = await out.mqtt({ clientId: 'plug' })
    await plug.publish('zigbee2mqtt/plug', { state: 'OFF' }, { retain: true })
    await here.hears('zigbee2mqtt/plug')
    const { body } = await eventually(
      () => hub.api<Items<{ topic: string; origin: string }>>('/api/journal?topic=zigbee2mqtt/%23'),
      (answer) => answer.body.items.length > 0,
    )
    expect(body.items).toMatchObject([{ topic: 'zigbee2mqtt/plug', origin: 'bridge' }])
    expect(ear.heard.filter(({ topic }) => topic === 'zigbee2mqtt/plug')).toHaveLength(1)
  })

  test('commands and requests do not come in; a command is told of as critical', async () => {
    const thief = await out.mqtt({ clientId: 'thief' })
    await here.subscribe('jarvis/devices/lamp/#')
    const before = here.heard.length
    await thief.publish('jarvis/devices/lamp/request', { id: 'r', intent: 'light.turn_on' })
    await thief.publish('zigbee2mqtt/plug/set', { state: 'ON' })
    await thief.publish('jarvis/devices/lamp/result', { id: 'r', status: 'done', intent: 'light.turn_on' })
    await thief.publish('jarvis/devices/lamp/cmd', { id: 'r', intent: 'light.turn_on' })
    await thief.publish('jarvis/devices/lamp/event', { type: 'end' })
    await here.hears('jarvis/devices/lamp/event')
    const came = here.heard.slice(before).filter(({ packet }) => !packet.retain)
    expect(came.map(({ topic }) => topic)).toEqual(['jarvis/devices/lamp/event'])
    const told = await eventually(
      () => errorsOf(hub),
      (items) => items.some(({ type }) => type === 'GateBypassed'),
      SELDOM,
    )
    expect(told.find(({ type }) => type === 'GateBypassed')).toMatchObject({ severity: 'critical' })
  })

  test(
    'the other broker dies and comes back: what was said meanwhile reaches it, in order',
    { timeout: 40_000 },
    async () => {
      await peer.kill('SIGKILL')
      await isUp(hub, false)
      for (let n = 1; n <= 200; n++) await here.publish('jarvis/devices/lamp/state', { n }, { retain: true })
      await peer.start()
      const back = await eventually(
        () => out.mqtt({ clientId: 'ear-again' }, { protocolVersion: 5 }).catch(() => undefined),
        (wire) => wire !== undefined,
        { everyMs: 30 },
      )
      await back.subscribe('jarvis/devices/lamp/state')
      await back.hears(({ text }) => text === '{"n":200}', 15_000)
      expect(back.heard.map(({ json }) => json()['n'])).toEqual(Array.from({ length: 200 }, (__, i) => i + 1))
      const { body } = await hub.api<{ state: object }>('/api/devices/lamp')
      expect(body.state).toEqual({ n: 200 })
      // It lost its memory with its life: what the hub keeps is there again.
      await back.subscribe('jarvis/devices/lamp/about')
      await back.hears('jarvis/devices/lamp/about')
      const late = await out.mqtt({ clientId: 'late-again' })
      await late.subscribe('jarvis/devices/lamp/about')
      expect((await late.hears('jarvis/devices/lamp/about')).packet.retain).toBe(true)
    },
  )

  test('a second bridge that carries messages back makes a circle: it is cut and told of', async () => {
    await isUp(hub)
    const other = await out.mqtt({ clientId: 'second-bridge' })
    await other.subscribe('jarvis/devices/lamp/event')
    let rounds = 0
    other.client.on('message', (topic, payload) => {
      rounds++
      here.client.publish(topic, payload, { qos: 1 })
    })
    await here.publish('jarvis/devices/lamp/event', { type: 'round and round' })
    await eventually(
      () => errorsOf(hub),
      (items) => items.some(({ type }) => type === 'BridgeLoop'),
      SELDOM,
    )
    await eventually(
      async () => {
        const before = rounds
        await new Promise((resolve) => setTimeout(resolve, 100))
        return rounds - before
      },
      (more) => more === 0,
    )
    expect(rounds).toBeLessThanOrEqual(102)
    expect(await bridgeOf(hub)).toMatchObject({ status: 'degraded', what: expect.stringContaining('circle') as string })
  })
})

describe.skipIf(MISSING.length > 0)(`two retained sets meet${WHY}`, () => {
  test('at the first connection the other broker is right, and gets what it lacks', async () => {
    const peer = await mosquitto()
    await peer.start()
    const setup = outsider('', peer.port, () => '')
    const old = await setup.mqtt({ clientId: 'old' })
    await old.publish('jarvis/devices/press/about', { ...LAMP, name: 'Press' }, { retain: true })
    await old.publish('jarvis/devices/press/state', { on: true }, { retain: true })
    await old.publish('jarvis/devices/press/cmd', { id: 'x' }, { retain: true })
    await old.publish('jarvis/devices/press/request', { intent: 'light.turn_on' }, { retain: true })
    const hub = await openHub(peer.port)
    try {
      await isUp(hub)
      const { body } = await eventually(
        () => hub.api('/api/devices/press'),
        ({ status }) => status === 200,
        SELDOM,
      )
      expect(body).toMatchObject({ name: 'Press', state: { on: true } })
      const { body: seen } = await hub.api<Items<{ topic: string }>>('/api/journal?topic=jarvis/devices/press/%2B')
      expect(seen.items.map(({ topic }) => topic.split('/').at(-1)).sort()).toEqual(['about', 'state'])
    } finally {
      await setup.leave()
      await hub.close()
      await peer.remove()
    }
  })
})
