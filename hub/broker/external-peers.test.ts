// The whole hub with a real Mosquitto as its broker: the way of a command, the rules, a broker that dies, and what came while the hub was away.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../config.ts'
import { startHub } from '../main.ts'
import { openStore } from '../store/open.ts'
import { openLog } from '../health/log.ts'
import { ADMIN, ROOT, testHub, type TestHub } from '../testing/hub.ts'
import { type Login, outsider, type Outsider, type Wire } from '../testing/outsider.ts'
import { eventually } from '../testing/until.ts'
import { aclOf } from './acl-cli.ts'
import { testCertificate } from './test-certificate.ts'
import { MISSING, mosquitto, type Mosquitto, olderThan5, WHY } from './external.rig.ts'

const HUB = { user: 'hub', password: 'p@ss:w/rd' }
const URL_OF = ({ port }: Mosquitto) => `mqtt://${HUB.user}:${encodeURIComponent(HUB.password)}@127.0.0.1:${port}`
const LAMP = {
  name: 'Lamp',
  kind: 'light',
  intents: { 'light.turn_on': {}, 'light.turn_off': {} },
  safe: ['light.turn_off'],
}

interface Part {
  part: string
  status: string
  what?: string
}
/** `/health` has only the word, but answers as often as it is asked. */
const brokerOf = async (hub: TestHub, path = '/api/health'): Promise<Part | undefined> =>
  (await hub.api<{ parts: Part[] }>(path)).body.parts.find(({ part }) => part === 'broker')
const healthy = (hub: TestHub) =>
  eventually(
    () => brokerOf(hub, '/health'),
    (part) => part?.status === 'healthy',
    { ms: 15_000 },
  )

/** Everybody who speaks to Mosquitto. */
const at = (peer: Mosquitto, hub: TestHub): Outsider => outsider(hub.base, peer.port, () => hub.token)

