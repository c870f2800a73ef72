// What one origin can cost the hub: rows of the audit, memory, sent commands. Counted, bounded, and never at the price of a stop.
import { expect, test } from 'vitest'
import { message } from '../streams/message.ts'
import { Ack, Request } from '../topics/core.ts'
import { verifyAudit } from './verify.ts'
import { commandOf, knownOf } from './command.ts'
import { ada, deviceOf, dustFlow, press, rig, settle } from './gate.rig.ts'

const close = { intent: 'press.close', payload: { force: 20 } }
const ask = (bus: Awaited<ReturnType<typeof rig>>['bus'], device: string, request: { intent: string; id?: string }) =>
  bus.publish(ada, message('devices/{device}/request', { device }, request))

test('equal refusals within a minute are told once and counted, each still has its result', async () => {
  const { bus, db, open, time } = await rig()
  const gate = await open()
  for (let i = 0; i < 40; i++) ask(bus, 'nosuch', { intent: 'a.b' })
  await time.pass(59_000)
  expect(bus.said('devices/{device}/result')).toHaveLength(40)
  const events = async () => (await db.selectFrom('audit').select(['event', 'detail']).orderBy('n').execute()).flat()
  expect((await events()).map(({ event }) => event)).toEqual(['request', 'rights', 'refused.device', 'result'])
  await time.pass(1000)
  ask(bus, 'nosuch', { intent: 'a.b' })
  await time.pass(0)
  await gate.close()
  const rows = await events()
  expect(rows.slice(4).map(({ event }) => event)).toEqual([
    'refused.device',
    'request',
    'rights',
    'refused.device',
    'result',
  ])
  expect(JSON.parse(rows[4]?.detail ?? '')).toMatchObject({ more: 39, http: 404 })
  expect(await verifyAudit(db)).toMatchObject({ ok: true })
})

test('refusals that differ each time are counted together beyond fifty a minute', async () => {
  const { bus, db, open } = await rig()
  const gate = await open()
  for (let i = 0; i < 150; i++) ask(bus, `no_${i}`, { intent: 'a.b' })
  await settle(40)
  await gate.close()
  const rows = await db.selectFrom('audit').select(['event', 'device', 'detail']).execute()
  expect(rows.filter(({ event }) => event === 'refused.device')).toHaveLength(51)
  expect(JSON.parse(rows.find(({ device }) => device === '')?.detail ?? '')).toEqual({ more: 100 })
})

test('an origin that asks too often is refused for a while; its stops, and other origins, are not', async () => {
  const { bus, db, open, time, ack } = await rig()
  const gate = await open({ bounds: { requestBurst: 3, requestsPerSecond: 1 } })
  bus.raw('jarvis/devices/press/cmd', { name: 'press' }, ({ payload }) =>
    ack('press', { id: String((JSON.parse(payload.toString()) as { id: string }).id), status: 'done' }),
  )
  const answers = []
  for (let i = 0; i < 6; i++) answers.push(await gate.ask(ada, 'press', { ...close, id: `r${i}` }))
  expect(answers.map(({ http }) => http)).toEqual([202, 202, 202, 409, 409, 409])
  expect(answers[3]?.reason).toMatch(/more often than 1 times a second/)
  expect(bus.said('devices/{device}/result').filter(({ payload }) => payload.id === 'r3')).toMatchObject([
    { payload: { status: 'refused' } },
  ])
  // Refused or not, an id that is in use keeps its one result.
  await gate.ask(ada, 'press', { ...close, id: 'r1' })
  expect(bus.said('devices/{device}/result').filter(({ payload }) => payload.id === 'r1')).toHaveLength(1)
  expect(await gate.ask(ada, 'press', { intent: 'press.stop' })).toMatchObject({ http: 202 })
  expect(await gate.ask(dustFlow, 'press', close)).toMatchObject({ http: 202 })
  await time.pass(2000)
  expect(await gate.ask(ada, 'press', close)).toMatchObject({ http: 202 })
  await gate.close()
  expect(await db.selectFrom('audit').select('subject').where('event', '=', 'refused.busy').execute()).toHaveLength(2)
})

