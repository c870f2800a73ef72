// What the network can throw at the broker: malformed, oversized, slow and wild bytes end a connection and nothing else.
import { duplexPair } from 'node:stream'
import mqttPacket, { type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { connectPacket, openTestBroker, rawClient, until, within, type RawClient } from './test-broker.ts'
import { restartable } from './test-restart.ts'

const bytes = (packet: Packet, protocolVersion: 4 | 5 = 4) => mqttPacket.generate(packet, { protocolVersion })
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

const loggedIn = async (port: number, version: 4 | 5): Promise<RawClient> => {
  const raw = await rawClient(port, version)
  raw.send(connectPacket('wild', version, { clientId: `wild-${Math.random()}` }))
  await raw.next('connack')
  return raw
}

const illegal: [string, 4 | 5, Buffer][] = [
  ['a NUL in a topic', 4, hex('30 05 00 03 61 00 62')],
  ['a topic that is not UTF-8', 4, hex('30 05 00 03 61 ff 62')],
  ['a surrogate in a topic', 4, hex('30 05 00 03 ed a0 80')],
  ['a wildcard in a topic', 4, hex('30 05 00 03 61 2f 23')],
  ['an empty topic', 4, hex('30 02 00 00')],
  ['QoS 3', 4, hex('36 07 00 03 61 2f 62 00 01')],
  ['packet identifier 0 in PUBLISH', 4, hex('32 07 00 03 61 2f 62 00 00')],
  ['a PUBLISH shorter than its topic', 4, hex('30 03 00 09 61')],
  ['a remaining length of five bytes', 4, hex('30 ff ff ff ff 01')],
  ['a SUBSCRIBE without filters', 4, hex('82 02 00 01')],
  ['a SUBSCRIBE with packet identifier 0', 4, hex('82 06 00 00 00 01 61 00')],
  ['a SUBSCRIBE with wrong header flags', 4, hex('80 06 00 01 00 01 61 00')],
  ['the filter a+/b', 4, hex('82 09 00 01 00 04 61 2b 2f 62 00')],
  ['the filter a#', 4, hex('82 07 00 01 00 02 61 23 00')],
  ['the filter #/a', 4, hex('82 08 00 01 00 03 23 2f 61 00')],
  ['an UNSUBSCRIBE without filters', 4, hex('a2 02 00 01')],
  ['a PINGREQ with a payload', 4, hex('c0 02 00 00')],
  ['a PUBACK with more than an identifier', 4, hex('40 04 00 01 00 00')],
  ['a packet type that does not exist', 4, hex('00 00')],
  ['a CONNACK from a client', 4, hex('20 02 00 00')],
  ['a second CONNECT', 4, bytes(connectPacket('wild'))],
  ['AUTH', 5, hex('f0 00')],
  ['a property of another packet', 5, hex('30 0a 00 03 61 2f 62 03 24 01 31 00')],
  ['a subscription identifier from a publisher', 5, hex('30 08 00 03 61 2f 62 02 0b 01')],
  ['a property twice', 5, hex('30 0c 00 03 61 2f 62 06 23 00 01 23 00 02')],
  ['a property cut off', 5, hex('30 08 00 03 61 2f 62 02 23 00')],
  ['properties longer than their packet', 5, hex('30 08 00 03 61 2f 62 7f 23 00')],
  ['a response topic that is cut off', 5, hex('30 0a 00 03 61 2f 62 04 08 00 09 61')],
  ['a response topic with a wildcard', 5, hex('30 0a 00 03 61 2f 62 04 08 00 01 23')],
  ['a payload format that is neither 0 nor 1', 5, hex('30 08 00 03 61 2f 62 02 01 02')],
  ['a topic alias of 0', 5, hex('30 09 00 03 61 2f 62 03 23 00 00')],
  ['a topic alias nobody has set', 5, hex('30 06 00 00 03 23 00 05')],
  ['a subscription identifier of 0', 5, hex('82 09 00 01 02 0b 00 00 01 61 00')],
  ['reserved subscription options', 5, hex('82 07 00 01 00 00 01 61 c0')],
]

for (const [what, version, packet] of illegal) {
  test(`${what} ends the connection`, async () => {
    await using hub = await openTestBroker()
    const raw = await loggedIn(hub.port, version)
    raw.send(packet)
    await within(2000, 'the end', raw.closed)
    expect(hub.intake.accepted).toEqual([])
    expect(raw.packets.map(({ cmd }) => cmd)).toEqual(
      version === 5 && raw.packets.length === 2 ? ['connack', 'disconnect'] : ['connack'],
    )
  })
}

const illegalConnects: [string, Buffer][] = [
  ['an unknown protocol', hex('10 0e 00 04 4d 51 54 58 04 02 00 3c 00 02 61 62')],
  ['an unknown version', hex('10 0e 00 04 4d 51 54 54 06 02 00 3c 00 02 61 62')],
  ['the name of 3.1 with the version of 3.1.1', hex('10 10 00 06 4d 51 49 73 64 70 04 02 00 3c 00 02 61 62')],
  ['the reserved flag', hex('10 0e 00 04 4d 51 54 54 04 03 00 3c 00 02 61 62')],
  ['a will of QoS 3', hex('10 14 00 04 4d 51 54 54 04 1e 00 3c 00 02 61 62 00 01 61 00 01 78')],
  ['a password without a user name', hex('10 11 00 04 4d 51 54 54 04 42 00 3c 00 02 61 62 00 01 78')],
  ['a client id with a NUL', hex('10 0e 00 04 4d 51 54 54 04 02 00 3c 00 02 61 00')],
  ['bytes after its end', hex('10 10 00 04 4d 51 54 54 04 02 00 3c 00 02 61 62 00 00')],
  ['a length that is cut off', hex('10 08 00 04 4d 51 54 54 04 02')],
  ['a receive maximum twice', hex('10 13 00 04 4d 51 54 54 05 02 00 3c 06 21 00 0a 21 00 0a 00 00')],
]
for (const [what, packet] of illegalConnects) {
  test(`a CONNECT with ${what} is not let in`, async () => {
    await using hub = await openTestBroker({ limits: { connectTimeout: 300 } })
    const raw = await rawClient(hub.port)
    raw.send(packet)
    await within(2000, 'the end', raw.closed)
    expect(raw.packets.filter(({ cmd }) => cmd !== 'connack')).toEqual([])
    expect(hub.broker.clients()).toEqual([])
  })
}

test('a U+FFFD that was really sent is a character like any other', async () => {
  await using hub = await openTestBroker()
  const raw = await loggedIn(hub.port, 4)
  raw.send({ cmd: 'publish', topic: 'a/\uFFFD', payload: 'x', qos: 1, messageId: 1, retain: false, dup: false })
  await raw.next('puback')
  expect(hub.intake.accepted.map(({ topic }) => topic)).toEqual(['a/\uFFFD'])
  raw.socket.destroy()
})

test('a DISCONNECT without reason code keeps the will at home, whatever follows it', async () => {
  await using hub = await openTestBroker()
  const raw = await rawClient(hub.port, 5)
  raw.send(connectPacket('wild', 5, { will: { topic: 'will', payload: Buffer.from('x'), qos: 0, retain: false } }))
  await raw.next('connack')
  raw.send(hex('e0 00'), bytes({ cmd: 'publish', topic: 'late', payload: 'x', qos: 0, retain: false, dup: false }, 5))
  await within(2000, 'the end', raw.closed)
  await until('it is gone', () => hub.broker.clients().length === 0)
  expect(hub.intake.accepted).toEqual([])
})

test('before authentication a packet has at most 16 KiB, and 4 × 200 MB leave no trace in memory', async () => {
  await using hub = await openTestBroker()
  const before = process.memoryUsage().rss
  const flood = async () => {
    const raw = await rawClient(hub.port)
    // CONNECT with a remaining length of 200 MB.
    raw.send(hex('10 80 90 af 5f'))
    const chunk = Buffer.alloc(64 * 1024)
    for (let sent = 0; sent < 200_000_000 && !raw.isClosed; sent += chunk.length) {
      if (!raw.socket.write(chunk))
        await Promise.race([new Promise((resolve) => raw.socket.once('drain', resolve)), raw.closed])
    }
    await within(5000, 'the end', raw.closed)
  }
  await Promise.all([flood(), flood(), flood(), flood()])
  expect(hub.broker.counters().oversized).toBe(4)
  expect(process.memoryUsage().rss - before).toBeLessThan(20 * 1024 * 1024)
})

for (const version of [4, 5] as const) {
  test(`after it a packet has at most 1 MiB, MQTT ${version}`, async () => {
    await using hub = await openTestBroker()
    const raw = await loggedIn(hub.port, version)
    const publish = (size: number, messageId: number): Packet => ({
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.alloc(size),
      qos: 1,
      messageId,
      retain: false,
      dup: false,
    })
    raw.send(publish(1024 * 1024 - 16, 1))
    await raw.next('puback')
    raw.send(publish(1024 * 1024, 2))
    if (version === 5) expect(await raw.next('disconnect')).toMatchObject({ reasonCode: 0x95 })
    await within(2000, 'the end', raw.closed)
    expect(hub.broker.counters().oversized).toBe(1)
  })
}

test('who sends a byte now and then is sent away in time', async () => {
  await using hub = await openTestBroker({ limits: { connectTimeout: 500 } })
  const raw = await rawClient(hub.port)
  const drip = setInterval(() => raw.socket.write(Buffer.from([0x10])), 100)
  await within(1500, 'the end', raw.closed)
  clearInterval(drip)
  const silent = await rawClient(hub.port)
  await within(1500, 'the end', silent.closed)
})

test('more filters in one packet than allowed, and more subscriptions than allowed, are refused', async () => {
  await using hub = await openTestBroker({ limits: { filtersPerPacket: 4, subscriptionsPerClient: 6 } })
  const subscribe = (from: number, count: number): Packet => ({
    cmd: 'subscribe',
    messageId: from + 1,
    subscriptions: Array.from({ length: count }, (_, i) => ({ topic: `t/${from + i}`, qos: 0 as const })),
  })
  const raw = await loggedIn(hub.port, 4)
  raw.send(subscribe(0, 4))
  await raw.next('suback')
  raw.send(subscribe(4, 4))
  expect(await raw.next('suback')).toMatchObject({ granted: [0, 0, 128, 128] })
  raw.send(subscribe(8, 5))
  await within(2000, 'the end', raw.closed)
})

test('too many levels or too long a topic are refused without harm', async () => {
  await using hub = await openTestBroker()
  const deep = 'a/'.repeat(20)
  for (const topic of [deep, 'x'.repeat(2000)]) {
    const raw = await loggedIn(hub.port, 4)
    raw.send({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId: 1, retain: false, dup: false })
    await within(2000, 'the end', raw.closed)
  }
  expect(hub.intake.accepted).toEqual([])
})

/** A small seeded random generator, so that a failure can be run again. */
const randomFrom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

const session = (version: 4 | 5): Packet[] => {
  const properties = version === 5
  return [
    {
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [
        { topic: 'a/+', qos: 2 },
        { topic: 'b/#', qos: 1 },
        { topic: '$share/g/+/b', qos: 1 },
      ],
      ...(properties && { properties: { subscriptionIdentifier: 5 } }),
    },
    {
      cmd: 'publish',
      topic: 'a/b',
      payload: 'hello',
      qos: 1,
      messageId: 2,
      retain: true,
      dup: false,
      ...(properties && {
        properties: {
          topicAlias: 1,
          userProperties: { a: 'b' },
          responseTopic: 'r',
          correlationData: Buffer.from('c'),
        },
      }),
    },
    {
      cmd: 'publish',
      topic: 'b/c',
      payload: 'hello',
      qos: 2,
      messageId: 3,
      retain: false,
      dup: false,
      ...(properties && { properties: { messageExpiryInterval: 5, contentType: 'x' } }),
    },
    { cmd: 'pubrel', messageId: 3 },
    { cmd: 'puback', messageId: 4 },
    { cmd: 'pubrec', messageId: 5 },
    { cmd: 'pubcomp', messageId: 5 },
    { cmd: 'publish', topic: 'a/b', payload: '', qos: 0, retain: true, dup: false },
    { cmd: 'unsubscribe', messageId: 6, unsubscriptions: ['a/+', '$share/g/+/b'] },
    { cmd: 'pingreq' },
    { cmd: 'disconnect', ...(properties && { reasonCode: 4, properties: { sessionExpiryInterval: 10 } }) },
  ]
}

test('10,000 mutated packets do not hurt it', { timeout: Number(process.env['FUZZ_MS'] ?? 60_000) }, async () => {
  const rounds = Number(process.env['FUZZ'] ?? 4000)
  await using site = await restartable({
    limits: {
      connections: 1e9,
      connectionsPerAddress: 1e9,
      strangersPerAddress: 1e9,
      connectTimeout: 200,
      loginFailures: 1e9,
    },
  })
  const hub = await site.start()
  const seed = Number(process.env['FUZZ_SEED'] ?? 42)
  const random = randomFrom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const mutate = (original: Buffer): Buffer => {
    let out = Buffer.from(original)
    for (let times = 1 + below(3); times > 0; times--) {
      const at = below(out.length)
      const kind = below(6)
      if (kind === 0) out[at] = below(256)
      else if (kind === 1) out[at] = (out[at] ?? 0) ^ (1 << below(8))
      else if (kind === 2) out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + below(4))])
      else if (kind === 3)
        out = Buffer.concat([out.subarray(0, at), Buffer.from([below(256), below(256)]), out.subarray(at)])
      else if (kind === 4) out = Buffer.concat([out, out.subarray(at)])
      else out[Math.min(out.length - 1, 1)] = below(256)
      if (out.length === 0) return Buffer.from([below(256)])
    }
    return out
  }
  const open = new Set<Promise<void>>()
  for (let round = 0; round < rounds; round++) {
    const version = round % 2 ? 5 : 4
    const [ours, theirs] = duplexPair()
    hub.broker.handle(theirs, `10.${round >> 16}.${(round >> 8) & 255}.${round & 255}`)
    ours.on('error', () => {})
    ours.resume()
    const properties = {
      receiveMaximum: 2,
      topicAliasMaximum: 3,
      maximumPacketSize: 60,
      sessionExpiryInterval: below(2) * 9,
    }
    const will = { topic: 'w', payload: Buffer.from('x'), qos: 1 as const, retain: false }
    const connect = bytes(
      connectPacket('wild', version, {
        clientId: `f${round % 40}`,
        clean: round % 40 > 3,
        will,
        ...(version === 5 && { properties }),
      }),
      version,
    )
    const rest = session(version).map((packet) => bytes(packet, version))
    const target = below(rest.length + 2)
    const whole = Buffer.concat([
      target === 0 ? mutate(connect) : connect,
      ...rest.map((packet, i) => (i === target - 1 || random() < 0.15 ? mutate(packet) : packet)),
    ])
    const cut = below(2) ? whole.length : below(whole.length)
    const over = new Promise<void>((resolve) => theirs.once('close', () => resolve()))
    ours.write(whole.subarray(0, cut))
    ours.write(whole.subarray(cut))
    const timer = setTimeout(() => theirs.destroy(), 100)
    const one = over.then(() => {
      clearTimeout(timer)
      open.delete(one)
    })
    open.add(one)
    if (open.size >= 200) await Promise.race(open)
  }
  await Promise.all(open)
  const counters = hub.broker.counters()
  expect(counters.malformed).toBeGreaterThan(rounds / 20)
  // Nothing a client sends may make a handler throw, and no hook broke.
  expect(hub.lines.filter(({ fields }) => fields['why'] === 'the packet could not be handled')).toEqual([])
  expect(hub.lines.filter(({ event }) => event === 'mqtt-hook-failed')).toEqual([])
  const wrong = hub.intake.accepted.filter(
    ({ topic }) => topic === '' || /[\0#+]/.test(topic) || topic.startsWith('$SYS/'),
  )
  expect(wrong).toEqual([])
  const client = await hub.client('ada')
  await client.publishAsync('load/a', 'still here', { qos: 2 })
})
