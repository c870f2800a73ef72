// MQTT 5 beyond the reason codes of refusals: what a subscriber is told of a message, and what the broker answers to oddities.
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { connectPacket, openTestBroker, rawClient, until, within, type RawClient } from './test-broker.ts'
import { restartable } from './test-restart.ts'

type Properties = NonNullable<IPublishPacket['properties']>

const wild = async (port: number, properties: object = {}, more: object = {}): Promise<RawClient> => {
  const raw = await rawClient(port, 5)
  raw.send(connectPacket('wild', 5, { properties, ...more }))
  await raw.next('connack')
  return raw
}
let id = 0
const subscribe = async (raw: RawClient, topic: string, options: object = {}, identifier?: number): Promise<void> => {
  const messageId = (id = (id % 60_000) + 1)
  const properties = identifier === undefined ? {} : { properties: { subscriptionIdentifier: identifier } }
  raw.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 1, ...options }], ...properties })
  await raw.next('suback')
}
const publish = (raw: RawClient, topic: string, more: Partial<IPublishPacket> = {}): void =>
  raw.send({ cmd: 'publish', topic, payload: 'x', qos: 0, retain: false, dup: false, ...more })
const next = async (raw: RawClient): Promise<IPublishPacket> => {
  const packet = await raw.next('publish')
  if (packet.cmd !== 'publish') throw new Error('not a publish')
  return packet
}
const pinged = async (raw: RawClient) => {
  raw.send({ cmd: 'pingreq' })
  await raw.next('pingresp')
}
const count = (raw: RawClient) => raw.packets.filter(({ cmd }) => cmd === 'publish').length
const puback = ({ messageId }: Packet): Packet => ({ cmd: 'puback', messageId: messageId ?? 0 })

test('a message carries the identifiers of all subscriptions it matches, live, retained and from the queue', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const lasting = { sessionExpiryInterval: 100 }
  const raw = await wild(hub.port, lasting, { clean: false })
  await subscribe(raw, 'a/b', {}, 7)
  await subscribe(raw, 'a/+', { qos: 2 }, 8)
  await subscribe(raw, 'a/#')
  await subscribe(raw, 'other', {}, 9)
  await subscribe(raw, '$share/g/a/b', { qos: 0 }, 10)
  const identifiers = ({ properties }: IPublishPacket) => properties?.subscriptionIdentifier
  publish(raw, 'a/b', { qos: 1, messageId: 1, properties: { contentType: 'text/plain' } })
  const both = [await next(raw), await next(raw)].sort((a, b) => b.qos - a.qos)
  expect(both.map(({ qos, properties }) => [qos, properties])).toEqual([
    [1, { contentType: 'text/plain', subscriptionIdentifier: [7, 8] }],
    // The shared one is a subscription apart.
    [0, { contentType: 'text/plain', subscriptionIdentifier: 10 }],
  ])
  raw.send(puback(both[0] ?? { cmd: 'pingreq' }))
  publish(raw, 'a/c', { qos: 1, messageId: 2 })
  const one = await next(raw)
  expect(identifiers(one)).toBe(8)
  raw.send(puback(one))
  publish(raw, 'a/d/e', { qos: 1, messageId: 3 })
  const none = await next(raw)
  expect(identifiers(none)).toBeUndefined()
  raw.send(puback(none))
  raw.send({ cmd: 'unsubscribe', messageId: 99, unsubscriptions: ['$share/g/a/b'] })
  await raw.next('unsuback')
  // The same filter without an identifier takes the identifier away.
  await subscribe(raw, 'a/b')
  publish(raw, 'a/b', { qos: 1, messageId: 4 })
  const changed = await next(raw)
  expect(identifiers(changed)).toBe(8)
  raw.send(puback(changed))
  await pinged(raw)
  raw.socket.destroy()
  await until('it is gone', () => hub.broker.clients().length === 0)

  const other = await wild(hub.port, {}, { clientId: 'other' })
  publish(other, 'a/b', { qos: 1, messageId: 1, retain: true })
  await other.next('puback')
  const again = await wild(hub.port, lasting, { clean: false })
  const queued = await next(again)
  expect(identifiers(queued)).toBe(8)
  again.send(puback(queued))
  await subscribe(again, 'a/b', {}, 11)
  expect(await next(again)).toMatchObject({ retain: true, properties: { subscriptionIdentifier: 11 } })
  for (const client of [other, again]) client.socket.destroy()
})

