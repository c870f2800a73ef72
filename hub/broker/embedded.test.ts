// What the broker lets whom do, as real clients see it.
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Fatal } from '../errors.ts'
import {
  connected,
  connectPacket,
  envelopeOf,
  heardBy,
  openTestBroker,
  rawClient,
  settled,
  until,
  within,
} from './test-broker.ts'

for (const protocolVersion of [4, 5] as const) {
  const v5 = protocolVersion === 5

  test(`a message goes from a device to a reader, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const ada = await hub.client('ada', { protocolVersion })
    const heard = heardBy(ada)
    await ada.subscribeAsync('jarvis/devices/#', { qos: 1 })
    const dust = await hub.client('dust', { protocolVersion })
    await dust.publishAsync('jarvis/devices/dust/telemetry', '1', { qos: 0 })
    await dust.publishAsync('jarvis/devices/dust/event', '2', { qos: 1 })
    await dust.publishAsync('jarvis/devices/dust/state', '3', { qos: 2, retain: true })
    await until('all three', () => heard.length === 3)
    expect([...heard].sort()).toEqual([
      'jarvis/devices/dust/event 2',
      'jarvis/devices/dust/state 3',
      'jarvis/devices/dust/telemetry 1',
    ])
    expect(hub.intake.accepted.map(({ topic, origin }) => `${origin} ${topic}`)).toEqual([
      'device:dust jarvis/devices/dust/telemetry',
      'device:dust jarvis/devices/dust/event',
      'device:dust jarvis/devices/dust/state',
    ])
    expect(
      hub.broker.clients().map(({ clientId, principal, protocol }) => ({ clientId, principal, protocol })),
    ).toEqual([
      { clientId: 'ada', principal: 'person:ada', protocol: protocolVersion },
      { clientId: 'dust', principal: 'device:dust', protocol: protocolVersion },
    ])
  })

  test(`nobody gets in without the right name, password and client id, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const code = async (options: object) => {
      const refused = await hub.client('dust', { protocolVersion, ...options }).catch((error: unknown) => error)
      return (refused as { code?: number }).code
    }
    expect(await code({ username: undefined, password: undefined })).toBe(v5 ? 0x87 : 5)
    expect(await code({ password: undefined })).toBe(v5 ? 0x87 : 5)
    expect(await code({ password: 'wrong' })).toBe(v5 ? 0x86 : 4)
    expect(await code({ clientId: 'lamp', username: 'press', password: 'press-secret' })).toBe(v5 ? 0x85 : 2)
    expect(await code({ clientId: 'd'.repeat(129), username: 'ada', password: 'ada-secret' })).toBe(v5 ? 0x85 : 2)
    expect(hub.broker.counters()).toMatchObject({ refusedConnects: 5, connected: 0 })
    const said = hub.lines.filter(({ event }) => event === 'mqtt-connect-refused')
    expect(said.length).toBeGreaterThan(0)
    expect(JSON.stringify(said)).not.toContain('wrong"')
  })

  test(`a foreign topic, a command and $SYS cannot be published, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const wild = await hub.client('wild', { protocolVersion })
    const heard = heardBy(wild)
    await wild.subscribeAsync('jarvis/#')
    for (const topic of ['jarvis/devices/lamp/state', 'jarvis/devices/dust/cmd', '$SYS/x/new/clients', '$SYS']) {
      const dust = await hub.client('dust', { protocolVersion })
      const outcome = dust.publishAsync(topic, 'ada', { qos: 1 }).then(
        () => 'acknowledged',
        (error: { code?: number }) => error.code,
      )
      const closed = new Promise<string>((resolve) => dust.once('close', () => resolve('closed')))
      expect(await within(3000, 'an answer', Promise.race(v5 ? [outcome] : [closed, outcome]))).toBe(
        v5 ? 0x87 : 'closed',
      )
      await dust.endAsync(true)
    }
    const quiet = await hub.client('dust', { protocolVersion })
    quiet.publish('jarvis/devices/lamp/state', 'forged', { qos: 0 })
    await until('the fifth refusal', () => hub.broker.counters().refusedPublishes === 5)
    await settled(wild, 'mark')
    expect(heard.filter((line) => !line.startsWith('mark'))).toEqual([])
    expect(hub.intake.accepted.map(({ topic }) => topic)).toEqual(['mark'])
    expect(wild.connected).toBe(true)
  })

  test(`an empty message on a command topic of its own reaches nobody, and the device stays, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const wild = await hub.client('wild', { protocolVersion })
    const heard = heardBy(wild)
    await wild.subscribeAsync('jarvis/#')
    const dust = await hub.client('dust', { protocolVersion })
    dust.publish('jarvis/devices/dust/cmd', '', { qos: 0 })
    await dust.publishAsync('jarvis/devices/dust/event', 'still here', { qos: 1 })
    await until('the event', () => heard.length > 0)
    expect(heard).toEqual(['jarvis/devices/dust/event still here'])
    expect(hub.intake.accepted.map(({ topic }) => topic)).toEqual(['jarvis/devices/dust/event'])
    expect(hub.broker.counters().refusedPublishes).toBe(1)
    const others: [string, string, object][] = [
      ['jarvis/devices/lamp/cmd', '', { qos: 0 }],
      ['jarvis/devices/dust/cmd', 'x', { qos: 0 }],
      ['jarvis/devices/dust/cmd', '', { qos: 1 }],
      ['jarvis/devices/dust/cmd', '', { qos: 0, retain: true }],
    ]
    for (const [n, [topic, payload, how]] of others.entries()) {
      const raw = await hub.client('dust', { protocolVersion, clientId: 'dust-2' })
      const closed = new Promise<void>((resolve) => raw.once('close', () => resolve()))
      raw.publish(topic, payload, how, () => {})
      await until(`refusal ${n + 2}`, () => hub.broker.counters().refusedPublishes === n + 2)
      if (!v5) await within(3000, `the end after ${topic}`, closed)
      await raw.endAsync(true)
    }
    expect(hub.intake.accepted).toHaveLength(1)
  })

  test(`a filter wider than the rights is not granted, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const dust = await hub.client('dust', { protocolVersion })
    const denied = v5 ? 0x87 : 0x80
    const code = async (filter: string) => {
      const raw = await rawClient(hub.port, protocolVersion)
      raw.send(connectPacket('dust', protocolVersion, { clientId: `dust-${Math.random().toString(36).slice(2)}` }))
      await raw.next('connack')
      raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 1 }] })
      const suback = await raw.next('suback')
      raw.socket.destroy()
      return suback.cmd === 'suback' ? suback.granted[0] : undefined
    }
    expect(await code('jarvis/devices/dust/#')).toBe(1)
    for (const filter of ['#', '+/devices/dust/cmd', 'jarvis/devices/+/cmd', '$SYS/#', '$SYS/+/new/clients']) {
      expect(await code(filter), filter).toBe(denied)
    }
    expect(hub.broker.counters().refusedSubscribes).toBe(5)
    expect(dust.connected).toBe(true)
  })

  test(`a forbidden will is refused when connecting, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const will = (topic: string) =>
      hub.client('dust', { protocolVersion, will: { topic, payload: Buffer.from('x'), qos: 1, retain: false } })
    for (const topic of ['jarvis/devices/lamp/online', 'jarvis/devices/dust/cmd', '$SYS/x/new/clients']) {
      await expect(will(topic), topic).rejects.toMatchObject({ code: v5 ? 0x87 : 5 })
    }
    await expect(will('jarvis/devices/dust/+')).rejects.toThrow()
    await will('jarvis/devices/dust/online')
    expect(hub.broker.clients()).toHaveLength(1)
  })

  test(`what the hub refuses is answered and reaches nobody, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    hub.intake.policy = (draft) => (draft.retain ? undefined : draft)
    const ada = await hub.client('ada')
    const heard = heardBy(ada)
    await ada.subscribeAsync('jarvis/#')
    const dust = await hub.client('dust', { protocolVersion })
    const closed = new Promise<string>((resolve) => dust.once('close', () => resolve('closed')))
    const outcome = dust.publishAsync('jarvis/devices/dust/state', 'x', { qos: 2, retain: true }).then(
      () => 'acknowledged',
      (error: { code?: number }) => error.code,
    )
    expect(await within(3000, 'an answer', Promise.race(v5 ? [outcome] : [closed, outcome]))).toBe(v5 ? 0x87 : 'closed')
    expect(dust.connected).toBe(v5)
    expect(await hub.broker.storedRetained()).toEqual([])
    expect(heard).toEqual([])
  })

  test(`rights are checked again for each message, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const bob = await hub.client('bob', { protocolVersion })
    const heard = heardBy(bob)
    await bob.subscribeAsync('load/#', { qos: 1 })
    const ada = await hub.client('ada')
    await ada.publishAsync('load/a', '1', { qos: 1 })
    await until('the first', () => heard.length === 1)
    hub.rights.people.set('bob', { ...hub.rights.people.get('bob')!, read: ['load/mark'] })
    await ada.publishAsync('load/b', '2', { qos: 1 })
    await settled(bob, 'load/mark')
    expect(heard.filter((line) => !line.startsWith('load/mark'))).toEqual(['load/a 1'])
  })
}

