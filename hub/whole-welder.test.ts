// The welder from outside: nobody there, one person twice, two people, one command; and an audit that says so and names the row somebody changed.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Building, openBuilding, PHRASE, type View } from './gate/attacks/building.rig.ts'
import { ROOT } from './testing/hub.ts'

const run = promisify(execFile)
const start = { intent: 'welder.start', payload: { amps: 90 }, reason: 'seam on the gate' }
let shop: Building
let commandId = ''
let asked: View

beforeAll(async () => {
  shop = await openBuilding()
  const about = { kind: 'welder', area: 'Welding bay', safe: ['welder.stop'] }
  await shop.thing('welder', {
    ...about,
    intents: { 'welder.start': { type: 'object', properties: { amps: { type: 'number' } } }, 'welder.stop': {} },
  })
  await shop.thing('reader', { kind: 'badge_reader', area: 'Welding bay', intents: {} })
})
afterAll(() => shop.close())

test('power without presence is refused, and the audit says by what', async () => {
  const answer = await shop.ask('olga', 'welder', start)
  expect(answer).toMatchObject({ status: 403, body: { error: { code: 'POLICY_ERROR' } } })
  expect(JSON.stringify(answer.body)).toMatch(/nobody knows whether olga is in 'Welding bay'/)
  expect(await shop.row(({ event }) => event === 'refused.presence')).toMatchObject({
    who: 'person:olga',
    device: 'welder',
  })
})

test('with a badge it asks two people, in plain words and with what it knows', async () => {
  await shop.of('reader').says('event', { type: 'badge', person: 'olga', direction: 'in' })
  const answer = await shop.ask('olga', 'welder', start)
  expect(answer).toMatchObject({
    status: 202,
    body: { status: 'awaiting_confirmation', hazardEventId: expect.any(String) },
  })
  commandId = String(answer.body['commandId'])
  asked = await shop.open(String(answer.body['hazardEventId']))
  expect(asked).toMatchObject({
    commandId,
    hazard: 'high',
    needed: 2,
    phrase: PHRASE,
    requesterMayApprove: false,
    requestedBy: 'person:olga',
    effect: "Tells 'welder' in 'Welding bay' to start with amps = 90.",
    evidence: { presence: { rule: 'requester_present', here: true, reader: 'reader' } },
  })
  const retained = await shop.watcher.hears(`jarvis/approvals/${asked.id}`)
  expect(retained.json()).toMatchObject({ id: asked.id, digest: asked.digest, status: 'pending' })
  expect((await shop.api(`/api/commands/${commandId}`, 'olga')).body).toMatchObject({ status: 'pending' })
})

test('one person says yes, and cannot say it twice', async () => {
  expect((await shop.answer('bob', asked, { phrase: `well, ${PHRASE}` })).status).toBe(403)
  expect(await shop.answer('bob', asked, { phrase: ' confirm: PROCEED ' })).toMatchObject({
    status: 200,
    body: { approval: { status: 'pending', given: [{ by: 'person:bob' }] } },
  })
  expect(await shop.answer('bob', asked, { phrase: PHRASE })).toMatchObject({
    status: 403,
    body: { error: { message: expect.stringMatching(/somebody else/) } },
  })
  expect(shop.of('welder').cmds()).toEqual([])
})

test('the second person’s yes carries it out, once, whoever says yes at the same moment', async () => {
  const answers = await Promise.all([shop.answer('cleo', asked), shop.answer('dan', asked), shop.answer('cleo', asked)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410])
  const cmd = await shop.of('welder').wire.hears('jarvis/devices/welder/cmd')
  expect(cmd.json()).toMatchObject({
    id: commandId,
    intent: 'welder.start',
    payload: { amps: 90 },
    requestedBy: 'person:olga',
  })
  expect(cmd.packet.retain).toBe(false)
  await shop.of('welder').says('ack', { id: commandId, status: 'done' })
  const result = await shop.watcher.hears('jarvis/devices/welder/result')
  expect(
    (await shop.watcher.hears(({ topic, json }) => topic === result.topic && json()['id'] === commandId)).json(),
  ).toMatchObject({ status: 'done' })
  expect((await shop.answer('dan', asked)).status).toBe(410)
  expect(shop.heard(({ topic }) => topic === 'jarvis/devices/welder/cmd')).toHaveLength(1)
  expect(shop.of('welder').cmds()).toHaveLength(1)
})

test('one row says who asked, who said yes, under which policy, on what presence; another what came of it', async () => {
  const mine = (event: string) => shop.row((row) => row.event === event && row.subject === commandId)
  const given = [{ by: 'person:bob' }, { by: expect.stringMatching(/^person:(cleo|dan)$/) }]
  expect(await mine('cmd')).toMatchObject({
    who: 'gate',
    detail: {
      by: 'approval',
      approval: asked.id,
      requestedBy: 'person:olga',
      given,
      policy: expect.stringMatching(/^[0-9a-f]{16}$/),
      evidence: { presence: { rule: 'requester_present', here: true, lastZone: 'Welding bay' } },
    },
  })
  expect(await mine('result')).toMatchObject({ detail: { status: 'done', requestedBy: 'person:olga', given } })
  const events = await shop.api<{ items: { type: string; hazardEventId?: string }[] }>('/api/safety/events', 'olga')
  expect(events.body.items.filter(({ hazardEventId }) => hazardEventId === asked.id).map(({ type }) => type)).toEqual(
    expect.arrayContaining(['approval.asked', 'approval.refused', 'approval.given', 'approval.approved']),
  )
  const told = shop
    .heard(({ topic }) => topic === `jarvis/safety/events/${asked.id}`)
    .map((heard) => heard.json()['type'])
  expect(told).toEqual(expect.arrayContaining(['approval.asked', 'approval.given', 'approval.approved']))
})

/** The command line, as a person calls it. */
const verify = () =>
  run(process.execPath, [join(ROOT, 'hub/start.js'), 'audit', 'verify'], {
    cwd: shop.dir,
    env: { ...process.env, DATA_DIR: shop.dataDir },
  }).then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, said: error.stdout }),
  )

test('the command line finds the audit whole, and names the row after one byte was changed', async () => {
  await shop.stop()
  expect(await verify()).toMatchObject({ code: 0, said: expect.stringMatching(/whole/) })
  const db = new Database(join(shop.dataDir, 'hub.sqlite'))
  try {
    const { n } = db
      .prepare<[], { n: number }>("select n from audit where event = 'approval.given' order by n")
      .get() ?? { n: 0 }
    expect(db.prepare("update audit set who = 'person:dob' where n = ?").run(n).changes).toBe(1)
    expect(await verify()).toMatchObject({ code: 1, said: expect.stringMatching(new RegExp(`row ${n} was changed`)) })
  } finally {
    db.close()
  }
})
