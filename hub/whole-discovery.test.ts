// Devices that announce themselves to the whole hub, as the gate, the journal, the audit, people and other hubs see them; and what is tried against it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Rig, rig, withPlugin } from '../plugins/discovery/discovery.rig.ts'
import { tasmota, type Tasmota } from '../plugins/discovery/tasmota.fake.ts'
import { aclOf } from './broker/acl-cli.ts'
import { MISSING, mosquitto, type Mosquitto, WHY } from './broker/external.rig.ts'
import { openLog } from './health/log.ts'
import { openStore } from './store/open.ts'
import { ROOT, testHub, type TestHub } from './testing/hub.ts'
import { type Login, outsider, type Wire } from './testing/outsider.ts'
import { eventually } from './testing/until.ts'

interface Items<T> {
  items: T[]
}
interface Row {
  seq: number
  topic: string
  payload: unknown
  origin: string
}
interface AuditRow {
  event: string
  who: string
  subject: string
  device: string
  detail: Record<string, unknown>
}

const SETTINGS = 'plugins:\n  home-assistant: {}\n  discovery:\n    answer_seconds: 2\n'
/** Beside discovery: the plugin that announces the hub's own devices to Home Assistant. */
const withExport = (dir: string, settings = SETTINGS): void => {
  mkdirSync(join(dir, 'plugins/home-assistant'), { recursive: true })
  const file = join(ROOT, 'plugins/home-assistant/plugin.ts')
  writeFileSync(join(dir, 'plugins/home-assistant/plugin.ts'), `export { default } from ${JSON.stringify(file)}\n`)
  writeFileSync(join(dir, 'millrace.yaml'), settings)
}

let hub: Rig
/** A hub for one group of tests: a person may ask it a hundred times a minute. */
const withHub = (settings?: string): void => {
  beforeAll(async () => {
    hub = await rig({ prepare: (dir) => withExport(dir, settings) })
  })
  afterAll(() => hub.close())
}

let lates = 0
/** Topics with something retained, as a person who comes now is given it. `shown` is one that is there. */
const retainedOf = async (shown = 'jarvis/hub/health'): Promise<string[]> => {
  const late = await hub.mqtt({ clientId: `ui.ada-${lates++}`, username: 'ada', password: hub.token })
  await late.subscribe('jarvis/#')
  await late.hears(shown)
  await late.subscribe('jarvis/hub/#')
  await late.end()
  return late.heard.filter(({ packet }) => packet.retain).map(({ topic }) => topic)
}

const audit = async (query: string): Promise<AuditRow[]> =>
  (await hub.api<Items<AuditRow>>(`/api/audit?limit=1000&${query}`)).body.items