test('topics get an alias each as far as the client allows and the table reaches; QoS does not matter', async () => {
  await using hub = await openTestBroker({ limits: { outboundTopicAliases: 2 } })
  const sender = await wild(hub.port, {}, { clientId: 'sender' })
  for (const [topicAliasMaximum, allowed] of [
    [1, 1],
    [50, 2],
    [0, 0],
  ] as const) {
    const raw = await wild(hub.port, { topicAliasMaximum })
    await subscribe(raw, 'a/#', { qos: 2 })
    for (const topic of ['a/1', 'a/2', 'a/3']) {
      for (const qos of [0, 1, 2] as const) {
        publish(sender, topic, { qos, ...(qos > 0 ? { messageId: 1 + qos } : {}) })
        if (qos === 1) await sender.next('puback')
        if (qos === 2) {
          await sender.next('pubrec')
          sender.send({ cmd: 'pubrel', messageId: 3 })
          await sender.next('pubcomp')
        }
        const { topic: sent, properties } = await next(raw)
        const number = Number(topic.at(-1))
        expect(properties?.topicAlias).toBe(number <= allowed ? number : undefined)
        expect(sent).toBe(qos > 0 && number <= allowed ? '' : topic)
      }
    }
    raw.socket.destroy()
  }
  sender.socket.destroy()
})

test('an alias is not used up by a packet the client does not take', async () => {
  await using hub = await openTestBroker()
  const raw = await wild(hub.port, { topicAliasMaximum: 5, maximumPacketSize: 60 })
  await subscribe(raw, 'a/#')
  publish(raw, 'a/1', { payload: 'x'.repeat(100) })
  for (let i = 0; i < 2; i++) publish(raw, 'a/1')
  publish(raw, 'a/2')
  expect(await next(raw)).toMatchObject({ topic: 'a/1', properties: { topicAlias: 1 } })
  expect(await next(raw)).toMatchObject({ topic: '', properties: { topicAlias: 1 } })
  expect(await next(raw)).toMatchObject({ topic: 'a/2', properties: { topicAlias: 2 } })
  raw.socket.destroy()
})

test('all that a publisher says of a message reaches the subscribers, now and later', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const said: Properties = {
    payloadFormatIndicator: true,
    contentType: 'application/json',
    responseTopic: 'answers/1',
    correlationData: Buffer.from([0, 1, 255]),
    userProperties: { a: ['1', '2'], b: '3' },
  }
  const reader = await wild(hub.port, { sessionExpiryInterval: 100 }, { clientId: 'reader', clean: false })
  await subscribe(reader, 'a')
  const raw = await wild(hub.port)
  publish(raw, 'a', { qos: 1, messageId: 1, retain: true, properties: said })
  const got = await next(reader)
  expect({ ...got.properties }).toMatchObject(said)
  expect(got.properties?.userProperties).toEqual(said.userProperties)
  reader.send(puback(got))
  await pinged(reader)
  reader.socket.destroy()
  await until('it is gone', () => hub.broker.clients().length === 1)
  publish(raw, 'a', { qos: 1, messageId: 2, properties: said })
  await raw.next('puback')
  const again = await wild(hub.port, { sessionExpiryInterval: 100 }, { clientId: 'reader', clean: false })
  expect((await next(again)).properties).toMatchObject(said)
  await subscribe(again, 'a')
  const kept = await next(again)
  expect(kept).toMatchObject({ retain: true, properties: said })
  for (const client of [raw, again]) client.socket.destroy()
})

