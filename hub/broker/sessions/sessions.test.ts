import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fatal } from '../../errors.ts'
import { openSessionStore, type SessionStoreOptions } from './open.ts'
import { openDrops } from './drops.ts'
import { DEFAULT_SESSION_LIMITS } from './limits.ts'
import { Model } from './model.ts'
import type { Packet } from './packets.ts'
import { type SessionStore, sessionStore } from './store.ts'
import { openWriting } from './writing.ts'

let dir: string
let file: string
let logged: string[]
const open: SessionStore[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sessions-'))
  file = join(dir, 'data', 'sessions.db')
  logged = []
})
afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
  rmSync(dir, { recursive: true, force: true })
})

const log = {
  info: (event: string) => logged.push(event),
  warn: (event: string) => logged.push(event),
  error: (event: string) => logged.push(event),
}
const opened = async (
  options: Partial<SessionStoreOptions> = {},
  broker: object = { id: 'broker-1', clients: {} },
): Promise<SessionStore> => {
  const store = await openSessionStore({ file, durability: 'process', log, ...options })
  open.push(store)
  await store.setup(broker)
  return store
}
const shut = async (store: SessionStore): Promise<void> => {
  open.splice(open.indexOf(store), 1)
  await store.close()
}
const all = async (stream: Readable): Promise<Packet[]> => {
  const packets: Packet[] = []
  for await (const packet of stream) packets.push(packet as Packet)
  return packets
}
const message = (n: number, more: Partial<Packet> = {}): Packet => ({
  cmd: 'publish',
  topic: `a/${n}`,
  payload: Buffer.from(`m${n}`),
  qos: 1,
  retain: false,
  dup: false,
  brokerId: 'broker-1',
  brokerCounter: n,
  ...more,
})
const one = { id: 'one' }
const until = async (what: string, is: () => boolean): Promise<void> => {
  for (const end = performance.now() + 5000; !is();) {
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('the suite of aedes-persistence passes', { timeout: 120_000 }, async () => {
  const suite = fileURLToPath(new URL('./suite.ts', import.meta.url))
  const env = { PATH: process.env['PATH'] ?? '' }
  const { code, out } = await new Promise<{ code: unknown; out: string }>((resolve) => {
    execFile(process.execPath, ['--test', '--test-reporter=tap', suite], { env, timeout: 110_000 }, (error, out) =>
      resolve({ code: error?.code ?? 0, out }),
    )
  })
  expect(out.match(/^\s*not ok .*/gm) ?? []).toEqual([])
  expect(code).toBe(0)
  expect(Number(/^# pass (\d+)/m.exec(out)?.[1])).toBeGreaterThanOrEqual(50)
})

test('everything is back after a restart, with properties and expiry', async () => {
  const store = await opened()
  const properties = { correlationData: Buffer.from([1, 0, 255]), userProperties: { a: ['b', 'c'] }, contentType: 'x' }
  const first = message(1, { properties, messageExpiry: 4_000_000_000_000, clientId: 'sender' })
  await Promise.all([
    store.storeRetained(message(7, { topic: 'kept', retain: true, properties })),
    store.storeRetained(message(8, { topic: 'kept/not', retain: true })),
    store.addSubscriptions({ id: 'one' }, [
      { topic: 'a/+', qos: 1, rh: 1, rap: true, nl: false, subscriptionIdentifier: 5 },
      { topic: 'zero', qos: 0 },
    ]),
    store.outgoingEnqueueCombi([{ clientId: 'one' }, { clientId: 'two' }], first),
    store.outgoingEnqueueCombi([{ clientId: 'one' }], message(2, { qos: 2 })),
    store.outgoingEnqueueCombi([{ clientId: 'one' }], message(3, { qos: 2 })),
    store.incomingStorePacket(one, message(4, { qos: 2, messageId: 77 })),
    store.putWill(one, { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: true }),
    store.setOwner('one', 'device:one'),
  ])
  await store.storeRetained({ topic: 'kept/not', payload: Buffer.alloc(0), qos: 0 })
  await store.outgoingUpdate(one, message(1, { messageId: 11 }))
  await store.outgoingUpdate(one, message(2, { qos: 2, messageId: 12 }))
  await store.outgoingUpdate(one, { cmd: 'pubrel', messageId: 12, reasonCode: 0 } as Packet)
  await shut(store)

  const again = await opened({}, { id: 'broker-2', clients: {} })
  expect(again.retained()).toEqual([{ topic: 'kept', payload: Buffer.from('m7'), qos: 1 }])
  expect((await all(again.createRetainedStream('#')))[0]).toMatchObject({ properties, retain: true })
  expect(await again.subscriptionsByClient(one)).toEqual([
    { topic: 'a/+', qos: 1, rh: 1, rap: true, nl: false, subscriptionIdentifier: 5 },
    { topic: 'zero', qos: 0 },
  ])
  expect(await again.subscriptionsByTopic('a/9')).toEqual([
    { clientId: 'one', topic: 'a/+', qos: 1, rh: 1, rap: true, nl: false },
  ])
  expect(await all(again.outgoingStream(one))).toEqual([
    { ...first, messageId: 11 },
    { cmd: 'pubrel', messageId: 12, reasonCode: 0 },
    { ...message(3, { qos: 2 }), messageId: undefined },
  ])
  expect(await all(again.outgoingStream({ id: 'two' }))).toMatchObject([{ topic: 'a/1', properties }])
  expect(await again.incomingGetPacket(one, { messageId: 77 } as Packet)).toMatchObject({ messageId: 77, topic: 'a/4' })
  expect(await all(again.streamWill({ 'broker-2': 1 }))).toMatchObject([
    { clientId: 'one', brokerId: 'broker-1', topic: 'will', payload: Buffer.from('gone'), retain: true },
  ])
  expect(again.owner('one')).toBe('device:one')
  expect(again.owners()).toEqual(new Map([['one', 'device:one']]))
  expect(await again.sessionIds()).toEqual(['one', 'two'])
})

test('two PUBRECs in one turn do not mix up their identifiers', async () => {
  const store = await opened()
  for (const n of [1, 2]) {
    await store.outgoingEnqueue({ clientId: 'one' }, message(n, { qos: 2 }))
    await store.outgoingUpdate(one, message(n, { qos: 2, messageId: n + 40 }))
  }
  await Promise.all([41, 42].map((messageId) => store.outgoingUpdate(one, { cmd: 'pubrel', messageId } as Packet)))
  expect(await all(store.outgoingStream(one))).toEqual([
    { cmd: 'pubrel', messageId: 41 },
    { cmd: 'pubrel', messageId: 42 },
  ])
  await store.outgoingClearMessageId(one, { messageId: 41 } as Packet)
  expect(await all(store.outgoingStream(one))).toEqual([{ cmd: 'pubrel', messageId: 42 }])
})

test('a message for a client with several matching subscriptions waits once, with the greatest QoS', async () => {
  const store = await opened()
  await store.addSubscriptions(one, [
    { topic: 'a/#', qos: 1 },
    { topic: 'a/1', qos: 2 },
  ])
  await store.outgoingEnqueueCombi(await store.subscriptionsByTopic('a/1'), message(1, { qos: 2 }))
  expect(await all(store.outgoingStream(one))).toMatchObject([{ topic: 'a/1', qos: 2 }])
})

test('what has not been sent is found at the end of a queue, however long it is', async () => {
  const store = await opened()
  for (let n = 1; n <= 4; n++) await store.outgoingEnqueue({ clientId: 'one' }, message(n))
  for (let n = 1; n <= 2; n++) await store.outgoingUpdate(one, message(n, { messageId: n }))
  const topics = async (unsent: boolean) => (await all(store.outgoingStream(one, { unsent }))).map(({ topic }) => topic)
  expect(await topics(true)).toEqual(['a/3', 'a/4'])
  expect(await topics(false)).toEqual(['a/1', 'a/2', 'a/3', 'a/4'])
  await store.outgoingClearMessageId(one, message(1, { messageId: 1 }))
  expect(await topics(true)).toEqual(['a/3', 'a/4'])
})

test('clearing without an identifier takes nothing out', async () => {
  const store = await opened()
  await store.outgoingEnqueue({ clientId: 'one' }, message(1))
  expect(await store.outgoingClearMessageId(one, message(1))).toBeUndefined()
  expect(store.sizes().queued).toBe(1)
})

test('a message cleared before it was written never reaches the file, and leaves nothing behind', async () => {
  const store = await opened()
  const stored: Promise<void>[] = []
  for (let n = 1; n <= 500; n++) {
    stored.push(store.outgoingEnqueueCombi([{ clientId: 'one' }, { clientId: 'two' }], message(n)))
    for (const id of ['one', 'two']) {
      void store.outgoingUpdate({ id }, message(n, { messageId: n }))
      void store.outgoingClearMessageId({ id }, message(n, { messageId: n }))
    }
  }
  await Promise.all(stored)
  await shut(store)
  const db = new Database(file, { readonly: true })
  const rows = (table: string) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()
  expect([rows('outgoing'), rows('messages'), rows('sessions')]).toEqual([0, 0, 0])
  db.close()
})

test('beyond the bounds of a client the oldest go, counted, with one event per gap', async () => {
  let now = 1_000_000
  const gaps: [string, number, string][] = []
  const store = await opened({
    limits: { perClientMessages: 10, perClientBytes: 100_000 },
    onDropped: (...gap) => gaps.push(gap),
    clock: { now: () => now },
  })
  for (let n = 1; n <= 25; n++) await store.outgoingEnqueue({ clientId: 'one' }, message(n))
  const left = await all(store.outgoingStream(one))
  expect(left.map(({ brokerCounter }) => brokerCounter)).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25])
  expect(gaps).toEqual([])
  now += 2000
  await until('the gap is told', () => gaps.length > 0)
  expect(gaps).toEqual([['one', 15, 'messages']])
  await store.outgoingEnqueue({ clientId: 'two' }, message(30, { payload: Buffer.alloc(60_000) }))
  await store.outgoingEnqueue({ clientId: 'two' }, message(31, { payload: Buffer.alloc(60_000) }))
  expect((await all(store.outgoingStream({ id: 'two' }))).map(({ brokerCounter }) => brokerCounter)).toEqual([31])
  await shut(store)
  expect(gaps[1]).toEqual(['two', 1, 'bytes'])
  const again = await opened({ clock: { now: () => now } })
  expect((await all(again.outgoingStream(one))).length).toBe(10)
  expect(again.sizes().queued).toBe(11)
})

test('a message on its way to the client is not the one that goes', async () => {
  const store = await opened({ limits: { perClientMessages: 2 } })
  await store.outgoingEnqueue({ clientId: 'one' }, message(1))
  await store.outgoingUpdate(one, message(1, { messageId: 9 }))
  for (const n of [2, 3]) await store.outgoingEnqueue({ clientId: 'one' }, message(n))
  expect((await all(store.outgoingStream(one))).map(({ brokerCounter }) => brokerCounter)).toEqual([1, 3])
})

test('retained messages, sessions and QoS 2 identifiers are bounded', async () => {
  const store = await opened({ limits: { retainedTopics: 2, retainedBytes: 2000, sessions: 2, perClientIncoming: 2 } })
  for (const n of [1, 2, 3]) await store.storeRetained(message(n))
  await store.storeRetained(message(1, { payload: Buffer.from('newer') }))
  await store.storeRetained(message(2, { payload: Buffer.alloc(5000) }))
  expect(store.retained().map(({ topic, payload }) => [topic, payload.toString()])).toEqual([
    ['a/1', 'newer'],
    ['a/2', 'm2'],
  ])
  expect(store.sizes()).toMatchObject({ retained: 2, retainedRefused: 2 })
  expect(logged).toEqual(['retained-full'])
  for (const id of ['one', 'two']) await store.addSubscriptions({ id }, [{ topic: 'x', qos: 1 }])
  await expect(store.addSubscriptions({ id: 'three' }, [{ topic: 'x', qos: 1 }])).rejects.toThrow('2 sessions already')
  await store.addSubscriptions({ id: 'two' }, [{ topic: 'y', qos: 1 }])
  for (const messageId of [1, 2]) await store.incomingStorePacket(one, message(messageId, { messageId }))
  await expect(store.incomingStorePacket(one, message(3, { messageId: 3 }))).rejects.toThrow('not released')
})

test('sessions end when nobody comes back, also over a restart; connected ones stay', async () => {
  let now = 1_000_000
  const clock = { now: () => now }
  const clients: Record<string, object> = {
    stays: { id: 'stays', version: 4 },
    short: { id: 'short', version: 5, sessionExpiryInterval: 60 },
  }
  const broker = { id: 'broker-1', clients }
  const store = await opened({ clock, limits: { maxAgeMs: 3_600_000 } }, broker)
  for (const client of Object.values(clients))
    await store.addSubscriptions(client as { id: string }, [{ topic: 'x', qos: 1 }])
  await store.addSubscriptions({ id: 'old', version: 4 } as { id: string }, [{ topic: 'x', qos: 1 }])
  await store.outgoingEnqueueCombi(await store.subscriptionsByTopic('x'), message(1, { topic: 'x' }))
  const sweep = async () => {
    store.sweep()
    await until('stored', () => store.sizes().pending === 0)
  }
  await sweep()
  now += 3_000_000
  await sweep()
  expect(await store.sessionIds()).toEqual(['stays', 'short', 'old'])
  delete clients['short']
  await sweep()
  now += 61_000
  expect(await store.subscriptionsByClient({ id: 'short' })).toEqual([])
  now += 600_000
  await sweep()
  expect(await store.sessionIds()).toEqual(['stays'])
  // Their messages have waited too long by now.
  expect(store.sizes()).toMatchObject({ queued: 0, subscriptions: 1, dropped: 2 })
  await shut(store)

  const again = await opened({ clock, limits: { maxAgeMs: 3_600_000 } })
  expect(await again.sessionIds()).toEqual(['stays'])
  await until('its deadline is stored', () => again.sizes().pending === 0)
  await shut(again)
  now += 3_700_000
  const last = await opened({ clock, limits: { maxAgeMs: 3_600_000 } })
  expect(await last.sessionIds()).toEqual([])
  expect(logged).toContain('session-expired')
})

test('purge removes everything of one session and nothing of another', async () => {
  const store = await opened()
  for (const id of ['one', 'one-2']) {
    await store.addSubscriptions({ id }, [{ topic: 'x', qos: 1 }])
    await store.outgoingEnqueue({ clientId: id }, message(1))
    await store.incomingStorePacket({ id }, message(2, { messageId: 5 }))
    await store.putWill({ id }, { topic: 'w', payload: Buffer.from('w'), qos: 0 })
    await store.setOwner(id, 'person:ada')
  }
  await store.purge('one')
  await shut(store)
  const again = await opened()
  expect(await again.sessionIds()).toEqual(['one-2'])
  expect(again.sizes()).toMatchObject({ sessions: 1, subscriptions: 1, queued: 1, wills: 1 })
  expect(again.owner('one')).toBeUndefined()
})

test('a disk that takes no more: refused with a sentence, and it goes on by itself', async () => {
  const broken: string[] = []
  const healed = Promise.withResolvers<void>()
  mkdirSync(join(dir, 'data'))
  const model = new Model(DEFAULT_SESSION_LIMITS)
  const writing = await openWriting({
    file,
    durability: 'process',
    onPage: (page) => model.load(page),
    onFreed: (places, freed) => model.freed(places, freed),
    onBroken: (sentence) => broken.push(sentence),
    onHealed: () => healed.resolve(),
    retryMs: 20,
  })
  const clock = { now: () => 1_000_000 }
  const drops = openDrops(clock.now, () => {})
  const store = await sessionStore({ model, writing, limits: DEFAULT_SESSION_LIMITS, clock, log, drops })
  open.push(store)
  await store.storeRetained(message(1))
  await store.outgoingEnqueue({ clientId: 'one' }, message(1))
  writing.limit(1)
  const results = await Promise.allSettled(
    [2, 3, 4].map((n) => store.outgoingEnqueue({ clientId: 'one' }, message(n, { payload: Buffer.alloc(200_000) }))),
  )
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(broken[0]).toMatch(/cannot write .*sessions\.db \(.*full.*free some space/)
  expect(store.sizes().broken).toMatch('full')
  await expect(store.storeRetained(message(9))).rejects.toThrow('cannot write')
  // What takes away is not held up.
  await store.outgoingUpdate(one, message(1, { messageId: 1 }))
  await store.outgoingClearMessageId(one, message(1, { messageId: 1 }))
  writing.limit(1_000_000)
  await healed.promise
  await store.storeRetained(message(9))
  expect(store.sizes().broken).toBeUndefined()
  await shut(store)
  const again = await opened({ clock })
  expect((await all(again.outgoingStream(one))).map(({ brokerCounter }) => brokerCounter)).toEqual([2, 3, 4])
  expect(again.retained().length).toBe(2)
})

test('a file that cannot be used stops the start with what to do', async () => {
  const store = await opened()
  await store.storeRetained(message(1))
  await expect(openSessionStore({ file, durability: 'process', log })).rejects.toThrow(
    /in use by another process.*DATA_DIR/,
  )
  await shut(store)
  for (const name of readdirSync(join(dir, 'data'))) expect(statSync(join(dir, 'data', name)).mode & 0o777).toBe(0o600)

  const db = new Database(file)
  db.pragma('user_version = 3')
  db.close()
  await expect(opened()).rejects.toThrow(/newer Millrace: its version is 3, this hub knows 2/)
  await expect(opened()).rejects.toBeInstanceOf(Fatal)

  const foreign = join(dir, 'foreign.db')
  const other = new Database(foreign)
  other.exec('CREATE TABLE x (y)')
  other.close()
  await expect(opened({ file: foreign })).rejects.toThrow(/is not Millrace's session store/)

  const torn = join(dir, 'torn.db')
  writeFileSync(torn, Buffer.concat([readFileSync(foreign).subarray(0, 40), Buffer.alloc(9000, 7)]))
  await expect(opened({ file: torn })).rejects.toThrow(/damaged .*move it away/)

  mkdirSync(join(dir, 'folder.db'))
  await expect(opened({ file: join(dir, 'folder.db') })).rejects.toThrow(/cannot be opened .*right to read and write/)
  await expect(opened({ file: join(torn, 'x.db') })).rejects.toThrow(/cannot be made/)
})

test('kill -9: what was acknowledged is back', { timeout: 60_000 }, async () => {
  const script = fileURLToPath(new URL('./crash-writer.ts', import.meta.url))
  const seen = { sub: new Set<string>(), ret: new Set<string>(), que: new Set<string>(), inc: new Set<string>() }
  for (const from of ['0', '100000', '200000']) {
    const told = join(dir, `told-${from}`)
    writeFileSync(told, '')
    const child = spawn(process.execPath, [script, file, from, told], { stdio: 'inherit' })
    await until('enough is acknowledged', () => statSync(told).size > 40_000)
    child.kill('SIGKILL')
    const [, signal] = (await once(child, 'close')) as [unknown, unknown]
    expect(signal).toBe('SIGKILL')
    const out = readFileSync(told, 'utf8')
    for (const line of out.split('\n').slice(0, -1)) {
      const [kind, what = ''] = line.split(' ')
      if (kind === 'sub' || kind === 'ret' || kind === 'que' || kind === 'inc') seen[kind].add(what)
    }
  }
  expect(seen.que.size).toBeGreaterThan(1000)
  const store = await opened()
  for (const id of seen.sub)
    expect((await store.subscriptionsByClient({ id })).map(({ topic }) => topic)).toEqual(['a/#'])
  const queued = await all(store.outgoingStream({ id: 'offline' }))
  const numbers = queued.map(({ payload }) => payload.toString().split(' ')[1] ?? '')
  expect([...seen.que].filter((n) => !numbers.includes(n))).toEqual([])
  expect(numbers).toEqual(numbers.toSorted((a, b) => Number(a) - Number(b)))
  expect(new Set(numbers).size).toBe(numbers.length)
  for (const packet of queued)
    expect(packet.properties).toMatchObject({ userProperties: { k: packet.payload.toString().split(' ')[1] } })
  const kept = new Map(store.retained().map(({ topic, payload }) => [topic, Number(payload.toString().split(' ')[1])]))
  // A later message of the same topic may have taken its place.
  expect([...seen.ret].filter((n) => (kept.get(`r/${Number(n) % 500}`) ?? -1) < Number(n))).toEqual([])
  for (const id of seen.inc)
    expect(await store.incomingGetPacket({ id: 'sender' }, { messageId: Number(id) } as Packet)).toBeTruthy()
})

test('a client with a queue of 150,000 messages may begin anew', async () => {
  const store = await opened()
  await store.openSession?.({ id: 'away' }, { cleanStart: false, lasting: true })
  await store.addSubscriptions({ id: 'away' }, [{ topic: 'a/#', qos: 1 }])
  const sub = [{ clientId: 'away', topic: 'a/#', qos: 1 }]
  for (let n = 0; n < 150_000; n += 5_000) {
    await Promise.all(Array.from({ length: 5_000 }, (_, i) => store.outgoingEnqueueCombi(sub, message(n + i + 1))))
  }
  expect(store.sizes().queued).toBe(150_000)
  expect(await store.openSession?.({ id: 'away' }, { cleanStart: true, lasting: true })).toBe(false)
  expect(store.sizes().queued).toBe(0)
}, 60_000)
