// Reading the journal's files beside a hub that writes them: everything in order, nothing changed, damage passed over.
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Entry, Journal } from './entry.ts'
import { openJournal } from './journal.ts'
import { openPast } from './past.ts'

const folders: string[] = []
const journals: Journal[] = []
afterEach(async () => {
  for (const journal of journals.splice(0)) await journal.close()
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true })
})
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'past-'))
  folders.push(dir)
  return dir
}
const message = (seq: number, more: Partial<Entry> = {}): Entry => ({
  kind: 'message',
  seq,
  at: 1_000_000 + seq * 10,
  cause: 0,
  n: 0,
  topic: `jarvis/devices/d${seq % 5}/telemetry`,
  payload: Buffer.from(`{"n":${seq}}`),
  qos: 1,
  retain: false,
  origin: 'device:dust',
  correlation: '',
  ...more,
})
const write = async (entries: readonly Entry[], dir = folder(), segmentBytes = 8192): Promise<Journal> => {
  const set = new Map<string, Entry>()
  const journal = await openJournal(dir, {
    durability: 'process',
    clock: { stamp: () => 1 },
    segmentBytes,
    snapshot: () => set.values(),
  })
  journals.push(journal)
  for (const entry of entries) {
    await new Promise<void>((resolve, reject) =>
      journal.append(entry, (e) => (e === undefined ? resolve() : reject(e))),
    )
    if (!entry.retain) continue
    if (entry.payload.length === 0) set.delete(entry.topic)
    else set.set(entry.topic, entry)
  }
  return journal
}
const dirOf = (): string => folders.at(-1) ?? ''
const everything = () => true
const filesOf = (dir: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(dir)
      .sort()
      .map((name) => [name, readFileSync(join(dir, name)).toString('base64')]),
  )

test('everything comes in order, over many segments, while the journal is open for writing', async () => {
  const entries = Array.from({ length: 500 }, (_, i) => message(i + 1))
  await write(entries)
  const before = filesOf(dirOf())
  const past = openPast(dirOf())
  expect(past.segments.length).toBeGreaterThan(3)
  expect([...past.entries({}, everything)].map(({ seq }) => seq)).toEqual(entries.map(({ seq }) => seq))
  expect(past).toMatchObject({ firstSeq: 1, lastSeq: 500, lastAt: 1_005_000, damage: [] })
  expect(filesOf(dirOf())).toEqual(before)
})

test('a span gives what lies in it, and whole blocks at most beside it', async () => {
  await write(Array.from({ length: 300 }, (_, i) => message(i + 1)))
  const past = openPast(dirOf())
  const seqs = (span: object) => [...past.entries(span, everything)].map(({ seq }) => seq)
  expect(seqs({ fromSeq: 100, toSeq: 103 })).toEqual([100, 101, 102, 103])
  expect(seqs({ since: 1_001_000, until: 1_001_020 })).toEqual([100, 101, 102])
  expect(seqs({ fromSeq: 301 })).toEqual([])
})

test('a torn tail is not read and not cut off', async () => {
  const journal = await write(
    Array.from({ length: 20 }, (_, i) => message(i + 1)),
    folder(),
    1 << 20,
  )
  await journal.close()
  journals.pop()
  const [name = ''] = readdirSync(dirOf()).filter((each) => each.endsWith('.log'))
  const file = join(dirOf(), name)
  appendFileSync(file, readFileSync(file).subarray(-150, -20))
  const size = statSync(file).size
  expect([...openPast(dirOf()).entries({}, everything)]).toHaveLength(20)
  expect(statSync(file).size).toBe(size)
})

test('a damaged block is passed over and told', async () => {
  await write(
    Array.from({ length: 20 }, (_, i) => message(i + 1)),
    folder(),
    1 << 20,
  )
  const [name = ''] = readdirSync(dirOf()).filter((each) => each.endsWith('.log'))
  const copy = folder()
  copyFileSync(join(folders.at(-2) ?? '', name), join(copy, name))
  const bytes = readFileSync(join(copy, name))
  const at = bytes.indexOf('{"n":7}')
  bytes[at + 1] = 0
  writeFileSync(join(copy, name), bytes)
  const past = openPast(copy)
  expect([...past.entries({}, everything)].map(({ seq }) => seq)).not.toContain(7)
  expect([...past.entries({}, everything)]).toHaveLength(19)
  expect(past.damage.join()).toMatch(/damaged/)
})

test('the retained set is that of its moment, in later segments as in the first', async () => {
  const entries = Array.from({ length: 400 }, (_, i): Entry => {
    const seq = i + 1
    if (seq === 200) return message(seq, { topic: 'jarvis/devices/d1/state', payload: Buffer.alloc(0), retain: true })
    return seq % 10 === 0
      ? message(seq, { topic: `jarvis/devices/d${(seq / 10) % 3}/state`, retain: true })
      : message(seq)
  })
  await write(entries)
  const past = openPast(dirOf())
  expect(past.segments.length).toBeGreaterThan(3)
  for (const seq of [0, 1, 9, 10, 11, 55, 199, 200, 209, 210, 333, 400]) {
    const expected = new Map<string, number>()
    for (const entry of entries.slice(0, seq)) {
      if (!entry.retain) continue
      expected.delete(entry.topic)
      if (entry.payload.length > 0) expected.set(entry.topic, entry.seq)
    }
    const found = past.retainedAt(seq, everything)
    expect(Object.fromEntries([...found].map(([topic, entry]) => [topic, entry.seq])), `at ${seq}`).toEqual(
      Object.fromEntries(expected),
    )
  }
})

test('a folder without a journal is told with what to do', () => {
  expect(() => openPast(join(tmpdir(), 'no-such-folder-here'))).toThrow('Start a hub first')
})
