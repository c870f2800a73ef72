// When an acknowledgement goes out, what survives, and that nobody waits for a slow neighbour.
import { expect, test } from 'vitest'
import { connectPacket, envelopeOf, heardBy, openTestBroker, rawClient, settled, until, within } from './test-broker.ts'

const hubMade = (topic: string, payload: string | Buffer, qos: 0 | 1 | 2 = 1, retain = false) =>
  envelopeOf({ topic, payload: Buffer.from(payload), qos, retain, origin: 'hub' })

for (const qos of [1, 2] as const) {
  test(`QoS ${qos} is acknowledged when the journal has it, and delivered before`, async () => {
    await using hub = await openTestBroker()
    const ada = await hub.client('ada')
    const heard = heardBy(ada)
    await ada.subscribeAsync('load/#', { qos })
    const raw = await rawClient(hub.port)
    raw.send(connectPacket('bob'))
    await raw.next('connack')
    hub.intake.held = true
    const ack = qos === 1 ? 'puback' : 'pubrec'
    raw.send({ cmd: 'publish', topic: 'load/a', payload: 'x', qos, messageId: 7, retain: false, dup: false })
    await until('the delivery', () => heard.length === 1)
    await settledByPing(raw)
    expect(raw.packets.filter(({ cmd }) => cmd === ack)).toEqual([])
    hub.intake.release()
    expect(await raw.next(ack)).toMatchObject({ messageId: 7 })
    raw.socket.destroy()
  })

  test(`QoS ${qos} is acknowledged when the session store has it`, async () => {
    await using hub = await openTestBroker()
    const gone = await hub.client('ada', { clean: false })
    await gone.subscribeAsync('load/#', { qos })
    await gone.endAsync()
    const raw = await rawClient(hub.port)
    raw.send(connectPacket('bob'))
    await raw.next('connack')
    const ack = qos === 1 ? 'puback' : 'pubrec'
    const { outgoingEnqueueCombi, storeRetained } = hub.persistence
    for (const slow of ['queue', 'retained']) {
      let stored = () => {}
      const until = new Promise<void>((resolve) => (stored = resolve))
      hub.persistence.outgoingEnqueueCombi = async (subs, packet) => {
        if (slow === 'queue') await until
        return outgoingEnqueueCombi.call(hub.persistence, subs, packet)
      }
      hub.persistence.storeRetained = async (packet) => {
        if (slow === 'retained') await until
        return storeRetained.call(hub.persistence, packet)
      }
      const messageId = slow === 'queue' ? 7 : 8
      const before = raw.packets.length
      raw.send({ cmd: 'publish', topic: 'load/a', payload: 'x', qos, messageId, retain: true, dup: false })
      await settledByPing(raw)
      expect(
        raw.packets.slice(before).map(({ cmd }) => cmd),
        slow,
      ).toEqual(['pingresp'])
      stored()
      expect(await raw.next(ack)).toMatchObject({ messageId })
    }
    raw.socket.destroy()
  })
}

/** A PINGRESP shows that the broker has read on and answered what it was going to answer. */
const settledByPing = async (raw: Awaited<ReturnType<typeof rawClient>>) => {
  await new Promise((resolve) => setTimeout(resolve, 30))
  raw.send({ cmd: 'pingreq' })
  await raw.next('pingresp')
}

test('what could not be journalled is not acknowledged: the connection ends and the message comes again', async () => {
  await using hub = await openTestBroker()
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('bob', 5))
  await raw.next('connack')
  hub.intake.held = true
  raw.send({ cmd: 'publish', topic: 'load/a', payload: 'x', qos: 2, messageId: 7, retain: false, dup: false })
  await until('it is with the journal', () => hub.intake.accepted.length === 1)
  hub.intake.release(new Error('disk full'))
  await within(2000, 'the end', raw.closed)
  expect(raw.packets).toMatchObject([{ cmd: 'connack' }, { cmd: 'disconnect', reasonCode: 0x80 }])
  const again = await rawClient(hub.port, 5)
  again.send(connectPacket('bob', 5, { clean: false }))
  await again.next('connack')
  again.send({ cmd: 'publish', topic: 'load/a', payload: 'x', qos: 2, messageId: 7, retain: false, dup: true })
  await again.next('pubrec')
  expect(hub.intake.accepted).toHaveLength(2)
  again.socket.destroy()
})

