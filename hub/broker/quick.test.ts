// The quick way reads what the parser reads: the same packets in the same order, whole or in pieces, legal or not.
import { EventEmitter } from 'node:events'
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import type { Link, Parser } from './engine.ts'
import { openGuard } from './guard.ts'
import { openTopicNames, quickPackets } from './quick.ts'
import { connectPacket, openTestBroker, rawClient, until, within } from './test-broker.ts'

const LIMITS = { packet: 2000, packetBeforeAuth: 2000, filtersPerPacket: 10 }
const LEVELS = 4
type Version = 4 | 5

const publish = (topic: string, payload: string, more: Partial<IPublishPacket> = {}): IPublishPacket => ({
  cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false, ...more,
}) // prettier-ignore
const bytesOf = (version: Version, ...packets: (Packet | Buffer)[]): Buffer =>
  Buffer.concat(
    packets.map((one) => (Buffer.isBuffer(one) ? one : mqttPacket.generate(one, { protocolVersion: version }))),
  )

/** A guarded connection with nothing behind it. Without `quick` it is one that is let in and not yet told so. */
const line = (version: Version, quick: boolean) => {
  const parser = mqttPacket.parser({ protocolVersion: version })
  const heard: string[] = []
  // As aedes has it; only what the guard looks at.
  const link = { _parser: parser, version, connected: quick, closed: false, _authorized: true, disconnect: () => {} }
  let quickly = 0
  parser.on('packet', (packet: Packet) => {
    // The parser makes instances of a class of its own.
    if (Object.getPrototypeOf(packet) === Object.prototype) quickly++
    const { cmd, retain, qos, dup, length, topic, payload, messageId, properties, reasonCode } =
      packet as IPublishPacket & { reasonCode?: number }
    const isPublish = packet.cmd === 'publish'
    heard.push(
      JSON.stringify([
        cmd, length, messageId ?? 0, reasonCode ?? 0, properties ?? {},
        isPublish ? [retain, qos, dup, topic, Buffer.from(payload).toString('hex')] : [],
      ]),
    ) // prettier-ignore
  })
  parser.on('error', () => {})
  const guard = openGuard({
    limits: LIMITS,
    topics: openTopicNames(LEVELS),
    refused: (_link, fault) => heard.push(fault),
  })
  guard(link as unknown as Link)
  return { feed: (chunk: Buffer) => void parser.parse(chunk), heard, quickly: () => quickly, parser }
}

const both = (version: Version, chunks: readonly Buffer[]) => {
  const [quick, plain] = [line(version, true), line(version, false)]
  for (const chunk of chunks) {
    quick.feed(chunk)
    plain.feed(chunk)
  }
  return { quick: quick.heard, plain: plain.heard, quickly: quick.quickly() }
}

test('a connection keeps no password', () => {
  const { feed, heard, parser } = line(5, false)
  feed(bytesOf(5, { cmd: 'connect', clientId: 'dust', protocolVersion: 5, username: 'dust', password: Buffer.from('secret') })) // prettier-ignore
  expect(heard).toHaveLength(1)
  const { settings } = parser as unknown as Parser
  expect([settings.protocolVersion, 'password' in settings]).toEqual([5, false])
})

const mixed = (version: Version): Buffer =>
  bytesOf(
    version,
    publish('a/b', 'one'),
    publish('a/ä', 'two', { qos: 1, messageId: 7, retain: true }),
    { cmd: 'puback', messageId: 300 },
    publish('a/b', '', { qos: 1, messageId: 65_535, dup: true }),
    publish('long', 'x'.repeat(300)),
    publish('a/b', 'exactly', { qos: 2, messageId: 9 }),
    { cmd: 'pubrel', messageId: 9 },
    publish('a/b', 'three', version === 5 ? { properties: { userProperties: { k: 'v' } } } : {}),
    publish('a/b', 'four', version === 5 ? { properties: { topicAlias: 3 } } : {}),
    { cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: 'a/#', qos: 1 }] },
    publish('y'.repeat(400), 'a topic too long to remember'),
    { cmd: 'pingreq' },
    publish('a/b', 'five'),
  )

