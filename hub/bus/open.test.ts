import { beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { no, YES } from '../broker/broker.ts'
import type { ErrorReport, Health } from '../health/report.ts'
import type { Entry, Journal } from '../journal/entry.ts'
import { cleared } from '../streams/cleared.ts'
import { message } from '../streams/message.ts'
import { core } from '../topics/core.ts'
import { topics } from '../topics/row.ts'
import { topicTable } from '../topics/table.ts'
import type { Arrival } from './bus.ts'
import type { Draft, Envelope } from './envelope.ts'
import { openBus, type OpenBus } from './open.ts'
import { GATE, HUB } from './principal.ts'

let entries: Entry[]
let commits: ((error?: Error) => void)[]
let reports: ErrorReport[]
let bus: OpenBus
let at: number

const tick = () => new Promise((done) => setImmediate(done))
const commit = () => commits.splice(0).forEach((done) => done())

beforeEach(() => {
  entries = []
  commits = []
  reports = []
  at = 1000
  let seq = 0
  const journal = {
    reserve: () => ++seq,
    append: (entry: Entry, done = () => {}) => {
      entries.push(entry)
      commits.push(done)
    },
  } as unknown as Journal
  const health = {
    report: (error: ErrorReport) => reports.push(error),
    metrics: { count: () => {} },
  } as unknown as Health
  bus = openBus({
    table: topicTable(
      [
        core,
        topics({
          'zigbee2mqtt/{name}': {
            payload: z.unknown(),
            qos: 0,
            retain: false,
            by: 'granted',
            about: '',
            native: 'fact',
          },
        }),
      ],
      'jarvis',
    ),
    journal,
    health,
    clock: { stamp: () => at++, now: () => at },
    mayPublish: (who, topic) => (who.kind === 'flow' && topic.endsWith('/request') ? YES : no('not listed')),
    mayOwn: (origin, device) => (origin === `device:${device}` ? YES : no(`${device} has another owner`)),
    journalExcept: ['secret/#'],
  })
})

const draft = (topic: string, payload: unknown, over: Partial<Draft> = {}): Draft => ({
  topic,
  payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
  qos: 1,
  retain: false,
  origin: 'device:dust',
  ...over,
})
const accept = (d: Draft) => bus.accept(d, () => {})

test('every accepted message gets the next place and a stamp, and is recorded before anybody hears it', async () => {
  const heard: number[] = []
  bus.raw('jarvis/#', { name: 'x' }, (e) => heard.push(e.seq))
  accept(draft('jarvis/devices/dust/event', { type: 'a' }))
  accept(draft('jarvis/devices/dust/event', { type: 'b' }))
  expect(entries.map((e) => [e.seq, e.at])).toEqual([
    [1, 1000],
    [2, 1001],
  ])
  expect(heard).toEqual([])
  await tick()
  expect(heard).toEqual([1, 2])
})

test('`committed` is called by the journal and by nobody else', () => {
  let committed = 0
  bus.accept(draft('jarvis/devices/dust/event', { type: 'a' }), () => committed++)
  expect(committed).toBe(0)
  commit()
  expect(committed).toBe(1)
})

test('QoS is raised to the table’s and never lowered; the retain flag is the table’s', () => {
  expect(accept(draft('jarvis/devices/dust/state', {}, { qos: 0 }))).toMatchObject({ qos: 1, retain: true })
  expect(accept(draft('jarvis/devices/dust/event', { type: 'a' }, { qos: 2, retain: true }))).toMatchObject({
    qos: 2,
    retain: false,
  })
})

test('a payload that does not fit is recorded and delivered, but neither retained nor heard inside; the error names the field', async () => {
  const heard: Arrival[] = []
  bus.from('devices/{device}/about', { name: 'x' }).subscribe((m) => heard.push(m))
  const raw: Envelope[] = []
  bus.raw('jarvis/#', { name: 'y' }, (e) => raw.push(e))
  const envelope = accept(draft('jarvis/devices/dust/about', { name: 'Dust', kind: 7, intents: {} }))
  await tick()
  expect(envelope).toMatchObject({ retain: false, bad: true })
  expect(entries).toHaveLength(1)
  expect(heard).toEqual([])
  expect(raw).toEqual([])
  expect(bus.retained('jarvis/#')).toEqual([])
  expect(reports[0]).toMatchObject({
    type: 'PayloadInvalid',
    details: { field: 'kind', topic: 'jarvis/devices/dust/about' },
  })
})

test('what is not JSON on a JSON topic is on the error bus once, whoever listens', async () => {
  for (const name of ['a', 'b']) bus.from('devices/{device}/telemetry', { name }).subscribe(() => expect.unreachable())
  accept(draft('jarvis/devices/dust/telemetry', '{oops'))
  await tick()
  expect(reports.map((r) => r.type)).toEqual(['PayloadInvalid'])
})

test('only the gate publishes commands and results, only the owner its own topics, and small topics stay small', () => {
  expect(accept(draft('jarvis/devices/dust/cmd', {}))).toBeUndefined()
  expect(accept(draft('jarvis/devices/dust/result', {}))).toBeUndefined()
  expect(accept(draft('jarvis/devices/iron/state', {}))).toBeUndefined()
  const big = { intent: 'a.b', type: 'x', payload: { x: 'y'.repeat(70_000) } }
  for (const topic of ['telemetry', 'state', 'about', 'event', 'ack', 'request']) {
    expect(accept(draft(`jarvis/devices/dust/${topic}`, big))).toBeUndefined()
  }
  expect(entries).toEqual([])
  expect(bus.counters().refused).toBe(9)
})

test('a retained message replaces the one before, an empty one clears it', () => {
  accept(draft('jarvis/devices/dust/state', { a: 1 }))
  accept(draft('jarvis/devices/dust/state', { a: 2 }))
  expect(bus.retained('jarvis/devices/+/state').map((e) => e.payload.toString())).toEqual(['{"a":2}'])
  accept(draft('jarvis/devices/dust/state', ''))
  expect(bus.retained('#')).toEqual([])
})

test('a command waits for the journal, and an ack is caused by the command it answers', async () => {
  const heard: Envelope[] = []
  bus.raw('jarvis/devices/+/cmd', { name: 'x' }, (e) => heard.push(e))
  const command = message(
    'devices/{device}/cmd',
    { device: 'dust' },
    { id: 'c1', intent: 'x', requestedBy: 'p', issuedAt: '2026-01-01T00:00:00Z', expiresAt: '2026-01-01T00:00:00Z' },
  )
  const cmd = bus.publish(GATE, command, { after: 'commit', cause: 1, correlation: 'k' })
  await tick()
  expect(heard).toEqual([])
  commit()
  await tick()
  expect(heard).toEqual([cmd])
  const ack = accept(draft('jarvis/devices/dust/ack', { id: 'c1', status: 'done' }))
  expect(ack).toMatchObject({ cause: cmd.seq, correlation: 'k' })
})

test('a message that waited for the journal too long does not go out any more', async () => {
  const heard: Envelope[] = []
  bus.raw('jarvis/devices/+/cmd', { name: 'x' }, (e) => heard.push(e))
  const at = '2026-01-01T00:00:00Z'
  const cmd = { id: 'c1', intent: 'x', requestedBy: 'p', issuedAt: at, expiresAt: at }
  bus.publish(GATE, message('devices/{device}/cmd', { device: 'dust' }, cmd), { after: 'commit', still: () => false })
  commit()
  await tick()
  expect(heard).toEqual([])
  expect(entries).toHaveLength(1)
})

test('inside, too, nobody publishes without the right or against the schema', () => {
  const flow = { kind: 'flow', id: 'f', roles: [] } as const
  expect(() => bus.publishBytes(flow, 'jarvis/devices/dust/cmd', Buffer.from('{}'))).toThrow(/may not publish/)
  expect(() => bus.publish(HUB, message('hub/health', {}, { status: 'fine' as 'healthy' }))).toThrow(/status/)
  expect(bus.publishBytes(flow, 'jarvis/devices/dust/request', Buffer.from('{"intent":"a.b"}'))).toMatchObject({
    origin: 'flow:f',
  })
})

test('what was retained is cleared from inside; what is not retained cannot be', async () => {
  const bytes: number[] = []
  bus.raw('jarvis/hub/health', { name: 'x' }, (e) => bytes.push(e.payload.length))
  bus.publish(HUB, message('hub/health', {}, { status: 'healthy' }))
  expect(bus.retained('jarvis/hub/health')).toHaveLength(1)
  bus.publish(HUB, cleared('hub/health', {}))
  await tick()
  expect(bus.retained('jarvis/hub/health')).toEqual([])
  expect(bytes.at(-1)).toBe(0)
  expect(() => bus.publish(HUB, cleared('devices/{device}/event', { device: 'dust' }))).toThrow(/nothing to clear/)
})

test('a flooded listener drops the oldest, counts it, and holds nobody else up', async () => {
  const slow: number[] = []
  const all: number[] = []
  bus.raw('jarvis/#', { name: 'slow', overload: { dropOldest: 3 } }, (e) => slow.push(e.seq))
  bus.raw('jarvis/#', { name: 'all' }, (e) => all.push(e.seq))
  for (let i = 0; i < 10; i++) accept(draft('jarvis/devices/dust/event', { type: 'a' }))
  await tick()
  expect(slow).toEqual([8, 9, 10])
  expect(all).toHaveLength(10)
  expect(bus.edges().find((e) => e.name === 'slow')).toMatchObject({ in: 10, dropped: 7, depth: 0 })
})

test('a listener that throws is named, and the others go on', async () => {
  const heard: number[] = []
  bus.raw('jarvis/#', { name: 'bad' }, () => {
    throw new Error('boom')
  })
  bus.raw('jarvis/#', { name: 'good' }, (e) => heard.push(e.seq))
  accept(draft('jarvis/devices/dust/event', { type: 'a' }))
  await tick()
  expect(heard).toEqual([1])
  expect(reports[0]).toMatchObject({ source: 'bad', message: 'boom' })
})

test('a listener that answers is not re-entered', async () => {
  const order: string[] = []
  bus.raw('jarvis/devices/+/event', { name: 'x' }, (e) => {
    order.push(`in ${e.seq}`)
    if (e.seq < 3) accept(draft('jarvis/devices/dust/event', { type: 'again' }))
    order.push(`out ${e.seq}`)
  })
  accept(draft('jarvis/devices/dust/event', { type: 'a' }))
  await tick()
  await tick()
  await tick()
  expect(order).toEqual(['in 1', 'out 1', 'in 2', 'out 2', 'in 3', 'out 3'])
})

test('a topic the journal leaves out is still committed and delivered', async () => {
  let committed = false
  bus.accept(draft('secret/x', 'y'), () => (committed = true))
  await tick()
  expect(committed).toBe(true)
  expect(entries).toEqual([])
})

test('the retained set of an earlier run comes back, but not what does not fit any more', () => {
  bus.restore([
    { topic: 'jarvis/devices/dust/online', payload: Buffer.from('true'), qos: 1 },
    { topic: 'jarvis/devices/iron/online', payload: Buffer.from('"yes"'), qos: 1 },
  ])
  expect(bus.retained('#').map((e) => e.topic)).toEqual(['jarvis/devices/dust/online'])
})