describe.each([
  ['as it comes from the factory', '%prefix%/%topic%/', ['tele/plug/#', 'stat/plug/#', 'cmnd/plug/#']],
  ['with the topic first', '%topic%/%prefix%/', ['plug/#']],
  ['with the topic first and each branch granted', '%topic%/%prefix%/', ['plug/tele/#', 'plug/stat/#', 'plug/cmnd/#']],
])('Tasmota %s', (_, fullTopic, granted) => {
  withHub()
  const command = fullTopic.replace('%prefix%', 'cmnd').replace('%topic%', 'plug')
  let plug: Tasmota
  let login: Login
  const start = async (): Promise<void> => {
    plug = await tasmota({ url: `mqtt://127.0.0.1:${hub.mqttPort}`, login, fullTopic })
  }

  beforeAll(async () => {
    login = await hub.credential('plugcard', ['tasmota/discovery/A1B2C3D4E5F6/#', ...granted])
    await start()
  })
  afterAll(async () => {
    await plug.end()
    await hub.api(`/api/device-credentials/${login.clientId}`, { method: 'DELETE' })
  })

  const actsOn = async (topic: string): Promise<Row[]> =>
    (await hub.api<Items<Row>>(`/api/journal?limit=1000&topic=${encodeURIComponent(topic)}`)).body.items

  test('it stays connected, hears its own commands and no group’s, and is there with its state', async () => {
    await hub.becomes('plug', ({ online }) => online)
    // What it reports is not retained. Where Tasmota reports from the factory it is heard also before the announcement.
    if (!command.startsWith('cmnd/')) plug.report()
    const found = await hub.becomes('plug', ({ state }) => state['relay'] === false && state['energy_power'] === 0.5)
    expect(found).toMatchObject({ name: 'Plug', kind: 'switch', owner: 'plugin:discovery' })
    expect([...plug.subscribed.values()]).toEqual([0, 128, 128])
    expect(plug.client.connected).toBe(true)
    // Its empty message to itself is dropped, and nobody's attempt at anything.
    expect(hub.errors()).toEqual([])
    expect(await audit('event=refused.publish')).toEqual([])
  })

  test('a request becomes one message on its command topic, caused by the gate’s command, and its answer is the result', async () => {
    expect(await hub.ask('plug', 'switch.turn_on')).toMatchObject({ status: 'done' })
    expect(plug.heard).toEqual([`${command}POWER ON`])
    expect(plug.on).toBe(true)
    const [sent] = await actsOn(`${command}POWER`)
    expect(sent).toMatchObject({ origin: 'plugin:discovery' })
    const why = await hub.api<Items<Row>>(`/api/journal/${sent?.seq}/why`)
    expect(why.body.items.map(({ topic }) => topic)).toEqual([
      `${command}POWER`,
      'jarvis/devices/plug/cmd',
      'jarvis/devices/plug/request',
    ])
    // Switched at the device itself.
    plug.press()
    await hub.becomes('plug', ({ state }) => state['relay'] === false)
  })

  test('nobody but the gate’s answer is heard on its command topics: not itself, not a person, not a device with the same rights', async () => {
    const refused = await hub.api<{ error: { message: string } }>('/api/device-credentials', {
      json: { device: 'twin', topics: [`${command}#`] },
    })
    expect(refused).toMatchObject({ status: 400 })
    expect(JSON.stringify(refused.body)).toContain("'plugcard' already")
    const before = plug.heard.length
    const self = await hub.mqtt({ ...login, clientId: `${login.clientId}-2` }, { protocolVersion: 5 })
    for (const leaf of ['POWER', 'Backlog', 'POWER1', ''])
      await expect(self.publish(`${command}${leaf}`, 'ON')).rejects.toThrow(/[Nn]ot authorized/)
    const ada = await hub.mqtt({ clientId: 'ui.ada-x', username: 'ada', password: hub.token }, { protocolVersion: 5 })
    await expect(ada.publish(`${command}POWER`, 'ON')).rejects.toThrow(/[Nn]ot authorized/)
    expect(await ada.subscribe(`${command}#`)).toBe(135)
    await Promise.all([self.end(), ada.end()])
    expect(await hub.ask('plug', 'switch.turn_on')).toMatchObject({ status: 'done' })
    expect(plug.heard.slice(before)).toEqual([`${command}POWER ON`])
  })

  test('renamed it keeps its id; cut off it is offline and cannot be asked; back it is there; hidden it is gone', async () => {
    plug.rename('Kettle')
    await hub.becomes('plug', ({ name }) => name === 'Kettle')
    plug.die()
    await hub.becomes('plug', ({ online, state }) => !online && state['relay'] === null)
    expect(await hub.ask('plug', 'switch.turn_off')).toMatchObject({ status: 'refused' })
    await start()
    await hub.becomes('plug', ({ online, name }) => online && name === 'Plug')
    expect(await hub.ask('plug', 'switch.turn_on')).toMatchObject({ status: 'done' })
    const ofPlug = (topics: string[]) => topics.filter((one) => one.startsWith('jarvis/devices/plug/'))
    expect(ofPlug(await retainedOf('jarvis/devices/plug/about')).length).toBeGreaterThan(2)
    plug.hide()
    await hub.gone('plug')
    expect(ofPlug(await retainedOf())).toEqual([])
  })
})

