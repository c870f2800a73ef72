// Roll-ups equal a plain computation over the journal, wherever the hub was killed and whatever was deleted meanwhile.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Entry } from '../entry.ts'
import { openSegments } from '../segments.ts'
import { Writer } from '../writer.ts'
import { realDisk } from '../disk.ts'
import { openRollup, type Rollup } from './rollup.ts'
import { openTables, type Tables } from './tables.ts'
import type { SegmentEnd } from './walk.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'series-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const PER_DEVICE = 4
const T0 = Date.UTC(2026, 10, 20, 8)

const entry = (seq: number, device: string, leaf: string, payload: unknown, at: number): Entry => ({
  kind: 'message',
  seq,
  at,
  cause: 0,
  n: 0,
  topic: `jarvis/devices/${device}/${leaf}`,
  payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
  qos: 1,
  retain: false,
  origin: `device:${device}`,
  correlation: '',
})

/** A journal's writer over small segments, and the roll-ups of its folder. */
const bench = (name: string, segmentBytes = 1500, retained: () => Entry[] = () => []) => {
  const journal = join(dir, name)
  const opened = openSegments(journal)
  const { segments } = opened
  const options = { dir: journal, disk: realDisk, power: false, segmentBytes, healMs: 1000 }
  const broken = (error: Error): void => {
    throw error
  }
  const writer = new Writer(
    { ...options, snapshot: retained, onBroken: broken, onHealed: () => {} },
    segments,
    opened.fd,
  )
  const file = join(dir, `${name}.sqlite`)
  const ends = (): SegmentEnd[] => segments.map(({ path, firstSeq, salt, size }) => ({ path, firstSeq, salt, size }))
  let run = 0
  let tables: Tables
  let rollup: Rollup
  const begin = (): void => {
    ;({ tables } = openTables(file))
    const made = openRollup(tables, {
      prefix: 'jarvis',
      run: String(run),
      opened: ends(),
      perDevice: PER_DEVICE,
      inAll: 100,
    })
    if (made === undefined) throw new Error('the journal is taken for another one')
    rollup = made
  }
  begin()
  return {
    segments,
    file,
    append: (one: Entry) =>
      new Promise<void>((resolve, reject) => writer.append(one, (error) => (error ? reject(error) : resolve()))),
    step: (bytes: number) => rollup.step(ends(), bytes),
    flush: () => rollup.flush(),
    pass: () => {
      while (rollup.step(ends(), 1 << 20) > 0);
      rollup.flush()
    },
    refused: () => rollup.refused(),
    reached: () => rollup.reached().seq,
    series: (device: string) => rollup.series(device),
    bucket: (device: string, field: string, at: number) => {
      const series = rollup.series(device)?.get(field)
      return series && rollup.bucket(series, 'minute', Math.floor(at / 60_000))
    },
    /** What is not flushed is lost; a new hub begins, or only a new thread of the same one. */
    kill: (isHub: boolean) => {
      tables.close()
      if (isHub) run++
      begin()
    },
    /** Deletes the oldest segment, as retention does. */
    dropOldest: () => {
      const [oldest, next] = segments
      if (oldest === undefined || next === undefined) return
      rmSync(oldest.path)
      segments.shift()
    },
    close: async () => {
      tables.close()
      await writer.close()
    },
  }
}

interface Told {
  seq: number
  at: number
  device: string
  payload: unknown
}

/** A plain computation: collects the readings of each bucket, then looks at them. */
const naive = (told: readonly Told[]): Record<string, object> => {
  const fields = new Map<string, Set<string>>()
  const readings = new Map<string, { value: number; at: number }[]>()
  for (const { device, payload, at } of [...told].sort((a, b) => a.seq - b.seq)) {
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) continue
    const known = fields.get(device) ?? new Set()
    fields.set(device, known)
    for (const [field, raw] of Object.entries(payload)) {
      const value: unknown =
        typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? (raw as { value?: unknown }).value : raw
      if (typeof value !== 'number' && typeof value !== 'boolean') continue
      if (!known.has(field) && known.size >= PER_DEVICE) continue
      known.add(field)
      for (const ms of [60_000, 3_600_000, 86_400_000]) {
        const index = Math.floor(at / ms)
        const key = `${ms / 1000} ${index} ${device} ${field}`
        readings.set(key, [...(readings.get(key) ?? []), { value: Number(value) + 0, at: at - index * ms }])
      }
    }
  }
  return Object.fromEntries(
    [...readings].map(([key, all]) => {
      const values = all.map(({ value }) => value)
      const held = all.reduce((sum, { value, at }, i) => sum + value * Math.max(0, (all[i + 1]?.at ?? at) - at), 0)
      return [
        key,
        {
          n: all.length,
          sum: values.reduce((a, b) => a + b, 0),
          low: Math.min(...values),
          high: Math.max(...values),
          first: values[0],
          first_at: all[0]?.at,
          last: values.at(-1),
          last_at: all.at(-1)?.at,
          held,
        },
      ]
    }),
  )
}

