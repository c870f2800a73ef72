// How many messages a client has to take at once: its Receive Maximum, and what waits meanwhile.
import type { Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import {
  connectPacket,
  envelopeOf,
  heardBy,
  openTestBroker,
  rawClient,
  settled,
  until,
  within,
  type RawClient,
  type TestBroker,
} from './test-broker.ts'
import { restartable } from './test-restart.ts'

const say = (hub: Pick<TestBroker, 'broker'>, topic: string, text: string, qos: 0 | 1 | 2 = 1): Promise<void> =>
  hub.broker.deliver(envelopeOf({ topic, payload: Buffer.from(text), qos, retain: false, origin: 'hub' }))

/** Ada on MQTT 5, subscribed to load/#, who takes `receiveMaximum` messages at once. */
const reader = async (port: number, receiveMaximum: number, more: object = {}, qos: 1 | 2 = 1): Promise<RawClient> => {
  const raw = await rawClient(port, 5)
  raw.send(connectPacket('ada', 5, { properties: { receiveMaximum }, ...more }))
  await raw.next('connack')
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos }] })
  await raw.next('suback')
  return raw
}
const publishes = (raw: RawClient) => raw.packets.filter((packet) => packet.cmd === 'publish')
const texts = (raw: RawClient) => publishes(raw).map(({ payload }) => payload.toString())
const puback = ({ messageId }: Packet): Packet => ({ cmd: 'puback', messageId: messageId ?? 0 })
/** All that was written before has arrived. */
const pinged = async (raw: RawClient) => {
  raw.send({ cmd: 'pingreq' })
  await raw.next('pingresp')
}

test('no more messages are in flight than the client takes, and the next one comes with each acknowledgement', async () => {
  await using hub = await openTestBroker()
  const raw = await reader(hub.port, 2)
  for (const text of ['a', 'b', 'c', 'd']) await say(hub, 'load/x', text)
  await say(hub, 'load/x', 'at once', 0)
  await until('QoS 0 passes by', () => texts(raw).includes('at once'))
  await pinged(raw)
  expect(texts(raw)).toEqual(['a', 'b', 'at once'])
  const [first, second] = publishes(raw)
  raw.send(puback(second ?? { cmd: 'pingreq' }))
  await until('the third', () => publishes(raw).length === 4)
  raw.send(puback(first ?? { cmd: 'pingreq' }))
  await until('the fourth', () => publishes(raw).length === 5)
  expect(texts(raw)).toEqual(['a', 'b', 'at once', 'c', 'd'])
  raw.socket.destroy()
})

test('a QoS 2 message holds its place until PUBCOMP, or until the client refuses it', async () => {
  await using hub = await openTestBroker()
  const raw = await reader(hub.port, 1, {}, 2)
  for (const text of ['a', 'b', 'c']) await say(hub, 'load/x', text, 2)
  const { messageId } = await raw.next('publish')
  raw.send({ cmd: 'pubrec', messageId: messageId ?? 0 })
  expect(await raw.next('pubrel')).toMatchObject({ messageId, reasonCode: 0 })
  await pinged(raw)
  expect(texts(raw)).toEqual(['a'])
  raw.send({ cmd: 'pubcomp', messageId: messageId ?? 0 })
  const second = await raw.next('publish')
  raw.send({ cmd: 'pubrec', messageId: second.messageId ?? 0, reasonCode: 0x83 })
  await raw.next('publish')
  expect(texts(raw)).toEqual(['a', 'b', 'c'])
  raw.socket.destroy()
})

test('a message too large for the client does not hold a place for ever', async () => {
  await using hub = await openTestBroker()
  const raw = await reader(hub.port, 1, { properties: { receiveMaximum: 1, maximumPacketSize: 100 } })
  await say(hub, 'load/x', 'x'.repeat(200))
  await say(hub, 'load/x', 'small')
  await raw.next('publish')
  expect(texts(raw)).toEqual(['small'])
  raw.socket.destroy()
})

test('without a lasting session so many wait and no more; what is dropped is counted', async () => {
  await using hub = await openTestBroker({ limits: { waitingOutbound: 3 } })
  const raw = await reader(hub.port, 1)
  for (let i = 0; i < 10; i++) await say(hub, 'load/x', `${i}`)
  expect(hub.broker.counters().dropped).toBe(6)
  expect(hub.broker.clients()).toMatchObject([{ dropped: 6 }])
  for (let i = 0; i < 4; i++) raw.send(puback(await raw.next('publish')))
  await pinged(raw)
  expect(texts(raw)).toEqual(['0', '1', '2', '3'])
  raw.socket.destroy()
})

