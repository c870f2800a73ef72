// The registry: what devices say of themselves, who owns them, and the ids of foreign names.
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { Kysely, SqliteDialect } from 'kysely'
import { expect, test } from 'vitest'
import { YES } from '../broker/broker.ts'
import type { Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { Forbidden } from '../errors.ts'
import type { ErrorReport, Health, Log } from '../health/report.ts'
import type { Tables } from '../store/store.ts'
import { message } from '../streams/message.ts'
import { memoryBus } from '../testing/memory-bus.ts'
import { DeviceId } from '../topics/core.ts'
import { freeId, slug } from './names.ts'
import { type DevicesParts, openDevices, type OpenDevices } from './open.ts'
import { migrations } from './tables.ts'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => quiet }
const about = {
  name: 'Lamp',
  kind: 'light',
  area: 'bench',
  intents: { 'light.turn_off': {} },
  safe: ['light.turn_off'],
  maker: 'Shelly',
}
const device = (id: string): Principal => ({ kind: 'device', id, roles: [] })
const plugin = (id: string): Principal => ({ kind: 'plugin', id, roles: [] })
const turn = () => new Promise((resolve) => setImmediate(resolve))

const shop = async () => {
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: new Database(':memory:') }) })
  for (const migration of Object.values(migrations)) await migration.up(db)
  let now = 1_000_000
  const clock: Clock = { now: () => now, stamp: () => now }
  const reports: ErrorReport[] = []
  const health: Health = {
    set() {},
    drop() {},
    parts: () => [],
    status: () => 'healthy',
    report: (error) => void reports.push(error),
    metrics: { count() {}, gauge() {}, observe() {}, text: async () => '' },
  }
  const box: { devices?: OpenDevices } = {}
  const bus = memoryBus({ clock, mayOwn: (origin, id) => box.devices?.mayWrite(origin, id) ?? YES })
  const open = async (more: Partial<DevicesParts> = {}) =>
    (box.devices = await openDevices({ bus, store: { db }, clock, log: quiet, health, prefix: 'jarvis', ...more }))
  return { db, bus, open, reports, pass: (ms: number) => (now += ms) }
}

test('about, state and online make a device; the first about fixes its owner', async () => {
  const { bus, open } = await shop()
  const devices = await open()
  bus.publish(device('lamp'), message('devices/{device}/state', { device: 'lamp' }, { on: true }))
  await turn()
  expect(devices.get('lamp')).toBeUndefined()
  bus.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  bus.publish(device('lamp'), message('devices/{device}/online', { device: 'lamp' }, false))
  await turn()
  expect(devices.get('lamp')).toEqual({
    id: 'lamp',
    ...about,
    online: false,
    owner: 'device:lamp',
    state: { on: true },
    lastSeen: 1_000_000,
  })
  expect(devices.list()).toHaveLength(1)
  expect(devices.ownerOf('lamp')).toBe('device:lamp')
  await devices.close()
})

test('a writer that is not the owner is refused', async () => {
  const { bus, open } = await shop()
  const devices = await open()
  expect(devices.mayWrite('plugin:x', 'lamp')).toEqual(YES)
  bus.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  await turn()
  expect(devices.mayWrite('device:lamp', 'lamp')).toEqual(YES)
  expect(devices.mayWrite('plugin:x', 'lamp')).toEqual({ ok: false, reason: "device 'lamp' belongs to device:lamp" })
  expect(devices.mayWrite('device:lamp', 'Lamp!')).toMatchObject({ ok: false })
  expect(() => bus.publish(plugin('x'), message('devices/{device}/state', { device: 'lamp' }, {}))).toThrow(
    /belongs to device:lamp/,
  )
  expect(() => devices.claim('lamp', 'plugin:x')).toThrow(expect.objectContaining({ code: 'CONFLICT' }))
  devices.claim('lamp', 'device:lamp')
  await devices.close()
})