describe.skipIf(MISSING.length > 0)(`Mosquitto as the hub's broker${WHY}`, () => {
  let peer: Mosquitto
  let hub: TestHub
  let out: Outsider
  let lamp: Login
  let dust: Login
  let extractor: Login
  let device: Wire

  beforeAll(async () => {
    peer = await mosquitto()
    await peer.rules(`user ${HUB.user}\ntopic readwrite #\n`, { [HUB.user]: HUB.password })
    await peer.start()
    hub = await testHub({ env: { BROKER_URL: URL_OF(peer), FLOWS_DIR: join(ROOT, 'flows') } })
    out = at(peer, hub)
    lamp = await hub.credential('lamp')
    dust = await hub.credential('dust', ['zigbee2mqtt/#'])
    extractor = await hub.credential('extractor')
    const store = await openStore({
      url: undefined,
      file: join(hub.config.DATA_DIR, 'hub.sqlite'),
      log: openLog({ level: 'silent' }),
    })
    const { acl } = await aclOf(hub.config, store)
    await store.close()
    await peer.rules(acl, {
      [HUB.user]: HUB.password,
      lamp: lamp.password,
      dust: dust.password,
      extractor: extractor.password,
    })
    await eventually(
      () =>
        out.mqtt(lamp).then(
          (wire) => (device = wire),
          () => undefined,
        ),
      (wire) => wire !== undefined,
    )
    await device.subscribe('jarvis/devices/lamp/cmd')
    await device.publish('jarvis/devices/lamp/about', LAMP, { retain: true })
    await device.publish('jarvis/devices/lamp/online', 'true', { retain: true })
  })
  afterAll(async () => {
    await out?.leave()
    await hub?.close()
    await peer?.remove()
  })

  test('it has no MQTT port of its own, and is healthy', async () => {
    expect(hub.hub.ports.mqtt).toBeUndefined()
    expect(await healthy(hub)).toMatchObject({ status: 'healthy' })
  })

  test('a device on it is registered, asked, answers, and the result reaches it', async () => {
    const about = await eventually(
      () => hub.api('/api/devices/lamp'),
      ({ status }) => status === 200,
    )
    expect(about.body).toMatchObject({ name: 'Lamp', online: true, owner: 'device:lamp' })
    await device.subscribe('jarvis/devices/lamp/result')
    const asked = await hub.api<{ commandId: string }>('/api/device/lamp/command', {
      json: { intent: 'light.turn_on' },
    })
    const cmd = await device.hears('jarvis/devices/lamp/cmd')
    expect(cmd.json()).toMatchObject({ id: asked.body.commandId, intent: 'light.turn_on' })
    expect(cmd.packet).toMatchObject({ retain: false, qos: 1 })
    await device.publish('jarvis/devices/lamp/ack', { id: asked.body.commandId, status: 'done' })
    expect((await device.hears('jarvis/devices/lamp/result')).json()).toMatchObject({ status: 'done' })
  })

  test('the main job: telemetry there, a flow, the gate, a command there, its answer, one result', async () => {
    const [sensor, machine] = [await out.mqtt(dust), await out.mqtt(extractor)]
    for (const leaf of ['cmd', 'result']) await machine.subscribe(`jarvis/devices/extractor/${leaf}`)
    const about = { name: 'Extractor', kind: 'switch', intents: { 'switch.turn_on': {} } }
    await machine.publish('jarvis/devices/extractor/about', about, { retain: true })
    await eventually(
      () => hub.api('/api/devices/extractor'),
      ({ status }) => status === 200,
    )
    await sensor.publish('jarvis/devices/dust/telemetry', { dust: 200 }, { qos: 0 })
    const cmd = (await machine.hears('jarvis/devices/extractor/cmd')).json()
    expect(cmd).toMatchObject({ intent: 'switch.turn_on', requestedBy: 'flow:dust-starts-extractor' })
    await machine.publish('jarvis/devices/extractor/ack', { id: cmd['id'], status: 'done' })
    const result = await machine.hears('jarvis/devices/extractor/result')
    expect(result.json()).toMatchObject({ id: cmd['id'], status: 'done' })
  })

  test('the person on the web port sees what devices say there', async () => {
    const client = await mqtt.connectAsync(`${hub.base.replace('http', 'ws')}/mqtt`, {
      clientId: 'ui.ada',
      username: ADMIN.username,
      password: hub.token,
      reconnectPeriod: 0,
    })
    const heard = new Promise<string>((resolve) => client.on('message', (_, payload) => resolve(payload.toString())))
    await client.subscribeAsync('jarvis/devices/lamp/state')
    await device.publish('jarvis/devices/lamp/state', { on: true }, { retain: true })
    expect(await heard).toBe('{"on":true}')
    await client.endAsync(true)
  })

  test('with the rules a foreign command reaches nobody', async () => {
    const thief = await out.mqtt({ ...dust, clientId: 'dust-3' })
    const before = device.heard.length
    await thief.publish('jarvis/devices/lamp/cmd', { id: 'x', intent: 'light.turn_on' })
    await thief.publish('jarvis/devices/lamp/result', { id: 'x', status: 'done', intent: 'light.turn_on' })
    await thief.publish('jarvis/devices/lamp/state', { on: false })
    await thief.publish('zigbee2mqtt/lamp/set', { state: 'ON' })
    await thief.publish('jarvis/devices/dust/event', { type: 'end' })
    await eventually(
      () => hub.api<{ items: { topic: string }[] }>('/api/journal?topic=jarvis/devices/%2B/event'),
      ({ body }) => body.items.length > 0,
    )
    expect(device.heard.slice(before)).toEqual([])
    const { body } = await hub.api<{ state: object }>('/api/devices/lamp')
    expect(body.state).toEqual({ on: true })
  })

  test('without the rules a foreign command is told of as critical, and heard by nobody inside', async () => {
    await peer.rules(
      'topic readwrite #\nuser lamp\ntopic readwrite #\nuser dust\ntopic readwrite #\nuser hub\ntopic readwrite #\n',
      {
        [HUB.user]: HUB.password,
        lamp: lamp.password,
        dust: dust.password,
      },
    )
    const thief = await out.mqtt({ ...dust, clientId: 'dust-2' })
    const told = await eventually(
      async () => {
        await thief.publish('jarvis/devices/lamp/cmd', { id: 'bypass', intent: 'light.turn_on' })
        return hub.api<{ items: { type: string; severity: string; details: object }[] }>('/api/errors')
      },
      ({ body }) => body.items.some(({ type }) => type === 'GateBypassed'),
    )
    const [event] = told.body.items.filter(({ type }) => type === 'GateBypassed')
    expect(event).toMatchObject({ severity: 'critical', details: { topic: 'jarvis/devices/lamp/cmd' } })
    expect(await brokerOf(hub)).toMatchObject({
      status: 'degraded',
      what: expect.stringContaining('start.js acl') as string,
    })
    const { body } = await hub.api<{ items: { payload: { id?: string } }[] }>(
      '/api/journal?topic=jarvis/devices/%2B/cmd',
    )
    expect(body.items.filter(({ payload }) => payload.id === 'bypass')).toEqual([])
  })

  test('a request from outside is refused by the gate, because nobody knows who asks', async () => {
    await device.subscribe('jarvis/devices/lamp/result')
    await device.publish('jarvis/devices/lamp/request', { id: 'who-asks', intent: 'light.turn_on' })
    const result = await device.hears(({ topic, json }) => topic.endsWith('/result') && json()['id'] === 'who-asks')
    expect(result.json()).toMatchObject({ status: 'refused' })
  })

  test('the password is nowhere: not in the log, not in health, not in an error', async () => {
    const texts = [
      JSON.stringify(hub.config),
      JSON.stringify((await hub.api('/api/health')).body),
      JSON.stringify((await hub.api('/api/errors')).body),
    ]
    for (const text of texts) expect(text).not.toMatch(/p@ss|p%40ss/)
  })

  test('what was retained before the hub was there is known, and retained requests are no requests', async () => {
    await device.publish('jarvis/devices/lamp/request', { id: 'stuck', intent: 'light.turn_on' }, { retain: true })
    await hub.hub.close()
    await device.publish('jarvis/devices/lamp/state', { on: 'changed while away' }, { retain: true })
    await device.publish('jarvis/devices/lamp/event', { type: 'while-away' })
    const again = await startHub(readConfig({ ...envOf(hub), BROKER_URL: URL_OF(peer) }, hub.dir))
    try {
      const there = outsider(`http://127.0.0.1:${again.ports.http}`, 0, () => hub.token)
      const token = await there.login(ADMIN.username, ADMIN.password)
      const asked = await eventually(
        () => there.api<{ state: object }>('/api/devices/lamp', { token }),
        ({ body }) => JSON.stringify(body.state).includes('away'),
      )
      expect(asked.body.state).toEqual({ on: 'changed while away' })
      const missed = await eventually(
        () => there.api<{ items: { payload: object }[] }>('/api/journal?topic=jarvis/devices/lamp/event', { token }),
        ({ body }) => body.items.length > 0,
      )
      expect(missed.body.items).toMatchObject([{ payload: { type: 'while-away' }, origin: 'device:lamp' }])
      const errors = await there.api<{ items: { type: string }[] }>('/api/errors', { token })
      expect(errors.body.items.map(({ type }) => type)).toContain('StrayRetained')
      expect(device.heard.filter(({ topic, text }) => topic.endsWith('/cmd') && text.includes('stuck'))).toEqual([])
    } finally {
      await again.close()
    }
  })
})