test('MQTT 3.1 clients are let in, with ids longer than 23 characters too', async () => {
  await using hub = await openTestBroker()
  const clientId = 'ada-with-a-rather-long-client-id'
  const ada = await hub.client('ada', { clientId, protocolId: 'MQIsdp', protocolVersion: 3 })
  await ada.publishAsync('load/a', 'x', { qos: 1 })
  expect(hub.broker.clients().map(({ protocol }) => protocol)).toEqual([3])
})

test('the hub decides QoS and retain, for delivery and for the store', async () => {
  await using hub = await openTestBroker()
  hub.intake.policy = (draft) => ({ ...draft, qos: 1, retain: draft.topic.endsWith('/state') })
  const ada = await hub.client('ada')
  const got: string[] = []
  ada.on('message', (topic, _payload, packet) => got.push(`${topic} ${packet.qos}`))
  await ada.subscribeAsync('jarvis/#', { qos: 1 })
  const dust = await hub.client('dust')
  await dust.publishAsync('jarvis/devices/dust/state', 'on', { qos: 0, retain: false })
  await dust.publishAsync('jarvis/devices/dust/event', 'once', { qos: 2, retain: true })
  await until('both', () => got.length === 2)
  expect(got.sort()).toEqual(['jarvis/devices/dust/event 1', 'jarvis/devices/dust/state 1'])
  expect((await hub.broker.storedRetained()).map(({ topic, payload }) => `${topic} ${payload.toString()}`)).toEqual([
    'jarvis/devices/dust/state on',
  ])
})

