// The path of a request: what passes, what is refused and why, and that each request gets exactly one result.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { no, type Verdict, YES } from '../broker/broker.ts'
import { HUB } from '../bus/principal.ts'
import { message } from '../streams/message.ts'
import { deviceLimits } from './limits.ts'
import { ada, deviceOf, dustFlow, eve, press, rig, settle } from './gate.rig.ts'

const close = { intent: 'press.close', payload: { force: 20 } }

test('a request becomes a command, an ack becomes its result, and both know what led to them', async () => {
  const { bus, open, ack, db } = await rig()
  const gate = await open()
  const answer = await gate.ask(ada, 'press', { ...close, reason: 'test' })
  expect(answer).toMatchObject({ status: 'dispatched', http: 202 })
  const [request] = bus.log.filter(({ topic }) => topic.endsWith('/request'))
  const [cmd] = bus.log.filter(({ topic }) => topic.endsWith('/cmd'))
  expect(cmd).toMatchObject({ origin: 'gate', cause: request?.seq, retain: false, correlation: answer.commandId })
  expect(bus.said('devices/{device}/cmd')[0]?.payload).toEqual({
    id: answer.commandId,
    ...close,
    reason: 'test',
    requestedBy: 'person:ada',
    issuedAt: '2026-03-01T08:00:00.000Z',
    expiresAt: '2026-03-01T08:00:30.000Z',
    correlationId: answer.commandId,
  })
  ack('press', { id: answer.commandId, status: 'done' })
  await settle()
  const [word] = bus.log.filter(({ topic }) => topic.endsWith('/ack'))
  const results = bus.log.filter(({ topic }) => topic.endsWith('/result'))
  expect(results).toHaveLength(1)
  expect(results[0]).toMatchObject({ origin: 'gate', cause: word?.seq })
  expect(bus.said('devices/{device}/result')[0]?.payload).toMatchObject({ id: answer.commandId, status: 'done' })
  expect((await gate.command(answer.commandId))?.history.map(({ status }) => status)).toEqual([
    'pending',
    'dispatched',
    'done',
  ])
  expect(gate.open).toBe(0)
  await gate.close()
  const rows = await db.selectFrom('audit').select('event').orderBy('n').execute()
  expect(rows.map(({ event }) => event)).toEqual(['request', 'rights', 'valid', 'interlocks', 'cmd', 'ack', 'result'])
})

test('flows and MQTT clients take the same path, and requestedBy is who they are', async () => {
  const { bus, open } = await rig()
  const gate = await open()
  bus.publish(
    dustFlow,
    message('devices/{device}/request', { device: 'press' }, { intent: 'press.open', requestedBy: 'person:boss' }),
  )
  await settle()
  expect(bus.said('devices/{device}/cmd')[0]?.payload).toMatchObject({
    intent: 'press.open',
    requestedBy: 'flow:dust-starts-extractor',
  })
  await gate.close()
})

const refusals: [
  string,
  Parameters<Awaited<ReturnType<Awaited<ReturnType<typeof rig>>['open']>>['ask']>[2],
  number,
  RegExp,
  string?,
][] = [
  ['an unknown device', close, 404, /no device 'pres'.*'press'/, 'pres'],
  ['an unknown intent, with what may be meant', { intent: 'press.clsoe' }, 422, /Did you mean 'press.close'/],
  ['a missing payload field', { intent: 'press.close', payload: {} }, 400, /payload.force: is required/],
  ['a payload value out of the declared range', { intent: 'press.close', payload: { force: 101 } }, 400, /at most 100/],
  [
    'an undeclared payload field',
    { intent: 'press.close', payload: { force: 1, speed: 2 } },
    400,
    /payload.speed: is not allowed/,
  ],
  ['a payload for an intent that takes none', { intent: 'press.open', payload: { force: 1 } }, 400, /takes no payload/],
  ['an expired request', { ...close, expiresAt: '2026-03-01T07:59:59Z' }, 410, /expired/],
]

test.each(refusals)(
  '%s is refused with a reason and no command goes out',
  async (_, request, http, reason, device = 'press') => {
    const { bus, open, db } = await rig()
    const gate = await open()
    const answer = await gate.ask(ada, device, request)
    expect(answer).toMatchObject({ status: 'refused', http })
    expect(answer.reason).toMatch(reason)
    await settle()
    expect(bus.said('devices/{device}/cmd')).toEqual([])
    expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual([
      http === 410 ? 'expired' : 'refused',
    ])
    await gate.close()
    expect(
      (await db.selectFrom('audit').select('event').execute()).some(({ event }) => event.startsWith('refused.')),
    ).toBe(true)
  },
)

