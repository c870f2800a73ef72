// The line to another broker, against one that misbehaves; and the outbox behind it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Secret } from '../health/secret.ts'
import { eventually } from '../testing/until.ts'
import { type FakeBroker, fakeBroker, type Manners } from './external-line.fake.ts'
import { type Arriving, type LineLimits, type Line, type LineOptions, openLine } from './external-line.ts'
import { type Lost, openOutbox, type Outbox, type OutboxBounds, type Outgoing } from './external-outbox.ts'
import { brokerAddress } from './external-url.ts'
import { openSessionStore, type SessionStore } from './sessions/open.ts'
import { testLog } from './test-broker.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const clock = { now: () => Date.now() }
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-outbox-'))
  ends.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
const storeIn = async (dir: string): Promise<SessionStore> => {
  const store = await openSessionStore({ file: join(dir, 'outbox.sqlite'), durability: 'process', log: testLog().log })
  ends.push(() => store.close())
  return store
}
const say = (n: number, more: Partial<Outgoing> = {}): Outgoing => ({
  topic: 'a/b',
  payload: Buffer.from(String(n)),
  qos: 1,
  retain: false,
  ...more,
})

const outboxIn = async (dir: string, bounds: Partial<OutboxBounds> = {}) => {
  const store = await storeIn(dir)
  const lost: [string, Lost][] = []
  const outbox = await openOutbox({
    store,
    clock,
    bounds,
    lost: ({ payload }, why) => lost.push([payload.toString(), why]),
  })
  return { store, outbox, lost }
}
const drain = (outbox: Outbox): string[] => {
  const all: string[] = []
  for (let one = outbox.next(); one !== undefined; one = outbox.next()) all.push(one.payload.toString())
  return all
}

describe('the outbox', () => {
  test('keeps order over rewinds, and forgets what is done', async () => {
    const { outbox } = await outboxIn(folder())
    for (const n of [1, 2, 3]) await outbox.add(say(n))
    const first = outbox.next()
    outbox.next()
    if (first) outbox.done(first)
    outbox.rewind()
    await outbox.add(say(4))
    expect(drain(outbox)).toEqual(['2', '3', '4'])
    expect(outbox.sizes()).toMatchObject({ waiting: 3, flying: 3 })
    expect(outbox.holds('a/b')).toBe(true)
    expect(outbox.holds('a')).toBe(false)
  })

  test('survives a restart: what was not acknowledged is there, in order, with QoS, retain and expiry', async () => {
    const dir = folder()
    const before = await outboxIn(dir)
    const until = Date.now() + 60_000
    for (const n of [1, 2, 3]) await before.outbox.add(say(n, { retain: n === 2, qos: n === 3 ? 2 : 1, until }))
    const first = before.outbox.next()
    before.outbox.next()
    if (first) before.outbox.done(first)
    await before.store.close()
    const { outbox } = await outboxIn(dir)
    expect(outbox.next()).toMatchObject({ qos: 1, retain: true, until, payload: Buffer.from('2') })
    expect(outbox.next()).toMatchObject({ qos: 2, retain: false, until })
    expect(outbox.next()).toBeUndefined()
    await outbox.add(say(4))
    expect(drain(outbox)).toEqual(['4'])
  })

  test('is bounded in number and size: the oldest that was not sent goes', async () => {
    const { outbox, lost } = await outboxIn(folder(), { messages: 3 })
    await outbox.add(say(1))
    outbox.next()
    for (const n of [2, 3, 4, 5]) await outbox.add(say(n))
    expect(lost).toEqual([
      ['2', 'full'],
      ['3', 'full'],
    ])
    outbox.rewind()
    expect(drain(outbox)).toEqual(['1', '4', '5'])
    const small = await outboxIn(folder(), { bytes: 2500 })
    for (const n of [1, 2, 3]) await small.outbox.add(say(n, { payload: Buffer.alloc(1000, String(n)) }))
    expect(small.lost).toHaveLength(1)
  })

  test('gives nothing after its time', async () => {
    const { outbox, lost } = await outboxIn(folder())
    await outbox.add(say(1, { until: Date.now() - 1 }))
    await outbox.add(say(2, { until: Date.now() + 60_000 }))
    expect(drain(outbox)).toEqual(['2'])
    expect(lost).toEqual([['1', 'late']])
  })

  test('what was dropped or done does not come back with a restart', async () => {
    const dir = folder()
    const { outbox, store } = await outboxIn(dir, { messages: 2 })
    for (let n = 1; n <= 5; n++) await outbox.add(say(n))
    const next = outbox.next()
    if (next) outbox.done(next)
    await store.close()
    const again = await outboxIn(dir)
    expect(drain(again.outbox)).toEqual(['5'])
  })
})

