// Queues that are longer than what is kept in memory: read back in pages, in order, across crashes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSessionStore, type SessionStoreOptions } from './open.ts'
import type { Packet } from './packets.ts'
import { APPLICATION_ID } from './schema.ts'
import type { SessionStore } from './store.ts'

let dir: string
let file: string
let logged: string[]
const open: SessionStore[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'paging-'))
  file = join(dir, 'data', 'sessions.db')
  logged = []
})
afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
  rmSync(dir, { recursive: true, force: true })
})

const note = (event: string) => logged.push(event)
const log = { info: note, warn: note, error: note }
const SMALL = { heldMessages: 8, heldBytes: 4000 }
const opened = async ({ clients = {}, ...options }: Partial<SessionStoreOptions> & { clients?: object } = {}) => {
  const store = await openSessionStore({ file, durability: 'process', log, ...options, limits: { ...SMALL, ...options.limits } }) // prettier-ignore
  open.push(store)
  await store.setup({ id: 'broker-1', clients })
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
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const enqueue = (store: SessionStore, from: number, to: number, ids = ['one'], more: Partial<Packet> = {}) =>
  Promise.all(
    numbers(from, to).map((n) =>
      store.outgoingEnqueueCombi(
        ids.map((clientId) => ({ clientId })),
        message(n, more),
      ),
    ),
  )
const counters = async (store: SessionStore, id = 'one') =>
  (await all(store.outgoingStream({ id }))).map(({ brokerCounter }) => brokerCounter)
const until = async (what: string, is: () => boolean): Promise<void> => {
  for (const end = performance.now() + 5000; !is();) {
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
/** What a client does with a message: names it, and acknowledges it. */
const take = async (store: SessionStore, packet: Packet, messageId: number, id = 'one'): Promise<void> => {
  await store.outgoingUpdate({ id }, { ...packet, messageId })
  await store.outgoingClearMessageId({ id }, { ...packet, messageId })
}
const rows = (table: string): unknown => {
  const db = new Database(file, { readonly: true })
  try {
    return db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()
  } finally {
    db.close()
  }
}

test('a long queue is on disk but for its head, and comes back whole and in order', async () => {
  const store = await opened()
  const properties = { correlationData: Buffer.from([1, 0, 255]) }
  await enqueue(store, 1, 500, ['one'], { properties, messageExpiry: 4_000_000_000_000 })
  expect(store.sizes()).toMatchObject({ queued: 500 })
  expect(store.sizes().heldBytes).toBeLessThanOrEqual(SMALL.heldBytes)
  const packets = await all(store.outgoingStream(one))
  expect(packets.map(({ brokerCounter }) => brokerCounter)).toEqual(numbers(1, 500))
  expect(packets[400]).toEqual({ ...message(401), properties, messageExpiry: 4_000_000_000_000, messageId: undefined })
  // What was handed out is known, and in memory only as far as there is room.
  expect(store.sizes().heldBytes).toBeLessThanOrEqual(2 * SMALL.heldBytes)
  expect(await counters(store)).toEqual(numbers(1, 500))
  for (const [i, packet] of packets.entries()) await take(store, packet, i + 1)
  expect(store.sizes()).toMatchObject({ queued: 0, queuedBytes: 0, heldBytes: 0 })
  await shut(store)
  expect([rows('outgoing'), rows('messages')]).toEqual([0, 0])
})

test('a client that reads while more comes gets everything once, in order, over a restart too', async () => {
  const store = await opened()
  await enqueue(store, 1, 100)
  let last = 100
  const got: number[] = []
  for await (const packet of store.outgoingStream(one)) {
    got.push((packet as Packet).brokerCounter ?? 0)
    await take(store, packet as Packet, got.length)
    if (got.length % 3 === 0 && last < 300) void enqueue(store, ++last, ++last)
    if (got.length === 150) break
  }
  await until('all is stored', () => store.sizes().pending === 0)
  await shut(store)
  const again = await opened()
  expect([...got, ...(await counters(again))]).toEqual(numbers(1, last))
})

test('two connections that read one queue at once, as in a takeover: the later one gets all that was not acknowledged', async () => {
  const store = await opened()
  await enqueue(store, 1, 200)
  const first = store.outgoingStream(one)
  const before: Packet[] = []
  for await (const packet of first) {
    before.push(packet as Packet)
    await store.outgoingUpdate(one, { ...(packet as Packet), messageId: before.length })
    if (before.length === 60) break
  }
  const second = store.outgoingStream(one)
  await store.outgoingClearMessageId(one, message(0, { messageId: 1 }))
  const after = await all(second)
  expect(after.map(({ brokerCounter }) => brokerCounter)).toEqual(numbers(2, 200))
  expect(after.slice(0, 59).map(({ messageId }) => messageId)).toEqual(numbers(2, 60))
  expect(after.slice(59).every(({ messageId }) => messageId === undefined)).toBe(true)
})

test('what is in flight keeps identifier, PUBREL and content over a restart in the middle of a queue', async () => {
  const store = await opened()
  await enqueue(store, 1, 100, ['one'], { qos: 2 })
  let n = 0
  for await (const packet of store.outgoingStream(one)) {
    await store.outgoingUpdate(one, { ...(packet as Packet), messageId: ++n + 1000 })
    if (n === 40) break
  }
  for (const messageId of [1001, 1002]) await store.outgoingUpdate(one, { cmd: 'pubrel', messageId } as Packet)
  await shut(store)
  const again = await opened()
  expect(again.sizes()).toMatchObject({ queued: 100, heldBytes: 0 })
  const packets = await all(again.outgoingStream(one))
  expect(packets.slice(0, 3)).toEqual([
    { cmd: 'pubrel', messageId: 1001 },
    { cmd: 'pubrel', messageId: 1002 },
    { ...message(3, { qos: 2 }), messageId: 1003 },
  ])
  expect(packets.slice(2).map(({ brokerCounter }) => brokerCounter)).toEqual(numbers(3, 100))
  expect(packets[39]).toEqual({ ...message(40, { qos: 2 }), messageId: 1040 })
  expect(packets[40]?.messageId).toBeUndefined()
  expect(await again.outgoingClearMessageId(one, { cmd: 'pubcomp', messageId: 1002 } as Packet)).toBeTruthy()
  expect(again.sizes().queued).toBe(99)
})

test('a client that takes messages as they come has them all in memory until it has read them', async () => {
  const store = await opened({ clients: { one: { id: 'one', version: 4 } } })
  // Also with a queue that was empty, which is none.
  expect(await all(store.outgoingStream(one))).toEqual([])
  await enqueue(store, 1, 1)
  await take(store, message(1), 1)
  await enqueue(store, 2, 60)
  // Sent without a stream, each has to be found.
  for (const n of numbers(2, 60)) await take(store, message(n), n)
  expect(store.sizes()).toMatchObject({ queued: 0, heldBytes: 0, queuedBytes: 0 })
})

test('a message for many lies on disk once and goes with the last of its queues', async () => {
  const store = await opened()
  const ids = ['one', 'two', 'three']
  await enqueue(store, 1, 50, ids)
  const single = store.sizes().queuedBytes
  expect(single).toBeLessThan(50 * 220)
  for (const id of ids) {
    for (const [i, packet] of (await all(store.outgoingStream({ id }))).entries()) await take(store, packet, i + 1, id)
    await until('stored', () => store.sizes().pending === 0)
    expect(store.sizes().queuedBytes).toBe(id === 'three' ? 0 : single)
  }
  await shut(store)
  expect([rows('outgoing'), rows('messages')]).toEqual([0, 0])
})

test('beyond its bounds the oldest of a queue go, also those on disk, counted; what is in flight stays', async () => {
  const gaps: [string, number, string][] = []
  const store = await opened({ limits: { perClientMessages: 50 }, onDropped: (...gap) => gaps.push(gap) })
  await enqueue(store, 1, 50)
  await store.outgoingUpdate(one, message(1, { messageId: 7 }))
  for (let n = 51; n < 200; n += 10) await enqueue(store, n, n + 9)
  await until('within its bounds', () => store.sizes().queued === 50)
  expect(await counters(store)).toEqual([1, ...numbers(152, 200)])
  expect(store.sizes()).toMatchObject({ queued: 50, dropped: 150 })
  await shut(store)
  expect(gaps).toEqual([['one', 150, 'messages']])
  expect([rows('outgoing'), rows('messages')]).toEqual([50, 50])
  expect(logged).toEqual([])
})

test('when all queues together hold too much, whoever gets more gives up its oldest', async () => {
  const store = await opened({ limits: { queuedBytes: 60_000, heldMessages: 100, heldBytes: 10_000 } })
  const payload = Buffer.alloc(300)
  await enqueue(store, 1, 40, ['still'], { payload })
  for (let n = 41; n < 400; n += 20) await enqueue(store, n, n + 19, ['one', 'two'], { payload })
  await until('within its bounds', () => store.sizes().queuedBytes <= 60_000 + 20 * 600 && store.sizes().pending === 0)
  expect(await counters(store, 'still')).toEqual(numbers(1, 40))
  for (const id of ['one', 'two']) {
    const left = await counters(store, id)
    expect(left.length).toBeGreaterThan(20)
    expect(left).toEqual(numbers(401 - left.length, 400))
  }
})

test('what waited too long goes from disk too', async () => {
  let now = 1_000_000
  const store = await opened({ clock: { now: () => now }, limits: { maxAgeMs: 60_000 }, clients: { one } })
  await enqueue(store, 1, 100)
  now += 50_000
  await enqueue(store, 101, 120)
  now += 20_000
  store.sweep()
  await until('the old ones are gone', () => store.sizes().queued === 20)
  expect(await counters(store)).toEqual(numbers(101, 120))
  expect(store.sizes().dropped).toBe(100)
})

test('a session that ends takes its queue along; the next of that client sees none of it, also over a restart', async () => {
  const store = await opened()
  await enqueue(store, 1, 3000, ['one', 'two'])
  await enqueue(store, 3001, 6000)
  await store.purge('one')
  await enqueue(store, 7001, 7020)
  expect(store.sizes().queued).toBe(3020)
  await shut(store)
  const again = await opened()
  expect(await counters(again)).toEqual(numbers(7001, 7020))
  expect(await counters(again, 'two')).toEqual(numbers(1, 3000))
  await again.purge('two')
  await until('the rest is removed', () => again.sizes().queuedBytes < 20 * 230)
  await shut(again)
  expect([rows('outgoing'), rows('messages')]).toEqual([20, 20])
})

test('a file of version 1 is brought to this version without loss', async () => {
  mkdirSync(dirname(file), { recursive: true })
  const db = new Database(file)
  db.exec(`
CREATE TABLE retained (topic TEXT PRIMARY KEY, packet TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE sessions (client TEXT PRIMARY KEY, owner TEXT, expiry REAL, deadline REAL) WITHOUT ROWID;
CREATE TABLE subscriptions (client TEXT NOT NULL, filter TEXT NOT NULL, options TEXT NOT NULL, PRIMARY KEY (client, filter)) WITHOUT ROWID;
CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, packet TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE outgoing (id INTEGER PRIMARY KEY, client TEXT NOT NULL, message INTEGER NOT NULL, qos INTEGER NOT NULL, at REAL NOT NULL, packet_id INTEGER, released INTEGER);
CREATE TABLE incoming (client TEXT NOT NULL, packet_id INTEGER NOT NULL, topic TEXT NOT NULL, PRIMARY KEY (client, packet_id)) WITHOUT ROWID;
CREATE TABLE wills (client TEXT PRIMARY KEY, topic TEXT NOT NULL, packet TEXT NOT NULL, payload BLOB NOT NULL);
`)
  db.pragma('user_version = 1')
  db.pragma(`application_id = ${APPLICATION_ID}`)
  const { topic: _, payload: __, ...fields } = message(0)
  const at = Date.now()
  for (const n of numbers(1, 30)) {
    const packet = JSON.stringify({ ...fields, brokerCounter: n })
    db.prepare('INSERT INTO messages VALUES (?, ?, ?, ?)').run(n, `a/${n}`, packet, Buffer.from(`m${n}`))
    const enqueue = db.prepare('INSERT INTO outgoing VALUES (?, ?, ?, 1, ?, ?, NULL)')
    enqueue.run(2 * n, 'one', n, at, n <= 2 ? n : null)
    if (n > 20) enqueue.run(2 * n + 1, 'two', n, at, null)
  }
  db.prepare('INSERT INTO messages VALUES (99, ?, ?, ?)').run('nobody', '{}', Buffer.alloc(0))
  db.prepare('INSERT INTO outgoing VALUES (99, ?, 98, 1, ?, NULL, NULL)').run('one', at)
  db.prepare('INSERT INTO sessions VALUES (?, ?, NULL, NULL)').run('one', 'device:one')
  db.close()
  const store = await opened()
  expect(store.owner('one')).toBe('device:one')
  const packets = await all(store.outgoingStream(one))
  expect(packets.map(({ brokerCounter, messageId }) => [brokerCounter, messageId])).toEqual(
    numbers(1, 30).map((n) => [n, n <= 2 ? n : undefined]),
  )
  expect(packets[4]).toEqual({ ...message(5), messageId: undefined })
  expect(await counters(store, 'two')).toEqual(numbers(21, 30))
  expect(store.sizes().queuedBytes).toBe(packets.reduce((sum, p) => sum + p.topic.length + p.payload.length + 200, 0))
  await store.purge('one')
  expect(await counters(store, 'two')).toEqual(numbers(21, 30))
  await enqueue(store, 40, 41, ['two'])
  await shut(store)
  expect([rows('outgoing'), rows('messages')]).toEqual([12, 12])
  const again = await opened()
  expect(await counters(again, 'two')).toEqual([...numbers(21, 30), 40, 41])
})

test('kill -9 while a queue grows on disk and is read: nothing acknowledged is lost, nothing comes twice', async () => {
  const script = fileURLToPath(new URL('./crash-reader.ts', import.meta.url))
  const told = join(dir, 'told')
  const queued = new Set<number>()
  const taken: number[] = []
  const known = new Set<number>()
  let started = 0
  for (let round = 0; round < 3; round++) {
    writeFileSync(told, '')
    const child = spawn(process.execPath, [script, file, String(round), told], { stdio: 'inherit' })
    await until('enough has happened', () => statSync(told).size > 20_000)
    child.kill('SIGKILL')
    await once(child, 'close')
    for (const line of readFileSync(told, 'utf8').split('\n').slice(0, -1)) {
      const [what, n] = line.split(' ')
      if (what === 'queued') queued.add(Number(n))
      else if (what === 'start') started++
      else if (what === 'taken') taken.push(Number(n))
      else known.add(Number(n))
    }
  }
  expect(started).toBe(3)
  const store = await opened()
  const left = (await counters(store)).filter((n) => n !== undefined)
  expect(queued.size).toBeGreaterThan(500)
  expect(taken.length).toBeGreaterThan(50)
  expect(new Set(left).size).toBe(left.length)
  expect(left).toEqual(left.toSorted((a, b) => a - b))
  for (const n of left) known.add(n)
  expect([...queued].filter((n) => !known.has(n))).toEqual([])
  // What was taken for good stays away.
  expect(left.filter((n) => taken.includes(n))).toEqual([])
}, 60_000)

test('a message that one queue has on disk only stays there when another queue, in memory, is through with it', async () => {
  const store = await opened()
  await enqueue(store, 1, 20)
  await enqueue(store, 21, 24, ['one', 'two'])
  for (const n of numbers(21, 24)) await take(store, message(n), n, 'two')
  await until('stored', () => store.sizes().pending === 0)
  expect(await counters(store)).toEqual(numbers(1, 24))
  expect(logged).toEqual([])
})