test('a message says how long it is still good for, and is not sent when it is not', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const lasting = { sessionExpiryInterval: 100, receiveMaximum: 1 }
  const reader = await wild(hub.port, lasting, { clientId: 'reader', clean: false })
  await subscribe(reader, 'a')
  const passing = await wild(hub.port, { receiveMaximum: 1 }, { clientId: 'passing' })
  await subscribe(passing, 'a')
  const raw = await wild(hub.port)
  const say = async (seconds: number | undefined, payload: string, more: object = {}) => {
    const properties = seconds === undefined ? {} : { properties: { messageExpiryInterval: seconds } }
    publish(raw, 'a', { qos: 1, messageId: 1, payload, ...properties, ...more })
    await raw.next('puback')
  }
  await say(undefined, 'first')
  const first = await next(reader)
  for (const [seconds, payload] of [
    [1, 'short'],
    [0, 'now or never'],
    [50, 'long'],
  ] as const)
    await say(seconds, payload)
  await say(50, 'kept', { retain: true })
  await new Promise((resolve) => setTimeout(resolve, 1200))
  passing.send(puback(await next(passing)))
  const waited = await next(passing)
  expect(waited).toMatchObject({ payload: Buffer.from('long'), properties: { messageExpiryInterval: 49 } })
  reader.send(puback(first))
  const long = await next(reader)
  expect(long.payload.toString()).toBe('long')
  expect(long.properties?.messageExpiryInterval).toBe(49)
  reader.send(puback(long))
  reader.send(puback(await next(reader)))
  await subscribe(reader, 'a')
  const kept = await next(reader)
  expect(kept).toMatchObject({ retain: true, properties: { messageExpiryInterval: 49 } })
  reader.send(puback(kept))
  await until('the queue is empty', () => hub.store.sizes().queued === 0)
  for (const client of [raw, reader, passing]) client.socket.destroy()
})

test('no local holds for messages now and later, retain as published likewise', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const lasting = { sessionExpiryInterval: 100 }
  const raw = await wild(hub.port, lasting, { clean: false })
  await subscribe(raw, 'own', { nl: true })
  await subscribe(raw, 'as/#', { rap: true })
  await subscribe(raw, 'plain/#')
  const send = async (from: RawClient) => {
    for (const topic of ['own', 'as/published', 'plain/a']) {
      publish(from, topic, { qos: 1, messageId: 1, retain: true })
      await from.next('puback')
    }
  }
  const flags = async (from: RawClient, many: number) => {
    const found: Record<string, boolean> = {}
    for (let i = 0; i < many; i++) {
      const packet = await next(from)
      found[packet.topic] = packet.retain
      from.send(puback(packet))
    }
    return found
  }
  await send(raw)
  expect(await flags(raw, 2)).toEqual({ 'as/published': true, 'plain/a': false })
  await pinged(raw)
  raw.socket.destroy()
  await until('it is gone', () => hub.broker.clients().length === 0)
  const other = await wild(hub.port, {}, { clientId: 'other' })
  await send(other)
  const again = await wild(hub.port, lasting, { clean: false })
  expect(await flags(again, 3)).toEqual({ own: false, 'as/published': true, 'plain/a': false })
  await pinged(again)
  expect(count(again)).toBe(3)
  for (const client of [other, again]) client.socket.destroy()
})

test('retain handling: always, for a new subscription only, never', async () => {
  await using hub = await openTestBroker()
  const raw = await wild(hub.port)
  publish(raw, 'a', { qos: 1, messageId: 1, retain: true })
  await raw.next('puback')
  const comes = async (rh: 0 | 1 | 2) => {
    const before = count(raw)
    await subscribe(raw, 'a', { rh, qos: 0 })
    await pinged(raw)
    // Retained messages follow SUBACK when they are read.
    await new Promise((resolve) => setTimeout(resolve, 20))
    return count(raw) - before
  }
  expect([await comes(2), await comes(1), await comes(0), await comes(0)]).toEqual([0, 0, 1, 1])
  raw.send({ cmd: 'unsubscribe', messageId: 99, unsubscriptions: ['a'] })
  await raw.next('unsuback')
  expect([await comes(1), await comes(1)]).toEqual([1, 0])
  raw.socket.destroy()
})

