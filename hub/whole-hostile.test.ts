// Clients that try what they may not, over MQTT 3.1.1 and 5, against a whole hub: refused, counted, and nobody else notices.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, testHub, type TestHub } from './testing/hub.ts'
import type { Heard, Login, Wire } from './testing/outsider.ts'
import { eventually } from './testing/until.ts'

interface Items {
  items: { seq: number; topic: string; payload: Record<string, unknown>; origin: string }[]
}

let hub: TestHub
/** Reads everything that happens, as the admin. */
let watcher: Wire

const about = (name: string) => ({
  name,
  kind: 'light',
  intents: { 'light.turn_on': {}, 'light.turn_off': {} },
  safe: ['light.turn_off'],
})

let metrics = ''
/** Says something that comes after all that was said before. */
let marker: Wire

beforeAll(async () => {
  const METRICS_BIND = `127.0.0.1:${await freePort()}`
  metrics = `http://${METRICS_BIND}/metrics`
  hub = await testHub({ env: { METRICS_BIND } })
  marker = await hub.mqtt(await hub.credential('marker'))
  watcher = await hub.mqtt({ clientId: 'ui.ada', username: 'ada', password: hub.token })
  await watcher.subscribe('jarvis/#')
})
afterAll(() => hub.close())

const counted = async (kind: string): Promise<number> => {
  const text = await (await fetch(metrics)).text()
  const line = text.split('\n').find((each) => each.startsWith(`millrace_broker_counts{kind="${kind}"}`))
  return Number(line?.split(' ').at(-1))
}

/** Does something and waits until the counter shows it. */
const raises = async (kind: string, by: number, work: () => Promise<unknown>): Promise<void> => {
  const before = await counted(kind)
  await work()
  const after = await eventually(
    () => counted(kind),
    (now) => now >= before + by,
  )
  expect(after).toBe(before + by)
}

let marks = 0
/** Whatever was sent before this has been delivered, or never will be. */
const settled = async (...wires: Wire[]): Promise<void> => {
  const n = ++marks
  await marker.publish('jarvis/devices/marker/event', { type: 'mark', n })
  await watcher.hears(({ topic, json }) => topic === 'jarvis/devices/marker/event' && json()['n'] === n)
  for (const each of wires) await ping(each)
}

/** An answer to a packet of this client comes after all that was written to it before. */
const ping = (wire: Wire): Promise<unknown> => wire.subscribe('not/mine')

const heardOn = (wire: Wire, topic: string): Heard[] => wire.heard.filter((heard) => heard.topic === topic)