describe('a device that only speaks Home Assistant’s discovery', () => {
  withHub()
  const CONFIG = 'homeassistant/device/lamp-8f21/config'
  const record = (name: string) => ({
    '~': 'shop/lamp',
    dev: { ids: ['lamp-8f21'], name, mf: 'Own Works' },
    o: { name: 'lampware' },
    avty_t: '~/lwt',
    cmps: {
      light: {
        p: 'light',
        uniq_id: 'lamp-8f21-light',
        schema: 'json',
        stat_t: '~/state',
        cmd_t: '~/wish',
        brightness: true,
      },
      power: {
        p: 'sensor',
        uniq_id: 'lamp-8f21-w',
        stat_t: '~/tele',
        val_tpl: '{{ value_json.w }}',
        unit_of_meas: 'W',
      },
    },
  })
  let lamp: Wire
  let login: Login

  beforeAll(async () => {
    const connected = await hub.connect('lampcard', ['shop/lamp/#', CONFIG], {
      will: { topic: 'shop/lamp/lwt', payload: Buffer.from('offline'), qos: 1, retain: true },
    })
    lamp = connected
    login = connected.login
    lamp.client.on('message', (topic, payload) => {
      if (topic === 'shop/lamp/wish') void lamp.publish('shop/lamp/state', payload, { retain: true, qos: 0 })
    })
    await lamp.subscribe('shop/lamp/wish')
    await lamp.publish('shop/lamp/lwt', 'online', { retain: true })
    await lamp.publish('shop/lamp/state', { state: 'OFF', brightness: 10 }, { retain: true })
    await lamp.publish(CONFIG, record('Hall lamp'), { retain: true })
  })

  test('what it says is in the journal as its own word and as the hub’s state, one caused by the other', async () => {
    const found = await hub.becomes('hall_lamp', ({ online, state }) => online && state['light'] !== null)
    expect(found).toMatchObject({ state: { light: { on: false, level: 4 } }, maker: 'Own Works' })
    await lamp.publish('shop/lamp/tele', { w: 3.5 })
    await hub.watcher.hears(({ topic, text }) => topic === 'jarvis/devices/hall_lamp/state' && text.includes('3.5'))
    const { body } = await hub.api<Items<Row>>('/api/journal?topic=shop/lamp/tele')
    expect(body.items).toMatchObject([{ origin: 'device:lampcard', payload: { w: 3.5 } }])
  })

  test('a request: who asked, what the gate sent, the native message, its answer; in the audit from the first to the last', async () => {
    expect(await hub.ask('hall_lamp', 'light.turn_on', { level: 60 })).toMatchObject({ status: 'done' })
    expect(lamp.heard.map(({ topic, text }) => `${topic} ${text}`)).toEqual([
      'shop/lamp/wish {"state":"ON","brightness":153}',
    ])
    const cmd = await hub.watcher.hears('jarvis/devices/hall_lamp/cmd')
    expect(cmd.json()).toMatchObject({ requestedBy: 'person:ada' })
    const rows = await audit(`subject=${String(cmd.json()['id'])}`)
    const events = rows.map(({ event }) => event).reverse()
    expect([events[0], events.at(-1)]).toEqual(['request', 'result'])
    expect(events.filter((event) => event === 'cmd' || event === 'ack')).toEqual(['cmd', 'ack', 'ack'])
    expect(new Set(rows.map(({ device }) => device))).toEqual(new Set(['hall_lamp']))
  })

  test('it is not announced to Home Assistant a second time; the hub’s own device is', async () => {
    const press = await hub.mqtt(await hub.credential('press'))
    await press.publish('jarvis/devices/press/about', { name: 'Press', kind: 'switch', intents: {} }, { retain: true })
    await press.publish('jarvis/devices/press/online', true, { retain: true })
    await press.publish('jarvis/devices/press/state', { on: true }, { retain: true })
    const exported = await eventually(
      () => hub.api<Items<Row>>('/api/journal?limit=1000&topic=homeassistant/%23'),
      ({ body }) => body.items.some(({ origin }) => origin === 'plugin:home-assistant'),
      { everyMs: 400 },
    )
    const ours = exported.body.items.filter(({ origin }) => origin === 'plugin:home-assistant')
    expect(JSON.stringify(ours)).toContain('jarvis/devices/press/state')
    expect(JSON.stringify(ours)).not.toMatch(/hall_lamp|shop.lamp/)
    // And what the hub announces does not come back as a device.
    expect((await hub.devices()).map(({ id }) => id).sort()).toEqual(['hall_lamp', 'press'])
    await press.end()
  })

  test('cut off it is offline; renamed it is the same; removed nothing of it is left', async () => {
    lamp.client.stream.destroy()
    await hub.becomes('hall_lamp', ({ online, state }) => !online && state['light'] === null)
    expect(await hub.ask('hall_lamp', 'light.turn_off')).toMatchObject({ status: 'refused' })
    lamp = await hub.mqtt(login)
    await lamp.publish('shop/lamp/lwt', 'online', { retain: true })
    await lamp.publish(CONFIG, record('Desk lamp'), { retain: true })
    await hub.becomes('hall_lamp', ({ online, name }) => online && name === 'Desk lamp')
    await lamp.publish(CONFIG, '', { retain: true })
    await hub.gone('hall_lamp')
    expect((await retainedOf()).filter((topic) => topic.includes('hall_lamp'))).toEqual([])
    // Its command topic guards nothing any more: the device may use it as it likes.
    await lamp.publish('shop/lamp/wish', 'x')
    await lamp.end()
  })
})

