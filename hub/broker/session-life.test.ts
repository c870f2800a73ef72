// When a session begins, whether it is said to be there, when it ends, and what becomes of its will.
import { expect, test } from 'vitest'
import { connectPacket, envelopeOf, openTestBroker, rawClient, until, within, type RawClient } from './test-broker.ts'
import { restartable, type Started } from './test-restart.ts'

const connect = async (port: number, version: 4 | 5, more: object = {}, user = 'bob') => {
  const raw = await rawClient(port, version)
  raw.send(connectPacket(user, version, more))
  const connack = await raw.next('connack')
  return { raw, present: connack.cmd === 'connack' && connack.sessionPresent }
}
const gone = async (hub: Pick<Started, 'broker'>, raw: RawClient, how: 'cut' | 'disconnect' = 'disconnect') => {
  if (how === 'cut') raw.socket.destroy()
  else raw.send({ cmd: 'disconnect', reasonCode: 0 })
  await raw.closed
  await until('it is gone', () => hub.broker.clients().length === 0)
}
const present = async (hub: Started, version: 4 | 5, more: object): Promise<boolean> => {
  const { raw, present: is } = await connect(hub.port, version, more)
  await gone(hub, raw)
  return is
}

for (const version of [4, 5] as const) {
  test(`a session without subscriptions is there, also after a restart, until a clean start, MQTT ${version}`, async () => {
    await using site = await restartable()
    let hub = await site.start()
    const lasting = { clean: false, ...(version === 5 ? { properties: { sessionExpiryInterval: 1000 } } : {}) }
    expect(await present(hub, version, lasting)).toBe(false)
    expect(await present(hub, version, lasting)).toBe(true)
    await hub.stop()
    hub = await site.start()
    expect(await present(hub, version, lasting)).toBe(true)
    expect(await present(hub, version, { clean: true })).toBe(false)
    expect(await hub.store.sessionIds()).toEqual([])
    expect(await present(hub, version, lasting)).toBe(false)
    // It is the owner's still.
    expect(hub.store.owner('bob')).toBe('person:bob')
    const { raw } = await connect(hub.port, version, { ...lasting, clientId: 'bob' }, 'ada').catch(() => ({
      raw: undefined,
    }))
    raw?.socket.destroy()
    expect(hub.store.owner('bob')).toBe('person:bob')
  })
}

test('a session ends with its connection when no expiry was asked for, with all it held', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const lasting = { clean: false, properties: { sessionExpiryInterval: 1000 } }
  const { raw } = await connect(hub.port, 5, lasting)
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 1 }] })
  await raw.next('suback')
  await gone(hub, raw)
  for (let i = 0; i < 5; i++) {
    await hub.broker.deliver(
      envelopeOf({ topic: 'load/x', payload: Buffer.from('x'), qos: 1, retain: false, origin: 'hub' }),
    )
  }
  expect(hub.store.sizes()).toMatchObject({ sessions: 1, queued: 5 })
  const again = await connect(hub.port, 5, {
    clean: false,
    properties: { sessionExpiryInterval: 0, receiveMaximum: 2 },
  })
  expect(again.present).toBe(true)
  await again.raw.next('publish')
  await gone(hub, again.raw)
  await until('nothing is left', () => hub.store.sizes().sessions === 0)
  expect(hub.store.sizes()).toMatchObject({ queued: 0, subscriptions: 0 })
})

test('a session expires when it said, though the hub was away meanwhile', async () => {
  let now = Date.now()
  await using site = await restartable({ clock: { now: () => now } })
  let hub = await site.start()
  const lasting = { clean: false, properties: { sessionExpiryInterval: 3600 } }
  expect(await present(hub, 5, lasting)).toBe(false)
  await hub.stop()
  now += 3_500_000
  hub = await site.start()
  expect(await present(hub, 5, lasting)).toBe(true)
  await hub.stop()
  now += 3_500_000
  hub = await site.start()
  expect(await present(hub, 5, lasting)).toBe(true)
  await hub.stop()
  now += 3_700_000
  hub = await site.start()
  expect(await hub.store.sessionIds()).toEqual([])
  expect(await present(hub, 5, lasting)).toBe(false)
  now += 3_700_000
  // Nobody has looked for it yet.
  expect(hub.store.sizes().sessions).toBe(1)
  await hub.stop()
})

test('a session that expires while the hub runs takes its queue along and frees its name', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const { raw } = await connect(hub.port, 5, {
    clean: false,
    clientId: 'wall',
    properties: { sessionExpiryInterval: 1 },
  })
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 1 }] })
  await raw.next('suback')
  await gone(hub, raw, 'cut')
  await hub.broker.deliver(
    envelopeOf({ topic: 'load/x', payload: Buffer.from('x'), qos: 1, retain: false, origin: 'hub' }),
  )
  expect(hub.store.sizes()).toMatchObject({ sessions: 1, queued: 1 })
  await until('its end', () => hub.store.sizes().sessions === 0)
  expect(hub.store.sizes()).toMatchObject({ queued: 0, subscriptions: 0 })
  const other = await connect(hub.port, 5, { clientId: 'wall' }, 'ada')
  expect(other.raw.packets).toMatchObject([{ cmd: 'connack', reasonCode: 0 }])
  other.raw.socket.destroy()
})