interface Rig {
  fake: FakeBroker
  line: Line
  outbox: Outbox
  ups: { isPresent: boolean; protocol: 4 | 5 }[]
  downs: string[]
  refused: string[]
  arrived: { message: Arriving; done: (error?: Error) => void }[]
}

const FAST: Partial<LineLimits> = { firstMs: 10, longestMs: 50, connectMs: 2_000, ackMs: 400 }
const rig = async (
  manners: Manners = {},
  limits: Partial<LineLimits> = {},
  more: Partial<LineOptions> = {},
): Promise<Rig> => {
  const fake = await fakeBroker(manners)
  ends.push(() => fake.close())
  const { outbox } = await outboxIn(folder())
  const it: Omit<Rig, 'line'> = { fake, outbox, ups: [], downs: [], refused: [], arrived: [] }
  const line = openLine({
    address: brokerAddress('BROKER_URL', new Secret(`mqtt://hub:sesame@127.0.0.1:${fake.port}`)),
    clientId: 'millrace-test',
    variable: 'BROKER_URL',
    filters: ['#'],
    rap: false,
    outbox,
    limits: { ...FAST, ...limits },
    log: testLog().log,
    clock,
    take: (message, done) => void it.arrived.push({ message, done }),
    up: (state) => void it.ups.push(state),
    down: (sentence) => void it.downs.push(sentence),
    refused: ({ message, filter }, why) => void it.refused.push(`${message?.topic ?? filter}: ${why}`),
    ...more,
  })
  ends.push(() => line.close())
  return { ...it, line }
}
const come = <T>(ask: () => T, isSo: (answer: T) => boolean) => eventually(ask, isSo, { everyMs: 10, ms: 5_000 })
const post = async ({ outbox, line }: Rig, message: Outgoing) => {
  await outbox.add(message)
  line.pump()
}