test('a journal that never answers costs the connection, not the hub', async () => {
  await using hub = await openTestBroker({ limits: { commitTimeout: 500 } })
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('bob'))
  await raw.next('connack')
  hub.intake.held = true
  raw.send({ cmd: 'publish', topic: 'load/a', payload: 'x', qos: 1, messageId: 7, retain: false, dup: false })
  await within(4000, 'the end', raw.closed)
  expect(raw.packets.map(({ cmd }) => cmd)).toEqual(['connack'])
})

test('a QoS 2 message that is sent twice is accepted once, at once or after a reconnect', async () => {
  await using hub = await openTestBroker()
  const publish = {
    cmd: 'publish',
    topic: 'load/a',
    payload: 'x',
    qos: 2,
    messageId: 7,
    retain: false,
    dup: false,
  } as const
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('bob', 4, { clean: false }))
  await raw.next('connack')
  raw.send(publish, { ...publish, dup: true })
  await raw.next('pubrec')
  raw.send({ ...publish, dup: true })
  await raw.next('pubrec')
  raw.socket.destroy()
  const back = await rawClient(hub.port)
  back.send(connectPacket('bob', 4, { clean: false }))
  await back.next('connack')
  back.send({ ...publish, dup: true })
  await back.next('pubrec')
  expect(hub.intake.accepted).toHaveLength(1)
  back.send({ cmd: 'pubrel', messageId: 7 })
  await back.next('pubcomp')
  back.send(publish)
  await back.next('pubrec')
  expect(hub.intake.accepted).toHaveLength(2)
  back.socket.destroy()
})

test('a clean session forgets the QoS 2 messages of the one before', async () => {
  await using hub = await openTestBroker()
  const publish = {
    cmd: 'publish',
    topic: 'load/a',
    payload: 'x',
    qos: 2,
    messageId: 7,
    retain: false,
    dup: false,
  } as const
  for (const clean of [false, true, false]) {
    const raw = await rawClient(hub.port)
    raw.send(connectPacket('bob', 4, { clean }), publish)
    await raw.next('pubrec')
    raw.socket.destroy()
    await until('it is gone', () => hub.broker.clients().length === 0)
  }
  // First and second are new messages; the third session is new after the clean one.
  expect(hub.intake.accepted).toHaveLength(3)
})

test('the same PUBREL three times in one chunk is answered three times', async () => {
  await using hub = await openTestBroker()
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('bob', 4, { clean: false }))
  await raw.next('connack')
  raw.send({ cmd: 'publish', topic: 'load/a', payload: 'x', qos: 2, messageId: 7, retain: false, dup: false })
  await raw.next('pubrec')
  const pubrel = { cmd: 'pubrel', messageId: 7 } as const
  raw.send(pubrel, pubrel, pubrel)
  await until('three answers', () => raw.packets.filter(({ cmd }) => cmd === 'pubcomp').length === 3)
  raw.socket.destroy()
})

for (const version of [4, 5] as const) {
  test(`too many QoS 2 messages begun end the connection, MQTT ${version}`, async () => {
    await using hub = await openTestBroker({ limits: { maxInflightInbound: 10, receiveMaximum: 10 } })
    const raw = await rawClient(hub.port, version)
    raw.send(connectPacket('bob', version))
    await raw.next('connack')
    const publish = (messageId: number) =>
      ({ cmd: 'publish', topic: 'load/a', payload: 'x', qos: 2, messageId, retain: false, dup: false }) as const
    raw.send(...Array.from({ length: 11 }, (_, i) => publish(i + 1)))
    if (version === 5) expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x93 })
    await within(2000, 'the end', raw.closed)
    expect(hub.intake.accepted).toHaveLength(10)
  })
}