const kept = (file: string): Record<string, object> => {
  const db = new Database(file, { readonly: true })
  const rows = db
    .prepare<[], Record<string, number | string>>(
      `select span || ' ' || "at" || ' ' || device || ' ' || field as key, n, sum, low, high, first, first_at, last, last_at, held
       from buckets join series on series.id = buckets.series`,
    )
    .all()
  const all = db.prepare('select count(*) from buckets').pluck().get()
  db.close()
  expect(rows.length).toBe(all)
  return Object.fromEntries(rows.map(({ key, ...rest }) => [key, rest]))
}

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
  fc.integer({ min: -50, max: 50 }),
  fc.boolean(),
  fc.record({ value: fc.integer({ min: 0, max: 9 }), unit: fc.constant('W') }),
  fc.constantFrom('text', null, [1], { deep: { value: 1 } }),
)
const payload = fc.oneof(
  { weight: 9, arbitrary: fc.dictionary(fc.constantFrom('t', 'on', 'w', 'rpm', 'x', 'y'), value, { maxKeys: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom('{ broken', [1, 2], 7, '') },
)
const action = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('say' as const),
      device: fc.constantFrom('dust', 'press'),
      leaf: fc.constantFrom('state', 'telemetry', 'event'),
      payload,
      /** Stamps may go back: seconds around a time that moves on. */
      off: fc.integer({ min: -90_000, max: 400_000 }),
      burst: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('step' as const), bytes: fc.integer({ min: 1, max: 4000 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), isHub: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const) }) },
)

test('they equal a plain computation over what the journal had, with kills, stamps out of order and old segments deleted', async () => {
  let round = 0
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 60 }), async (actions) => {
      const its = bench(`j${round++}`)
      const alive = new Map<number, Told>()
      const certain = new Map<number, Told>()
      let read = new Map<number, Told>()
      const note = (): void => {
        for (const [seq, one] of alive) if (seq <= its.reached() && !certain.has(seq)) read.set(seq, one)
      }
      let [seq, at] = [0, T0]
      for (const one of actions) {
        if (one.do === 'say')
          for (let i = 0; i < one.burst; i++) {
            at += Math.max(0, one.off)
            const told = { seq: ++seq, at: at + Math.min(0, one.off), device: one.device, payload: one.payload }
            if (one.leaf !== 'event') alive.set(seq, told)
            await its.append(entry(seq, one.device, one.leaf, one.payload, told.at))
          }
        if (one.do === 'step') its.step(one.bytes)
        if (one.do === 'step') note()
        if (one.do === 'flush') {
          its.flush()
          for (const [key, told] of read) certain.set(key, told)
        }
        if (one.do === 'flush' || one.do === 'kill') read = new Map()
        if (one.do === 'kill') its.kill(one.isHub)
        if (one.do === 'drop') {
          its.dropOldest()
          const first = its.segments[0]?.firstSeq ?? 0
          for (const gone of alive.keys()) if (gone < first) alive.delete(gone)
        }
      }
      its.pass()
      note()
      for (const [key, told] of read) certain.set(key, told)
      expect(kept(its.file)).toEqual(naive([...certain.values()]))
      await its.close()
    }),
    { numRuns: 40, interruptAfterTimeLimit: 15_000, endOnFailure: true },
  )
})

test('what is announced as a thing about people is not kept, and what was kept of it goes', async () => {
  const its = bench('people')
  await its.append(entry(1, 'box', 'telemetry', { count: 3, people: 2, gps_lat: 1, celsius: 20 }, T0))
  its.pass()
  expect([...(its.series('box')?.keys() ?? [])]).toEqual(['count', 'celsius'])
  await its.append(entry(2, 'box', 'about', { name: 'Box', kind: 'badge_reader', intents: {} }, T0))
  await its.append(entry(3, 'box', 'state', { count: 4 }, T0))
  its.pass()
  expect(its.series('box')).toBeUndefined()
  expect(kept(its.file)).toEqual({})
  its.kill(true)
  await its.append(entry(4, 'box', 'state', { count: 5 }, T0))
  await its.append(entry(5, 'box', 'about', { name: 'Box', kind: 'scale', intents: {} }, T0))
  await its.append(entry(6, 'box', 'state', { count: 6 }, T0))
  its.pass()
  expect(its.bucket('box', 'count', T0)).toMatchObject({ n: 1, last: 6 })
  await its.close()
})

