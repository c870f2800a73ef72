// Shared subscriptions: of a group one member gets each message, and the rights are those of the filter inside.
import type { MqttClient } from 'mqtt'
import { expect, test } from 'vitest'
import { shared } from './topic-names.ts'
import {
  connectPacket,
  envelopeOf,
  heardBy,
  openTestBroker,
  rawClient,
  settled,
  until,
  within,
  type TestBroker,
} from './test-broker.ts'
import { restartable } from './test-restart.ts'

const FILTER = '$share/workers/load/#'
const say = async (hub: Pick<TestBroker, 'broker'>, count: number, qos: 0 | 1 | 2 = 1, from = 0): Promise<void> => {
  for (let i = from; i < from + count; i++) {
    await hub.broker.deliver(
      envelopeOf({ topic: 'load/x', payload: Buffer.from(`${i}`), qos, retain: false, origin: 'hub' }),
    )
  }
}
const lasting = (clientId: string) => ({
  clientId,
  clean: false,
  protocolVersion: 5 as const,
  properties: { sessionExpiryInterval: 1000 },
})
const gone = async (hub: Pick<TestBroker, 'broker'>, client: MqttClient) => {
  await client.endAsync()
  await until('it is gone', () => !hub.broker.clients().some(({ clientId }) => clientId === client.options.clientId))
}

test('a filter is taken apart into what it listens to and the share it is', () => {
  expect(shared('$share/workers/a/#')).toEqual({ topic: 'a/#', share: '$share/workers/a/#' })
  expect(shared('$share/workers//')).toEqual({ topic: '/', share: '$share/workers//' })
  expect(shared('$shared/workers/a')).toEqual({ topic: '$shared/workers/a', share: undefined })
  expect(shared('a/$share/workers/a')).toEqual({ topic: 'a/$share/workers/a', share: undefined })
})

for (const protocolVersion of [4, 5] as const) {
  for (const qos of [0, 1, 2] as const) {
    test(`each message goes to one member in turn, MQTT ${protocolVersion}, QoS ${qos}`, async () => {
      await using hub = await openTestBroker()
      const members = await Promise.all(
        ['w1', 'w2', 'w3'].map((clientId) => hub.client('bob', { clientId, protocolVersion })),
      )
      const heard = members.map(heardBy)
      for (const member of members) await member.subscribeAsync(FILTER, { qos: 2 })
      const ada = await hub.client('ada', { protocolVersion })
      const all = heardBy(ada)
      await ada.subscribeAsync('load/x', { qos: 2 })
      await say(hub, 30, qos)
      await until('all', () => heard.flat().length >= 30 && all.length >= 30)
      expect(heard.map(({ length }) => length)).toEqual([10, 10, 10])
      expect(new Set(heard.flat()).size).toBe(30)
      // Who leaves gets no more, and takes nothing along.
      await members[0]?.unsubscribeAsync(FILTER)
      await members[1]?.endAsync()
      await until('one is gone', () => hub.broker.clients().length === 3)
      await say(hub, 10, qos, 30)
      await until('the rest', () => (heard[2]?.length ?? 0) >= 20)
      expect(heard.map(({ length }) => length)).toEqual([10, 10, 20])
    })
  }
}

test('two groups, and the same name on another filter, each get every message', async () => {
  await using hub = await openTestBroker()
  const filters = ['$share/a/load/#', '$share/b/load/#', '$share/a/load/x']
  const members = await Promise.all(filters.map((_, i) => hub.client('bob', { clientId: `w${i}` })))
  const heard = members.map(heardBy)
  for (const [i, member] of members.entries()) await member.subscribeAsync(filters[i] ?? '', { qos: 1 })
  await say(hub, 5)
  await until('all', () => heard.flat().length >= 15)
  expect(heard.map(({ length }) => length)).toEqual([5, 5, 5])
})

test('a sleeping member gets nothing while another one is there, and they share in turn when all sleep', async () => {
  await using site = await restartable()
  let hub = await site.start()
  const [first, second, awake] = await Promise.all([
    hub.client('bob', lasting('w1')),
    hub.client('bob', lasting('w2')),
    hub.client('bob', { clientId: 'w3' }),
  ])
  const heard = heardBy(awake)
  for (const member of [first, second, awake]) await member.subscribeAsync(FILTER, { qos: 1 })
  await gone(hub, first)
  await gone(hub, second)
  await say(hub, 20)
  await until('all of them', () => heard.length === 20)
  expect(hub.store.sizes().queued).toBe(0)
  await gone(hub, awake)
  await say(hub, 20)
  expect(hub.store.sizes().queued).toBe(20)
  await hub.stop()

  hub = await site.start()
  for (const clientId of ['w1', 'w2']) {
    const raw = await rawClient(hub.port, 5)
    raw.send(connectPacket('bob', 5, lasting(clientId)))
    for (let i = 0; i < 10; i++) await raw.next('publish')
    raw.send({ cmd: 'pingreq' })
    await raw.next('pingresp')
    expect(raw.packets.filter(({ cmd }) => cmd === 'publish')).toHaveLength(10)
    raw.socket.destroy()
  }
})