test('a payload nested deeper than anything sensible is refused, not walked', async () => {
  const { open } = await rig()
  const gate = await open()
  let deep: Record<string, unknown> = {}
  for (let i = 0; i < 60; i++) deep = { deep }
  expect(await gate.ask(ada, 'press', { intent: 'press.name', payload: deep })).toMatchObject({
    http: 400,
    status: 'refused',
  })
  await gate.close()
})

test('who has no right is refused, and it is in the audit', async () => {
  const { bus, open, db } = await rig()
  const gate = await open()
  expect(await gate.ask(eve, 'press', close)).toMatchObject({
    http: 403,
    reason: 'your role may not ask devices for anything',
  })
  bus.publish(
    { kind: 'person', id: 'gone', roles: [] },
    message('devices/{device}/request', { device: 'press' }, close),
  )
  await settle()
  expect(bus.said('devices/{device}/result')[1]?.payload.reason).toMatch(/not known any more/)
  await gate.close()
  expect(await db.selectFrom('audit').select('who').where('event', '=', 'refused.rights').execute()).toEqual([
    { who: 'person:eve' },
    { who: 'person:gone' },
  ])
})

test('an offline device gets only its safe intents', async () => {
  const { bus, open, about } = await rig()
  const gate = await open()
  about('press', press, false)
  await settle()
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 404, status: 'refused' })
  expect(await gate.ask(ada, 'press', { intent: 'press.stop' })).toMatchObject({ http: 202, status: 'dispatched' })
  expect(bus.said('devices/{device}/cmd').map(({ payload }) => payload.intent)).toEqual(['press.stop'])
  await gate.close()
})

test('a safe intent still needs the right', async () => {
  const { bus, open } = await rig()
  const gate = await open()
  expect(await gate.ask(eve, 'press', { intent: 'press.stop' })).toMatchObject({ http: 403 })
  expect(bus.said('devices/{device}/cmd')).toEqual([])
  await gate.close()
})

test('a repeated id is sent once: while open it shares the result, afterwards it is told the outcome', async () => {
  const { bus, open, ack } = await rig()
  const gate = await open()
  const wish = { ...close, id: 'r1' }
  const answers = await Promise.all([gate.ask(ada, 'press', wish), gate.ask(ada, 'press', wish)])
  expect(answers.map(({ status }) => status)).toEqual(['dispatched', 'duplicate'])
  ack('press', { id: 'r1', status: 'done' })
  await settle()
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['done'])
  expect(await gate.ask(ada, 'press', wish)).toMatchObject({
    status: 'duplicate',
    http: 202,
    reason: 'Asked before: done',
  })
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['done', 'duplicate'])
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  await gate.close()
})

test('a used id for another wish, or by somebody else, is refused after the first has its result', async () => {
  const { bus, open, ack } = await rig()
  const gate = await open()
  await gate.ask(ada, 'press', { ...close, id: 'r1' })
  expect(await gate.ask(ada, 'press', { intent: 'press.open', id: 'r1' })).toMatchObject({
    http: 409,
    status: 'refused',
  })
  expect(await gate.ask(dustFlow, 'press', { ...close, id: 'r1' })).toMatchObject({ http: 409 })
  expect(bus.said('devices/{device}/result')).toEqual([])
  ack('press', { id: 'r1', status: 'done' })
  await settle()
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual([
    'done',
    'refused',
    'refused',
  ])
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  await gate.close()
})

test('an id from before the restart is recognised from the table', async () => {
  const { bus, open, ack } = await rig()
  const before = await open()
  await before.ask(ada, 'press', { ...close, id: 'r1' })
  ack('press', { id: 'r1', status: 'done' })
  await settle()
  await before.close()
  const gate = await open()
  expect(await gate.ask(ada, 'press', { ...close, id: 'r1' })).toMatchObject({ status: 'duplicate' })
  expect(await gate.ask(ada, 'press', { intent: 'press.open', id: 'r1' })).toMatchObject({ http: 409 })
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  expect(await gate.command('r1')).toMatchObject({ status: 'done' })
  await gate.close()
})