test('a lasting session gets everything in order, however few it takes at once', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const lasting = { clean: false, properties: { receiveMaximum: 3, sessionExpiryInterval: 100 } }
  const first = await reader(hub.port, 3, lasting)
  for (let i = 0; i < 50; i++) await say(hub, 'load/x', `${i}`)
  await until('three', () => publishes(first).length === 3)
  first.socket.destroy()
  await until('she is gone', () => hub.broker.clients().length === 0)
  for (let i = 50; i < 100; i++) await say(hub, 'load/x', `${i}`)

  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('ada', 5, lasting))
  await raw.next('connack')
  for (let i = 0; i < 3; i++) await raw.next('publish')
  // New ones wait behind the old ones.
  for (let i = 100; i < 150; i++) await say(hub, 'load/x', `${i}`)
  await pinged(raw)
  expect(publishes(raw)).toHaveLength(3)
  publishes(raw).forEach((packet) => raw.send(puback(packet)))
  for (let i = 3; i < 150; i++) raw.send(puback(await raw.next('publish')))
  expect(texts(raw)).toEqual(Array.from({ length: 150 }, (_, i) => `${i}`))
  expect(publishes(raw).map(({ dup }) => dup)).toEqual(Array.from({ length: 150 }, (_, i) => i < 3))
  await until('the queue is empty', () => hub.store.sizes().queued === 0)
  // And it is awake: a later message comes at once.
  await say(hub, 'load/x', 'later')
  raw.send(puback(await raw.next('publish')))
  expect(texts(raw).at(-1)).toBe('later')
  raw.socket.destroy()
})

test('QoS 2 messages of a lasting session come once and in order through a small window', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const options = {
    protocolVersion: 5 as const,
    clean: false,
    properties: { receiveMaximum: 2, sessionExpiryInterval: 100 },
  }
  const ada = await hub.client('ada', options)
  await ada.subscribeAsync('load/#', { qos: 2 })
  await ada.endAsync()
  for (let i = 0; i < 40; i++) await say(hub, 'load/x', `${i}`, 2)
  const again = await hub.client('ada', { ...options, manualConnect: false })
  const heard = heardBy(again)
  for (let i = 40; i < 60; i++) await say(hub, 'load/x', `${i}`, 2)
  await until('all', () => heard.length >= 60)
  await settled(again, 'load/mark')
  expect(heard.filter((line) => line.startsWith('load/x'))).toEqual(Array.from({ length: 60 }, (_, i) => `load/x ${i}`))
  await until('the queue is empty', () => hub.store.sizes().queued === 0)
})

test('all retained messages reach a client that takes one at a time', async () => {
  for (const clean of [true, false]) {
    await using site = await restartable({ limits: { waitingOutbound: 2 } })
    const hub = await site.start()
    for (let i = 0; i < 20; i++) {
      const payload = Buffer.from(`${i}`)
      await hub.broker.deliver(envelopeOf({ topic: `load/${i}`, payload, qos: 1, retain: true, origin: 'hub' }))
    }
    const raw = await reader(hub.port, 1, {
      clean,
      properties: { receiveMaximum: 1, sessionExpiryInterval: clean ? 0 : 9 },
    })
    for (let i = 0; i < 20; i++) raw.send(puback(await raw.next('publish')))
    await pinged(raw)
    expect(publishes(raw).every(({ retain }) => retain)).toBe(true)
    expect(new Set(texts(raw)).size).toBe(20)
    expect(hub.broker.counters().dropped).toBe(0)
    raw.socket.destroy()
  }
})

test('a retained message that a lasting session did not acknowledge comes again', async () => {
  await using site = await restartable()
  const hub = await site.start()
  await hub.broker.deliver(
    envelopeOf({ topic: 'load/x', payload: Buffer.from('kept'), qos: 1, retain: true, origin: 'hub' }),
  )
  const lasting = { clean: false, properties: { receiveMaximum: 10, sessionExpiryInterval: 100 } }
  const first = await reader(hub.port, 10, lasting)
  const { messageId } = await first.next('publish')
  first.socket.destroy()
  await until('she is gone', () => hub.broker.clients().length === 0)
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('ada', 5, lasting))
  expect(await raw.next('publish')).toMatchObject({ messageId, dup: true, retain: true, qos: 1 })
  raw.socket.destroy()
})

