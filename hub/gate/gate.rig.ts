// A gate for tests: real registry, real tables in memory, a bus in memory, time by hand, and devices that answer as told.
import Database from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { no, YES } from '../broker/broker.ts'
import { originOf, type Principal } from '../bus/principal.ts'
import type { Clock } from '../clock.ts'
import { openDevices, type OpenDevices } from '../devices/open.ts'
import { migrations as deviceMigrations } from '../devices/tables.ts'
import type { ErrorReport, Health, HealthWord, Log } from '../health/report.ts'
import { message } from '../streams/message.ts'
import type { Tables } from '../store/store.ts'
import { writeTo } from '../store/write.ts'
import { memoryBus, type MemoryBus } from '../testing/memory-bus.ts'
import type { Wait } from './bounds.ts'
import { type GateParts, openGate } from './open.ts'
import { migrations as gateMigrations } from './tables.ts'

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => quiet }

/** Health that remembers what it was told. */
export const memoryHealth = (): Health & { reports: ErrorReport[]; words: Map<string, HealthWord> } => {
  const reports: ErrorReport[] = []
  const words = new Map<string, HealthWord>()
  return {
    reports,
    words,
    set: (part, word) => void words.set(part, word),
    drop: (part) => void words.delete(part),
    parts: () => [],
    status: () => 'healthy',
    report: (error) => void reports.push(error),
    metrics: { count() {}, gauge() {}, observe() {}, text: async () => '' },
  }
}

export const memoryDb = async (): Promise<Kysely<Tables>> => {
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: new Database(':memory:') }) })
  for (const migration of Object.values({ ...deviceMigrations, ...gateMigrations })) await migration.up(db)
  return db
}

/** Lets everything that waits for no time run. */
export const settle = async (rounds = 12): Promise<void> => {
  for (let i = 0; i < rounds; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Time that moves only when told to. */
export const handTime = (start = Date.parse('2026-03-01T08:00:00Z')) => {
  let now = start
  let timers: { due: number; work: () => void }[] = []
  const clock: Clock = { now: () => now, stamp: () => now }
  const wait: Wait = (ms, work) => {
    const timer = { due: now + ms, work }
    timers.push(timer)
    return () => void (timers = timers.filter((other) => other !== timer))
  }
  return {
    clock,
    wait,
    get waiting() {
      return timers.length
    },
    /** Moves time on, firing what falls due at its time. */
    async pass(ms: number) {
      const end = now + ms
      await settle()
      for (;;) {
        const next = timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0]
        if (next === undefined) break
        timers = timers.filter((other) => other !== next)
        now = Math.max(now, next.due)
        next.work()
        await settle()
      }
      now = end
      await settle()
    },
  }
}

export const ada: Principal = { kind: 'person', id: 'ada', roles: ['operator'] }
export const eve: Principal = { kind: 'person', id: 'eve', roles: [] }
export const dustFlow: Principal = { kind: 'flow', id: 'dust-starts-extractor', roles: [] }

export const deviceOf = (id: string): Principal => ({ kind: 'device', id, roles: [] })

export const access: GateParts['access'] = {
  mayRequest: (who) =>
    who.kind === 'person' && who.roles.length === 0 ? no('your role may not ask devices for anything') : YES,
  may: (who) => (who.roles.length === 0 ? no('your role may not stop the shop') : YES),
}

export const principals = [ada, eve, dustFlow]

export const press = {
  name: 'Press',
  kind: 'press',
  intents: {
    'press.close': {
      type: 'object',
      properties: { force: { type: 'number', minimum: 0, maximum: 100 } },
      required: ['force'],
      additionalProperties: false,
    },
    'press.open': {},
    'press.stop': {},
    'press.name': { type: 'object' },
  },
  safe: ['press.stop'],
}

export interface Rig {
  bus: MemoryBus
  db: Kysely<Tables>
  devices: OpenDevices
  health: ReturnType<typeof memoryHealth>
  time: ReturnType<typeof handTime>
  /** Publishes as a device. */
  about(id: string, about: Record<string, unknown>, online?: boolean): void
  ack(
    id: string,
    ack: { id: string; status: 'accepted' | 'done' | 'failed'; reason?: string; within?: number },
    as?: Principal,
  ): void
  open(more?: Partial<GateParts>): ReturnType<typeof openGate>
}

/** A shop with a press in it. The same rig may open several gates one after the other, as restarts do. */
export const rig = async (db?: Kysely<Tables>): Promise<Rig> => {
  const time = handTime()
  db ??= await memoryDb()
  const health = memoryHealth()
  const box: { devices?: OpenDevices } = {}
  const bus = memoryBus({ clock: time.clock, mayOwn: (origin, id) => box.devices?.mayWrite(origin, id) ?? YES })
  const devices = (box.devices = await openDevices({
    bus,
    store: { db },
    clock: time.clock,
    log: quiet,
    health,
    prefix: 'jarvis',
  }))
  const about: Rig['about'] = (id, body, online = true) => {
    const text = (value: unknown) => Buffer.from(JSON.stringify(value))
    bus.publishBytes(deviceOf(id), `jarvis/devices/${id}/about`, text(body))
    bus.publishBytes(deviceOf(id), `jarvis/devices/${id}/online`, text(online))
  }
  about('press', press)
  await settle()
  return {
    bus,
    db,
    devices,
    health,
    time,
    about,
    ack: (id, ack, as = deviceOf(id)) => void bus.publish(as, message('devices/{device}/ack', { device: id }, ack)),
    open: (more = {}) =>
      openGate({
        bus,
        store: { db, write: writeTo(db) },
        devices,
        access,
        clock: time.clock,
        log: quiet,
        health,
        prefix: 'jarvis',
        limits: {},
        wait: time.wait,
        principalOf: (origin) =>
          principals.find((who) => originOf(who) === origin) ??
          (origin.startsWith('device:') ? deviceOf(origin.slice(7)) : undefined),
        ...more,
      }),
  }
}
