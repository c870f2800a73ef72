// A fixture cut from a journal: what is in it, what is not, and that it plays.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { play } from '#hub/testing'
import dust from '../../flows/dust-starts-extractor.ts'
import door from '../../flows/door-open-too-long.ts'
import { readConfig } from '../config.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import type { Entry } from './entry.ts'
import { openJournal } from './journal.ts'
import { openPast } from './past.ts'
import { type Cut, cutFixture, fixtureText, recordCommand } from './record-cli.ts'

const T0 = Date.UTC(2026, 10, 20, 8)
const table = topicTable([core], 'jarvis')
const folders: string[] = []
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true })
})
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'record-cli-'))
  folders.push(dir)
  return dir
}

type Told = readonly [second: number, topic: string, payload: unknown]
const journalOf = async (told: readonly Told[]): Promise<string> => {
  const dir = folder()
  const journal = await openJournal(join(dir, 'journal'), { durability: 'process', clock: { stamp: () => T0 } })
  for (const [second, topic, payload] of told) {
    const full = `jarvis/${topic}`
    const entry: Entry = {
      kind: 'message',
      seq: journal.reserve(),
      at: T0 + second * 1000,
      topic: full,
      payload: payload === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(payload)),
      qos: 1,
      retain: table.match(full)?.row.retain ?? false,
      origin: 'person:ada',
      cause: 0,
      correlation: '',
      n: 0,
    }
    journal.append(entry)
  }
  await journal.close()
  return dir
}
const all: Cut = { since: T0, until: T0 + 3600_000, filters: ['jarvis/#'], devices: false, raw: false, most: 1000 }
const cutOf = async (told: readonly Told[], cut: Partial<Cut> = {}) =>
  cutFixture(openPast(join(await journalOf(told), 'journal')), table, { ...all, ...cut })

const dusty: Told[] = [
  [-60, 'devices/door/state', { open: true }],
  [0, 'devices/dust/telemetry', { dust: 10 }],
  [5, 'devices/dust/telemetry', { dust: 120 }],
  [5, 'devices/noise/telemetry', { level: 3 }],
  [20, 'devices/dust/telemetry', { dust: 5 }],
]

test('a fixture plays: times count from its first message, and what was retained comes along', async () => {
  const { fixture, left } = await cutOf(dusty)
  expect(left).toBe(0)
  expect(Object.keys(fixture.timeline)).toEqual(['0s', '5s', '20s'])
  const dir = folder()
  writeFileSync(join(dir, 'fixture.ts'), fixtureText(fixture, false))
  const cut = (await import(pathToFileURL(join(dir, 'fixture.ts')).href)) as {
    timeline: Parameters<typeof play>[1]
    retained: never[]
    start: string
  }
  expect(Object.keys(play(dust, cut.timeline))).toEqual(['5s', '140s'])
  expect(Object.keys(play(door, cut.timeline, { retained: cut.retained, until: '3m' }))).toEqual(['120s'])
  expect(cut.start).toBe('2026-11-20T08:00:00.000Z')
})