test('the granted QoS holds for wildcard filters and retained messages too', async () => {
  await using hub = await openTestBroker()
  const dust = await hub.client('dust')
  await dust.publishAsync('jarvis/devices/dust/state', 'kept', { qos: 2, retain: true })
  const ada = await hub.client('ada')
  const got: string[] = []
  ada.on('message', (_topic, payload, packet) => got.push(`${payload.toString()} ${packet.qos}`))
  await ada.subscribeAsync('jarvis/devices/+/state', { qos: 1 })
  await dust.publishAsync('jarvis/devices/dust/state', 'live', { qos: 2, retain: true })
  await until('both', () => got.length === 2)
  expect(got).toEqual(['kept 1', 'live 1'])
})

test('a will goes through the hub once, with its owner as origin and without the delay of its CONNECT', async () => {
  await using hub = await openTestBroker()
  const ada = await hub.client('ada', { protocolVersion: 5 })
  const properties: unknown[] = []
  ada.on('message', (_topic, _payload, packet) => properties.push(packet.properties))
  await ada.subscribeAsync('jarvis/devices/#', { qos: 1 })
  const raw = await rawClient(hub.port, 5)
  raw.send(
    connectPacket('dust', 5, {
      properties: { sessionExpiryInterval: 60 },
      will: {
        topic: 'jarvis/devices/dust/online',
        payload: Buffer.from('false'),
        qos: 1,
        retain: true,
        properties: { willDelayInterval: 1, contentType: 'application/json' },
      },
    }),
  )
  await raw.next('connack')
  raw.socket.destroy()
  await until('the will', () => properties.length === 1)
  expect(properties).toEqual([{ contentType: 'application/json' }])
  expect(hub.intake.accepted.map(({ origin, topic, retain }) => ({ origin, topic, retain }))).toEqual([
    { origin: 'device:dust', topic: 'jarvis/devices/dust/online', retain: true },
  ])
})