test('DUP is between two neighbours: it is not passed on, and says that the broker sends again', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const lasting = { sessionExpiryInterval: 100 }
  const reader = await wild(hub.port, lasting, { clientId: 'reader', clean: false })
  await subscribe(reader, 'a', { qos: 2 })
  const raw = await wild(hub.port)
  publish(raw, 'a', { qos: 1, messageId: 1, dup: true })
  publish(raw, 'a', { qos: 2, messageId: 2, dup: true })
  const [first, second] = [await next(reader), await next(reader)]
  expect([first.dup, second.dup]).toEqual([false, false])
  reader.socket.destroy()
  await until('it is gone', () => hub.broker.clients().length === 1)
  publish(raw, 'a', { qos: 1, messageId: 3, dup: true, payload: 'new' })
  await raw.next('puback')
  const again = await wild(hub.port, lasting, { clientId: 'reader', clean: false })
  const came = [await next(again), await next(again), await next(again)]
  expect(came.map(({ dup, messageId, payload }) => [dup, messageId, payload.toString()])).toEqual([
    [true, first.messageId, 'x'],
    [true, second.messageId, 'x'],
    [false, expect.any(Number), 'new'],
  ])
  for (const client of [raw, again]) client.socket.destroy()
})

test('an acknowledgement of something unknown is answered so', async () => {
  await using site = await restartable()
  const hub = await site.start()
  for (const clean of [true, false]) {
    const raw = await wild(hub.port, { sessionExpiryInterval: clean ? 0 : 100 }, { clean })
    raw.send({ cmd: 'pubrel', messageId: 77 })
    expect(await raw.next('pubcomp')).toMatchObject({ messageId: 77, reasonCode: 0x92 })
    raw.send({ cmd: 'pubrec', messageId: 78 })
    expect(await raw.next('pubrel')).toMatchObject({ messageId: 78, reasonCode: 0x92 })
    raw.send({ cmd: 'puback', messageId: 79 }, { cmd: 'pubcomp', messageId: 80 })
    raw.send({ cmd: 'unsubscribe', messageId: 81, unsubscriptions: ['never'] })
    expect(await raw.next('unsuback')).toMatchObject({ granted: [0x11] })
    publish(raw, 'a', { qos: 2, messageId: 82 })
    await raw.next('pubrec')
    raw.send({ cmd: 'pubrel', messageId: 82 })
    expect(await raw.next('pubcomp')).toMatchObject({ messageId: 82, reasonCode: 0 })
    await pinged(raw)
    raw.socket.destroy()
  }
})

test('enhanced authentication is refused, in CONNECT with 0x8C and later with 0x82', async () => {
  await using hub = await openTestBroker()
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('wild', 5, { properties: { authenticationMethod: 'SCRAM-SHA-256' } }))
  expect(await raw.next('connack')).toMatchObject({ reasonCode: 0x8c })
  await within(2000, 'the end', raw.closed)
  const other = await wild(hub.port)
  other.send(Buffer.from([0xf0, 0x02, 0x18, 0x00]))
  expect(await other.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
  await within(2000, 'the end', other.closed)
})

test('too many filters are refused with 0x97, and all of a SUBSCRIBE as large as Home Assistant sends are granted', async () => {
  await using hub = await openTestBroker({ limits: { subscriptionsPerClient: 600 } })
  const raw = await wild(hub.port)
  const filters = (from: number, many: number) =>
    Array.from({ length: many }, (_, i) => ({ topic: `t/${from + i}`, qos: 1 as const }))
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters(0, 500) })
  expect(await raw.next('suback')).toMatchObject({ granted: Array.from({ length: 500 }, () => 1) })
  raw.send({ cmd: 'subscribe', messageId: 2, subscriptions: filters(500, 101) })
  const suback = await raw.next('suback')
  expect(suback.cmd === 'suback' && suback.granted.filter((code) => code === 0x97)).toHaveLength(1)
  raw.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['t/1'] })
  await raw.next('unsuback')
  raw.send({ cmd: 'subscribe', messageId: 4, subscriptions: filters(700, 1) })
  expect(await raw.next('suback')).toMatchObject({ granted: [1] })
  raw.send({ cmd: 'subscribe', messageId: 5, subscriptions: filters(0, 1001) })
  expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x97 })
  await within(2000, 'the end', raw.closed)
})