test('as JSON its first line says what it is', async () => {
  const text = fixtureText((await cutOf(dusty)).fixture, true)
  expect(text.split('\n')[0]).toMatch(/^\{ "about": "4 messages on jarvis\/#\. Anonymised: /)
  expect(JSON.parse(text)).toMatchObject({ timeline: { '20s': { params: { device: 'dust' } } } })
})

const people: Told[] = [
  [
    0,
    'devices/lock/request',
    { intent: 'lock.open', requestedBy: 'person:ada', reason: 'ada asked, call 192.168.1.7' },
  ],
  [1, 'devices/lock/event', { type: 'badge', badge: '04:a2:bb', user: 'Bea Meier', code: '1234', at_door: true }],
  [
    2,
    'devices/lock/event',
    { type: 'badge', badge: '04:a2:bb', user: 'Bea Meier', ip: '10.0.0.9', mail: 'bea@work.example' },
  ],
  [3, 'devices/phone/telemetry', { latitude: 47.05, longitude: 8.31, battery: 80, note: 'Bea Meier was here' }],
  [4, 'devices/lock/event', { type: 'card', card: 77123, requestedBy: 'flow:night' }],
]

test('people, badges, addresses and secrets are replaced, the same each time; the rest is left', async () => {
  const { fixture } = await cutOf(people)
  const text = JSON.stringify(fixture)
  for (const secret of [
    'ada',
    'Bea',
    'Meier',
    '04:a2',
    '1234',
    '192.168',
    '10.0.0.9',
    'work.example',
    '47.05',
    '8.31',
    '77123',
  ])
    expect(text, secret).not.toContain(secret)
  expect(fixture.timeline['1s']).toMatchObject({ payload: { type: 'badge', at_door: true } })
  const badge = (when: string) => (fixture.timeline[when] as { payload: { badge: string; user: string } }).payload
  expect(badge('1s').badge).toBe(badge('2s').badge)
  expect(badge('1s').user).toBe(badge('2s').user)
  expect(badge('1s').user).not.toBe(badge('1s').badge)
  expect(fixture.timeline['3s']).toMatchObject({ params: { device: 'phone' }, payload: { battery: 80 } })
  expect(fixture.timeline['4s']).toMatchObject({ payload: { requestedBy: 'flow:night' } })
  expect(fixture.about).toMatch(/^5 messages on jarvis\/#\. Anonymised: \d+ people.*device ids are the real ones/)
})

test('device ids are replaced when asked, wherever they stand', async () => {
  const { fixture } = await cutOf(
    [...dusty, [30, 'devices/bench/event', { type: 'seen', text: 'dust is dusty', device: 'door' }]],
    {
      devices: true,
    },
  )
  const text = JSON.stringify({ ...fixture, about: '' })
  expect(text).not.toMatch(/"dust"|"door"|dust is/)
  expect(text).toContain('is dusty')
  expect(fixture.about).toContain('device ids replaced')
})

test('raw leaves everything, and says so', async () => {
  const { fixture } = await cutOf(people, { raw: true })
  expect(JSON.stringify(fixture)).toContain('Bea Meier')
  expect(fixture.about).toContain('NOT anonymised')
})

test('what play cannot take is left out and counted', async () => {
  const { fixture, left } = await cutOf([
    [0, 'devices/x/online', 'perhaps'],
    [1, 'nobody/knows', {}],
    [2, 'devices/x/online', undefined],
    [3, 'devices/x/online', true],
  ])
  expect(left).toBe(3)
  expect(Object.keys(fixture.timeline)).toEqual(['0s'])
})

test('too much, nothing, and what cannot be understood are told with what to do', async () => {
  await expect(cutOf(dusty, { most: 2 })).rejects.toThrow('more than 2 messages')
  await expect(cutOf(dusty, { filters: ['jarvis/none'] })).rejects.toThrow('Nothing was recorded')
  const dir = await journalOf(dusty)
  const config = readConfig({ DATA_DIR: dir }, dir)
  const run = async (...args: string[]) => {
    const told = { out: '', err: '' }
    const code = await recordCommand(args, config, async () => table, {
      out: (text) => (told.out += text),
      err: (text) => (told.err += text),
    })
    return { code, ...told }
  }
  expect(await run()).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--topic') })
  expect(await run('--topic', 'a/#/b')).toMatchObject({ code: 2, err: expect.stringContaining('MQTT topic filter') })
  expect(await run('--topic', '#', '--last', 'soon')).toMatchObject({ code: 2 })
  expect(await run('--topic', '#', '--wrong')).toMatchObject({ code: 2 })
  const good = await run(
    '--topic',
    'jarvis/devices/dust/#',
    '--since',
    '2026-11-20T07:00:00Z',
    '--until',
    '2026-11-20T09:00:00Z',
  )
  expect(good.code).toBe(0)
  expect(good.out.split('\n')[0]).toMatch(/^\/\/ 3 messages on jarvis\/devices\/dust\/#\. Anonymised/)
})