test('a clean start does not hand over the queue of the session before', async () => {
  await using site = await restartable()
  const hub = await site.start()
  const lasting = (clean: boolean) => ({ clean, properties: { sessionExpiryInterval: 1000 } })
  const { raw } = await connect(hub.port, 5, lasting(false))
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'load/#', qos: 1 }] })
  await raw.next('suback')
  await gone(hub, raw)
  await hub.broker.deliver(
    envelopeOf({ topic: 'load/x', payload: Buffer.from('x'), qos: 1, retain: false, origin: 'hub' }),
  )
  const fresh = await connect(hub.port, 5, lasting(true))
  expect(fresh.present).toBe(false)
  expect(hub.store.sizes()).toMatchObject({ sessions: 1, queued: 0, subscriptions: 0 })
  fresh.raw.send({ cmd: 'pingreq' })
  await fresh.raw.next('pingresp')
  expect(fresh.raw.packets.map(({ cmd }) => cmd)).toEqual(['connack', 'pingresp'])
  await gone(hub, fresh.raw)
  expect(await present(hub, 5, lasting(false))).toBe(true)
})

const will = (willDelayInterval: number) => ({
  will: {
    topic: 'load/will',
    payload: Buffer.from('gone'),
    qos: 1 as const,
    retain: false,
    properties: { willDelayInterval },
  },
})

test('a delayed will waits for its delay or the end of its session, whichever is first, unless its client is back', async () => {
  await using hub = await openTestBroker()
  const sent = () => hub.intake.accepted.filter(({ topic }) => topic === 'load/will').length
  const dies = async (willDelay: number, sessionExpiryInterval: number) => {
    const properties = { sessionExpiryInterval }
    const { raw } = await connect(hub.port, 5, { clean: false, properties, ...will(willDelay) })
    await gone(hub, raw, 'cut')
    return performance.now()
  }
  await dies(100, 0)
  await until('the will at the end of the connection', () => sent() === 1, 500)
  for (const [delay, expiry] of [
    [1, 100],
    [100, 1],
  ] as const) {
    const before = sent()
    const at = await dies(delay, expiry)
    expect(sent()).toBe(before)
    await until('the will', () => sent() === before + 1)
    expect(performance.now() - at).toBeGreaterThan(900)
  }
  const before = sent()
  await dies(1, 100)
  const { raw } = await connect(hub.port, 5, { clean: false, properties: { sessionExpiryInterval: 100 } })
  await new Promise((resolve) => setTimeout(resolve, 1200))
  expect(sent()).toBe(before)
  raw.socket.destroy()
})

test('a clean start ends the session before, so its delayed will is due, whether it was still connected or not', async () => {
  await using hub = await openTestBroker()
  const sent = () => hub.intake.accepted.filter(({ topic }) => topic === 'load/will').length
  const properties = { sessionExpiryInterval: 100 }
  const first = await connect(hub.port, 5, { clean: false, properties, ...will(50) })
  await gone(hub, first.raw, 'cut')
  const second = await connect(hub.port, 5, { clean: true, properties, ...will(50) })
  await until('the first will', () => sent() === 1)
  const third = await connect(hub.port, 5, { clean: true, properties, ...will(50) })
  expect(await second.raw.next('disconnect')).toMatchObject({ reasonCode: 0x8e })
  await until('the second will', () => sent() === 2)
  // The third one goes on with its session: no will.
  const fourth = await connect(hub.port, 5, { clean: false, properties })
  await third.raw.closed
  fourth.raw.send({ cmd: 'pingreq' })
  await fourth.raw.next('pingresp')
  expect(sent()).toBe(2)
  await within(2000, 'the end', gone(hub, fourth.raw))
})

test('a delayed will that a crash left over is not sent before its delay has passed', async () => {
  await using site = await restartable({ limits: { heartbeat: 20 } })
  const sent = (hub: Started) => hub.intake.accepted.filter(({ topic }) => topic === 'load/will').length
  let hub = await site.start()
  await connect(hub.port, 5, { clean: false, properties: { sessionExpiryInterval: 100 }, ...will(1) })
  await connect(hub.port, 5, { clientId: 'b2', clean: false, properties: { sessionExpiryInterval: 100 }, ...will(600) })
  await connect(hub.port, 5, { clientId: 'b3', clean: false, properties: { sessionExpiryInterval: 1 }, ...will(600) })
  // A connection that ends while the broker closes leaves its will to the next run, as one does that a crash ended.
  await hub.stop()
  const started = performance.now()
  hub = await site.start()
  await until('two wills', () => sent(hub) === 2)
  expect(performance.now() - started).toBeGreaterThan(900)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(sent(hub)).toBe(2)
})