const Played = z.strictObject({ topic: z.string(), payload: z.unknown(), retain: z.boolean() })
const play = async (wire: Wire, name: string): Promise<void> => {
  const file = join(ROOT, 'plugins/discovery/fixtures', `${name}.jsonl`)
  for (const one of readFileSync(file, 'utf8').trim().split('\n')) {
    const { topic, payload, retain } = Played.parse(JSON.parse(one))
    await wire.publish(topic, payload, { retain })
  }
}

describe('Zigbee2MQTT', () => {
  withHub()
  let bridge: Wire
  beforeAll(async () => {
    bridge = await hub.connect('z2m', ['zigbee2mqtt/#', 'homeassistant/#'])
    await bridge.subscribe('zigbee2mqtt/#')
    bridge.client.on('message', (topic, payload) => {
      const [, name] = /^zigbee2mqtt\/([^/]+)\/set$/.exec(topic) ?? []
      if (name !== undefined) void bridge.publish(`zigbee2mqtt/${name}`, payload, { qos: 0 })
    })
    await play(bridge, 'zigbee2mqtt-1.42.0-start')
    await hub.becomes('kitchen_lamp', ({ state }) => state['linkquality'] === 96)
  })

  test('a request is one message on its native topic, caused by the command, and recorded', async () => {
    expect(await hub.ask('kitchen_lamp', 'light.turn_on')).toMatchObject({ status: 'done' })
    const { body } = await hub.api<Items<Row>>('/api/journal?topic=zigbee2mqtt/Kitchen%20lamp/set')
    expect(body.items).toMatchObject([{ origin: 'plugin:discovery' }])
    const why = await hub.api<Items<Row>>(`/api/journal/${body.items[0]?.seq}/why`)
    expect(why.body.items.map(({ topic }) => topic)).toContain('jarvis/devices/kitchen_lamp/cmd')
    expect(bridge.heard.filter(({ topic }) => topic.endsWith('/set'))).toHaveLength(1)
  })

  test('its list of devices makes none: only what is announced is there', async () => {
    const listed = [{ ieee_address: '0x99', type: 'Router', friendly_name: 'Ghost', supported: true }]
    await bridge.publish('zigbee2mqtt/bridge/devices', listed, { retain: true })
    await bridge.publish('zigbee2mqtt/Ghost', { state: 'ON' })
    await bridge.publish('zigbee2mqtt/Radiator', { battery: 12 })
    await hub.becomes('radiator', ({ state }) => state['battery'] === 12)
    expect((await hub.devices()).map(({ id }) => id)).not.toContain('ghost')
  })

  test('renamed it is asked under its new name; left it is gone, with all that was retained of it', async () => {
    await play(bridge, 'zigbee2mqtt-1.42.0-rename')
    await hub.becomes('kitchen_lamp', ({ name, online }) => name === 'Island lamp' && online)
    expect(await hub.ask('kitchen_lamp', 'light.turn_off')).toMatchObject({ status: 'done' })
    expect(bridge.heard.findLast(({ topic }) => topic.endsWith('/set'))?.topic).toBe('zigbee2mqtt/Island lamp/set')
    expect(await retainedOf('jarvis/devices/kitchen_lamp/about')).toContain('jarvis/devices/kitchen_lamp/state')
    await play(bridge, 'zigbee2mqtt-1.42.0-remove')
    await hub.gone('kitchen_lamp')
    expect((await retainedOf()).filter((topic) => topic.includes('kitchen_lamp'))).toEqual([])
    const left = await hub.watcher.hears(
      ({ topic, text }) => topic === 'jarvis/devices/zigbee2mqtt_bridge/event' && text.includes('device_left'),
    )
    expect(left.json()).toMatchObject({ name: 'Island lamp' })
  })
})

