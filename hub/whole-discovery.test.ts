// Devices that announce themselves to the whole hub, as the gate, the journal, the audit, people and other hubs see them; and what is tried against it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Rig, rig } from '../plugins/discovery/discovery.rig.ts'
import { tasmota, type Tasmota } from '../plugins/discovery/tasmota.fake.ts'
import { ROOT } from './testing/hub.ts'
import type { Login, Wire } from './testing/outsider.ts'
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

/** Beside discovery: the plugin that announces the hub's own devices to Home Assistant. */
const withExport = (dir: string): void => {
  mkdirSync(join(dir, 'plugins/home-assistant'), { recursive: true })
  const file = join(ROOT, 'plugins/home-assistant/plugin.ts')
  writeFileSync(join(dir, 'plugins/home-assistant/plugin.ts'), `export { default } from ${JSON.stringify(file)}\n`)
  writeFileSync(join(dir, 'millrace.yaml'), 'plugins:\n  home-assistant: {}\n  discovery:\n    answer_seconds: 2\n')
}

let hub: Rig
beforeAll(async () => {
  hub = await rig({ prepare: withExport })
})
afterAll(() => hub.close())

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
    expect(hub.errors()).toEqual([])
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
      if (topic === 'shop/lamp/wish') void lamp.publish('shop/lamp/state', payload, { retain: true })
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