test('a message that slips past the intake from somebody else changes nothing and is reported', async () => {
  const { open, reports } = await shop()
  const loose = memoryBus({ clock: { now: () => 1, stamp: () => 1 } })
  const devices = await open({ bus: loose })
  devices.claim('lamp', 'device:lamp')
  loose.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  loose.publish(plugin('x'), message('devices/{device}/about', { device: 'lamp' }, { ...about, name: 'Mine' }))
  loose.publish(plugin('x'), message('devices/{device}/state', { device: 'lamp' }, { on: true }))
  loose.publish(plugin('x'), message('devices/{device}/online', { device: 'lamp' }, false))
  await turn()
  expect(devices.get('lamp')).toMatchObject({ name: 'Lamp', state: {}, online: true })
  expect(reports.map(({ type }) => type)).toEqual(['ForeignWriter', 'ForeignWriter', 'ForeignWriter'])
  await devices.close()
})

test('owners, names and last seen survive a restart; retained messages bring the rest back', async () => {
  const { bus, open, pass } = await shop()
  const first = await open()
  bus.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  bus.publish(device('lamp'), message('devices/{device}/state', { device: 'lamp' }, { on: true }))
  first.claim('kiosk', 'device:kiosk')
  await turn()
  expect(first.idFor({ by: 'printers', key: 'a1', name: 'Lamp' })).toMatch(/^lamp_[0-9a-f]{8}$/)
  await turn()
  await first.close()
  pass(5000)
  const devices = await open()
  expect(devices.get('lamp')).toMatchObject({
    name: 'Lamp',
    state: { on: true },
    owner: 'device:lamp',
    lastSeen: 1_000_000,
  })
  expect(devices.ownerOf('kiosk')).toBe('device:kiosk')
  expect(devices.mayWrite('plugin:x', 'kiosk').ok).toBe(false)
  await devices.close()
})

test('credentials issued before the registry knew them fix owners', async () => {
  const { open } = await shop()
  const credential = { clientId: 'lamp', device: 'lamp', username: 'lamp', topics: [], createdAt: '' }
  const devices = await open({ access: { credentials: async () => [credential] } })
  expect(devices.ownerOf('lamp')).toBe('device:lamp')
  await devices.close()
})

test('telemetry counts as a sign of life, a last will and messages of others do not', async () => {
  const { bus, open, pass } = await shop()
  const devices = await open()
  bus.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  await turn()
  pass(1000)
  bus.publish(device('lamp'), message('devices/{device}/telemetry', { device: 'lamp' }, { w: 1 }))
  await turn()
  expect(devices.get('lamp')?.lastSeen).toBe(1_001_000)
  pass(1000)
  bus.publish(device('lamp'), message('devices/{device}/online', { device: 'lamp' }, false))
  bus.publish(
    { kind: 'person', id: 'ada', roles: [] },
    message('devices/{device}/request', { device: 'lamp' }, { intent: 'light.turn_off' }),
  )
  await turn()
  expect(devices.get('lamp')?.lastSeen).toBe(1_001_000)
  await devices.close()
})

test('a device that clears its about is gone from the list and keeps its owner', async () => {
  const { bus, open } = await shop()
  const devices = await open()
  bus.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  await turn()
  bus.publishBytes(device('lamp'), 'jarvis/devices/lamp/about', Buffer.alloc(0))
  await turn()
  expect(devices.list()).toEqual([])
  expect(devices.ownerOf('lamp')).toBe('device:lamp')
  await devices.close()
})

test('forgetting frees the id and clears what was retained', async () => {
  const { bus, open, db } = await shop()
  const devices = await open()
  bus.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  bus.publish(device('lamp'), message('devices/{device}/online', { device: 'lamp' }, true))
  await turn()
  await devices.flush()
  expect(await db.selectFrom('devices').selectAll().execute()).toMatchObject([
    { id: 'lamp', owner: 'device:lamp', kind: 'light' },
  ])
  await devices.forget('lamp')
  await turn()
  expect(bus.retained('jarvis/devices/#')).toEqual([])
  expect(devices.get('lamp')).toBeUndefined()
  expect(await db.selectFrom('devices').selectAll().execute()).toEqual([])
  devices.claim('lamp', 'plugin:x')
  await devices.close()
})