for (const version of [4, 5] as const) {
  test(`MQTT ${version}: cut at every byte, in pieces of every length, nothing changes`, () => {
    const all = mixed(version)
    const whole = both(version, [all])
    expect(whole.quick).toHaveLength(13)
    expect(whole.quick).toEqual(whole.plain)
    // Up to the first packet that is not ordinary.
    expect(whole.quickly).toBe(version === 4 ? 5 : 2)
    for (let at = 1; at < all.length; at++) {
      const cut = both(version, [all.subarray(0, at), all.subarray(at)])
      expect(cut.quick).toEqual(whole.plain)
    }
    for (let size = 1; size < 60; size++) {
      const pieces: Buffer[] = []
      for (let at = 0; at < all.length; at += size) pieces.push(all.subarray(at, at + size))
      expect(both(version, pieces).quick).toEqual(whole.plain)
    }
  })

  test(`MQTT ${version}: what is illegal is refused as the parser refuses it, behind what came before`, () => {
    let seed = 20_261_120 + version
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 8) % below
    }
    const plain = mixed(version)
    let refused = 0
    let quickly = 0
    for (let round = 0; round < 6000; round++) {
      const wild = Buffer.from(plain)
      for (let n = random(3); n >= 0; n--) wild[random(round % 2 === 0 ? 60 : wild.length)] = random(256)
      const at = random(wild.length)
      const seen = both(version, [wild.subarray(0, at), wild.subarray(at)])
      expect(seen.quick, wild.toString('hex')).toEqual(seen.plain)
      quickly += seen.quickly
      if (seen.quick.some((one) => one === 'malformed' || one === 'oversized')) refused++
    }
    expect(refused).toBeGreaterThan(1000)
    expect(quickly).toBeGreaterThan(6000)
  })
}

const unusual: [string, string][] = [
  ['QoS 0 with DUP', '38 06 00 03 61 2f 62 78'],
  ['QoS 3', '36 08 00 03 61 2f 62 00 01 78'],
  ['packet identifier 0', '32 08 00 03 61 2f 62 00 00 78'],
  ['a topic longer than its packet', '30 06 00 09 61 2f 62 78'],
  ['a wildcard', '30 06 00 03 61 2f 2b 78'],
  ['a NUL', '30 06 00 03 61 00 62 78'],
  ['no topic', '30 03 00 00 78'],
  ['five levels', '30 0c 00 09 61 2f 62 2f 63 2f 64 2f 65 78'],
  ['a topic that is not UTF-8', '30 06 00 03 61 ff 62 78'],
  ['a length in more bytes than it needs', '30 86 00 00 03 61 2f 62 78'],
  ['a packet that is not all there', '30 07 00 03 61 2f 62 78'],
  ['PUBACK for 0', '40 02 00 00'],
  ['PUBACK with flags', '41 02 00 01'],
  ['PUBREC', '50 02 00 01'],
]
for (const [what, hex] of unusual) {
  test(`${what} is left to the parser`, () => {
    const parser = new EventEmitter()
    const emitted: unknown[] = []
    parser.on('packet', (packet) => emitted.push(packet))
    const link = { _parser: parser as unknown as Parser, version: 4, closed: false } as unknown as Link
    const legal = bytesOf(4, publish('a/b', 'x'))
    const chunk = Buffer.concat([legal, Buffer.from(hex.replaceAll(' ', ''), 'hex')])
    expect(quickPackets(link, chunk, 1000, openTopicNames(LEVELS))).toBe(legal.length)
    expect(emitted).toHaveLength(1)
    // And so is a packet above the limit.
    expect(quickPackets(link, legal, legal.length - 1, openTopicNames(LEVELS))).toBe(0)
  })
}

test('a topic is the same string each time, also when another one had its slot meanwhile', () => {
  const topics = openTopicNames(16)
  const read = (topic: string) => {
    const bytes = Buffer.from(`..${topic}.`)
    return topics(bytes, 2, bytes.length - 1)
  }
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 20_000; n++) expect(read(`load/${n}/ä`)).toBe(`load/${n}/ä`)
  }
  expect([read('a/+'), read('#'), read(''), read('x'.repeat(257)), read('/'.repeat(16)), read('/'.repeat(15))]).toEqual(
    [undefined, undefined, undefined, undefined, undefined, '/'.repeat(15)],
  )
})

