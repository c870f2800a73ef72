// What a restart does to commands: nothing is sent twice, nothing open is forgotten, each still gets one result.
import { expect, test } from 'vitest'
import type { Envelope } from '../bus/envelope.ts'
import type { Entry, Journal } from '../journal/entry.ts'
import { matches } from '../bus/filters.ts'
import { message } from '../streams/message.ts'
import { ada, rig, settle } from './gate.rig.ts'

const close = { intent: 'press.close', payload: { force: 20 } }

/** Reads what travelled on the bus, as the journal does. */
const journalOf = (log: readonly Envelope[]): Pick<Journal, 'read'> => ({
  read: async ({ since = 0, topic = '#' }) =>
    log
      .filter((entry) => entry.at >= since && matches(topic, entry.topic))
      .map((entry): Entry => ({ ...entry, kind: 'message' })),
})

test('a dispatched command keeps its deadline, at least five seconds from the start, and is not sent again', async () => {
  const { bus, open, time } = await rig()
  const before = await open()
  const { commandId: id } = await before.ask(ada, 'press', close)
  await time.pass(4000)
  await before.close()
  await time.pass(60_000)
  expect(bus.said('devices/{device}/result')).toEqual([])
  const gate = await open()
  expect(gate.open).toBe(1)
  await time.pass(4999)
  expect(bus.said('devices/{device}/result')).toEqual([])
  await time.pass(1)
  expect(bus.said('devices/{device}/result').map(({ payload }) => [payload.id, payload.status])).toEqual([
    [id, 'timeout'],
  ])
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  await gate.close()
})

test('an ack after the restart closes the command', async () => {
  const { bus, open, ack } = await rig()
  const before = await open()
  const { commandId: id } = await before.ask(ada, 'press', close)
  ack('press', { id, status: 'accepted', within: 3_600_000 })
  await settle()
  await before.close()
  const gate = await open()
  expect(await gate.command(id)).toMatchObject({ status: 'accepted' })
  ack('press', { id, status: 'done' })
  await settle()
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['done'])
  await gate.close()
})

/** A gate that died while an interlock was being asked: the request is in the table, not sent. */
const diedWhileJudging = async () => {
  const shop = await rig()
  const before = await shop.open()
  before.addInterlock({ name: 'slow', explains: 'Never answers.', check: () => new Promise(() => {}) })
  void before.ask(ada, 'press', { ...close, id: 'r1' })
  await settle()
  await before.close()
  expect(shop.bus.said('devices/{device}/cmd')).toEqual([])
  return shop
}

test('a request that was not sent yet is judged again', async () => {
  const { bus, db, open } = await diedWhileJudging()
  const gate = await open({ journal: journalOf(bus.log) })
  await settle()
  expect(bus.said('devices/{device}/cmd').map(({ payload }) => payload.id)).toEqual(['r1'])
  await gate.close()
  // Found in the table and in the journal, it is one request and not a repeat of itself.
  expect(await db.selectFrom('audit').select('event').where('event', 'like', '%duplicate').execute()).toEqual([])
})

test('a request that was not sent and expired meanwhile gets the result expired', async () => {
  const { bus, open, time } = await diedWhileJudging()
  // The stopped gate decides nothing any more, neither by its interlock's deadline nor otherwise.
  await time.pass(30_001)
  expect(bus.said('devices/{device}/result')).toEqual([])
  const gate = await open()
  await settle()
  expect(bus.said('devices/{device}/cmd')).toEqual([])
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['expired'])
  await gate.close()
})

test('a result decided but not published is published, once', async () => {
  const { bus, db, open, ack } = await rig()
  const before = await open()
  const { commandId: id } = await before.ask(ada, 'press', close)
  ack('press', { id, status: 'done' })
  await settle()
  await before.close()
  const published = bus.said('devices/{device}/result').length
  await db.updateTable('commands').set({ result_seq: 0 }).execute()
  const gate = await open()
  expect(bus.said('devices/{device}/result')).toHaveLength(published + 1)
  await settle()
  await gate.close()
  const again = await open()
  expect(bus.said('devices/{device}/result')).toHaveLength(published + 1)
  await again.close()
})

test('with a journal a result that is in it is not published again', async () => {
  const { bus, db, open, ack } = await rig()
  const before = await open()
  const { commandId: id } = await before.ask(ada, 'press', close)
  ack('press', { id, status: 'done' })
  await settle()
  await before.close()
  await db.updateTable('commands').set({ result_seq: 0 }).execute()
  const gate = await open({ journal: journalOf(bus.log) })
  expect(bus.said('devices/{device}/result')).toHaveLength(1)
  await gate.close()
})

test('a request that reached the journal but not the table is judged after the restart, with the id it would have had', async () => {
  const { bus, open } = await rig()
  bus.publish(ada, message('devices/{device}/request', { device: 'press' }, close))
  await settle()
  const gate = await open({ journal: journalOf(bus.log) })
  await settle()
  const [cmd] = bus.said('devices/{device}/cmd')
  expect(cmd?.payload).toMatchObject(close)
  await gate.close()
  const again = await open({ journal: journalOf(bus.log) })
  await settle()
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  expect(await again.command(cmd?.payload.id ?? '')).toMatchObject({ status: 'dispatched' })
  await again.close()
})

test('a command that is in the journal but not marked in the table counts as sent', async () => {
  const { bus, db, open, time } = await rig()
  const before = await open()
  await before.ask(ada, 'press', close)
  await before.close()
  await db.updateTable('commands').set({ status: 'pending', dispatched_at: 0, cmd_seq: 0 }).execute()
  const gate = await open({ journal: journalOf(bus.log) })
  await time.pass(5000)
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['timeout'])
  await gate.close()
})

test('an older request in the journal is left alone', async () => {
  const { bus, open, time } = await rig()
  bus.publish(ada, message('devices/{device}/request', { device: 'press' }, close))
  await time.pass(61_000)
  const gate = await open({ journal: journalOf(bus.log) })
  await settle()
  expect(bus.said('devices/{device}/cmd')).toEqual([])
  await gate.close()
})

test('a row of the table that cannot be read is reported and left; the others are taken up', async () => {
  const { db, open, health, time, bus } = await rig()
  const before = await open()
  const bad = await before.ask(ada, 'press', close)
  const good = await before.ask(ada, 'press', close)
  await before.close()
  await db.updateTable('commands').set({ history: 'not JSON' }).where('id', '=', bad.commandId).execute()
  const gate = await open()
  expect(gate.open).toBe(1)
  expect(health.reports.map(({ type }) => type)).toEqual(['CommandUnreadable'])
  expect((await gate.commands({})).map(({ commandId }) => commandId)).toEqual([good.commandId])
  await time.pass(5000)
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.id)).toEqual([good.commandId])
  await gate.close()
})

test('a journalled request that nests too deep is left alone', async () => {
  const { bus, open } = await rig()
  const deep = `{"intent":"press.name","payload":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`
  bus.publishBytes(ada, 'jarvis/devices/press/request', Buffer.from(deep))
  const gate = await open({ journal: journalOf(bus.log) })
  await settle()
  expect(bus.said('devices/{device}/result')).toEqual([])
  await gate.close()
})

test('a burst that waited in the journal is judged whole, however often its origin may ask', async () => {
  const { bus, open } = await rig()
  for (let i = 0; i < 5; i++) bus.publish(ada, message('devices/{device}/request', { device: 'press' }, close))
  await settle()
  const gate = await open({ journal: journalOf(bus.log), bounds: { requestBurst: 1 } })
  await settle(40)
  expect(bus.said('devices/{device}/cmd')).toHaveLength(5)
  await gate.close()
})