describe('past the gate', () => {
  withHub()
  /** Devices that hear their command topics and nothing else. */
  let victim: Wire
  let ws: Wire
  let mallory: Wire & { login: Login }
  let isHot = false
  const OVEN = {
    device: { identifiers: ['oven-1'], name: 'Oven' },
    name: null,
    unique_id: 'oven-1',
    state_topic: 'shop/oven/state',
    command_topic: 'shop/oven/heat',
  }
  const TOPICS = [
    'zigbee2mqtt/Radiator/set',
    'zigbee2mqtt/Radiator/set/system_mode',
    'zigbee2mqtt/bridge/request/device/remove',
    'cmnd/heater/POWER',
    'cmnd/heater/Backlog',
    'cmnd/tasmotas/POWER',
    'homeassistant/switch/oven/set',
    'shop/oven/heat',
    'jarvis/devices/oven/cmd',
  ]
  const heard = (): string[] => victim.heard.map(({ topic }) => topic)

  beforeAll(async () => {
    victim = await hub.connect('victim', [
      'shop/oven/#',
      'homeassistant/switch/oven/#',
      'cmnd/heater/#',
      'homeassistant/status',
    ])
    for (const filter of ['shop/oven/heat', 'cmnd/heater/#', 'homeassistant/switch/oven/set'])
      expect(await victim.subscribe(filter)).toBe(1)
    victim.client.on('message', (topic, payload) => {
      if (topic === 'shop/oven/heat') void victim.publish('shop/oven/state', payload, { retain: true, qos: 0 })
    })
    await victim.publish('shop/oven/state', 'OFF', { retain: true })
    await victim.publish('homeassistant/switch/oven/config', OVEN, { retain: true })
    await hub.becomes('oven', ({ state }) => state['oven'] === false)
    // It was granted far too much, and still commands nobody.
    mallory = await hub.connect(
      'mallory',
      ['shop/#', 'homeassistant/#', 'zigbee2mqtt/#', 'tasmota/#', 'tele/#', 'stat/#'],
      {
        protocolVersion: 5,
      },
    )
    ws = await hub.mqtt(
      { clientId: 'ui.ada-ws', username: 'ada', password: hub.token },
      { url: `${hub.base.replace('http', 'ws')}/mqtt`, protocolVersion: 5 },
    )
  })
  afterAll(() => Promise.all([victim.end(), ws.end(), mallory.end()]))

  /** What the hub shows people about these clients. */
  const lastErrors = async (...clientIds: string[]): Promise<string[]> => {
    const { body } =
      await hub.api<Items<{ clientId: string; lastError?: { what: string } }>>(`/api/broker/clients?limit=1000`)
    return clientIds.map((id) => body.items.find(({ clientId }) => clientId === id)?.lastError?.what ?? '')
  }

  test.each(TOPICS)('%s: another device, a person over WebSocket, a device of old', async (topic) => {
    const before = heard().length
    for (const retain of [false, true]) {
      await expect(mallory.publish(topic, 'ON', { retain })).rejects.toThrow(/[Nn]ot authorized/)
      await expect(ws.publish(topic, 'ON', { retain })).rejects.toThrow(/[Nn]ot authorized/)
    }
    for (const what of await lastErrors(mallory.login.clientId, 'ui.ada-ws'))
      expect(what.slice(0, topic.length + 30)).toContain(`Publishing to ${topic} refused`)
    const rows = (await audit('event=refused.publish')).filter(({ detail }) => detail['topic'] === topic)
    expect(new Set(rows.map(({ who }) => who))).toEqual(new Set(['device:mallory', 'person:ada']))
    const old = await hub.mqtt({ ...mallory.login, clientId: `${mallory.login.clientId}-old` })
    await expect(old.publish(topic, 'ON')).rejects.toThrow('connection ended')
    const { body } = await hub.api<Items<Row>>(`/api/journal?topic=${encodeURIComponent(topic)}`)
    expect(body.items.filter(({ origin }) => origin !== 'plugin:discovery')).toEqual([])
    expect(heard()).toHaveLength(before)
  })

  test('over HTTP there is no way to a topic; what is asked of the gate is refused and in the audit', async () => {
    for (const path of [
      '/api/publish',
      '/api/mqtt/publish',
      '/api/broker/publish',
      '/api/topics/cmnd%2Fheater%2FPOWER',
    ])
      expect((await hub.api(path, { json: { topic: 'cmnd/heater/POWER', payload: 'ON' } })).status).toBe(404)
    const ask = (device: string, json: object) => hub.api(`/api/device/${encodeURIComponent(device)}/command`, { json })
    for (const device of ['cmnd/heater/POWER', '../heater', 'zigbee2mqtt/Radiator/set', 'oven/heat'])
      expect([400, 404]).toContain((await ask(device, { intent: 'switch.turn_on' })).status)
    const wishes: [string, object][] = [
      ['mqtt.publish', { topic: 'cmnd/heater/POWER', payload: 'ON' }],
      ['switch.turn_on', { topic: 'zigbee2mqtt/Radiator/set' }],
      ['switch.turn_on', { entity: '../heater' }],
      ['switch.turn_on', { entity: 'oven', command_topic: 'cmnd/heater/POWER' }],
    ]
    for (const [n, [intent, payload]] of wishes.entries()) {
      const { status, body } = await ask('oven', { id: `past-${n}`, intent, payload })
      expect([n, [400, 422].includes(status)], JSON.stringify(body)).toEqual([n, true])
      const rows = await audit(`subject=past-${n}`)
      expect([n, rows.at(0)?.event, rows.at(0)?.device]).toEqual([n, 'result', 'oven'])
    }
    expect(heard()).toEqual([])
  })

  const told = async (reason: string): Promise<void> => {
    const event = await hub.watcher.hears(
      ({ topic, text }) => topic.startsWith('jarvis/errors/warning/') && text.includes(reason),
    )
    expect(event.json()).toMatchObject({ source: 'plugin:discovery', details: { origin: 'device:mallory' } })
  }

  test.each<[string, string, object, string]>([
    [
      'its record, pointed at another device',
      'homeassistant/switch/oven/config',
      { ...OVEN, command_topic: 'shop/mallory/x' },
      "this record is device:victim's",
    ],
    [
      'its identity with another command topic',
      'homeassistant/switch/oven2/config',
      { ...OVEN, command_topic: 'shop/mallory/x' },
      'the device is announced by device:victim already',
    ],
    [
      'a harmless lamp that is commanded where the oven is',
      'homeassistant/light/lamp/config',
      { device: { identifiers: ['m-1'], name: 'Lamp' }, state_topic: 'shop/m/s', command_topic: 'shop/oven/heat' },
      "'shop/oven/heat' is where a device of device:victim is commanded",
    ],
    [
      'a lamp that is commanded at the gate’s own topic',
      'homeassistant/light/lamp2/config',
      { device: { identifiers: ['m-2'], name: 'Lamp' }, command_topic: 'jarvis/devices/oven/cmd' },
      "'jarvis/devices/oven/cmd' belongs to the hub",
    ],
    [
      'a lamp whose state is another device’s',
      'homeassistant/light/lamp3/config',
      { device: { identifiers: ['m-3'], name: 'Lamp' }, state_topic: 'jarvis/devices/press/state' },
      "'jarvis/devices/press/state' belongs to the hub",
    ],
    [
      'a Tasmota that hears the commands of another',
      'tasmota/discovery/0A0B0C0D0E0F/config',
      { mac: '0A0B0C0D0E0F', t: 'heater', ft: '%prefix%/%topic%/', tp: ['cmnd', 'stat', 'tele'], rl: [1] },
      "has no right to hear 'cmnd/heater/POWER'",
    ],
    [
      'a Tasmota that has swapped its prefixes',
      'tasmota/discovery/0A0B0C0D0E1F/config',
      { mac: '0A0B0C0D0E1F', t: 'heater', ft: '%prefix%/%topic%/', tp: ['stat', 'cmnd', 'tele'], rl: [1] },
      "has no right to publish 'cmnd/heater/RESULT'",
    ],
  ])('%s: refused, told, and nothing has changed', async (_, topic, record, reason) => {
    await mallory.publish(topic, record, { retain: true })
    await told(reason)
    expect((await hub.devices()).map(({ name }) => name)).toEqual(['Oven'])
    await mallory.publish(topic, '', { retain: true })
    isHot = !isHot
    expect(await hub.ask('oven', isHot ? 'switch.turn_on' : 'switch.turn_off')).toMatchObject({ status: 'done' })
    const sent = victim.heard.splice(0).map(({ topic: to, text }) => `${to} ${text}`)
    expect(sent).toEqual([`shop/oven/heat ${isHot ? 'ON' : 'OFF'}`])
  })
})

