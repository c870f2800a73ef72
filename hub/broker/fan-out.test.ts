// One message to many: encoded once where they get the same, and each still gets what its own subscription and version ask for.
import type { IPublishPacket, Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import {
  connectPacket,
  envelopeOf,
  openTestBroker,
  rawClient,
  until,
  type RawClient,
  type TestBroker,
} from './test-broker.ts'

interface How {
  version?: 4 | 5
  qos?: 0 | 1 | 2
  rap?: boolean
  nl?: boolean
  identifier?: number
  properties?: object
  user?: string
  filter?: string
}

let id = 0
const reader = async (hub: TestBroker, name: string, how: How = {}): Promise<RawClient> => {
  const { version = 4, qos = 0, rap = false, nl = false, identifier, properties, user = 'ada', filter = 'load/#' } = how
  const raw = await rawClient(hub.port, version)
  raw.send(connectPacket(user, version, { clientId: name, ...(properties ? { properties } : {}) }))
  await raw.next('connack')
  const messageId = (id = (id % 60_000) + 1)
  const subscription = { topic: filter, qos, ...(version === 5 ? { rap, nl, rh: 0 } : {}) }
  const own = identifier === undefined ? {} : { properties: { subscriptionIdentifier: identifier } }
  raw.send({ cmd: 'subscribe', messageId, subscriptions: [subscription], ...own })
  await raw.next('suback')
  return raw
}
const say = (hub: TestBroker, topic: string, text: string, more: { qos?: 0 | 1 | 2; retain?: boolean } = {}) =>
  hub.broker.deliver(envelopeOf({ topic, payload: Buffer.from(text), qos: 0, retain: false, origin: 'hub', ...more }))
const isPublish = (packet: Packet): packet is IPublishPacket => packet.cmd === 'publish'
const got = (raw: RawClient) => raw.packets.filter(isPublish)
/** `topic text QoS retain identifiers`, as it arrived. */
const words = (raw: RawClient) =>
  got(raw).map(({ topic, payload, qos, retain, properties }) =>
    [topic, payload.toString(), `q${qos}`, retain ? 'r' : '-', String(properties?.subscriptionIdentifier ?? '')]
      .join(' ')
      .trim(),
  )
const pinged = async (raw: RawClient) => {
  raw.send({ cmd: 'pingreq' })
  await raw.next('pingresp')
}

test('versions, QoS, retain as published, identifiers, aliases and sizes side by side', async () => {
  await using hub = await openTestBroker()
  const readers = {
    plain4: await reader(hub, 'plain4'),
    plain5: await reader(hub, 'plain5', { version: 5 }),
    other5: await reader(hub, 'other5', { version: 5 }),
    one4: await reader(hub, 'one4', { qos: 1 }),
    one5: await reader(hub, 'one5', { version: 5, qos: 1 }),
    two4: await reader(hub, 'two4', { qos: 2 }),
    asPublished: await reader(hub, 'rap', { version: 5, rap: true }),
    identified: await reader(hub, 'identified', { version: 5, identifier: 7 }),
    aliased: await reader(hub, 'aliased', { version: 5, properties: { topicAliasMaximum: 10 } }),
    small: await reader(hub, 'small', { version: 5, properties: { maximumPacketSize: 60 } }),
  }
  await say(hub, 'load/a', '1')
  await say(hub, 'load/ä', '2', { retain: true })
  await say(hub, 'load/a', '3', { qos: 1 })
  await say(hub, 'load/a', `4${'x'.repeat(100)}`)
  await say(hub, 'load/a', '5', { qos: 1, retain: true })
  for (const raw of Object.values(readers)) await pinged(raw)
  await until('all', () => got(readers.one5).length === 5 && got(readers.two4).length === 5)

  const expected = (qos: 'q0' | 'q1', retain: '-' | 'r' = '-', rest = '') =>
    [
      `load/a 1 q0 - ${rest}`, `load/ä 2 q0 ${retain} ${rest}`, `load/a 3 ${qos} - ${rest}`,
      `load/a 4${'x'.repeat(100)} q0 - ${rest}`, `load/a 5 ${qos} ${retain} ${rest}`,
    ].map((text) => text.trim()) // prettier-ignore
  expect(words(readers.plain4)).toEqual(expected('q0'))
  expect(words(readers.plain5)).toEqual(expected('q0'))
  expect(words(readers.other5)).toEqual(expected('q0'))
  expect(words(readers.one4)).toEqual(expected('q1'))
  expect(words(readers.one5)).toEqual(expected('q1'))
  expect(words(readers.two4)).toEqual(expected('q1'))
  expect(words(readers.asPublished)).toEqual(expected('q0', 'r'))
  expect(words(readers.identified)).toEqual(expected('q0', '-', '7'))
  expect(words(readers.small)).toEqual(expected('q0').filter((text) => !text.includes('xx')))
  expect(hub.broker.counters().dropped).toBe(1)
  expect(got(readers.aliased).map(({ topic, properties }) => [topic, properties?.topicAlias])).toEqual([
    ['load/a', 1],
    ['load/ä', 2],
    ['', 1],
    ['', 1],
    ['', 1],
  ])
  for (const raw of Object.values(readers)) raw.socket.destroy()
})

test('MQTT 5 properties reach MQTT 5 clients, each with its own identifier, and not those of 3.1.1', async () => {
  await using hub = await openTestBroker()
  const [four, five, other, identified] = [
    await reader(hub, 'four'),
    await reader(hub, 'five', { version: 5 }),
    await reader(hub, 'other', { version: 5 }),
    await reader(hub, 'identified', { version: 5, identifier: 9 }),
  ]
  const writer = await rawClient(hub.port, 5)
  writer.send(connectPacket('bob', 5))
  await writer.next('connack')
  const properties = { contentType: 'text/plain', userProperties: { k: ['v', 'w'] }, responseTopic: 'load/answer' }
  const bare = { cmd: 'publish', topic: 'load/a', payload: 'bare', qos: 0, retain: false, dup: false } as const
  writer.send({ ...bare, payload: 'full', properties }, bare)
  await until('both', () => [four, five, other, identified].every((raw) => got(raw).length === 2))
  expect([four, five, other, identified].map((raw) => got(raw).map(({ payload }) => payload.toString()))).toEqual(
    [0, 1, 2, 3].map(() => ['full', 'bare']),
  )
  expect([four, five, other, identified].map((raw) => got(raw).map((packet) => ({ ...packet.properties })))).toEqual([
    [{}, {}],
    [properties, {}],
    [properties, {}],
    [{ ...properties, subscriptionIdentifier: 9 }, { subscriptionIdentifier: 9 }],
  ])
  for (const raw of [four, five, other, identified, writer]) raw.socket.destroy()
})

test('no local, a right to read, and two subscriptions of one client are looked at for each receiver', async () => {
  await using hub = await openTestBroker()
  const twice = await reader(hub, 'twice')
  twice.send({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic: 'load/+', qos: 0 }] })
  await until('both filters', () => twice.packets.filter(({ cmd }) => cmd === 'suback').length === 2)
  const deaf = await reader(hub, 'deaf', { version: 5, nl: true })
  const echo = await reader(hub, 'echo', { version: 5 })
  const bob = await reader(hub, 'bobs', { user: 'bob' })
  const may = hub.rights.mayRead
  hub.rights.mayRead = (who, topic) => (who.id === 'bob' ? topic === 'load/open' : may(who, topic))
  const packet = { cmd: 'publish', qos: 0, retain: false, dup: false } as const
  deaf.send({ ...packet, topic: 'load/open', payload: '1' }, { ...packet, topic: 'load/closed', payload: '2' })
  echo.send({ ...packet, topic: 'load/open', payload: '3' })
  await until('all', () => got(twice).length === 3 && got(echo).length === 3 && got(bob).length === 2)
  for (const raw of [twice, deaf, echo, bob]) await pinged(raw)
  const texts = (raw: RawClient) => got(raw).map(({ payload }) => payload.toString())
  expect(texts(deaf)).toEqual(['3'])
  expect(texts(twice).sort()).toEqual(['1', '2', '3'])
  expect(texts(echo).sort()).toEqual(['1', '2', '3'])
  expect(texts(bob).sort()).toEqual(['1', '3'])
  for (const raw of [twice, deaf, echo, bob]) raw.socket.destroy()
})