for (const version of [4, 5] as const) {
  test(`MQTT ${version}: a live connection takes its packets in order, wherever they are cut, up to the illegal one`, async () => {
    await using hub = await openTestBroker()
    const packets = [0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
      publish(`load/${n % 3}`, String(n), {
        ...(n % 4 === 3 ? { qos: 2, messageId: n + 1 } : n % 2 === 1 ? { qos: 1, messageId: n + 1 } : {}),
        ...(version === 5 && n === 4 ? { properties: { userProperties: { k: 'v' } } } : {}),
      }),
    )
    const wrong = Buffer.from('300500036100620000', 'hex')
    const all = bytesOf(version, ...packets, wrong, publish('load/0', 'behind it'))
    for (let at = 0; at < all.length; at += 3) {
      const before = hub.intake.accepted.length
      const raw = await rawClient(hub.port, version)
      raw.send(connectPacket('ada', version, { clientId: `ada-${at}` }))
      await raw.next('connack')
      raw.socket.setNoDelay(true)
      raw.socket.write(all.subarray(0, at))
      await new Promise((next) => setTimeout(next, 2))
      raw.socket.write(all.subarray(at))
      await within(3000, 'the end', raw.closed)
      const got = hub.intake.accepted.slice(before)
      expect(got.map(({ payload }) => payload.toString())).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
      expect(got.map(({ qos }) => qos)).toEqual([0, 1, 0, 2, 0, 1, 0, 2])
    }
  })
}

test('a right is asked for each message, and a forbidden one ends the quick run', async () => {
  await using hub = await openTestBroker()
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('dust'))
  await raw.next('connack')
  const own = publish('jarvis/devices/dust/state', 'mine')
  raw.send(own, own, publish('jarvis/devices/lamp/state', 'not mine'), own)
  await within(3000, 'the end', raw.closed)
  expect(hub.intake.accepted).toHaveLength(2)
  expect(hub.broker.counters()).toMatchObject({ refusedPublishes: 1, received: 2 })
})

test('who sends more than it can be answered is not read on, and loses nothing', async () => {
  await using hub = await openTestBroker()
  hub.intake.held = true
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('ada'))
  await raw.next('connack')
  const count = 640
  const payload = 'x'.repeat(64_000)
  for (let n = 1; n <= count; n++) raw.send(publish('load/x', payload, { qos: 1, messageId: n }))
  await until('some have come', () => hub.intake.accepted.length >= 64)
  await new Promise((next) => setTimeout(next, 100))
  // A chunk begins less than two of these packets.
  expect(hub.intake.accepted.length).toBeLessThan(70)
  // What the systems' buffers do not hold is still with the sender, and nothing of it in the hub.
  expect(raw.socket.writableLength).toBeGreaterThan(20_000_000)
  hub.intake.release()
  await until('all are acknowledged', () => raw.packets.filter(({ cmd }) => cmd === 'puback').length === count)
  expect(raw.packets.filter(({ cmd }) => cmd === 'puback').map(({ messageId }) => messageId)).toEqual(
    Array.from({ length: count }, (_, n) => n + 1),
  )
  raw.socket.destroy()
})

test('what was sent before the end of a connection counts, though nothing could be parsed when it came', async () => {
  await using hub = await openTestBroker()
  hub.intake.held = true
  const raw = await rawClient(hub.port)
  raw.send(connectPacket('ada'))
  await raw.next('connack')
  for (let n = 1; n <= 100; n++) raw.send(publish('load/x', 'x'.repeat(5000), { qos: 1, messageId: n }))
  raw.socket.end()
  await until('some have come', () => hub.intake.accepted.length >= 64)
  await new Promise((next) => setTimeout(next, 100))
  hub.intake.release()
  await until('all have come', () => hub.intake.accepted.length === 100)
  await within(3000, 'the end', raw.closed)
})