test('a device that has no owner can be forgotten', async () => {
  const { open } = await shop()
  const inner = memoryBus({ clock: { now: () => 1, stamp: () => 1 } })
  // As the hub's rights are: nobody but a device publishes its topics, not the hub either.
  const publishBytes: typeof inner.publishBytes = (who, topic, ...rest) => {
    if (who.kind === 'hub') throw new Forbidden('written by: owner')
    return inner.publishBytes(who, topic, ...rest)
  }
  const bus = { ...inner, publishBytes }
  const devices = await open({ bus })
  bus.publish(device('lamp'), message('devices/{device}/state', { device: 'lamp' }, { on: true }))
  await turn()
  expect([devices.ownerOf('lamp'), bus.retained('jarvis/devices/#').length]).toEqual([undefined, 1])
  await devices.forget('lamp')
  await turn()
  expect(bus.retained('jarvis/devices/#')).toEqual([])
  await devices.close()
})

test('the registry is bounded, and says so once', async () => {
  const { open, reports, bus } = await shop()
  const devices = await open()
  for (let i = 0; i < 10_000; i++) devices.claim(`d${i}`, 'plugin:x')
  expect(() => devices.claim('one_more', 'plugin:x')).toThrow(/registry is full/)
  bus.publish(device('lamp'), message('devices/{device}/about', { device: 'lamp' }, about))
  await turn()
  expect(devices.get('lamp')).toBeUndefined()
  expect(reports.filter(({ type }) => type === 'RegistryFull')).toHaveLength(1)
  await devices.close()
})

test('owners reach the table as soon as it can be written again', async () => {
  const { open, db } = await shop()
  const devices = await open()
  await db.schema.alterTable('devices').renameTo('away').execute()
  devices.claim('lamp', 'device:lamp')
  await expect(devices.flush()).rejects.toThrow(/no such table/)
  await db.schema.alterTable('away').renameTo('devices').execute()
  await devices.flush()
  expect(await db.selectFrom('devices').select('id').execute()).toEqual([{ id: 'lamp' }])
  await devices.close()
})

test('a foreign name gets its id once: a rename keeps it, a collision adds a hash', async () => {
  const { open } = await shop()
  const devices = await open()
  devices.claim('mk4', 'plugin:printers')
  expect(devices.idFor({ by: 'printers', key: '1', name: 'MK4' })).toBe('mk4')
  expect(devices.idFor({ by: 'printers', key: '1', name: 'Renamed' })).toBe('mk4')
  const second = devices.idFor({ by: 'printers', key: '2', name: 'mk-4' })
  expect(second).toBe('mk_4')
  const third = devices.idFor({ by: 'cameras', key: '2', name: 'MK 4' })
  expect(third).toMatch(/^mk_4_[0-9a-f]{8}$/)
  await devices.close()
  const again = await open()
  expect(again.idFor({ by: 'cameras', key: '2', name: 'whatever' })).toBe(third)
  await again.close()
})

test('slugs', () => {
  expect(['Prusa MK4 (left)', 'Größe 3', '  ', '…', '_x_', 'ÀÉ', 'a'.repeat(100)].map(slug)).toEqual([
    'prusa_mk4_left',
    'grosse_3',
    'device',
    'device',
    'x',
    'ae',
    'a'.repeat(63),
  ])
})

test('every name gives a valid id that is not taken', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.nat(3), (name, key, clashes) => {
      const taken = new Set<string>()
      for (let i = 0; i <= clashes; i++) {
        const id = freeId({ by: 'x', key: `${key}${i}`, name }, (other) => taken.has(other))
        expect(DeviceId.safeParse(id).success).toBe(true)
        expect(taken.has(id)).toBe(false)
        taken.add(id)
      }
    }),
  )
})
