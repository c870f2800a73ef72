// The gate and the registry on the hub's own bus and access rules, as they are wired in the hub.
import { expect, test } from 'vitest'
import { YES } from '../broker/broker.ts'
import { openBus } from '../bus/open.ts'
import { originOf } from '../bus/principal.ts'
import { openDevices, type OpenDevices } from '../devices/open.ts'
import type { Entry } from '../journal/entry.ts'
import { message } from '../streams/message.ts'
import { writeTo } from '../store/write.ts'
import { core } from '../topics/core.ts'
import { topicTable } from '../topics/table.ts'
import { access, ada, deviceOf, handTime, memoryDb, memoryHealth, press, quiet, settle } from './gate.rig.ts'
import { openGate } from './open.ts'

test('sensor to result on the real bus: order, causes, one command, one result', async () => {
  const { clock, wait } = handTime()
  const entries: Entry[] = []
  let seq = 0
  const health = memoryHealth()
  const box: { devices?: OpenDevices } = {}
  const bus = openBus({
    table: topicTable([core], 'jarvis'),
    journal: {
      lastSeq: 0,
      lastAt: 0,
      reserve: () => ++seq,
      append: (entry, done) => {
        entries.push(entry)
        setImmediate(() => done?.())
      },
      note: () => ++seq,
      read: async () => [...entries],
      get: async () => undefined,
      why: async () => [],
      retain: async () => 0,
      stats: () => ({ segments: 0, bytes: 0, firstSeq: 0, lastSeq: 0, waiting: 0, truncatedBytes: 0 }),
      close: async () => {},
    },
    clock,
    health,
    mayPublish: () => YES,
    mayOwn: (origin, id) => box.devices?.mayWrite(origin, id) ?? YES,
  })
  const db = await memoryDb()
  const devices = (box.devices = await openDevices({ bus, store: { db }, clock, log: quiet, health, prefix: 'jarvis' }))
  const gate = await openGate({
    bus,
    store: { db, write: writeTo(db) },
    devices,
    access,
    clock,
    log: quiet,
    health,
    prefix: 'jarvis',
    limits: {},
    wait,
    principalOf: (origin) => (origin === originOf(ada) ? ada : undefined),
  })
  bus.publish(deviceOf('press'), message('devices/{device}/about', { device: 'press' }, press))
  await settle()
  const off = bus.from('devices/{device}/cmd', { name: 'press' }).subscribe(({ payload }) => {
    bus.publish(
      deviceOf('press'),
      message('devices/{device}/ack', { device: 'press' }, { id: payload.id, status: 'accepted' }),
    )
    bus.publish(
      deviceOf('press'),
      message('devices/{device}/ack', { device: 'press' }, { id: payload.id, status: 'done' }),
    )
    bus.publish(
      deviceOf('press'),
      message('devices/{device}/ack', { device: 'press' }, { id: payload.id, status: 'done' }),
    )
  })
  const answers = await Promise.all(
    [1, 2, 3].map((force) => gate.ask(ada, 'press', { intent: 'press.close', payload: { force } })),
  )
  await settle(40)
  expect(answers.map(({ http }) => http)).toEqual([202, 202, 202])
  const of = (leaf: string) => entries.filter(({ topic }) => topic.endsWith(`/${leaf}`))
  expect(
    of('cmd').map(({ payload }) => (JSON.parse(payload.toString()) as { payload: { force: number } }).payload.force),
  ).toEqual([1, 2, 3])
  expect(of('result')).toHaveLength(3)
  for (const result of of('result')) {
    const ack = entries.find((entry) => entry.seq === result.cause)
    const cmd = entries.find((entry) => entry.seq === ack?.cause)
    const request = entries.find((entry) => entry.seq === cmd?.cause)
    expect([ack, cmd, request].map((entry) => entry?.topic.split('/').at(-1))).toEqual(['ack', 'cmd', 'request'])
    expect(new Set([result, ack, cmd, request].map((entry) => entry?.correlation)).size).toBe(1)
  }
  expect(health.reports).toEqual([])
  off.unsubscribe()
  await gate.close()
  await devices.close()
})