test('while the table cannot be read, an id from before is refused and its record stays as it was', async () => {
  const { bus, db, open, ack, time } = await rig()
  const before = await open()
  await before.ask(ada, 'press', { ...close, id: 'r1' })
  ack('press', { id: 'r1', status: 'done' })
  await settle()
  await before.close()
  const gate = await open()
  await db.schema.alterTable('commands').renameTo('away').execute()
  expect(await gate.ask(ada, 'press', { ...close, id: 'r1' })).toMatchObject({ http: 503 })
  await db.schema.alterTable('away').renameTo('commands').execute()
  await time.pass(1000)
  expect(await gate.command('r1')).toMatchObject({ status: 'done' })
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  await gate.close()
})

test('no ack within five seconds is a timeout, and a late ack changes nothing', async () => {
  const { bus, open, ack, time, db } = await rig()
  const gate = await open()
  const { commandId: id } = await gate.ask(ada, 'press', close)
  await time.pass(4999)
  expect(bus.said('devices/{device}/result')).toEqual([])
  await time.pass(1)
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['timeout'])
  ack('press', { id, status: 'done' })
  await time.pass(10_000)
  expect(bus.said('devices/{device}/result')).toHaveLength(1)
  expect(await gate.command(id)).toMatchObject({ status: 'timeout' })
  await gate.close()
  expect(await db.selectFrom('audit').select('event').where('event', '=', 'ack.late').execute()).toHaveLength(1)
})

test('accepted extends the deadline by a minute, or by what the executor says, but not for ever', async () => {
  const { bus, open, ack, time } = await rig()
  const gate = await open({ bounds: { longestMs: 100_000 } })
  const { commandId: id } = await gate.ask(ada, 'press', close)
  ack('press', { id, status: 'accepted' })
  await time.pass(59_999)
  expect(await gate.command(id)).toMatchObject({ status: 'accepted' })
  ack('press', { id, status: 'accepted', within: 80_000 })
  await time.pass(40_000)
  expect(await gate.command(id)).toMatchObject({ status: 'accepted' })
  await time.pass(2)
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['timeout'])
  await gate.close()
})

test('only the owner of the device is believed', async () => {
  const { bus, open, about, time, devices } = await rig()
  const gate = await open()
  about('saw', { name: 'Saw', kind: 'other', intents: {} })
  await settle()
  const { commandId: id } = await gate.ask(ada, 'press', close)
  bus.publish(deviceOf('saw'), message('devices/{device}/ack', { device: 'saw' }, { id, status: 'done' }))
  await settle()
  expect(await gate.command(id)).toMatchObject({ status: 'dispatched' })
  expect(devices.mayWrite('device:saw', 'press').ok).toBe(false)
  bus.publish(HUB, message('devices/{device}/ack', { device: 'press' }, { id, status: 'done' }))
  await settle()
  expect(await gate.command(id)).toMatchObject({ status: 'dispatched' })
  await time.pass(5000)
  expect(await gate.command(id)).toMatchObject({ status: 'timeout' })
  await gate.close()
})

test('before a command leaves, the table says that it was sent', async () => {
  const { bus, db, open } = await rig()
  const seen: Promise<unknown>[] = []
  const publish: typeof bus.publish = (who, wanted, options) => {
    if (wanted.topic === 'devices/{device}/cmd')
      seen.push(db.selectFrom('commands').select(['status', 'dispatched_at']).execute())
    return bus.publish(who, wanted, options)
  }
  const gate = await open({ bus: { ...bus, publish } })
  await gate.ask(ada, 'press', close)
  expect(await Promise.all(seen)).toEqual([
    [{ status: 'dispatched', dispatched_at: Date.parse('2026-03-01T08:00:00Z') }],
  ])
  await gate.close()
})

test('a journal that fails after the time was up adds no second result', async () => {
  const { bus, open, time } = await rig()
  const gate = await open({ bounds: { ackMs: 2000 } })
  bus.stall = true
  const asked = gate.ask(ada, 'press', close)
  await time.pass(2000)
  bus.failing = new Error('disk gone')
  bus.stall = false
  expect(await asked).toMatchObject({ http: 503 })
  await settle()
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['timeout'])
  await gate.close()
})