test('a DISCONNECT that makes a session last which was to end with its connection is a protocol error', async () => {
  await using hub = await openTestBroker()
  const raw = await wild(hub.port)
  raw.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 10 } })
  expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
  await within(2000, 'the end', raw.closed)
})

/** The library does not write such a packet. */
const nameless = (version: 4 | 5, clean: boolean): Buffer => {
  const bytes = mqttPacket.generate(connectPacket('wild', version, { clientId: '' }), { protocolVersion: version })
  const flags = bytes.indexOf('MQTT') + 5
  if (!clean) bytes[flags] = (bytes[flags] ?? 0) & ~2
  return bytes
}

test('an empty client id: MQTT 5 gets one, also without a clean start; MQTT 3.1.1 only with one', async () => {
  await using hub = await openTestBroker()
  for (const clean of [true, false]) {
    const raw = await rawClient(hub.port, 5)
    raw.send(nameless(5, clean))
    const connack = await raw.next('connack')
    expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: false })
    expect(connack.cmd === 'connack' && connack.properties?.assignedClientIdentifier).toMatch(/.{8}/)
    raw.socket.destroy()
    const older = await rawClient(hub.port)
    older.send(nameless(4, clean))
    expect(await older.next('connack')).toMatchObject({ returnCode: clean ? 0 : 2, sessionPresent: false })
    if (!clean) await within(2000, 'the end', older.closed)
    older.socket.destroy()
  }
})

test('a PUBLISH that is no legal one ends the connection with the reason', async () => {
  await using hub = await openTestBroker()
  const wrong: [Partial<IPublishPacket>, number][] = [
    [{ properties: { topicAlias: 11 } }, 0x94],
    [{ properties: { topicAlias: 0 } }, 0x94],
    [{ properties: { topicAlias: 5 }, topic: '' }, 0x94],
    [{ topic: '' }, 0x82],
    [{ properties: { responseTopic: 'a/#' } }, 0x82],
    [{ topic: 'a/+' }, 0x81],
    [{ topic: 'a/#' }, 0x81],
  ]
  for (const [packet, code] of wrong) {
    const raw = await wild(hub.port)
    publish(raw, 'a', packet)
    publish(raw, 'after', {})
    expect(await raw.next('disconnect'), JSON.stringify(packet)).toMatchObject({ reasonCode: code })
    await within(2000, 'the end', raw.closed)
    expect(raw.packets.filter(({ cmd }) => cmd === 'disconnect')).toHaveLength(1)
  }
  expect(hub.intake.accepted).toEqual([])
})

test('too many levels are refused by name, and the connection lives', async () => {
  await using hub = await openTestBroker()
  const deep = Array.from({ length: 17 }, () => 'a').join('/')
  const raw = await wild(hub.port)
  publish(raw, deep, { qos: 1, messageId: 1 })
  expect(await raw.next('puback')).toMatchObject({ reasonCode: 0x90 })
  publish(raw, deep, { qos: 2, messageId: 2 })
  expect(await raw.next('pubrec')).toMatchObject({ reasonCode: 0x90 })
  publish(raw, deep)
  const subscriptions = [deep, deep.slice(2), `$share/g/${deep}`, `$share/g/${deep.slice(2)}`].map((topic) => ({
    topic,
    qos: 1 as const,
  }))
  raw.send({ cmd: 'subscribe', messageId: 3, subscriptions })
  expect(await raw.next('suback')).toMatchObject({ granted: [0x8f, 1, 0x8f, 1] })
  await pinged(raw)
  expect(hub.intake.accepted).toEqual([])
  raw.socket.destroy()
})

test('who keeps silent for longer than agreed is told so', async () => {
  await using hub = await openTestBroker()
  const raw = await wild(hub.port, {}, { keepalive: 1 })
  expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x8d })
  await within(2000, 'the end', raw.closed)
})