test('a flood of stops is one stop; a stop after something was sent is carried out', async () => {
  const { bus, open, time, db, about } = await rig()
  about('lamp', { name: 'Lamp', kind: 'light', intents: { 'light.turn_on': {} } })
  await settle()
  const gate = await open()
  const first = gate.stop(ada, 'smoke')
  const stops = await Promise.all([first, ...Array.from({ length: 200 }, () => gate.stop(ada, ''))])
  expect(new Set(stops.map(({ id }) => id)).size).toBe(1)
  expect(bus.said('devices/{device}/cmd')).toHaveLength(1)
  const more = []
  for (let i = 0; i < 20; i++) more.push((await gate.stop(ada, '')).id)
  expect(new Set(more).size).toBe(5)
  // What a stop cannot stop is not held by it.
  expect(await gate.ask(ada, 'lamp', { intent: 'light.turn_on' })).toMatchObject({ http: 202 })
  const late = await gate.stop(ada, '')
  expect(more).not.toContain(late.id)
  expect(bus.said('devices/{device}/cmd').at(-1)?.payload.intent).toBe('press.stop')
  await time.pass(1000)
  expect((await gate.stop(ada, '')).id).not.toBe(late.id)
  await gate.close()
  expect(
    (await db.selectFrom('audit').select('detail').where('event', '=', 'stop.joined').execute()).map(({ detail }) =>
      JSON.parse(detail),
    ),
  ).toEqual([{ reason: '' }, { reason: '', more: 214 }])
})

test('a device whose safe intents cannot be worked out does not keep a stop from the others', async () => {
  const { bus, open, about, devices } = await rig()
  about('other', { ...press, name: 'Other' })
  await settle()
  const get: typeof devices.get = (id) => {
    if (id === 'other') throw new Error('broken')
    return devices.get(id)
  }
  const gate = await open({ devices: { ...devices, get } })
  expect((await gate.stop(ada, '')).devices).toMatchObject([
    { device: 'other', error: expect.stringMatching(/broken/) },
    { device: 'press', intents: ['press.stop'] },
  ])
  expect(bus.said('devices/{device}/cmd', { device: 'press' })).toHaveLength(1)
  await gate.close()
})

test('words about commands of others are counted, not told one by one', async () => {
  const { bus, db, open } = await rig()
  const gate = await open()
  const { commandId: id } = await gate.ask(ada, 'press', close)
  for (let i = 0; i < 30; i++)
    bus.publish(deviceOf('other'), message('devices/{device}/ack', { device: 'other' }, { id, status: 'done' }))
  await settle()
  await gate.close()
  const rows = await db.selectFrom('audit').select('detail').where('event', '=', 'ack.foreign').execute()
  expect(rows.map(({ detail }) => (JSON.parse(detail) as { more?: number }).more)).toEqual([undefined, 29])
})

test('the audit holds the digest and the beginning of a long payload; the command keeps it whole', async () => {
  const { db, open, ack } = await rig()
  const gate = await open()
  const payload = { name: 'ä'.repeat(20_000) }
  const { commandId: id } = await gate.ask(ada, 'press', { intent: 'press.name', payload })
  ack('press', { id, status: 'done' })
  await settle()
  expect(await gate.command(id)).toMatchObject({ status: 'done', payload })
  await gate.close()
  const { detail } = await db
    .selectFrom('audit')
    .select('detail')
    .where('event', '=', 'request')
    .executeTakeFirstOrThrow()
  expect(Buffer.byteLength(detail)).toBeLessThan(2500)
  expect(JSON.parse(detail)).toMatchObject({ digest: expect.stringMatching(/^[0-9a-f]{64}$/) })
})

test('what is remembered of a closed command holds no payload and no history', () => {
  const wish = { device: 'press', origin: 'person:ada', at: 0, seq: 1, correlation: '', id: 'r1' }
  const body = { intent: 'press.name', payload: { name: 'x'.repeat(50_000) }, reason: 'r'.repeat(500) }
  const command = commandOf({ ...wish, body }, { expiryMs: 1, longestExpiryMs: 1 })
  expect(JSON.stringify(knownOf(command)).length).toBeLessThan(250)
})