test('CONNACK comes before any message of a session that is resumed', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const ada = await hub.client('ada', { clean: false })
  await ada.subscribeAsync({ 'load/0': { qos: 0 }, 'load/1': { qos: 1 } })
  await ada.endAsync()
  // Her subscriptions are back before the connection is: the store still has to note her will.
  const { delWill } = hub.store
  hub.store.delWill = async (client) => {
    await say(hub, 'load/0', 'early', 0)
    await say(hub, 'load/1', 'early')
    return delWill(client)
  }
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('ada', 4, { clean: false }))
  await raw.next('publish')
  await pinged(raw)
  expect(raw.packets.map((packet) => (packet.cmd === 'publish' ? packet.topic : packet.cmd))).toEqual([
    'connack',
    'load/1',
    'pingresp',
  ])
  raw.socket.destroy()
})

test('a lasting session that reads slowly keeps its messages in the store, not in memory', async () => {
  await using site = await restartable({
    limits: { unsentSoft: 64 * 1024, unsentSoftFor: 60_000, drainTimeout: 60_000 },
  })
  const hub = await site.start()
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('ada', 4, { clean: false }))
  await raw.next('connack')
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 1 }] })
  await raw.next('suback')
  raw.socket.pause()
  const text = 'x'.repeat(50_000)
  for (let i = 0; i < 400; i++) await say(hub, 'load/x', `${i} ${text}`)
  expect(hub.broker.clients()[0]?.bufferedBytes).toBeLessThan(1024 * 1024)
  raw.socket.resume()
  for (let i = 0; i < 400; i++) raw.send(puback(await raw.next('publish')))
  expect(texts(raw).map((line) => line.split(' ')[0])).toEqual(Array.from({ length: 400 }, (_, i) => `${i}`))
  await until('the queue is empty', () => hub.store.sizes().queued === 0)
  raw.socket.destroy()
})

test('a client is not cut for UNSUBSCRIBE while messages come in', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const ada = await hub.client('ada', { clean: false })
  const heard = heardBy(ada)
  let cut = false
  ada.on('close', () => (cut = true))
  await ada.subscribeAsync('load/x', { qos: 1 })
  // The store has forgotten the subscription, the broker has not yet.
  const { removeSubscriptions } = hub.store
  hub.store.removeSubscriptions = async (client, topics) => {
    const removed = removeSubscriptions(client, topics)
    await say(hub, 'load/x', 'between')
    await removed
  }
  await ada.unsubscribeAsync('load/x')
  await settled(ada, 'load/mark')
  expect(cut).toBe(false)
  expect(heard).toContain('load/x between')
})

test('a packet identifier in flight is not given to another message, however many pass', async () => {
  await using hub = await openTestBroker()
  const raw = await reader(hub.port, 65_535)
  await say(hub, 'load/x', 'first')
  const { messageId } = await raw.next('publish')
  let again = 0
  raw.onPacket((packet) => {
    if (packet.cmd !== 'publish') return
    if (packet.messageId === messageId) again++
    else raw.send(puback(packet))
  })
  for (let sent = 0; sent < 66_000; sent += 2000) {
    await Promise.all(Array.from({ length: 2000 }, () => say(hub, 'load/x', 'more')))
  }
  await until('all', () => raw.packets.length > 66_000, 10_000)
  expect(again).toBe(0)
  raw.socket.destroy()
})

test('retained messages wait for their turn behind others, and are not among those dropped', async () => {
  await using hub = await openTestBroker({ limits: { waitingOutbound: 2 } })
  await hub.broker.deliver(
    envelopeOf({ topic: 'load/kept', payload: Buffer.from('kept'), qos: 1, retain: true, origin: 'hub' }),
  )
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('ada', 5, { properties: { receiveMaximum: 1 } }))
  await raw.next('connack')
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/x', qos: 1 }] })
  await raw.next('suback')
  for (const text of ['a', 'b', 'c', 'd']) await say(hub, 'load/x', text)
  raw.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'load/kept', qos: 1 }] })
  await raw.next('suback')
  await pinged(raw)
  for (let i = 0; i < 4; i++) raw.send(puback(await raw.next('publish')))
  expect(texts(raw)).toEqual(['a', 'b', 'c', 'kept'])
  raw.socket.destroy()
})

