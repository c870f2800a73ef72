import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fatal } from '../errors.ts'
import { crashEntry } from './crash-entry.ts'
import { type Disk, realDisk } from './disk.ts'
import type { Entry, Journal } from './entry.ts'
import { type JournalOptions, openJournal } from './journal.ts'
import { decodeEntry, endOf } from './record.ts'
import { scan } from './scan.ts'
import { type Opened, openSegments } from './segments.ts'
import { FIXTURE } from './fixtures/version-1.ts'

let dir: string
const opened: Journal[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'journal-'))
})
afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close()
  rmSync(dir, { recursive: true, force: true })
})

const open = async (options: Partial<JournalOptions> = {}): Promise<Journal> => {
  const journal = await openJournal(dir, { durability: 'process', clock: { stamp: () => 5_000_000 }, ...options })
  opened.push(journal)
  return journal
}
const shut = async (journal: Journal): Promise<void> => {
  opened.splice(opened.indexOf(journal), 1)
  await journal.close()
}
const message = (seq: number, more: Partial<Entry> = {}): Entry => ({
  kind: 'message',
  seq,
  at: 1_000_000 + seq * 10,
  cause: 0,
  n: 0,
  topic: `t/${seq % 5}`,
  payload: Buffer.from(`{"n":${seq}}`),
  qos: 1,
  retain: false,
  origin: 'device:dust',
  correlation: '',
  ...more,
})
const committed = (journal: Journal, entry: Entry): Promise<void> =>
  new Promise((resolve, reject) => journal.append(entry, (error) => (error ? reject(error) : resolve())))
/** Appends `count` messages and waits for the last one. */
const fill = async (
  journal: Journal,
  count: number,
  more: (seq: number) => Partial<Entry> = () => ({}),
): Promise<Entry[]> => {
  const entries = Array.from({ length: count }, () => {
    const seq = journal.reserve()
    return message(seq, more(seq))
  })
  await Promise.all(entries.map((entry) => committed(journal, entry)))
  return entries
}
const seqs = (entries: Entry[]): number[] => entries.map(({ seq }) => seq)
const logs = (): string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort()

test('what was appended is read in order, before and after a restart', async () => {
  const journal = await open()
  const entries = await fill(journal, 300, (seq) => ({ correlation: `c${seq}`, n: seq, cause: seq - 1 }))
  expect(await journal.read({})).toEqual(entries)
  await shut(journal)
  const again = await open()
  expect(await again.read({})).toEqual(entries)
  expect(again.lastSeq).toBe(300)
  expect(again.lastAt).toBe(1_003_000)
  expect(again.reserve()).toBeGreaterThan(300)
})

test('files and folder belong to the hub alone', async () => {
  const journal = await open()
  await fill(journal, 1)
  expect(statSync(dir).mode & 0o777).toBe(0o700)
  for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
})

test('acknowledgements come in order', async () => {
  const journal = await open({ segmentBytes: 4096 })
  const order: number[] = []
  await new Promise<void>((resolve) => {
    for (let i = 1; i <= 5000; i++) {
      const seq = journal.reserve()
      journal.append(message(seq), () => {
        order.push(seq)
        if (seq === 5000) resolve()
      })
    }
  })
  expect(order).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1))
})

