// The global stop reaches everything that can be stopped, at once, whatever else is going on.
import { expect, test } from 'vitest'
import { no, YES } from '../broker/broker.ts'
import { message } from '../streams/message.ts'
import { ada, deviceOf, dustFlow, eve, rig, settle } from './gate.rig.ts'

const mover = (i: number) => ({
  name: `Mover ${i}`,
  kind: 'mover',
  intents: {
    'mover.go': {},
    'mover.turn_off': {},
    'mover.stop': {},
    'fan.turn_on': {},
    'mover.park': { type: 'object', required: ['at'] },
  },
  safe: ['fan.turn_on', 'mover.turn_off', 'mover.park', 'mover.stop'],
})

const shop = async (devices: number) => {
  const all = await rig()
  for (let i = 0; i < devices; i++) all.about(`mover_${i}`, mover(i), i % 2 === 0)
  await settle()
  return all
}

test('a stop sends a hundred devices their safe intents, stopping ones first, offline or not, and tells its reach', async () => {
  const { bus, open, time, devices } = await shop(100)
  const gate = await open()
  gate.addInterlock({ name: 'never', explains: 'Blocks everything.', check: () => no('never') })
  const started = performance.now()
  const stopped = await gate.stop(ada, 'smoke')
  expect(performance.now() - started).toBeLessThan(1000)
  expect(stopped.devices).toHaveLength(101)
  expect(stopped.devices.every(({ error }) => error === undefined)).toBe(true)
  const sent = bus.said('devices/{device}/cmd', { device: 'mover_7' }).map(({ payload }) => payload)
  expect(sent.map(({ intent }) => intent)).toEqual(['mover.stop', 'mover.turn_off', 'fan.turn_on'])
  expect(sent[0]).toMatchObject({ requestedBy: 'person:ada', reason: 'stop: smoke', correlationId: stopped.id })
  const [stop] = bus.log.filter(({ topic }) => topic === 'jarvis/safety/stop')
  expect(stop?.origin).toBe('person:ada')
  expect(bus.log.filter(({ topic }) => topic.endsWith('/cmd')).every(({ cause }) => cause === stop?.seq)).toBe(true)
  for (const { payload } of bus.said('devices/{device}/cmd', { device: 'mover_0' })) {
    bus.publish(
      deviceOf('mover_0'),
      message('devices/{device}/ack', { device: 'mover_0' }, { id: payload.id, status: 'done' }),
    )
  }
  await time.pass(5000)
  expect(bus.said('safety/events/{event}').map(({ params, payload }) => [params.event, payload.type])).toEqual([
    [stopped.id, 'stop'],
    [stopped.id, 'stop-reach'],
  ])
  expect(bus.said('safety/events/{event}')[1]?.payload).toMatchObject({ done: 3, timeout: 298, failed: 0 })
  expect(gate.open).toBe(0)
  expect(devices.list()).toHaveLength(101)
  await gate.close()
})

test('a stop by message does the same, once', async () => {
  const { bus, open } = await shop(1)
  const gate = await open()
  bus.publish(dustFlow, message('safety/stop', {}, { reason: 'dust' }))
  await settle()
  expect(
    bus
      .said('devices/{device}/cmd')
      .map(({ payload }) => payload.intent)
      .sort(),
  ).toEqual(['fan.turn_on', 'mover.stop', 'mover.turn_off', 'press.stop'])
  await gate.close()
})

test('a stop by HTTP is carried out once, although its message is heard too', async () => {
  const { bus, open } = await shop(0)
  const gate = await open()
  await gate.stop(ada, '')
  await settle()
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  expect(bus.said('safety/stop')).toHaveLength(1)
  await gate.close()
})

test('who may not stop is refused', async () => {
  const { bus, open } = await shop(1)
  const gate = await open()
  await expect(gate.stop(eve, '')).rejects.toThrow('your role may not stop the shop')
  expect(bus.said('devices/{device}/cmd')).toEqual([])
  await gate.close()
})

test('a stop withdraws what is not sent yet, on every device', async () => {
  const { bus, open } = await shop(1)
  const gate = await open()
  const slow = Promise.withResolvers<typeof YES>()
  gate.addInterlock({ name: 'slow', explains: 'Answers late.', check: () => slow.promise })
  const asked = gate.ask(ada, 'mover_0', { intent: 'mover.go' })
  await settle()
  await gate.stop(ada, '')
  slow.resolve(YES)
  expect(await asked).toMatchObject({ http: 409, reason: 'Not sent: a stop by person:ada came first.' })
  expect(bus.said('devices/{device}/cmd').some(({ payload }) => payload.intent === 'mover.go')).toBe(false)
  await gate.close()
})

test('a stop works while journal and database stand still', async () => {
  const { bus, db, open, time } = await shop(3)
  const gate = await open()
  await db.schema.dropTable('audit').execute()
  bus.stall = true
  void gate.ask(ada, 'mover_0', { intent: 'mover.go' })
  await settle()
  const stopping = gate.stop(ada, '')
  await time.pass(100)
  expect((await stopping).devices.map(({ device }) => device)).toEqual(['mover_0', 'mover_1', 'mover_2', 'press'])
  expect(bus.said('devices/{device}/cmd').filter(({ payload }) => payload.intent === 'mover.stop')).toHaveLength(3)
  const closing = gate.close()
  await time.pass(5000)
  await closing
})