test('one that does not read in the middle of many: the others get all, it is cut, and its drops are counted', async () => {
  await using hub = await openTestBroker({ limits: { drainTimeout: 1500 } })
  const readers: RawClient[] = []
  for (let n = 0; n < 9; n++) readers.push(await reader(hub, `reader${n}`, n % 2 === 0 ? {} : { version: 5 }))
  const frozen = readers[4]
  frozen?.socket.pause()
  const healthy = readers.filter((raw) => raw !== frozen)
  const payload = 'x'.repeat(2000)
  for (let n = 0; n < 6000; n++) {
    void say(hub, 'load/a', `${n} ${payload}`)
    if (n % 50 === 49) await new Promise((next) => setImmediate(next))
  }
  await until('the others have all', () => healthy.every((raw) => got(raw).length === 6000), 15_000)
  for (const raw of healthy)
    expect(got(raw).every(({ payload: text }, n) => text.toString().startsWith(`${n} `))).toBe(true)
  const view = hub.broker.clients().find(({ clientId }) => clientId === 'reader4')
  if (view !== undefined) {
    expect(view.dropped).toBeGreaterThan(0)
    expect(view.bufferedBytes).toBeLessThan(2 * 1024 * 1024)
  }
  await until('the cut', () => hub.broker.counters().slowClientsCut === 1, 5000)
  expect(hub.broker.counters().dropped).toBeGreaterThan(0)
  expect(healthy.every((raw) => !raw.isClosed)).toBe(true)
  for (const raw of readers) raw.socket.destroy()
})