test('a will outlives the hub: it is kept at shutdown and sent by the next run, unless its device is back', async () => {
  const hub = await openTestBroker()
  const will = (name: string) => ({
    topic: `jarvis/devices/${name}/online`,
    payload: Buffer.from('false'),
    qos: 1 as const,
    retain: true,
  })
  await hub.client('dust', { will: will('dust') })
  await hub.client('lamp', { will: will('lamp') })
  await hub.broker.close()
  expect(hub.intake.accepted).toEqual([])
  await hub[Symbol.asyncDispose]()

  await using next = await openTestBroker({ persistence: hub.persistence, limits: { heartbeat: 100 } })
  const lamp = await next.client('lamp', { will: will('lamp') })
  await until('the will of the device that is gone', () => next.intake.accepted.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(next.intake.accepted.map(({ origin, topic }) => `${origin} ${topic}`)).toEqual([
    'device:dust jarvis/devices/dust/online',
  ])
  expect(lamp.connected).toBe(true)
})

test('revocation throws the principal out, with all its sessions, queues and its will', async () => {
  await using hub = await openTestBroker()
  const wild = await hub.client('wild')
  const heard = heardBy(wild)
  await wild.subscribeAsync('jarvis/#')
  const away = await hub.client('dust', { clientId: 'dust-2', clean: false })
  await away.subscribeAsync('jarvis/devices/dust/#', { qos: 1 })
  await away.endAsync()
  const dust = await hub.client('dust', {
    clean: false,
    will: { topic: 'jarvis/devices/dust/online', payload: Buffer.from('false'), qos: 1, retain: true },
  })
  await dust.subscribeAsync('jarvis/devices/dust/#', { qos: 1 })
  await hub.client('lamp', { clean: false })
  await hub.broker.deliver(
    envelopeOf({
      topic: 'jarvis/devices/dust/event',
      payload: Buffer.from('queued'),
      qos: 1,
      retain: false,
      origin: 'hub',
    }),
  )
  const closed = new Promise<void>((resolve) => dust.once('close', () => resolve()))
  hub.rights.revoke('device:dust', 'dust')
  await within(2000, 'the end of the connection', closed)
  await until('nothing is left', async () => (await hub.persistence.countOffline()).clientsCount === 0)
  const back = await hub.client('dust', { clientId: 'dust-2', clean: false })
  const late = heardBy(back)
  await settled(back, 'jarvis/devices/dust/mark')
  expect(late.filter((line) => line.includes('queued'))).toEqual([])
  expect(heard.filter((line) => line.includes('online'))).toEqual([])
  expect(hub.broker.clients().map(({ clientId }) => clientId)).toContain('lamp')
})

test('a session belongs to its owner: another person gets neither the queue nor the place', async () => {
  await using hub = await openTestBroker()
  const bob = await hub.client('bob', { clientId: 'wall', clean: false })
  await bob.subscribeAsync('load/#', { qos: 1 })
  await expect(hub.client('ada', { clientId: 'wall', clean: false })).rejects.toMatchObject({ code: 2 })
  expect(bob.connected).toBe(true)
  await bob.endAsync()
  await expect(hub.client('ada', { clientId: 'wall', clean: false })).rejects.toMatchObject({ code: 2 })
  await expect(hub.client('bob', { clientId: 'wall', clean: false })).resolves.toBeDefined()
})

test('a device without a client id gets one of its own', async () => {
  await using hub = await openTestBroker()
  await hub.client('dust', { clientId: '', clean: true, protocolVersion: 5 })
  expect(hub.broker.clients()[0]?.clientId).toMatch(/^dust-\w+$/)
  await expect(hub.client('dust', { clientId: '', clean: false, protocolVersion: 4 })).rejects.toThrow()
})

test('a hook that throws is a no, and a login that is never answered ends in time', async () => {
  await using hub = await openTestBroker({ limits: { hookTimeout: 200 } })
  const dust = await hub.client('dust', { protocolVersion: 5 })
  const ada = await hub.client('ada', { protocolVersion: 5 })
  const heard = heardBy(ada)
  await ada.subscribeAsync('jarvis/#')
  const boom = () => {
    throw new Error('boom')
  }
  const { mayPublish, maySubscribe, mayRead, authenticate } = hub.rights
  const { accept } = hub.intake
  const publish = (topic: string) => dust.publishAsync(`jarvis/devices/dust/${topic}`, 'x', { qos: 1 })
  hub.rights.mayPublish = boom
  await expect(publish('event')).rejects.toMatchObject({ code: 0x87 })
  hub.rights.mayPublish = mayPublish
  hub.rights.maySubscribe = boom
  await expect(ada.subscribeAsync('jarvis/devices/dust/#')).rejects.toThrow()
  hub.rights.maySubscribe = maySubscribe
  hub.intake.accept = boom
  await expect(publish('event')).rejects.toMatchObject({ code: 0x80 })
  hub.intake.accept = accept
  hub.rights.mayRead = boom
  await publish('unread')
  hub.rights.mayRead = mayRead
  await settled(ada, 'jarvis/devices/ada/request').catch(() => {})
  expect(heard.filter((line) => line.includes('unread'))).toEqual([])
  hub.rights.authenticate = () => new Promise(() => {})
  await expect(hub.client('lamp')).rejects.toMatchObject({ code: 3 })
  hub.rights.authenticate = boom
  await expect(hub.client('lamp')).rejects.toMatchObject({ code: 3 })
  hub.rights.authenticate = authenticate
  await expect(hub.client('lamp')).resolves.toBeDefined()
  expect(hub.broker.counters().hookErrors).toBeGreaterThanOrEqual(6)
  expect(dust.connected).toBe(true)
})

test('guessing passwords gets slower, and the neighbours at the same address still get in', async () => {
  await using hub = await openTestBroker()
  let asked = 0
  const { authenticate } = hub.rights
  hub.rights.authenticate = (login) => {
    asked++
    return authenticate(login)
  }
  for (let i = 0; i < 12; i++) await hub.client('dust', { password: `guess-${i}` }).catch(() => {})
  expect(asked).toBeLessThan(7)
  await expect(hub.client('lamp')).resolves.toBeDefined()
  expect(
    hub.lines.filter(({ event, fields }) => event === 'mqtt-connect-refused' && fields['username'] === 'dust'),
  ).toHaveLength(1)
})

test('a taken port says which, and how to run beside the other broker', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  try {
    const start = openTestBroker({ listen: { bind: '127.0.0.1', mqtt: port } })
    await expect(start).rejects.toBeInstanceOf(Fatal)
    await expect(start).rejects.toThrow(new RegExp(`Port ${port} .*MQTT_PORT=${port + 1} npm start`))
    const second = openTestBroker({ listen: { bind: '127.0.0.1', mqtt: 0, ws: port } })
    await expect(second).rejects.toThrow('MQTT_WS_PORT')
  } finally {
    other.close()
  }
})