test('an interlock that says no, throws or stays silent refuses; safe intents are not asked about', async () => {
  const { open, time } = await rig()
  const asked: string[] = []
  const gate = await open()
  let check: () => Verdict | Promise<Verdict> = () => no('the guard is open')
  gate.addInterlock({
    name: 'guard',
    explains: 'Nothing moves while the guard is open.',
    check: ({ intent }) => {
      asked.push(intent)
      return check()
    },
  })
  expect(await gate.ask(ada, 'press', close)).toMatchObject({
    http: 403,
    reason: "interlock 'guard': the guard is open",
  })
  check = () => {
    throw new Error('sensor lost')
  }
  expect(await gate.ask(ada, 'press', close)).toMatchObject({
    http: 403,
    reason: "interlock 'guard' failed: sensor lost",
  })
  // What a plugin answers is not always what its types say.
  check = () => JSON.parse('{}') as Verdict
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 403 })
  check = () => new Promise(() => {})
  const silent = gate.ask(ada, 'press', close)
  await time.pass(200)
  expect(await silent).toMatchObject({ http: 403, reason: "interlock 'guard' did not answer within 200 ms" })
  expect(await gate.ask(ada, 'press', { intent: 'press.stop' })).toMatchObject({ http: 202 })
  check = () => YES
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 202 })
  expect(asked).toEqual(Array.from({ length: 5 }, () => 'press.close'))
  await gate.close()
})

test('a hazard asks people, and one that takes presence is refused while nobody knows who is there', async () => {
  const { open, about } = await rig()
  const gate = await open()
  about('door', { name: 'Door', kind: 'lock', intents: { 'lock.unlock': {}, 'lock.lock': {} }, safe: ['lock.lock'] })
  about('laser', { name: 'Laser', kind: 'laser_cutter', intents: { 'power.turn_on': {} } })
  await settle()
  expect(await gate.ask(ada, 'door', { intent: 'lock.unlock' })).toMatchObject({
    http: 202,
    status: 'awaiting_confirmation',
  })
  expect(await gate.ask(ada, 'laser', { intent: 'power.turn_on' })).toMatchObject({
    http: 403,
    reason: expect.stringMatching(/needs an approval by two people.*nobody is asked: requester present/),
  })
  expect(await gate.ask(ada, 'door', { intent: 'lock.lock' })).toMatchObject({ http: 202 })
  await gate.close()
})

test('limits of a device or its kind refuse before anything is sent', async () => {
  const { bus, open, time } = await rig()
  const gate = await open({
    limits: deviceLimits({ press: { 'press.close': { force: { max: 50 }, minIntervalMs: 2000 } } }),
  })
  expect(await gate.ask(ada, 'press', { intent: 'press.close', payload: { force: 51 } })).toMatchObject({
    http: 403,
    reason: expect.stringMatching(/most allowed is 50/),
  })
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 202 })
  await time.pass(1500)
  expect(await gate.ask(ada, 'press', close)).toMatchObject({
    http: 403,
    reason: expect.stringMatching(/wait 500 ms more/),
  })
  await time.pass(500)
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 202 })
  expect(bus.said('devices/{device}/cmd')).toHaveLength(2)
  await gate.close()
})

test('the minimum interval holds across a restart', async () => {
  const { open } = await rig()
  const limits = deviceLimits({ press: { 'press.close': { minIntervalMs: 2000 } } })
  const before = await open({ limits })
  await before.ask(ada, 'press', close)
  await before.close()
  const gate = await open({ limits })
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 403 })
  await gate.close()
})

test('a device has at most so many open commands; its safe intents still pass', async () => {
  const { open } = await rig()
  const gate = await open({ bounds: { openPerDevice: 3 } })
  for (let i = 0; i < 3; i++) expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 202 })
  expect(await gate.ask(ada, 'press', close)).toMatchObject({
    http: 409,
    reason: expect.stringMatching(/too many open/),
  })
  expect(await gate.ask(ada, 'press', { intent: 'press.stop' })).toMatchObject({ http: 202 })
  await gate.close()
})

test('requests for one device leave in the order they came, however long one of them is judged; other devices do not wait', async () => {
  const { bus, open, about } = await rig()
  const gate = await open()
  about('lamp', { name: 'Lamp', kind: 'light', intents: { 'light.turn_on': {} } })
  await settle()
  const slow = Promise.withResolvers<typeof YES>()
  gate.addInterlock({
    name: 'slow',
    explains: 'Takes its time.',
    check: ({ intent }) => (intent === 'press.close' ? slow.promise : YES),
  })
  const asked = [
    gate.ask(ada, 'press', close),
    gate.ask(ada, 'press', { intent: 'press.open' }),
    gate.ask(ada, 'lamp', { intent: 'light.turn_on' }),
  ]
  await settle()
  slow.resolve(YES)
  await Promise.all(asked)
  expect(bus.said('devices/{device}/cmd').map(({ payload }) => payload.intent)).toEqual([
    'light.turn_on',
    'press.close',
    'press.open',
  ])
  await gate.close()
})