const envOf = ({ dir }: TestHub): Record<string, string> => ({
  DATA_DIR: join(dir, 'data'),
  FLOWS_DIR: join(dir, 'flows'),
  PLUGINS_DIR: join(dir, 'plugins'),
  HTTP_PORT: '0',
  HTTPS_PORT: '0',
  BIND: '127.0.0.1',
  ADMIN_USER: ADMIN.username,
  ADMIN_PASSWORD: ADMIN.password,
  LOG_LEVEL: 'silent',
})

describe.skipIf(MISSING.length > 0)(`Mosquitto that dies${WHY}`, () => {
  let peer: Mosquitto
  let hub: TestHub
  let out: Outsider

  let talker: MqttClient
  const heard: number[] = []

  /** A client of Mosquitto that notes what it hears live; back as soon as Mosquitto is. */
  const listen = async (): Promise<void> => {
    const wire = await eventually(
      () => out.mqtt({ clientId: 'reader' }).catch(() => undefined),
      (one) => one !== undefined,
      { ms: 10_000, everyMs: 30 },
    )
    wire.client.on('message', (_, payload, { retain }) => {
      if (!retain) heard.push((JSON.parse(payload.toString()) as { n: number }).n)
    })
    await wire.subscribe('jarvis/devices/lamp/state')
  }

  beforeAll(async () => {
    peer = await mosquitto()
    await peer.start()
    hub = await testHub({ env: { BROKER_URL: `mqtt://127.0.0.1:${peer.port}` } })
    out = at(peer, hub)
    await healthy(hub)
    talker = await mqtt.connectAsync(`${hub.base.replace('http', 'ws')}/mqtt`, {
      ...(await hub.credential('lamp')),
      reconnectPeriod: 0,
    })
    await listen()
  })
  afterAll(async () => {
    await talker?.endAsync(true)
    await out?.leave()
    await hub?.close()
    await peer?.remove()
  })

  test('kill -9 in the middle: all the hub sends with QoS 1 arrives, in order', { timeout: 40_000 }, async () => {
    const stop = new AbortController()
    let n = 0
    const talk = (async () => {
      while (!stop.signal.aborted) {
        await talker.publishAsync('jarvis/devices/lamp/state', JSON.stringify({ n: ++n }), { qos: 1 })
      }
    })()
    await eventually(
      () => heard.length,
      (length) => length > 300,
    )
    await peer.kill('SIGKILL')
    await eventually(
      () => brokerOf(hub, '/health'),
      (part) => part?.status === 'unhealthy',
    )
    const whileDown = n
    await eventually(
      () => n,
      (now) => now > whileDown + 300,
    )
    await eventually(
      () => brokerOf(hub),
      (part) => /Nothing listens at mqtt:.* messages wait/.test(part?.what ?? ''),
    )
    await peer.start()
    await listen()
    await healthy(hub)
    const whenBack = n
    await eventually(
      () => n,
      (now) => now > whenBack + 300,
    )
    stop.abort()
    await talk
    await eventually(
      () => heard.at(-1),
      (last) => last === n,
      { ms: 15_000 },
    )
    const firsts = [...new Set(heard)]
    expect(firsts).toEqual(Array.from({ length: n }, (_, i) => i + 1))
    // What was on its way when it died is sent again, as QoS 1 may be.
    expect(heard.length - firsts.length).toBeLessThanOrEqual(100)
  })

  test('a command that waited longer than it is valid is not sent any more', { timeout: 60_000 }, async () => {
    const about = { name: 'Lamp', kind: 'light', intents: { 'light.turn_on': {} } }
    await talker.publishAsync('jarvis/devices/lamp/about', JSON.stringify(about), { qos: 1, retain: true })
    await eventually(
      () => hub.api('/api/devices/lamp'),
      ({ status }) => status === 200,
    )
    await peer.kill('SIGKILL')
    await eventually(
      () => brokerOf(hub, '/health'),
      (part) => part?.status === 'unhealthy',
    )
    const expiresAt = new Date(Date.now() + 1500).toISOString()
    const asked = await hub.api('/api/device/lamp/command', { json: { intent: 'light.turn_on', expiresAt } })
    expect(asked.status).toBe(202)
    await new Promise((resolve) => setTimeout(resolve, 1600))
    await peer.start()
    const wire = await eventually(
      () => out.mqtt({ clientId: 'ear' }).catch(() => undefined),
      (one) => one !== undefined,
      { everyMs: 30 },
    )
    await wire.subscribe('jarvis/devices/lamp/#')
    await healthy(hub)
    await talker.publishAsync('jarvis/devices/lamp/event', '{"type":"after"}', { qos: 1 })
    await wire.hears('jarvis/devices/lamp/event')
    expect(wire.heard.map(({ topic }) => topic).filter((topic) => topic.endsWith('/cmd'))).toEqual([])
    const told = await hub.api<{ items: { type: string }[] }>('/api/errors')
    expect(told.body.items.map(({ type }) => type)).toContain('OutboxDropped')
  })
})