test('closing tells MQTT 5 clients and is over within two seconds, even when one does not read', async () => {
  const hub = await openTestBroker()
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('dust', 5))
  await raw.next('connack')
  const frozen = await rawClient(hub.port, 5)
  frozen.send(connectPacket('bob', 5))
  await frozen.next('connack')
  frozen.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 0 }] })
  await frozen.next('suback')
  frozen.socket.pause()
  const big = Buffer.alloc(512 * 1024)
  for (let i = 0; i < 40; i++) {
    void hub.broker
      .deliver(envelopeOf({ topic: 'load/x', payload: big, qos: 0, retain: false, origin: 'hub' }))
      .catch(() => {})
  }
  const before = performance.now()
  await hub.broker.close()
  expect(performance.now() - before).toBeLessThan(2000)
  await expect(raw.next('disconnect')).resolves.toMatchObject({ reasonCode: 0x8b })
  await within(1000, 'the end', raw.closed)
  await expect(connected(`mqtt://127.0.0.1:${hub.port}`, 'dust')).rejects.toThrow()
  frozen.socket.destroy()
  await hub[Symbol.asyncDispose]()
})

test('a client that falls silent is cut, the reason is told, and the bytes of all are counted', async () => {
  await using hub = await openTestBroker()
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('bob', 4, { keepalive: 1 }))
  await raw.next('connack')
  await until('the cut', () => hub.broker.clients().length === 0)
  expect(hub.broker.lastError?.('bob')?.what).toMatch(/said nothing/)
  expect(hub.broker.counters().bytesIn).toBeGreaterThan(10)
  expect(hub.broker.counters().bytesOut).toBeGreaterThan(3)
})