test('requests too large for the bus are refused in words, not carried', async () => {
  const { bus, open } = await rig()
  const gate = await open()
  const answer = await gate.ask(ada, 'press', { intent: 'press.name', payload: { name: 'x'.repeat(65_536) } })
  expect(answer).toMatchObject({ http: 400, field: 'payload', reason: expect.stringMatching(/larger than 65536/) })
  expect(bus.log.some(({ topic }) => topic.endsWith('/request'))).toBe(false)
  await gate.close()
})

test('an id is visible ASCII, and a line of text holds nothing a database or a hash would change', () => {
  const fits = (more: object) => Request.safeParse({ intent: 'a.b', ...more }).success
  for (const id of ['\ud800x', '\0', 'a b', 'a\nb', 'ä', '', 'x'.repeat(129)]) {
    expect(fits({ id })).toBe(false)
    expect(Ack.safeParse({ id, status: 'done' }).success).toBe(false)
  }
  for (const bad of ['\ud800', '\udc00x', 'a\0b', 'a\nb', '\u009f']) {
    for (const name of ['reason', 'correlationId', 'conversationId', 'requestedBy'])
      expect(fits({ [name]: bad })).toBe(false)
    expect(Ack.safeParse({ id: 'x', status: 'done', reason: bad }).success).toBe(false)
  }
  expect(fits({ id: '__proto__', reason: 'Über 🙂 dem Limit', correlationId: '漢'.repeat(128) })).toBe(true)
})

test("a request is made no later than it arrives, by the hub's clock", async () => {
  const { bus, open } = await rig()
  const gate = await open()
  for (const issuedAt of ['2026-03-01T07:59:00Z', '2030-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59'])
    await gate.ask(ada, 'press', { ...close, issuedAt })
  expect(bus.said('devices/{device}/cmd').map(({ payload }) => payload.issuedAt)).toEqual([
    '2026-03-01T07:59:00.000Z',
    '2026-03-01T08:00:00.000Z',
    '2026-03-01T08:00:00.000Z',
  ])
  await gate.close()
})

test('what needs an approval is not safe because the device says so', async () => {
  const { bus, open, about } = await rig()
  const gate = await open()
  about('bot', {
    name: 'Bot',
    kind: 'light',
    intents: { 'laser.start': {}, 'light.turn_off': {} },
    safe: ['laser.start', 'light.turn_off'],
  })
  await settle()
  expect(await gate.ask(ada, 'bot', { intent: 'laser.start' })).toMatchObject({
    http: 403,
    reason: expect.stringMatching(/needs an approval/),
  })
  const stopped = await gate.stop(ada, '')
  expect(stopped.devices.find(({ device }) => device === 'bot')?.intents).toEqual(['light.turn_off'])
  expect(bus.said('devices/{device}/cmd', { device: 'bot' }).map(({ payload }) => payload.intent)).toEqual([
    'light.turn_off',
  ])
  await gate.close()
})

test('nobody keeps a safe intent from being said again by taking its next id', async () => {
  const { bus, open, time } = await rig()
  const gate = await open()
  const out: string[] = []
  const off = bus.raw('jarvis/devices/+/cmd', { name: 'device' }, ({ payload }) =>
    out.push((JSON.parse(payload.toString()) as { intent: string }).intent),
  )
  await gate.ask(ada, 'press', { intent: 'press.open', payload: { no: 1 }, id: 's-again' })
  bus.stall = true
  const asked = gate.ask(ada, 'press', close)
  await settle()
  const stopped = gate.ask(ada, 'press', { intent: 'press.stop', id: 's' })
  await time.pass(100)
  await stopped
  bus.stall = false
  await asked
  await settle()
  expect(out).toEqual(['press.stop', 'press.close', 'press.stop'])
  off()
  await gate.close()
})