describe('the line', () => {
  test('asks for a session that lasts, MQTT 5, and no message of its own back', async () => {
    const { fake } = await rig()
    await come(
      () => fake.connects,
      (all) => all.length === 1,
    )
    expect(fake.connects[0]).toMatchObject({
      clean: false,
      clientId: 'millrace-test',
      username: 'hub',
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 604_800, receiveMaximum: 100 },
    })
    expect(fake.connects[0]?.password?.toString()).toBe('sesame')
  })

  test('acknowledges in the order of arrival, and only what is kept', async () => {
    const it = await rig()
    await come(
      () => it.ups,
      (ups) => ups.length === 1,
    )
    for (const messageId of [7, 8, 9]) {
      it.fake.send({
        cmd: 'publish',
        topic: 'x',
        payload: Buffer.from('1'),
        qos: 1,
        messageId,
        dup: false,
        retain: false,
      })
    }
    await come(
      () => it.arrived,
      (all) => all.length === 3,
    )
    it.arrived[2]?.done()
    it.arrived[1]?.done()
    it.fake.send({ cmd: 'publish', topic: 'y', payload: Buffer.from('1'), qos: 0, dup: false, retain: false })
    await come(
      () => it.arrived,
      (all) => all.length === 4,
    )
    expect(it.fake.acks).toEqual([])
    it.arrived[0]?.done()
    await come(
      () => it.fake.acks,
      (acks) => acks.length === 3,
    )
    expect(it.fake.acks).toEqual([7, 8, 9])
  })

  test('what could not be kept is not acknowledged: the line is cut, and it comes again', async () => {
    const it = await rig()
    await come(
      () => it.ups,
      (ups) => ups.length === 1,
    )
    it.fake.send({
      cmd: 'publish',
      topic: 'x',
      payload: Buffer.from('1'),
      qos: 1,
      messageId: 7,
      dup: false,
      retain: false,
    })
    await come(
      () => it.arrived,
      (all) => all.length === 1,
    )
    it.arrived[0]?.done(new Error('the disk is full'))
    await come(
      () => it.ups,
      (ups) => ups.length === 2,
    )
    expect(it.fake.acks).toEqual([])
    expect(it.downs.join()).toContain('the disk is full')
  })

  test('no PUBACK within its time: a new connection, and the same again', async () => {
    let silent = true
    const it = await rig({ published: () => (silent ? undefined : 0) })
    await post(it, say(1))
    await post(it, say(2))
    await come(
      () => it.fake.connects,
      (all) => all.length === 2,
    )
    silent = false
    await come(
      () => it.outbox.sizes().waiting,
      (waiting) => waiting === 0,
    )
    const last = it.fake.published.at(-1)?.connection
    expect(it.fake.published.filter(({ connection }) => connection === last).map(({ text }) => text)).toEqual([
      '1',
      '2',
    ])
  })

  test('one message the other broker chokes on is given up after ten times; those beside it pass', async () => {
    const it = await rig({
      published: ({ topic }, socket) => {
        if (topic !== 'poison') return 0
        socket.destroy()
        return undefined
      },
    })
    await post(it, say(1, { topic: 'poison' }))
    for (const n of [2, 3]) await post(it, say(n))
    await come(
      () => it.outbox.sizes().waiting,
      (waiting) => waiting === 0,
    )
    expect(it.refused).toEqual(['poison: the broker hung up 10 times when it got it'])
    expect(it.fake.published.filter(({ topic }) => topic === 'poison')).toHaveLength(11)
    expect(it.fake.published.slice(-2).map(({ text }) => text)).toEqual(['2', '3'])
  })

  test('a broker that dies nine times over the first message and then lives has all, in order', async () => {
    let deaths = 0
    const it = await rig({
      published: (_, socket) => {
        if (deaths === 9) return 0
        deaths++
        socket.destroy()
        return undefined
      },
    })
    for (const n of [1, 2, 3]) await post(it, say(n))
    await come(
      () => it.outbox.sizes().waiting,
      (waiting) => waiting === 0,
    )
    expect(it.refused).toEqual([])
    expect(it.fake.published.slice(-3).map(({ text }) => text)).toEqual(['1', '2', '3'])
  })

  test('refused by the other broker (no right), or too large for it: told of, not tried again', async () => {
    const it = await rig({
      properties: { maximumPacketSize: 1000 },
      published: ({ topic }) => (topic === 'no' ? 0x87 : 0),
    })
    await come(
      () => it.ups,
      (ups) => ups.length === 1,
    )
    await post(it, say(1, { topic: 'no' }))
    await post(it, say(2, { topic: 'big', payload: Buffer.alloc(2000) }))
    await post(it, say(3))
    await come(
      () => it.outbox.sizes().waiting,
      (waiting) => waiting === 0,
    )
    expect(it.refused.sort()).toEqual(['big: the broker takes at most 1000 bytes', 'no: Publish error: Not authorized'])
    expect(it.fake.published.map(({ topic }) => topic)).toEqual(['no', 'a/b'])
  })

  test('no more in flight than the other broker wants', async () => {
    const it = await rig({ properties: { receiveMaximum: 3 }, published: () => undefined }, { ackMs: 60_000 })
    for (let n = 0; n < 10; n++) await post(it, say(n))
    await come(
      () => it.fake.published,
      (all) => all.length >= 3,
    )
    expect(it.outbox.sizes()).toMatchObject({ waiting: 10, flying: 3 })
    expect(it.fake.published).toHaveLength(3)
  })

  test('a command carries its expiry', async () => {
    const it = await rig()
    await post(it, say(1, { until: Date.now() + 20_000 }))
    await come(
      () => it.fake.published,
      (all) => all.length === 1,
    )
    expect(it.fake.published[0]?.expiry).toBeGreaterThanOrEqual(19)
    expect(it.fake.published[0]?.expiry).toBeLessThanOrEqual(20)
  })

  test('QoS 0 without a line is dropped and counted', async () => {
    const it = await rig({ reasonCode: 0x88 })
    await come(
      () => it.downs,
      (downs) => downs.length > 0,
    )
    expect(it.line.send(say(1, { qos: 0 }))).toBe(false)
    expect(it.line.counts().dropped).toBe(1)
  })

  test.each([
    [0x86, /user name or password in BROKER_URL/],
    [0x85, /client id millrace-test/],
    [0x89, /takes no connections at present/],
  ])('CONNACK %i says what to do, without the password', async (reasonCode, says) => {
    const { downs, fake } = await rig({ reasonCode })
    await come(
      () => downs,
      (all) => all.length > 1,
    )
    expect(downs[0]).toMatch(says)
    expect(downs.join()).not.toContain('sesame')
    expect(fake.connects.every(({ protocolVersion }) => protocolVersion === 5)).toBe(true)
  })

  test('nobody there: says so, and comes back when somebody is', async () => {
    const it = await rig()
    const { fake } = it
    fake.close()
    await come(
      () => it.downs,
      (downs) => downs.some((sentence) => sentence.startsWith(`Nothing listens at mqtt://127.0.0.1:${fake.port}`)),
    )
    expect(it.line.isUp).toBe(false)
  })

  test('closing leaves in the outbox what was not acknowledged', async () => {
    const it = await rig({ published: () => undefined }, { ackMs: 60_000 })
    await post(it, say(1))
    await come(
      () => it.fake.published,
      (all) => all.length === 1,
    )
    const begun = performance.now()
    await it.line.close()
    expect(performance.now() - begun).toBeLessThan(1_600)
    expect(it.outbox.sizes().waiting).toBe(1)
  })
})