test('no message is lost to a lasting session when QoS levels mix', async () => {
  await using hub = await openTestBroker()
  // A store in another thread: QoS 0 overtakes what waits for it.
  const { subscriptionsByTopic } = hub.persistence
  hub.persistence.subscriptionsByTopic = async (topic) => {
    await new Promise((resolve) => setImmediate(resolve))
    return subscriptionsByTopic.call(hub.persistence, topic)
  }
  const reader = await hub.client('ada', { clean: false })
  const got = new Set<string>()
  reader.on('message', (_topic, payload) => got.add(payload.toString()))
  await reader.subscribeAsync('load/#', { qos: 2 })
  const writers = [await hub.client('bob', { clientId: 'b1' }), await hub.client('bob', { clientId: 'b2' })]
  const sent: string[] = []
  for (let i = 0; i < 2000; i++) {
    sent.push(`m${i}`)
    writers[i % 2]?.publish(`load/${i % 7}`, `m${i}`, { qos: ([0, 1, 2, 0, 1] as const)[i % 5] ?? 0 })
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await until('all of them', () => got.size === sent.length, 10_000)
})

test('a lasting session gets while it is away what it would have got, once, and at the QoS it was granted', async () => {
  await using hub = await openTestBroker()
  const away = await hub.client('ada', { clean: false })
  await away.subscribeAsync({ 'load/#': { qos: 1 }, 'load/a': { qos: 2 }, 'load/+': { qos: 0 } })
  await away.endAsync()
  await hub.broker.deliver(hubMade('load/a', '1', 2))
  await hub.broker.deliver(hubMade('load/b', '2', 2))
  await hub.broker.deliver(hubMade('load/b', '3', 0))
  const back = await hub.client('ada', { clean: false, clientId: 'ada-elsewhere' })
  await back.endAsync()
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('ada', 4, { clean: false }))
  expect(await raw.next('connack')).toMatchObject({ sessionPresent: true })
  const first = await raw.next('publish')
  const second = await raw.next('publish')
  expect(
    [first, second].map(
      (packet) => packet.cmd === 'publish' && `${packet.topic} ${packet.payload.toString()} ${packet.qos}`,
    ),
  ).toEqual(['load/a 1 2', 'load/b 2 1'])
  raw.socket.destroy()
})

test('a connected lasting session with overlapping filters gets a message once, at the highest QoS, and keeps nothing', async () => {
  await using hub = await openTestBroker()
  const ada = await hub.client('ada', { clean: false })
  const got: string[] = []
  ada.on('message', (topic, payload, packet) => got.push(`${topic} ${payload.toString()} ${packet.qos}`))
  await ada.subscribeAsync({ 'load/#': { qos: 0 }, 'load/a': { qos: 2 }, 'load/+': { qos: 1 } })
  await hub.broker.deliver(hubMade('load/a', '1', 2))
  await settled(ada, 'load/mark')
  expect(got.filter((line) => line.startsWith('load/a'))).toEqual(['load/a 1 2'])
  await until('the queue is empty', async () => {
    const left = []
    for await (const packet of hub.persistence.outgoingStream({ id: 'ada' })) left.push(packet)
    return left.length === 0
  })
})

test('a message its reader may not see is taken out of the queue, and no other one with it', async () => {
  await using hub = await openTestBroker()
  const ada = await hub.client('ada', { clean: false })
  const heard = heardBy(ada)
  await ada.subscribeAsync('load/#', { qos: 1 })
  hub.rights.people.set('ada', { ...hub.rights.people.get('ada')!, read: ['load/seen'] })
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => hub.broker.deliver(hubMade(i % 2 ? 'load/seen' : 'load/hidden', String(i)))),
  )
  await until('the ones it may see', () => heard.length === 10)
  await until('the queue is empty', async () => {
    const left = []
    for await (const packet of hub.persistence.outgoingStream({ id: 'ada' })) left.push(packet)
    return left.length === 0
  })
  expect(heard.every((line) => line.startsWith('load/seen'))).toBe(true)
})

test('a session resumed to end with its connection still gets its queue', async () => {
  await using hub = await openTestBroker()
  const first = await hub.client('ada', {
    protocolVersion: 5,
    clean: false,
    properties: { sessionExpiryInterval: 100 },
  })
  await first.subscribeAsync('load/#', { qos: 1 })
  await first.endAsync()
  await hub.broker.deliver(hubMade('load/a', 'kept'))
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('ada', 5, { clean: false, properties: { sessionExpiryInterval: 0 } }))
  expect(await raw.next('connack')).toMatchObject({ sessionPresent: true })
  expect(await raw.next('publish')).toMatchObject({ topic: 'load/a' })
  raw.socket.destroy()
})