describe.skipIf(MISSING.length > 0)(`a broker that knows MQTT 3.1.1 only${WHY}`, () => {
  test('the hub tells its own messages from those of others', { timeout: 30_000 }, async () => {
    const peer = await mosquitto()
    await peer.start()
    const older = await olderThan5(peer.port)
    const hub = await testHub({ env: { BROKER_URL: `mqtt://127.0.0.1:${older.port}` } })
    const out = at(peer, hub)
    try {
      await healthy(hub)
      const device = await out.mqtt({ clientId: 'lamp' })
      for (const leaf of ['cmd', 'result']) await device.subscribe(`jarvis/devices/lamp/${leaf}`)
      await device.publish('jarvis/devices/lamp/about', LAMP, { retain: true })
      await eventually(
        () => hub.api('/api/devices/lamp'),
        ({ status }) => status === 200,
      )
      for (const intent of ['light.turn_on', 'light.turn_off']) {
        const { body } = await hub.api<{ commandId: string }>('/api/device/lamp/command', { json: { intent } })
        await device.hears(({ topic, text }) => topic.endsWith('/cmd') && text.includes(body.commandId))
        await device.publish('jarvis/devices/lamp/ack', { id: body.commandId, status: 'done' })
        await device.hears(({ topic, text }) => topic.endsWith('/result') && text.includes(body.commandId))
      }
      const types = async () =>
        (await hub.api<{ items: { type: string }[] }>('/api/errors')).body.items.map(({ type }) => type)
      // An event of the device's own that comes after the echoes: when it is in the journal, they have been judged.
      await device.publish('jarvis/devices/lamp/event', { type: 'end' })
      await eventually(
        () => hub.api<{ items: object[] }>('/api/journal?topic=jarvis/devices/lamp/event'),
        ({ body }) => body.items.length > 0,
      )
      expect(await types()).not.toContain('GateBypassed')
      await device.publish('jarvis/devices/lamp/cmd', { id: 'foreign', intent: 'light.turn_on' })
      await eventually(types, (all) => all.includes('GateBypassed'), { everyMs: 300 })
    } finally {
      await out.leave()
      await hub.close()
      older.close()
      await peer.remove()
    }
  })
})