describe('discovery under a prefix of its own, for Home Assistant to ask through the gate', () => {
  withHub('plugins:\n  home-assistant:\n    export: { owners: [] }\n  discovery:\n    prefix: announce\n')

  test('the device is announced to Home Assistant by the hub alone, and what it is asked there comes by the gate', async () => {
    const bench = await hub.connect('benchcard', ['shop/bench/#', 'announce/switch/bench/config'])
    bench.client.on('message', (_, payload) => {
      void bench.publish('shop/bench/state', payload, { retain: true, qos: 0 })
    })
    await bench.subscribe('shop/bench/power')
    await bench.publish('shop/bench/state', 'OFF', { retain: true })
    const record = {
      state_topic: 'shop/bench/state',
      command_topic: 'shop/bench/power',
      name: 'Bench',
      unique_id: 'b1',
    }
    await bench.publish('announce/switch/bench/config', record, { retain: true })
    await hub.becomes('bench', ({ state }) => state['bench'] === false)

    const home = await hub.connect('homeassistant', [
      'homeassistant/#',
      'jarvis/devices/+/state',
      'jarvis/devices/+/online',
      'jarvis/devices/+/request',
    ])
    await home.subscribe('homeassistant/#')
    const config = await home.hears(({ topic }) =>
      /^homeassistant\/switch\/millrace_\w+_bench\/\w+\/config$/.test(topic),
    )
    const { command_topic: command, payload_on: on } = config.json()
    expect(command).toBe('jarvis/devices/bench/request')
    expect(home.heard.filter(({ text }) => text.includes('shop/bench'))).toEqual([])
    await home.publish(String(command), String(on))
    await bench.hears('shop/bench/power')
    const result = await hub.watcher.hears('jarvis/devices/bench/result')
    expect(result.json()).toMatchObject({ status: 'done' })
    expect((await hub.devices()).map(({ id }) => id)).toEqual(['bench'])
    await Promise.all([bench.end(), home.end()])
  })
})