test('an entry is found while it is still being written', async () => {
  const slow = Promise.withResolvers<void>()
  const disk: Disk = {
    ...realDisk,
    write: async (fd, bytes, at) => slow.promise.then(() => realDisk.write(fd, bytes, at)),
  }
  const journal = await open({ disk })
  const done = fill(journal, 10)
  expect(seqs(await journal.read({ topic: 't/3' }))).toEqual([3, 8])
  expect(seqs(await journal.read({ backwards: true, limit: 3 }))).toEqual([10, 9, 8])
  expect((await journal.get(7))?.seq).toBe(7)
  slow.resolve()
  await done
  expect(seqs(await journal.read({}))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

test('reading during a flood of writes gives every entry once, in order', async () => {
  const journal = await open({ segmentBytes: 30_000 })
  let acknowledged = 0
  const flood = (async () => {
    for (let i = 0; i < 40; i++) {
      await fill(journal, 50)
      acknowledged += 50
    }
  })()
  while (acknowledged < 2000) {
    await new Promise((resolve) => setImmediate(resolve))
    const before = acknowledged
    const found = seqs(await journal.read({}))
    expect(found.length).toBeGreaterThanOrEqual(before)
    expect(found).toEqual(found.map((_, i) => i + 1))
    const newest = seqs(await journal.read({ backwards: true }))
    expect(newest.toReversed()).toEqual(newest.map((_, i) => i + 1))
  }
  await flood
})

test('queries: filters, kinds, time, seq, limit, direction', async () => {
  const journal = await open({ segmentBytes: 2000 })
  await fill(journal, 200, (seq) => ({ topic: `devices/d${seq % 10}/${seq % 2 === 0 ? 'state' : 'cmd'}` }))
  const note = journal.note('hub-start', { version: 1 })
  expect(seqs(await journal.read({ topic: 'devices/d4/state', limit: 3 }))).toEqual([4, 14, 24])
  expect(seqs(await journal.read({ topic: 'devices/+/cmd', limit: 3, backwards: true }))).toEqual([199, 197, 195])
  expect((await journal.read({ topic: 'devices/d4/#' })).length).toBe(20)
  expect(await journal.read({ topic: 'devices/d4' })).toEqual([])
  expect(seqs(await journal.read({ since: 1_000_500, until: 1_000_530 }))).toEqual([50, 51, 52, 53])
  expect(seqs(await journal.read({ fromSeq: 150, toSeq: 152 }))).toEqual([150, 151, 152])
  expect(seqs(await journal.read({ fromSeq: 150, toSeq: 152, backwards: true }))).toEqual([152, 151, 150])
  const notes = await journal.read({ kinds: ['note'] })
  expect(notes).toMatchObject([{ seq: note, topic: '!hub-start', origin: 'hub', at: 5_000_000 }])
  expect(JSON.parse(notes[0]?.payload.toString() ?? '')).toEqual({ version: 1 })
  await expect(journal.read({ topic: 'a/#/b' })).rejects.toThrow('must be an MQTT topic filter')
})

test('a read is bounded and can be gone on with', async () => {
  const journal = await open({ segmentBytes: 200_000 })
  await fill(journal, 12_000, () => ({ payload: Buffer.alloc(0) }))
  const first = await journal.read({})
  expect(first.length).toBe(10_000)
  const rest = await journal.read({ fromSeq: (first.at(-1)?.seq ?? 0) + 1 })
  expect(seqs([...first, ...rest])).toEqual(Array.from({ length: 12_000 }, (_, i) => i + 1))
  expect(seqs(await journal.read({ backwards: true, limit: 11_000 })).slice(0, 2)).toEqual([12_000, 11_999])
})

test('why walks the causes back, and a loop of causes ends', async () => {
  const journal = await open({ segmentBytes: 1000 })
  await fill(journal, 50, (seq) => ({ cause: seq > 7 ? seq - 7 : 0 }))
  expect(seqs(await journal.why(50))).toEqual([50, 43, 36, 29, 22, 15, 8, 1])
  expect(seqs(await journal.why(50, 3))).toEqual([50, 43, 36])
  expect(await journal.why(999)).toEqual([])
  const a = journal.reserve()
  const b = journal.reserve()
  await committed(journal, message(a, { cause: b }))
  await committed(journal, message(b, { cause: a }))
  expect(seqs(await journal.why(b))).toEqual([b, a])
})

test('each segment begins with the retained set as it was before its first message', async () => {
  const retained = new Map<string, Omit<Entry, 'kind'>>()
  const journal = await open({ segmentBytes: 3000, snapshot: () => retained.values() })
  for (let i = 0; i < 120; i++) {
    const entry = message(journal.reserve(), { topic: `s/${i % 3}`, retain: true })
    const done = committed(journal, entry)
    retained.set(entry.topic, entry)
    await done
  }
  await shut(journal)
  expect(logs().length).toBeGreaterThan(2)
  const again = await open()
  for (const name of logs().slice(1)) {
    const first = Number.parseInt(name, 10)
    const next = logs()[logs().indexOf(name) + 1]
    const snapshot = await again.read({
      kinds: ['retained'],
      fromSeq: first,
      toSeq: next === undefined ? Infinity : Number.parseInt(next, 10) - 1,
    })
    expect(seqs(snapshot).toSorted((a, b) => a - b)).toEqual([first - 3, first - 2, first - 1])
  }
  expect(seqs(await again.read({}))).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
})

test('a snapshot larger than a segment does not make every message begin a new one', async () => {
  const kept = Array.from({ length: 3000 }, (_, i) =>
    message(0, { topic: `kept/${i}`, at: 0, payload: Buffer.alloc(500, 1) }),
  )
  const journal = await open({ segmentBytes: 1000, snapshot: () => kept })
  for (let i = 0; i < 20; i++) await fill(journal, 5)
  expect(journal.stats().segments).toBe(1)
  expect((await journal.read({ kinds: ['retained'] })).length).toBe(3000)
})

test('an entry numbered before another but appended after it is put where it belongs', async () => {
  const journal = await open()
  const [first, second, third] = [journal.reserve(), journal.reserve(), journal.reserve()]
  await Promise.all([third, second, first].map((seq) => committed(journal, message(seq))))
  expect(seqs(await journal.read({}))).toEqual([1, 2, 3])
})

test('retention deletes whole segments, oldest first, and never the one being written', async () => {
  const journal = await open({ segmentBytes: 2000 })
  await fill(journal, 20)
  for (let i = 0; i < 20; i++) await fill(journal, 20)
  const before = journal.stats()
  expect(before.segments).toBeGreaterThan(5)
  expect(await journal.retain({ maxBytes: Infinity, after: 0 })).toBe(0)
  expect(await journal.retain({ maxBytes: before.bytes - 1, after: 0 })).toBe(1)
  const gone = await journal.retain({ maxBytes: Infinity, after: 1_002_000 })
  expect(gone).toBeGreaterThan(0)
  const [oldest] = await journal.read({ limit: 1 })
  expect(oldest?.seq).toBe(journal.stats().firstSeq)
  expect(await journal.get(1)).toBeUndefined()
  // No message at or after the bound is gone.
  expect(oldest?.at).toBeLessThanOrEqual(1_002_000)
  await journal.retain({ maxBytes: 0, after: Infinity })
  expect(journal.stats().segments).toBe(1)
  expect(logs().length).toBe(1)
  const next = journal.reserve()
  await shut(journal)
  expect((await open()).reserve()).toBeGreaterThan(next)
})

test('a number is never given twice, whatever is lost', async () => {
  const given = new Set<number>()
  const give = (journal: Journal, count: number) => {
    for (let i = 0; i < count; i++) {
      const seq = journal.reserve()
      expect(given.has(seq)).toBe(false)
      given.add(seq)
    }
  }
  const first = await open()
  give(first, 25_000)
  await fill(first, 3)
  await shut(first)
  for (const name of logs()) rmSync(join(dir, name))
  const second = await open()
  give(second, 10)
  await shut(second)
  const slot = readFileSync(join(dir, 'seq'))
  const writes = [slot.readDoubleLE(8), slot.readDoubleLE(40)]
  slot.fill(0xff, (writes[0] ?? 0) > (writes[1] ?? 0) ? 0 : 32, (writes[0] ?? 0) > (writes[1] ?? 0) ? 32 : 64)
  writeFileSync(join(dir, 'seq'), slot)
  const third = await open()
  give(third, 10)
  await fill(third, 1)
  await shut(third)
  rmSync(join(dir, 'seq'))
  give(await open(), 10)
})

/** Everything in a folder's segments, read without a thread. */
const entriesOf = ({ segments }: Opened): Entry[] =>
  segments.flatMap(({ path, salt, size }) => {
    const { bytes } = scan([{ path, salt, spans: new Float64Array([64, size]) }], {})
    const entries: Entry[] = []
    for (let at = 0; at < bytes.length; at = endOf(bytes, at)) {
      const entry = decodeEntry(bytes, at)
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  })

test(
  'damaged tails: nothing wrong is ever returned, and what lies before the damage is',
  { timeout: 60_000 },
  async () => {
    const journal = await open()
    for (let i = 0; i < 60; i++) {
      await Promise.all([0, 1].map(() => committed(journal, crashEntry(journal.reserve()))))
    }
    await shut(journal)
    const name = logs()[0] ?? ''
    const path = join(dir, name)
    const whole = readFileSync(path)
    let seed = 7
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
    let [cutSomething, reported] = [0, 0]
    for (let round = 0; round < 240; round++) {
      const at = random(whole.length)
      const bytes = Buffer.from(whole)
      const flip = round % 2 === 1
      if (flip) bytes[at] = (bytes[at] ?? 0) ^ (1 << (round % 8))
      writeFileSync(path, bytes)
      if (!flip) truncateSync(path, at)
      if (round % 5 === 0) appendFileSync(path, Buffer.alloc(4096))
      const torn = openSegments(dir)
      const found = entriesOf(torn)
      for (const entry of found) expect(entry).toEqual(crashEntry(entry.seq))
      const order = seqs(found)
      expect(order).toEqual(order.toSorted((a, b) => a - b))
      if (flip) expect(order.length).toBeGreaterThanOrEqual(118)
      else expect(order).toEqual(order.map((_, i) => i + 1))
      if (torn.fd !== undefined) closeSync(torn.fd)
      if (torn.truncatedBytes > 0) cutSomething++
      if (torn.damage.length > 0) reported++
      // It goes on being written to, with new numbers.
      if (round % 12 === 0) {
        const again = await open()
        const seq = again.reserve()
        expect(seq).toBeGreaterThan(120)
        await committed(again, crashEntry(seq))
        expect(await again.get(seq)).toEqual(crashEntry(seq))
        expect(seqs(await again.read({}))).toEqual([...order, seq])
        await shut(again)
      }
      for (const other of logs()) if (other !== name) rmSync(join(dir, other))
    }
    expect(cutSomething).toBeGreaterThan(100)
    expect(reported).toBeGreaterThan(80)
  },
)

test('a damaged block in an older segment is passed over and reported once', async () => {
  const journal = await open({ segmentBytes: 4000 })
  for (let i = 0; i < 100; i++) await fill(journal, 2)
  await shut(journal)
  const path = join(dir, logs()[1] ?? '')
  const bytes = readFileSync(path)
  const middle = bytes.length >> 1
  bytes.fill(0xee, middle, middle + 10)
  writeFileSync(path, bytes)
  const damage: string[] = []
  const again = await open({ onDamaged: (sentence) => damage.push(sentence) })
  expect((await again.read({})).length).toBeGreaterThanOrEqual(196)
  await again.read({})
  expect(damage.length).toBeGreaterThanOrEqual(1)
  expect(new Set(damage).size).toBe(damage.length)
  expect(damage[0]).toContain(path)
  expect(readFileSync(path).equals(bytes)).toBe(true)
})

test('a payload that looks like a block is not taken for one', async () => {
  const journal = await open()
  await fill(journal, 2)
  const forged = readFileSync(new URL('./fixtures/version-1.log', import.meta.url)).subarray(64)
  await fill(journal, 1, () => ({ payload: forged }))
  await fill(journal, 2)
  await shut(journal)
  const path = join(dir, logs()[0] ?? '')
  const bytes = readFileSync(path)
  const at = bytes.indexOf(forged) - 100
  bytes.fill(0, at, at + 40)
  writeFileSync(path, bytes)
  const again = await open()
  expect(seqs(await again.read({}))).toEqual([1, 2, 4, 5])
  expect(await again.get(FIXTURE.firstSeq)).toBeUndefined()
})

test('a full disk: refused with a sentence, nothing acknowledged is lost, and freeing space heals it', async () => {
  let room = 20_000
  const disk: Disk = {
    ...realDisk,
    write: async (fd, bytes, at) => {
      if (room === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      const part = Math.min(room, bytes.length)
      room -= part
      return realDisk.write(fd, bytes.subarray(0, part), at)
    },
  }
  const broken: string[] = []
  const healed = Promise.withResolvers<void>()
  const journal = await open({
    disk,
    healMs: 20,
    segmentBytes: 6000,
    onBroken: (error) => broken.push(error.message),
    onHealed: () => healed.resolve(),
  })
  const acknowledged: number[] = []
  const errors: Error[] = []
  for (let i = 0; i < 100; i++) {
    const results = await Promise.allSettled(
      [1, 2, 3].map(async () => {
        const seq = journal.reserve()
        await committed(journal, message(seq))
        acknowledged.push(seq)
      }),
    )
    for (const result of results)
      if (result.status === 'rejected' && result.reason instanceof Error) errors.push(result.reason)
  }
  expect(acknowledged.length).toBeGreaterThan(30)
  expect(errors.length).toBeGreaterThan(0)
  expect(errors[0]?.message).toMatch(/cannot write to .*ENOSPC.*free some space/)
  expect(broken[0]).toBe(errors[0]?.message)
  expect(journal.stats()).toMatchObject({ broken: broken[0], refused: errors.length, waiting: 0 })
  expect(seqs(await journal.read({}))).toEqual(acknowledged)
  room = 1e9
  await healed.promise
  const after = await fill(journal, 5)
  expect(journal.stats().broken).toBeUndefined()
  await shut(journal)
  const again = await open()
  expect(again.stats().truncatedBytes).toBe(0)
  expect(seqs(await again.read({}))).toEqual([...acknowledged, ...seqs(after)])
})

test('a short write is finished', async () => {
  const disk: Disk = {
    ...realDisk,
    write: (fd, bytes, at) => realDisk.write(fd, bytes.subarray(0, Math.min(bytes.length, 37)), at),
  }
  const journal = await open({ disk })
  const entries = await fill(journal, 40)
  await shut(journal)
  expect(await (await open()).read({})).toEqual(entries)
})

test('an acknowledgement in power mode waits for the sync, and a failed sync acknowledges nothing', async () => {
  let [synced, fail] = [0, false]
  const disk: Disk = {
    ...realDisk,
    sync: async (fd) => {
      if (fail) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
      await realDisk.sync(fd)
      synced++
    },
  }
  const journal = await open({ disk, durability: 'power', healMs: 1e6 })
  await fill(journal, 3)
  const before = synced
  expect(before).toBeGreaterThanOrEqual(2)
  await fill(journal, 1)
  expect(synced).toBe(before + 1)
  fail = true
  await expect(fill(journal, 1)).rejects.toThrow('EIO')
  fail = false
  expect(seqs(await journal.read({}))).toEqual([1, 2, 3, 4])
})

test('too much waiting is refused with a sentence', async () => {
  const stuck = Promise.withResolvers<void>()
  const disk: Disk = {
    ...realDisk,
    write: async (fd, bytes, at) => stuck.promise.then(() => realDisk.write(fd, bytes, at)),
  }
  const journal = await open({ disk })
  const payload = Buffer.alloc(8 * 1024 * 1024)
  const waits = Array.from({ length: 40 }, () => committed(journal, message(journal.reserve(), { payload })))
  const refused = await Promise.allSettled(waits.slice(32))
  expect(refused.map((wait) => (wait.status === 'rejected' ? String(wait.reason) : 'written'))).toEqual(
    refused.map(() => expect.stringContaining('too slow')),
  )
  stuck.resolve()
  await Promise.all(waits.slice(0, 32))
})

test('a closed journal refuses, and closing waits for what is on its way', async () => {
  const journal = await open()
  const waits = Array.from({ length: 1000 }, () => committed(journal, message(journal.reserve())))
  await shut(journal)
  await Promise.all(waits)
  await expect(committed(journal, message(1001))).rejects.toThrow('closed')
  expect((await (await open()).read({})).length).toBe(1000)
})

test('a segment of a newer version, or a folder that cannot be used, stops the start with what to do', async () => {
  const journal = await open()
  await fill(journal, 1)
  await shut(journal)
  const path = join(dir, logs()[0] ?? '')
  const bytes = readFileSync(path)
  bytes.writeUInt16LE(2, 8)
  const { crc32 } = await import('node:zlib')
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  writeFileSync(path, bytes)
  await expect(open()).rejects.toThrow(/newer Millrace \(journal format 2, this one knows 1\)/)
  const file = join(dir, 'file')
  writeFileSync(file, '')
  const wrong = openJournal(join(file, 'journal'), { durability: 'process', clock: { stamp: () => 0 } })
  await expect(wrong).rejects.toBeInstanceOf(Fatal)
  await expect(wrong).rejects.toThrow(/cannot use the folder .* DATA_DIR/)
})