describe.skipIf(MISSING.length > 0)(`a broker that speaks TLS${WHY}`, () => {
  test(
    'its certificate is checked: refused with what to do, and taken with BROKER_CA_FILE',
    { timeout: 30_000 },
    async () => {
      const peer = await mosquitto()
      const { key, cert } = testCertificate('broker')
      const [keyFile, certFile] = [join(peer.dir, 'key.pem'), join(peer.dir, 'cert.pem')]
      writeFileSync(keyFile, key, { mode: 0o600 })
      writeFileSync(certFile, cert)
      await peer.start([`keyfile ${keyFile}`, `certfile ${certFile}`])
      const BROKER_URL = `mqtts://127.0.0.1:${peer.port}`
      try {
        const wary = await testHub({ env: { BROKER_URL } })
        expect(await brokerOf(wary)).toMatchObject({
          status: 'unhealthy',
          what: expect.stringMatching(
            /certificate of mqtts:\/\/127\.0\.0\.1:\d+ is not trusted .*BROKER_CA_FILE/,
          ) as string,
        })
        await wary.close()
        const hub = await testHub({ env: { BROKER_URL, BROKER_CA_FILE: certFile } })
        expect(await healthy(hub)).toMatchObject({ status: 'healthy' })
        await hub.close()
        const other = `mqtts://localhost:${peer.port}`
        const strict = await testHub({ env: { BROKER_URL: other, BROKER_CA_FILE: certFile } })
        expect((await brokerOf(strict))?.what).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID.*the host name it was made for/)
        await strict.close()
      } finally {
        await peer.remove()
      }
    },
  )
})