test('a safe intent withdraws what waits for the same device, so that it has the last word', async () => {
  const { bus, open, time } = await rig()
  const gate = await open()
  const slow = Promise.withResolvers<typeof YES>()
  gate.addInterlock({ name: 'slow', explains: 'Takes its time.', check: () => slow.promise })
  const asked = gate.ask(ada, 'press', close)
  await settle()
  expect(await gate.ask(ada, 'press', { intent: 'press.stop' })).toMatchObject({ http: 202 })
  slow.resolve(YES)
  expect(await asked).toMatchObject({ http: 409, reason: expect.stringMatching(/overtaken by 'press.stop'/) })
  await time.pass(0)
  expect(bus.said('devices/{device}/cmd').map(({ payload }) => payload.intent)).toEqual(['press.stop'])
  await gate.close()
})

test('a command waits for the journal; a safe intent does not wait for a journal that hangs, and is said again when the hanging command comes out', async () => {
  const { bus, open, time } = await rig()
  const gate = await open()
  const out: string[] = []
  const off = bus.raw('jarvis/devices/+/cmd', { name: 'device' }, ({ payload }) =>
    out.push((JSON.parse(payload.toString()) as { intent: string }).intent),
  )
  bus.stall = true
  const asked = gate.ask(ada, 'press', close)
  await settle()
  expect(out).toEqual([])
  const stopped = gate.ask(ada, 'press', { intent: 'press.stop' })
  await time.pass(100)
  expect(await stopped).toMatchObject({ http: 202 })
  expect(out).toEqual(['press.stop'])
  bus.stall = false
  expect(await asked).toMatchObject({ http: 202 })
  await settle()
  expect(out).toEqual(['press.stop', 'press.close', 'press.stop'])
  off()
  await gate.close()
})

test('a journal that fails means the command failed and was not sent', async () => {
  const { bus, open } = await rig()
  const gate = await open()
  bus.failing = new Error('disk full')
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 503, reason: expect.stringMatching(/disk full/) })
  await settle()
  expect(bus.said('devices/{device}/result').map(({ payload }) => payload.status)).toEqual(['failed'])
  await gate.close()
})

test('without a database the gate lets safe intents pass and nothing else', async () => {
  const { bus, open, db, time } = await rig()
  const gate = await open()
  await db.schema.dropTable('audit').execute()
  const asked = gate.ask(ada, 'press', close)
  await time.pass(5000)
  expect(await asked).toMatchObject({ http: 503, status: 'refused' })
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 503 })
  expect(await gate.ask(ada, 'press', { intent: 'press.stop' })).toMatchObject({ http: 202 })
  expect(bus.said('devices/{device}/cmd').map(({ payload }) => payload.intent)).toEqual(['press.stop'])
  const closing = gate.close()
  await time.pass(5000)
  await closing
})

test('whatever executors say, in whatever order and number, each request gets exactly one result', async () => {
  const word = fc.record({
    command: fc.nat(2),
    status: fc.constantFrom('accepted' as const, 'done' as const, 'failed' as const),
    foreign: fc.boolean(),
    pause: fc.constantFrom(0, 1, 4999, 5000, 60_000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 12 }), async (words) => {
      const { bus, open, ack, time } = await rig()
      const gate = await open()
      const ids: string[] = []
      for (let i = 0; i < 3; i++) ids.push((await gate.ask(ada, 'press', close)).commandId)
      for (const { command, status, foreign, pause } of words) {
        const id = ids[command] ?? ''
        if (foreign)
          bus.publish(deviceOf('other'), message('devices/{device}/ack', { device: 'other' }, { id, status }))
        else ack('press', { id, status })
        if (pause > 0) await time.pass(pause)
      }
      await time.pass(86_400_000)
      const results = bus.said('devices/{device}/result').map(({ payload }) => payload.id)
      expect([...results].sort()).toEqual([...ids].sort())
      expect(gate.open).toBe(0)
      await gate.close()
    }),
    { numRuns: 40 },
  )
})