describe('two hubs in one building', () => {
  withHub()
  let other: TestHub
  const BRIDGE = `plugins:
  home-assistant: {}
  discovery:
    answer_seconds: 1
bridge:
  in: ['homeassistant/#', 'shop/#']
  out: ['homeassistant/#', 'haus/devices/+/state', 'haus/devices/+/online', 'shop/#']
`
  const healthOf = async (of: TestHub): Promise<string> => {
    const { body } = await of.api<{ parts: { part: string; what?: string }[] }>('/api/health')
    return body.parts.find(({ part }) => part.includes('discovery'))?.what ?? ''
  }
  const device = async (of: TestHub, id: string): Promise<void> => {
    const wire = await of.mqtt(await of.credential(id))
    const at = `${of.config.TOPIC_PREFIX}/devices/${id}`
    const about = { name: `The ${id}`, kind: 'switch', intents: { 'switch.turn_on': {}, 'switch.turn_off': {} } }
    await wire.publish(`${at}/about`, about, { retain: true })
    await wire.publish(`${at}/online`, true, { retain: true })
    await wire.publish(`${at}/state`, { on: true }, { retain: true })
  }

  beforeAll(async () => {
    const login = await hub.credential('millrace', ['homeassistant/#', 'haus/#', 'shop/#'])
    const url = `mqtt://${login.username}:${login.password}@127.0.0.1:${hub.mqttPort}`
    other = await testHub({
      env: { TOPIC_PREFIX: 'haus', BRIDGE_URL: url },
      prepare: (dir) => {
        withPlugin(dir)
        withExport(dir, BRIDGE)
      },
    })
    await device(hub, 'lathe')
    await device(other, 'kiln')
  })
  afterAll(() => other.close())

  test('each announces its own to Home Assistant; neither takes the other’s for devices, and each says so once', async () => {
    const says = (of: TestHub) =>
      eventually(
        () => healthOf(of),
        (what) => what.includes('passed over'),
        { ms: 12_000, everyMs: 400 },
      )
    await says(hub)
    await says(other)
    expect((await hub.devices()).map(({ id }) => id)).toEqual(['lathe'])
    const { body } = await other.api<Items<{ id: string }>>('/api/devices')
    expect(body.items.map(({ id }) => id)).toEqual(['kiln'])
    expect(hub.errors()).toEqual([])
  })

  test('a device announced at one is seen at the other, and asked only through the gate it is connected to', async () => {
    const wire = await hub.connect('benchcard', ['shop/bench/#', 'homeassistant/switch/bench/config'])
    await wire.subscribe('shop/bench/power')
    wire.client.on('message', (_, payload) => void wire.publish('shop/bench/state', payload, { retain: true, qos: 0 }))
    await wire.publish('shop/bench/state', 'OFF', { retain: true })
    const record = {
      device: { identifiers: ['bench-1'], name: 'Bench' },
      name: null,
      unique_id: 'bench-1',
      state_topic: 'shop/bench/state',
      command_topic: 'shop/bench/power',
    }
    await wire.publish('homeassistant/switch/bench/config', record, { retain: true })
    await hub.becomes('bench', ({ state }) => state['bench'] === false)
    await eventually(
      () => other.api<{ state?: object }>('/api/devices/bench'),
      ({ body }) => JSON.stringify(body.state) === '{"bench":false}',
      { everyMs: 300 },
    )
    expect(await hub.ask('bench', 'switch.turn_on')).toMatchObject({ status: 'done' })
    expect(wire.heard).toHaveLength(1)
    const asked = await other.api<{ commandId: string }>('/api/device/bench/command', {
      json: { intent: 'switch.turn_off' },
    })
    expect(asked.status).toBe(202)
    const ended = await eventually(
      () => other.api<{ status: string }>(`/api/commands/${asked.body.commandId}`),
      ({ body }) => body.status === 'failed',
      { everyMs: 300 },
    )
    expect(JSON.stringify(ended.body)).toContain('did not show it')
    expect(wire.heard).toHaveLength(1)
    const { body } = await hub.api<Items<{ clientId: string; lastError?: { what: string } }>>('/api/broker/clients')
    expect(body.items.find(({ clientId }) => clientId.startsWith('millrace-'))?.lastError?.what).toContain(
      'Publishing to shop/bench/power refused',
    )
  })
})