test('a client is never sent a packet larger than it takes', async () => {
  await using hub = await openTestBroker()
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('ada', 5, { properties: { maximumPacketSize: 100 } }))
  await raw.next('connack')
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 1 }] })
  await raw.next('suback')
  await hub.broker.deliver(hubMade('load/a', 'x'.repeat(200)))
  await hub.broker.deliver(hubMade('load/b', 'small'))
  expect(await raw.next('publish')).toMatchObject({ topic: 'load/b' })
  expect(hub.broker.counters().dropped).toBe(1)
  raw.socket.destroy()
})

test('one client that does not read holds nobody up, loses its QoS 0 messages, counted, and is cut', async () => {
  await using hub = await openTestBroker({ limits: { drainTimeout: 1500 } })
  const frozen = await rawClient(hub.port)
  frozen.send(connectPacket('bob'))
  await frozen.next('connack')
  frozen.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 0 }] })
  await frozen.next('suback')
  frozen.socket.pause()
  const reader = await hub.client('ada')
  const heard: number[] = []
  reader.on('message', () => heard.push(performance.now()))
  await reader.subscribeAsync('load/#', { qos: 1 })
  const writer = await hub.client('bob', { clientId: 'writer' })
  const payload = Buffer.alloc(64 * 1024)
  let slowest = 0
  for (let i = 0; i < 200; i++) {
    const before = performance.now()
    await writer.publishAsync('load/x', payload, { qos: i % 2 === 0 ? 1 : 0 })
    slowest = Math.max(slowest, performance.now() - before)
  }
  await until('the reader has all', () => heard.length === 200)
  expect(slowest).toBeLessThan(250)
  const view = hub.broker.clients().find(({ clientId }) => clientId === 'bob')
  expect(view?.bufferedBytes ?? 0).toBeLessThan(2 * 1024 * 1024)
  expect(view?.dropped).toBeGreaterThan(0)
  await until('the cut', () => hub.broker.counters().slowClientsCut === 1, 5000)
  await until('it is gone', () => !hub.broker.clients().some(({ clientId }) => clientId === 'bob'))
  frozen.socket.destroy()
})

test('what the hub itself sends is stored and delivered without passing the intake again', async () => {
  await using hub = await openTestBroker()
  const ada = await hub.client('ada')
  const heard = heardBy(ada)
  await ada.subscribeAsync('jarvis/#', { qos: 1 })
  await hub.broker.deliver(hubMade('jarvis/devices/dust/result', 'done', 1, true))
  await hub.broker.deliver({ ...hubMade('jarvis/devices/dust/state', 'bad', 1, true), bad: true })
  await until('both', () => heard.length === 2)
  expect(hub.intake.accepted).toEqual([])
  expect((await hub.broker.storedRetained()).map(({ topic }) => topic)).toEqual(['jarvis/devices/dust/result'])
  await hub.broker.close()
  await expect(hub.broker.deliver(hubMade('jarvis/devices/dust/result', 'late'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  })
})

for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
  test(`${name} is a client id, a filter and a user property like any other`, async () => {
    await using hub = await openTestBroker()
    const wild = await hub.client('wild', { clientId: name, protocolVersion: 5 })
    const got: unknown[] = []
    wild.on('message', (_topic, _payload, packet) => got.push(packet.properties?.userProperties?.[name]))
    await wild.subscribeAsync([name, 'x', `a/${name}`], { qos: 1 })
    await wild.publishAsync(name, 'x', { qos: 1, properties: { userProperties: Object.fromEntries([[name, 'here']]) } })
    await until('the message', () => got.length === 1)
    await wild.unsubscribeAsync(name)
    const second = await hub.client('wild', { clientId: name, protocolVersion: 5 })
    await until('the first is thrown out', () => !wild.connected)
    expect(hub.broker.clients().map(({ clientId }) => clientId)).toEqual([name])
    expect(second.connected).toBe(true)
  })
}