test('who is sent away learns why, also in the middle of sending', async () => {
  await using hub = await openTestBroker({ limits: { receiveMaximum: 1 } })
  const raw = await rawClient(hub.port, 5)
  const errors: Error[] = []
  raw.socket.on('error', (error) => errors.push(error))
  raw.send(connectPacket('bob', 5))
  await raw.next('connack')
  const publish = (messageId: number) =>
    ({
      cmd: 'publish',
      topic: 'load/a',
      payload: 'x'.repeat(1000),
      qos: 2,
      messageId,
      retain: false,
      dup: false,
    }) as const
  raw.send(...Array.from({ length: 5000 }, (_, i) => publish(i + 1)))
  expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x93 })
  await within(2000, 'the end', raw.closed)
  expect(errors).toEqual([])
})

test('what a client owes in QoS 2 is bounded by the Receive Maximum it was told; QoS 1 is only held back', async () => {
  await using hub = await openTestBroker({ limits: { receiveMaximum: 10 } })
  const publish = (messageId: number, qos: 1 | 2) =>
    ({ cmd: 'publish', topic: 'load/a', payload: 'x', qos, messageId, retain: false, dup: false }) as const
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('bob', 5))
  expect(await raw.next('connack')).toMatchObject({ properties: { receiveMaximum: 10 } })
  raw.send(...Array.from({ length: 50 }, (_, i) => publish(i + 1, 1)))
  for (let i = 0; i < 50; i++) await raw.next('puback')
  raw.send(...Array.from({ length: 11 }, (_, i) => publish(i + 1, 2)))
  expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x93 })
  await within(2000, 'the end', raw.closed)
  expect(hub.intake.accepted).toHaveLength(60)
})

test('a client that is cut again and again gets everything: QoS 1 in order, QoS 2 once and in order', async () => {
  await using site = await restartable()
  let hub = await site.start()
  let seed = 11
  const below = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n
  const got: { 1: string[]; 2: string[] } = { 1: [], 2: [] }
  let twice = 0
  // What a client keeps of its session: QoS 2 messages it has and the broker has not released.
  const held = new Set<number>()
  const TOTAL = 3000
  let sent = 0
  const said: Promise<void>[] = []
  const connected = async () => {
    const raw = await rawClient(hub.port, 5)
    raw.onPacket((packet) => {
      const messageId = packet.messageId ?? 0
      if (packet.cmd === 'publish' && packet.qos === 1) {
        const text = packet.payload.toString()
        if (got[1].includes(text)) {
          expect(packet.dup).toBe(true)
          twice++
        } else got[1].push(text)
        raw.send({ cmd: 'puback', messageId })
      } else if (packet.cmd === 'publish') {
        if (!held.has(messageId)) got[2].push(packet.payload.toString())
        held.add(messageId)
        raw.send({ cmd: 'pubrec', messageId })
      } else if (packet.cmd === 'pubrel') {
        held.delete(messageId)
        raw.send({ cmd: 'pubcomp', messageId })
      }
    })
    const properties = { sessionExpiryInterval: 1000, receiveMaximum: 1 + below(40) }
    raw.send(connectPacket('ada', 5, { clean: false, properties }))
    await raw.next('connack')
    raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 2, rh: 2 }] })
    await raw.next('suback')
    return raw
  }
  let raw = await connected()
  while (sent < TOTAL) {
    const batch = 1 + below(150)
    for (let i = 0; i < batch && sent < TOTAL; i++, sent++)
      said.push(say(hub, 'load/x', `${sent}`, sent % 2 === 0 ? 1 : 2))
    for (let turns = below(8); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    const fate = below(4)
    if (fate === 0) {
      raw.socket.destroy()
      if (below(2)) await until('it is gone', () => hub.broker.clients().length === 0)
      raw = await connected()
    } else if (fate === 1) {
      // Another connection takes over.
      const before = raw
      raw = await connected()
      await before.closed
    } else if (below(12) === 0) {
      await Promise.all(said)
      await hub.stop()
      hub = await site.start()
      raw = await connected()
    }
  }
  await Promise.all(said)
  await until('the queue is empty', () => hub.store.sizes().queued === 0, 15_000)
  const texts = (qos: 1 | 2) => Array.from({ length: TOTAL / 2 }, (_, i) => `${2 * i + qos - 1}`)
  expect(got[1]).toEqual(texts(1))
  expect(got[2]).toEqual(texts(2))
  expect(twice).toBeGreaterThan(0)
  raw.socket.destroy()
})