describe.skipIf(MISSING.length > 0)(`devices on a Mosquitto that has the rules of \`acl\`${WHY}`, () => {
  const HUB = { user: 'hub', password: 'hub-secret' }
  let peer: Mosquitto
  let far: TestHub
  let plug: Tasmota
  let z2m: Wire

  beforeAll(async () => {
    peer = await mosquitto()
    await peer.rules(`user ${HUB.user}\ntopic readwrite #\n`, { [HUB.user]: HUB.password })
    await peer.start()
    far = await testHub({
      env: { BROKER_URL: `mqtt://${HUB.user}:${HUB.password}@127.0.0.1:${peer.port}` },
      prepare: withPlugin,
    })
    const card = await far.credential('plugcard', ['tasmota/discovery/#', 'tele/plug/#', 'stat/plug/#', 'cmnd/plug/#'])
    const coordinator = await far.credential('z2m', ['zigbee2mqtt/#', 'homeassistant/#'])
    const store = await openStore({
      url: undefined,
      file: join(far.config.DATA_DIR, 'hub.sqlite'),
      log: openLog({ level: 'silent' }),
    })
    const { acl } = await aclOf(far.config, store)
    await store.close()
    await peer.rules(acl, {
      [HUB.user]: HUB.password,
      plugcard: card.password,
      z2m: coordinator.password,
    })
    plug = await eventually(
      () => tasmota({ url: `mqtt://127.0.0.1:${peer.port}`, login: card }).catch(() => undefined),
      (one) => one !== undefined,
    )
    const out = outsider(far.base, peer.port, () => far.token)
    z2m = await out.mqtt(coordinator)
    await z2m.subscribe('zigbee2mqtt/#')
    await play(z2m, 'zigbee2mqtt-1.42.0-start')
  })
  afterAll(async () => {
    await plug?.end()
    await z2m?.end()
    await far?.close()
    await peer?.remove()
  })

  const outcome = async (id: string, intent: string): Promise<string> => {
    const asked = await far.api<{ commandId: string }>(`/api/device/${id}/command`, { json: { intent } })
    expect(asked.status, JSON.stringify(asked.body)).toBe(202)
    const { body } = await eventually(
      () => far.api<{ status: string }>(`/api/commands/${asked.body.commandId}`),
      (answer) => !['pending', 'dispatched', 'accepted'].includes(answer.body.status),
      { everyMs: 300 },
    )
    return body.status
  }
  const there = (id: string) =>
    eventually(
      () => far.api<{ online?: boolean }>(`/api/devices/${id}`),
      ({ body }) => body.online === true,
      { everyMs: 300 },
    )

  test('a Tasmota from the factory hears its commands there, and cannot say them', async () => {
    await there('plug')
    expect(await outcome('plug', 'switch.turn_on')).toBe('done')
    expect(plug.heard).toEqual(['cmnd/plug/POWER ON'])
    for (const client of [plug.client, z2m.client]) client.publish('cmnd/plug/POWER', 'OFF', { qos: 0 })
    plug.press()
    await eventually(
      () => far.api<{ state?: { relay?: boolean } }>('/api/devices/plug'),
      ({ body }) => body.state?.relay === false,
      { everyMs: 300 },
    )
    expect(plug.heard).toEqual(['cmnd/plug/POWER ON'])
  })

  test('Zigbee2MQTT hears what the hub sends it, and nothing that another device sends', async () => {
    await there('kitchen_lamp')
    z2m.client.on('message', (topic, payload) => {
      if (topic === 'zigbee2mqtt/Kitchen lamp/set') z2m.client.publish('zigbee2mqtt/Kitchen lamp', payload, { qos: 0 })
    })
    plug.client.publish('zigbee2mqtt/Kitchen lamp/set', '{"state":"ON","brightness":1}', { qos: 0 })
    expect(await outcome('kitchen_lamp', 'light.turn_on')).toBe('done')
    const sets = z2m.heard.filter(({ topic }) => topic.endsWith('/set')).map(({ text }) => text)
    expect(sets).toEqual(['{"state":"ON"}'])
  })
})