describe.each([
  { version: '3.1.1', protocolVersion: 4 as const },
  { version: '5', protocolVersion: 5 as const },
])('a hostile client on MQTT $version', ({ protocolVersion }) => {
  const v5 = protocolVersion === 5
  const as = { protocolVersion }
  let lamp: Login
  let spy: Login
  const of = (login: Login, leaf: string): string => `jarvis/devices/${login.username}/${leaf}`

  beforeAll(async () => {
    lamp = await hub.credential(`lamp_${protocolVersion}`)
    spy = await hub.credential(`spy_${protocolVersion}`)
  })

  const refusedWith = (code: number) => ({ code })
  /** Who failed just now has to wait, whatever the password: 3.1.1 code 3, MQTT 5 code 136. */
  const [badLogin, wait, badClientId, notAuthorized] = v5 ? [134, 136, 133, 135] : [4, 3, 2, 5]

  test('nobody is let in without a name and a password', async () => {
    const { username, clientId } = await hub.credential(`nobody_${protocolVersion}`)
    await raises('refusedConnects', 2, async () => {
      await expect(hub.mqtt({ clientId }, as)).rejects.toMatchObject(refusedWith(notAuthorized))
      await expect(hub.mqtt({ clientId, username }, as)).rejects.toMatchObject(refusedWith(notAuthorized))
    })
  })

  test('a wrong password does not get in, guessing is slowed down, and others behind the same address are not', async () => {
    const { password: _, ...guessed } = await hub.credential(`guessed_${protocolVersion}`)
    const guesses = 8
    const codes: unknown[] = []
    await raises('refusedConnects', guesses, async () => {
      for (let n = 0; n < guesses; n++) {
        const password = n === 0 ? spy.password : `guess ${n}`
        const error: unknown = await hub.mqtt({ ...guessed, password }, as).catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(Error)
        codes.push(error instanceof Error && 'code' in error ? error.code : error)
      }
    })
    expect(codes[0]).toBe(badLogin)
    expect(codes.at(-1)).toBe(wait)
    await (await hub.mqtt(spy, as)).end()
  })

  test('a foreign client id is refused, and the session of its owner is not touched', async () => {
    const owner = await hub.mqtt(lamp, { ...as, clean: false })
    await owner.subscribe(of(lamp, 'event'))
    for (const clientId of [lamp.clientId, `${lamp.clientId}-2`, 'ui.ada', `${spy.clientId}x`, `${spy.clientId}_2`])
      await expect(hub.mqtt({ ...spy, clientId }, as), clientId).rejects.toMatchObject(refusedWith(badClientId))
    await owner.publish(of(lamp, 'event'), { type: 'still here' })
    expect((await owner.hears(of(lamp, 'event'))).json()).toEqual({ type: 'still here' })
    const second = await hub.mqtt({ ...lamp, clientId: `${lamp.clientId}-2` }, as)
    await Promise.all([owner.end(), second.end()])
  })

  test.each([
    '$SYS/#',
    '#',
    '+/devices/+/state',
    '+/devices/x/state',
    'jarvis/#',
    'jarvis/devices/#',
    'jarvis/devices/+/cmd',
    'jarvis/errors/#',
    '$share/g/#',
    'zigbee2mqtt/#',
  ])('a device may not subscribe to %s', async (filter) => {
    const wire = await hub.mqtt(spy, as)
    expect(await wire.subscribe(filter)).toBe(v5 ? 135 : 128)
    const owner = await hub.mqtt(lamp, as)
    await owner.publish(of(lamp, 'state'), { on: true }, { retain: true })
    await settled(wire)
    expect(wire.heard).toEqual([])
    await Promise.all([wire.end(), owner.end()])
  })

  test('a refused subscription is counted', async () => {
    const wire = await hub.mqtt(spy, as)
    await raises('refusedSubscribes', 1, () => wire.subscribe('#'))
    await wire.end()
  })

  /** With QoS 1 the sender learns of it; with QoS 0 the counter and the silence show it. */
  const refuses = async (login: Login, topic: string, payload: unknown, retain = false) => {
    await raises('refusedPublishes', 2, async () => {
      const zero = await hub.mqtt(login, as)
      await zero.publish(topic, payload, { qos: 0, retain })
      // MQTT 3.1.1 has no other way to say no [MQTT-3.3.5-2].
      if (!v5) await zero.gone
      const one = await hub.mqtt({ ...login, clientId: `${login.clientId}-b` }, as)
      await expect(one.publish(topic, payload, { retain })).rejects.toThrow(v5 ? /Not authorized/ : /connection ended/)
      await Promise.all([zero.end(), one.end()])
    })
  }

  test('a foreign topic: refused, delivered to nobody, recorded nowhere', async () => {
    const victim = await hub.mqtt(lamp, as)
    await victim.subscribe(of(lamp, '#'))
    await settled(victim)
    victim.heard.length = 0
    await refuses(spy, of(lamp, 'event'), { type: 'forged' })
    await settled(victim)
    expect(victim.heard).toEqual([])
    const { body } = await hub.api<Items>(`/api/journal?topic=devices/${lamp.username}/event`)
    expect(body.items.filter(({ payload }) => payload['type'] === 'forged')).toEqual([])
    await victim.end()
  })

  test.each<[string, () => string, boolean]>([
    ['its own cmd', () => of(spy, 'cmd'), false],
    ["another's cmd", () => of(lamp, 'cmd'), false],
    ["another's cmd, retained", () => of(lamp, 'cmd'), true],
    ['its own result', () => of(spy, 'result'), false],
    ["another's request", () => of(lamp, 'request'), false],
    ['the error bus', () => 'jarvis/errors/warning/spy', false],
    ['a Zigbee2MQTT command', () => 'zigbee2mqtt/plug/set', false],
    ['a Tasmota command', () => 'cmnd/plug/POWER', false],
    ['a topic of the broker', () => '$SYS/broker/uptime', false],
  ])('a device may not publish %s', async (_, topic, retain) => {
    const victim = await hub.mqtt(lamp, as)
    expect(await victim.subscribe(of(lamp, '#'))).toBe(1)
    const before = heardOn(watcher, topic()).length
    await refuses(spy, topic(), { id: 'forged', intent: 'light.turn_on', state: 'ON' }, retain)
    await settled(victim)
    expect(heardOn(watcher, topic())).toHaveLength(before)
    expect(heardOn(victim, topic())).toEqual([])
    await victim.end()
  })

  test('a native command is refused even within a granted filter, a fact is not', async () => {
    const refusedGrant = await hub.api('/api/device-credentials', { json: { device: 'bridge', topics: ['cmnd/#'] } })
    expect(refusedGrant).toMatchObject({
      status: 400,
      body: { error: { code: 'VALIDATION_ERROR', details: { field: 'topics.0' } } },
    })
    const bridge = await hub.credential(`bridge_${protocolVersion}`, ['zigbee2mqtt/#'])
    const reader = await hub.mqtt({ ...bridge, clientId: `${bridge.clientId}-r` }, as)
    expect(await reader.subscribe('zigbee2mqtt/#')).toBe(1)
    for (const topic of ['zigbee2mqtt/plug/set', 'zigbee2mqtt/plug/set/state', 'zigbee2mqtt/bridge/request/restart'])
      await refuses(bridge, topic, { state: 'ON' })
    const writer = await hub.mqtt(bridge, as)
    await writer.publish('zigbee2mqtt/plug', { state: 'OFF' })
    await reader.hears('zigbee2mqtt/plug')
    expect(reader.heard.map(({ topic }) => topic)).toEqual(['zigbee2mqtt/plug'])
    await Promise.all([reader.end(), writer.end()])
  })

  test('a forbidden will is refused at CONNECT, an own one speaks', async () => {
    const will = (topic: string) => ({
      ...as,
      will: { topic, payload: Buffer.from('false'), qos: 1 as const, retain: true },
    })
    for (const topic of [of(lamp, 'online'), of(spy, 'cmd'), 'jarvis/hub/health', '$SYS/x', 'cmnd/plug/POWER'])
      await expect(hub.mqtt(spy, will(topic)), topic).rejects.toMatchObject(refusedWith(notAuthorized))
    const wire = await hub.mqtt(spy, will(of(spy, 'online')))
    await wire.publish(of(spy, 'online'), 'true', { retain: true })
    await watcher.hears(({ topic, text }) => topic === of(spy, 'online') && text === 'true')
    wire.client.stream.destroy()
    const last = await watcher.hears(({ topic, text }) => topic === of(spy, 'online') && text === 'false')
    expect(last.packet.qos).toBe(1)
  })

  test('a state above 64 KiB is refused, a packet above 1 MiB ends the connection; both are counted', async () => {
    await refuses(spy, of(spy, 'state'), { text: 'x'.repeat(64 * 1024) })
    expect(heardOn(watcher, of(spy, 'state'))).toEqual([])
    const wire = await hub.mqtt(spy, as)
    await raises('oversized', 1, async () => {
      await expect(wire.publish(of(spy, 'event'), Buffer.alloc(1100 * 1024, 32))).rejects.toThrow()
      await wire.gone
    })
  })

  test('a payload that does not fit: delivered and recorded, told with its field, not retained, and the sender lives', async () => {
    const wire = await hub.mqtt(lamp, as)
    await wire.subscribe(of(lamp, 'about'))
    await wire.publish(of(lamp, 'about'), about('Lamp'), { retain: true })
    await wire.publish(of(lamp, 'about'), { ...about('Lamp'), kind: 7 }, { retain: true })
    await wire.hears(({ json }) => json()['kind'] === 7)
    const told = await watcher.hears(
      ({ topic, text }) => topic === 'jarvis/errors/warning/broker' && text.includes(of(lamp, 'about')),
    )
    expect(told.json()).toMatchObject({
      type: 'PayloadInvalid',
      category: 'validation',
      details: { field: 'kind', origin: `device:${lamp.username}`, topic: of(lamp, 'about') },
    })
    await wire.publish(of(lamp, 'state'), 'no { json', { retain: true })
    await watcher.hears(({ topic, text }) => topic === of(lamp, 'state') && text === 'no { json')
    const journal = await hub.api<Items>(`/api/journal?topic=devices/${lamp.username}/about`)
    expect(journal.body.items.map(({ payload }) => payload['kind'])).toEqual(['light', 7])
    const later = await hub.mqtt({ ...lamp, clientId: `${lamp.clientId}-l` }, as)
    await later.subscribe(of(lamp, '#'))
    const kept = await later.hears(of(lamp, 'about'))
    expect(kept.packet.retain).toBe(true)
    expect(kept.json()['kind']).toBe('light')
    await ping(later)
    expect(later.heard.filter(({ text }) => text === 'no { json')).toEqual([])
    const device = await hub.api<{ kind: string }>(`/api/devices/${lamp.username}`)
    expect(device.body.kind).toBe('light')
    await Promise.all([wire.end(), later.end()])
  })

  test('a malformed packet ends the connection and is counted; the hub goes on', async () => {
    const wire = await hub.mqtt(spy, as)
    await raises('malformed', 1, async () => {
      // PUBLISH with QoS 3 [MQTT-3.3.1-4].
      wire.client.stream.write(Buffer.from([0x36, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01]))
      await wire.gone
    })
    await settled()
  })

  test('a revoked credential is disconnected at once, its queue is gone, and it does not come back', async () => {
    const doomed = await hub.credential(`doomed_${protocolVersion}`)
    const persistent = { ...as, clean: false, ...(v5 ? { properties: { sessionExpiryInterval: 3600 } } : {}) }
    const sleeper = await hub.mqtt({ ...doomed, clientId: `${doomed.clientId}-s` }, persistent)
    await sleeper.subscribe(of(doomed, 'event'))
    await sleeper.end()
    const wire = await hub.mqtt(doomed, persistent)
    await wire.subscribe(of(doomed, 'event'))
    await wire.publish(of(doomed, 'event'), { type: 'kept for the sleeper' })
    const { status } = await hub.api(`/api/device-credentials/${doomed.clientId}`, { method: 'DELETE' })
    expect(status).toBe(204)
    await wire.gone
    await expect(hub.mqtt(doomed, as)).rejects.toMatchObject(refusedWith(badLogin))
    const renewed = await hub.credential(doomed.username)
    const again = await eventually(
      () => hub.mqtt({ ...renewed, clientId: `${doomed.clientId}-s` }, persistent).catch(() => undefined),
      (wire) => wire !== undefined,
    )
    expect(again.present).toBe(false)
    await again.publish(of(doomed, 'event'), { type: 'new' })
    await watcher.hears(({ topic, text }) => topic === of(doomed, 'event') && text.includes('new'))
    await ping(again)
    expect(again.heard).toEqual([])
    await again.end()
  })

  describe('people over MQTT', () => {
    const username = `bob_${protocolVersion}`
    let bob: Wire
    let token = ''

    beforeAll(async () => {
      const password = 'staple battery horse'
      const made = await hub.api('/api/people', { json: { username, password, roles: ['operator'] } })
      expect(made.status, JSON.stringify(made.body)).toBe(201)
      token = await hub.login(username, password)
      bob = await hub.mqtt({ clientId: `ui.${username}-tab1`, username, password: token }, as)
    })

    test('an operator reads devices, and not everything', async () => {
      expect(await bob.subscribe('jarvis/devices/#')).toBe(1)
      for (const filter of ['#', 'jarvis/#', '$SYS/#', 'zigbee2mqtt/#'])
        expect(await bob.subscribe(filter), filter).toBe(v5 ? 135 : 128)
    })

    test('an operator asks by request, and the gate answers', async () => {
      const device = await hub.mqtt(lamp, as)
      await device.subscribe(of(lamp, 'cmd'))
      await device.publish(of(lamp, 'online'), 'true', { retain: true })
      await bob.publish(of(lamp, 'request'), { intent: 'light.turn_on', requestedBy: 'person:ada' })
      const cmd = await device.hears(of(lamp, 'cmd'))
      expect(cmd.json()).toMatchObject({ intent: 'light.turn_on', requestedBy: `person:${username}` })
      await device.publish(of(lamp, 'ack'), { id: cmd.json()['id'], status: 'done' })
      const result = await bob.hears(of(lamp, 'result'))
      expect(result.json()).toMatchObject({ id: cmd.json()['id'], status: 'done' })
      await device.end()
    })

    test('nobody but the device publishes its state, nobody but the gate its cmd, not even an admin', async () => {
      for (const [clientId, name, password] of [
        [`ui.${username}`, username, token],
        ['ui.ada-x', 'ada', hub.token],
      ] as const)
        for (const leaf of ['state', 'cmd', 'result', 'ack', 'online'])
          await refuses(
            { clientId, username: name, password },
            of(lamp, leaf),
            { on: true, id: 'forged' },
            leaf === 'cmd',
          )
      const late = await hub.mqtt({ clientId: 'ui.ada-late', username: 'ada', password: hub.token }, as)
      await late.subscribe(of(lamp, 'cmd'))
      await ping(late)
      expect(late.heard).toEqual([])
      await late.end()
    })

    test('a password is no way in over MQTT, and a removed person is disconnected', async () => {
      await expect(
        hub.mqtt({ clientId: `ui.${username}-2`, username, password: 'staple battery horse' }, as),
      ).rejects.toMatchObject(refusedWith(badLogin))
      const { status } = await hub.api(`/api/people/${username}`, { method: 'DELETE' })
      expect(status).toBe(204)
      await bob.gone
    })
  })
})