test('what a member did not acknowledge is kept for it, and what comes later goes to the others', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('bob', 5, lasting('w1')))
  await raw.next('connack')
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: FILTER, qos: 1 }] })
  await raw.next('suback')
  await say(hub, 1)
  await raw.next('publish')
  raw.socket.destroy()
  await until('it is gone', () => hub.broker.clients().length === 0)
  const other = await hub.client('bob', lasting('w2'))
  const heard = heardBy(other)
  await other.subscribeAsync(FILTER, { qos: 1 })
  await say(hub, 3, 1, 1)
  await until('three', () => heard.length === 3)
  const again = await rawClient(hub.port, 5)
  again.send(connectPacket('bob', 5, lasting('w1')))
  expect(await again.next('publish')).toMatchObject({ payload: Buffer.from('0'), dup: true })
  again.socket.destroy()
})

test('a member that has no room is passed over', async () => {
  await using hub = await openTestBroker()
  const busy = await rawClient(hub.port, 5)
  busy.send(connectPacket('bob', 5, { clientId: 'w1', properties: { receiveMaximum: 1 } }))
  await busy.next('connack')
  busy.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: FILTER, qos: 1 }] })
  await busy.next('suback')
  const idle = await hub.client('bob', { clientId: 'w2' })
  const heard = heardBy(idle)
  await idle.subscribeAsync(FILTER, { qos: 1 })
  await say(hub, 10)
  await until('nine', () => heard.length === 9)
  expect(busy.packets.filter(({ cmd }) => cmd === 'publish')).toHaveLength(1)
  busy.socket.destroy()
})

test('a filter of its own beside the shared one brings a client a copy each, and it gives up one without the other', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const both = await hub.client('bob', lasting('w1'))
  const heard = heardBy(both)
  await both.subscribeAsync([FILTER, 'load/#'], { qos: 1 })
  await say(hub, 2)
  await until('two of each', () => heard.length === 4)
  await both.unsubscribeAsync('load/#')
  await say(hub, 1, 1, 2)
  await until('the shared copy', () => heard.length === 5)
  await settled(both, 'load/mark')
  expect(heard.filter((line) => line.startsWith('load/x'))).toHaveLength(5)
  await both.unsubscribeAsync('load/mark')
  await gone(hub, both)
  expect(hub.store.sizes().queued).toBe(0)
  await say(hub, 1, 1, 3)
  expect(hub.store.sizes().queued).toBe(1)
})

for (const protocolVersion of [4, 5] as const) {
  test(`sharing is no way around the rights, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const raw = await rawClient(hub.port, protocolVersion)
    raw.send(connectPacket('dust', protocolVersion))
    await raw.next('connack')
    const filters = ['#', 'jarvis/#', 'jarvis/devices/+/state', '$SYS/#', 'jarvis/devices/dust/#']
    const subscriptions = filters.map((filter) => ({ topic: `$share/g/${filter}`, qos: 1 as const }))
    raw.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    const denied = protocolVersion === 5 ? 0x87 : 0x80
    expect(await raw.next('suback')).toMatchObject({ granted: [denied, denied, denied, denied, 1] })
    expect(hub.broker.counters().refusedSubscribes).toBe(4)
    // Revoked, it is no member any more.
    hub.rights.revoke('device:dust', 'dust')
    await within(2000, 'the end', raw.closed)
    const wild = await hub.client('wild', { protocolVersion })
    const heard = heardBy(wild)
    await wild.subscribeAsync('$share/g/jarvis/devices/dust/#', { qos: 1 })
    for (let i = 0; i < 4; i++) await wild.publishAsync('jarvis/devices/dust/state', `${i}`, { qos: 1 })
    await until('all four', () => heard.length === 4)
  })

  test(`a share without a name or a filter is refused, MQTT ${protocolVersion}`, async () => {
    await using hub = await openTestBroker()
    const raw = await rawClient(hub.port, protocolVersion)
    raw.send(connectPacket('wild', protocolVersion))
    await raw.next('connack')
    const subscriptions = ['$share/g', '$share/g/', '$share//a', '$share/g/a'].map((topic) => ({
      topic,
      qos: 1 as const,
    }))
    raw.send({ cmd: 'subscribe', messageId: 1, subscriptions })
    const denied = protocolVersion === 5 ? 0x8f : 0x80
    expect(await raw.next('suback')).toMatchObject({ granted: [denied, denied, denied, 1] })
    raw.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: '$share/+/a', qos: 1 }] })
    expect(await raw.next('suback')).toMatchObject({ granted: [denied] })
    raw.send({ cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: '$share/g+/a', qos: 1 }] })
    await within(2000, 'the end', raw.closed)
  })
}

test('no local on a shared subscription is a protocol error, and a share gets no retained messages', async () => {
  await using hub = await openTestBroker()
  await hub.broker.deliver(
    envelopeOf({ topic: 'load/x', payload: Buffer.from('kept'), qos: 1, retain: true, origin: 'hub' }),
  )
  const member = await hub.client('wild', { protocolVersion: 5, clientId: 'w' })
  const heard = heardBy(member)
  await member.subscribeAsync(FILTER, { qos: 1 })
  await settled(member, 'mark')
  expect(heard.filter((line) => line.startsWith('load'))).toEqual([])
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('bob', 5))
  await raw.next('connack')
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: FILTER, qos: 1, nl: true }] })
  expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
  await within(2000, 'the end', raw.closed)
})