test('a segment tells again what was announced: made anew from the newest alone, it knows what is about people', async () => {
  const about = { ...entry(1, 'door', 'about', { kind: 'presence' }, T0), retain: true }
  let known: Entry[] = []
  const its = bench('again', 1500, () => known)
  await its.append(about)
  known = [about]
  for (let seq = 2; seq < 40; seq++) await its.append(entry(seq, 'door', 'state', { open: true, n: seq }, T0 + seq))
  expect(its.segments.length).toBeGreaterThan(2)
  while (its.segments.length > 1) its.dropOldest()
  its.pass()
  expect(its.series('door')).toBeUndefined()
  await its.close()
})

test('a device that invents fields gets no more than its share, and is named once a day', async () => {
  const its = bench('flood', 100_000)
  let seq = 0
  const invent = async (day: number): Promise<void> => {
    for (let i = 0; i < 50; i++)
      await its.append(entry(++seq, 'mad', 'state', { [`f${seq}`]: 1 }, T0 + day * 86_400_000))
    its.pass()
  }
  await invent(0)
  await its.append(entry(++seq, 'sane', 'state', { celsius: 20 }, T0))
  its.pass()
  expect(its.series('mad')?.size).toBe(PER_DEVICE)
  expect(its.series('sane')?.size).toBe(1)
  expect(its.refused()).toEqual(['mad'])
  expect(its.refused()).toEqual([])
  const before = [...(its.series('mad')?.keys() ?? [])]
  // What was silent for more than a week makes room.
  await invent(9)
  expect(its.series('mad')?.size).toBe(PER_DEVICE)
  expect([...(its.series('mad')?.keys() ?? [])].some((field) => before.includes(field))).toBe(false)
  expect(its.refused()).toEqual(['mad'])
  await its.close()
})

test('a field stays a switch until it says a number', async () => {
  const its = bench('kinds')
  await its.append(entry(1, 'fan', 'state', { on: true }, T0))
  its.pass()
  its.kill(true)
  expect(its.series('fan')?.get('on')?.isSwitch).toBe(true)
  await its.append(entry(2, 'fan', 'state', { on: 0.5 }, T0))
  its.pass()
  its.kill(true)
  expect(its.series('fan')?.get('on')?.isSwitch).toBe(false)
  await its.close()
})

test('when a write fails, what was read is read again', async () => {
  const its = bench('full')
  await its.append(entry(1, 'dust', 'state', { pm25: 3 }, T0))
  its.step(1 << 20)
  const other = new Database(its.file, { timeout: 100 })
  other.exec('begin immediate')
  expect(() => its.flush()).toThrow(/locked/)
  other.exec('rollback')
  other.close()
  expect(its.reached()).toBe(0)
  its.pass()
  expect(its.bucket('dust', 'pm25', T0)).toMatchObject({ n: 1, sum: 3 })
  await its.close()
})

test('another journal in the place of the old one is seen, a lost tail and a lost segment are not taken for it', async () => {
  const its = bench('first')
  for (let seq = 1; seq < 30; seq++) await its.append(entry(seq, 'dust', 'state', { pm25: seq }, T0 + seq))
  its.pass()
  const segments = its.segments.map(({ path, firstSeq, salt, size }) => ({ path, firstSeq, salt, size }))
  await its.close()
  const fits = (opened: SegmentEnd[]): boolean => {
    const { tables } = openTables(its.file)
    const options = { prefix: 'jarvis', run: 'next', opened, perDevice: 4, inAll: 9 }
    const made = openRollup(tables, options) !== undefined
    tables.close()
    return made
  }
  const last = segments.at(-1)
  if (last === undefined) throw new Error('no segment')
  expect(fits(segments)).toBe(true)
  expect(fits([])).toBe(false)
  expect(fits([{ ...last, firstSeq: 1, salt: 7 }])).toBe(false)
  expect(fits([{ ...last, salt: 7 }])).toBe(false)
  expect(fits([{ ...last, size: 100 }])).toBe(true)
  expect(fits(segments.slice(0, -1))).toBe(true)
  expect(fits(segments.slice(0, -2))).toBe(false)
  expect(fits([{ ...last, firstSeq: last.firstSeq + 100, salt: 7 }])).toBe(true)
})

test('the file is for the hub alone, and made anew when it is damaged or of another format', () => {
  const file = join(dir, 'own.sqlite')
  openTables(file).tables.close()
  expect((statSync(file).mode & 0o777).toString(8)).toBe('600')
  const db = new Database(file)
  db.pragma('user_version = 99')
  db.close()
  const later = openTables(file)
  expect(later.renewed).toMatch(/format is 99/)
  later.tables.close()
  rmSync(file)
  const other = new Database(file)
  other.exec('create table t (n)')
  other.close()
  const foreign = openTables(file)
  expect(foreign.renewed).toBeDefined()
  foreign.tables.close()
})
