// Approvals: who is asked, whose yes counts, and that what was approved goes out once, whatever happens in between.
import { expect, test } from 'vitest'
import type { Gate } from '../gate.ts'
import { message } from '../../streams/message.ts'
import { deviceOf, settle } from '../gate.rig.ts'
import { fixedPolicy } from '../policy/file.ts'
import { ada, bob, changing, cleo, dan, eve, openShop, PHRASE, policy, start } from './shop.rig.ts'

const unlock = { intent: 'lock.unlock' }

/** Says yes as people do: with the digest they were shown. */
const approve = async (gate: Gate, who: typeof ada, phrase?: string) => {
  const [open] = await gate.safety.approvals({})
  if (open === undefined) throw new Error('nothing is open')
  return gate.safety.answer(who, { id: open.id, decision: 'approve', digest: open.digest, phrase })
}

test('a hazard asks people in plain words, retained, and its command stays pending', async () => {
  const { open, badge, bus, sent } = await openShop()
  const gate = await open()
  await badge('ada')
  const answer = await gate.ask(ada, 'welder', { ...start, reason: 'seam' })
  expect(answer).toMatchObject({ status: 'awaiting_confirmation', http: 202, approval: expect.any(String) })
  expect(sent('welder')).toEqual([])
  expect(await gate.command(answer.commandId)).toMatchObject({ status: 'pending' })
  const [kept] = bus.retained('jarvis/approvals/+')
  expect(JSON.parse(String(kept?.payload))).toMatchObject({
    id: answer.approval,
    commandId: answer.commandId,
    device: 'welder',
    payload: { amps: 90 },
    effect: "Tells 'MIG welder' (welder) in 'Bay' to start with amps = 90.",
    hazard: 'high',
    zone: 'Bay',
    requestedBy: 'person:ada',
    reason: 'seam',
    needed: 2,
    given: [],
    phrase: PHRASE,
    status: 'pending',
    expiresAt: '2026-03-01T08:05:00.000Z',
    evidence: { policy: expect.any(String), presence: { rule: 'requester_present', lastZone: 'Bay' } },
  })
  await gate.close()
})

test('two different people say yes, the first by the phrase: it goes out once, and the topic is cleared', async () => {
  const { open, badge, bus, sent, ack, audited } = await openShop()
  const gate = await open()
  await badge('ada')
  const { commandId } = await gate.ask(ada, 'welder', start)
  expect(await approve(gate, bob, '  confirm: PROCEED ')).toMatchObject({
    approval: { status: 'pending', given: [{ by: 'person:bob' }] },
  })
  expect(sent('welder')).toEqual([])
  await expect(approve(gate, bob)).rejects.toMatchObject({
    code: 'POLICY_ERROR',
    message: expect.stringMatching(/somebody else/),
  })
  expect(await approve(gate, cleo)).toMatchObject({
    approval: { status: 'approved' },
    command: { commandId, status: 'dispatched' },
  })
  expect(sent('welder').map(({ id }) => id)).toEqual([commandId])
  expect(bus.retained('jarvis/approvals/+')).toEqual([])
  ack('welder', { id: commandId, status: 'done' })
  await settle()
  expect(await gate.command(commandId)).toMatchObject({ status: 'done' })
  await gate.close()
  expect(await audited('cmd')).toMatchObject([
    {
      detail: {
        by: 'approval',
        requestedBy: 'person:ada',
        given: [{ by: 'person:bob' }, { by: 'person:cleo' }],
        policy: expect.any(String),
        evidence: { presence: { here: true } },
      },
    },
  ])
  expect(await audited('result')).toMatchObject([
    { detail: { status: 'done', requestedBy: 'person:ada', given: [{ by: 'person:bob' }, { by: 'person:cleo' }] } },
  ])
  expect((await audited('approval.%')).map(({ event, who }) => [event, who])).toEqual([
    ['approval.asked', 'person:ada'],
    ['approval.given', 'person:bob'],
    ['approval.refused', 'person:bob'],
    ['approval.given', 'person:cleo'],
    ['approval.approved', 'person:cleo'],
  ])
})

test('two last yeses at the same moment send one command', async () => {
  const { open, sent } = await openShop()
  const gate = await open()
  await gate.ask(ada, 'door', unlock)
  await approve(gate, bob, PHRASE)
  const both = await Promise.allSettled([approve(gate, cleo), approve(gate, dan)])
  expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(sent('door')).toHaveLength(1)
  await gate.close()
})

test('medium takes one yes', async () => {
  const { open, sent } = await openShop()
  const gate = await open()
  await gate.ask(ada, 'heater', { intent: 'heater.start' })
  await approve(gate, bob, PHRASE)
  expect(sent('heater')).toHaveLength(1)
  await gate.close()
})

test.each([
  ['deny', undefined, 'denied'],
  ['cancel', undefined, 'cancelled'],
  ['approve', ' Cancel ', 'cancelled'],
  ['approve', 'nein', 'cancelled'],
] as const)('%s %s ends it: nothing goes out, the result says who', async (decision, phrase, status) => {
  const { open, sent, results } = await openShop()
  const gate = await open()
  const { commandId } = await gate.ask(ada, 'door', unlock)
  const [one] = await gate.safety.approvals({})
  expect(
    await gate.safety.answer(bob, { id: one?.id ?? '', digest: one?.digest ?? '', decision, phrase }),
  ).toMatchObject({ approval: { status } })
  await settle()
  expect(sent('door')).toEqual([])
  expect(results('door')).toMatchObject([
    { id: commandId, status: 'denied', reason: expect.stringMatching(/person:bob/) },
  ])
  expect(await gate.safety.approvals({ all: true })).toMatchObject([{ status, decidedBy: 'person:bob' }])
  await gate.close()
})

test('silence is a no', async () => {
  const { open, sent, results, time, bus } = await openShop()
  const gate = await open()
  await gate.ask(ada, 'door', unlock)
  await approve(gate, bob, PHRASE)
  await time.pass(299_999)
  expect(results('door')).toEqual([])
  await time.pass(1)
  expect(results('door')).toMatchObject([{ status: 'expired' }])
  expect(sent('door')).toEqual([])
  expect(bus.retained('jarvis/approvals/+')).toEqual([])
  await gate.close()
})

test('an asker who named an end is not answered after it', async () => {
  const { open, results, time } = await openShop()
  const gate = await open()
  await gate.ask(ada, 'door', { ...unlock, expiresAt: '2026-03-01T08:01:00Z' })
  expect(await gate.safety.approvals({})).toMatchObject([{ expiresAt: '2026-03-01T08:01:00.000Z' }])
  await time.pass(60_000)
  expect(results('door')).toMatchObject([{ status: 'expired' }])
  await gate.close()
})

test('whoever asked is none of those who say yes, unless the policy says so', async () => {
  const rules = (requesterMayApprove: boolean) =>
    policy({ rules: [{ intent: 'lock.unlock', hazard: 'high', requesterMayApprove }] })
  for (const [own, sentOut] of [
    [false, 0],
    [true, 1],
  ] as const) {
    const { open, sent } = await openShop({ policy: fixedPolicy(rules(own)) })
    const gate = await open()
    await gate.ask(bob, 'door', unlock)
    const first = approve(gate, bob, PHRASE)
    if (own) await first
    else await expect(first).rejects.toMatchObject({ code: 'POLICY_ERROR' })
    await approve(gate, cleo, PHRASE)
    expect(sent('door')).toHaveLength(sentOut)
    await gate.close()
  }
})

test('the policy decides whose yes counts', async () => {
  const { open, sent } = await openShop({
    policy: fixedPolicy(policy({ rules: [{ intent: 'lock.unlock', hazard: 'medium', approve: ['safety'] }] })),
  })
  const gate = await open()
  await gate.ask(ada, 'door', unlock)
  await expect(approve(gate, bob, PHRASE)).rejects.toMatchObject({ message: expect.stringMatching(/roles: safety/) })
  await approve(gate, dan, PHRASE)
  expect(sent('door')).toHaveLength(1)
  await gate.close()
})

test('a safe intent needs no approval, and ends what waits for the same device', async () => {
  const { open, sent, results } = await openShop()
  const gate = await open()
  const { commandId } = await gate.ask(ada, 'door', unlock)
  expect(await gate.ask(ada, 'door', { intent: 'lock.lock' })).toMatchObject({ status: 'dispatched' })
  await settle()
  expect(results('door')).toMatchObject([
    { id: commandId, status: 'denied', reason: expect.stringMatching(/safe state/) },
  ])
  expect(sent('door').map(({ intent }) => intent)).toEqual(['lock.lock'])
  await gate.close()
})

test('after a restart it is still asked, by the same approval, and expires by the clock also while the hub was down', async () => {
  const { open, sent, results, time } = await openShop()
  const before = await open()
  await before.ask(ada, 'door', unlock)
  const [asked] = await before.safety.approvals({})
  await approve(before, bob, PHRASE)
  await before.close()
  await time.pass(60_000)
  const gate = await open()
  expect(await gate.safety.approvals({})).toMatchObject([
    { id: asked?.id, digest: asked?.digest, given: [{ by: 'person:bob' }] },
  ])
  await expect(approve(gate, bob)).rejects.toMatchObject({ code: 'POLICY_ERROR' })
  await approve(gate, cleo)
  expect(sent('door')).toHaveLength(1)
  await gate.ask(ada, 'door', { ...unlock, id: 'second' })
  await gate.close()
  await time.pass(400_000)
  const late = await open()
  await settle()
  expect(results('door').filter(({ id }) => id === 'second')).toMatchObject([{ status: 'expired' }])
  expect(sent('door')).toHaveLength(1)
  await late.close()
})

test('a question whose command has ended while the hub was down is not asked again', async () => {
  const { open, bus, db } = await openShop()
  const before = await open()
  const { commandId } = await before.ask(ada, 'door', unlock)
  const { body, ...row } = await db.selectFrom('approvals').selectAll().executeTakeFirstOrThrow()
  await before.safety.takeBack(ada, row.id)
  await settle()
  await before.close()
  // As it is when the hub dies after the command's result and before the approval's end was written.
  await db.updateTable('approvals').set({ body, status: 'pending', decided_at: 0 }).execute()
  const gate = await open()
  expect(await gate.safety.approvals({})).toEqual([])
  expect(await gate.safety.approvals({ all: true })).toMatchObject([{ commandId, status: 'cancelled' }])
  expect(bus.retained('jarvis/approvals/+')).toEqual([])
  await gate.close()
})

test('a hub that died between the last yes and the command sends it once at its start', async () => {
  const { open, sent, db } = await openShop()
  const before = await open()
  const { commandId } = await before.ask(ada, 'door', unlock)
  const { id, body } = await db.selectFrom('approvals').selectAll().executeTakeFirstOrThrow()
  await before.close()
  // As the last yes writes it; the hub got no further.
  const given = [bob, cleo].map(({ id }) => ({ by: `person:${id}`, at: '2026-03-01T08:00:01.000Z' }))
  await db
    .updateTable('approvals')
    .set({ status: 'approved', body: JSON.stringify({ ...JSON.parse(body), status: 'approved', given }) })
    .where('id', '=', id)
    .execute()
  const gate = await open()
  await settle()
  expect(sent('door').map(({ id }) => id)).toEqual([commandId])
  await gate.close()
  const again = await open()
  await settle()
  expect(sent('door')).toHaveLength(1)
  await again.close()
})

test.each([
  ['a requester who is not known any more', 'rights'],
  ['an approver who lost the role', 'approval'],
  ['a device that went offline', 'online'],
  ['an interlock that says no by now', 'interlock'],
  ['a requester who left', 'presence'],
  ['a policy that takes more people now', 'approval'],
  ['an intent the device does not know any more', 'intent'],
])('%s: approved, but not sent', async (what, step) => {
  const { source, set } = changing(
    policy({ rules: [{ intent: 'welder.start', hazard: 'medium', presence: 'requester_present' }] }),
  )
  const shop = await openShop({ policy: source })
  const { open, badge, people, about, welder, sent, results, audited } = shop
  const gate = await open()
  await badge('ada')
  let blocked = false
  gate.addInterlock({
    name: 'lid',
    explains: 'The lid.',
    check: () => (blocked ? { ok: false, reason: 'the lid is open' } : { ok: true }),
  })
  const { commandId } = await gate.ask(ada, 'welder', start)
  let approver = bob
  if (step === 'rights') people.delete('person:ada')
  if (what.includes('approver')) people.set('person:bob', eve)
  if (step === 'online') about('welder', welder, false)
  if (step === 'interlock') blocked = true
  if (step === 'presence') await badge('ada', 'reader', 'out')
  if (what.includes('policy')) set(policy({ rules: [{ intent: 'welder.start', hazard: 'high', presence: 'none' }] }))
  if (step === 'intent') about('welder', { ...welder, intents: { 'welder.stop': {} } })
  if (what.includes('approver')) approver = { ...bob }
  await settle()
  expect(await approve(gate, approver, PHRASE)).toMatchObject({ command: { status: 'refused' } })
  await settle()
  expect(sent('welder')).toEqual([])
  expect(results('welder')).toMatchObject([{ id: commandId, status: 'refused' }])
  await gate.close()
  expect(await audited(`refused.${step}`)).toMatchObject([
    { subject: commandId, detail: { policy: expect.any(String) } },
  ])
})

test('a stop cancels what waits and holds machines until two with the role safety release them', async () => {
  const { open, sent, badge, time } = await openShop()
  let gate = await open()
  await badge('ada')
  await gate.ask(ada, 'welder', start)
  await gate.stop(ada, 'smoke')
  expect(await gate.safety.approvals({})).toEqual([])
  expect(await gate.ask(ada, 'welder', start)).toMatchObject({
    http: 409,
    reason: expect.stringMatching(/stopped by person:ada/),
  })
  expect(await gate.ask(ada, 'lamp', { intent: 'light.turn_on' })).toMatchObject({ http: 202 })
  await settle()
  await gate.close()
  await time.pass(10_000)
  gate = await open()
  expect(gate.safety.status()).toMatchObject({ latched: { by: 'person:ada', reason: 'smoke' } })
  await expect(gate.safety.resume(bob, '')).rejects.toMatchObject({ code: 'POLICY_ERROR' })
  expect(await gate.safety.resume(cleo, 'it was toast')).toMatchObject({
    released: false,
    approval: { intent: 'safety.resume', needed: 2 },
  })
  await approve(gate, cleo, PHRASE)
  await expect(approve(gate, bob)).rejects.toMatchObject({ code: 'POLICY_ERROR' })
  expect(gate.safety.status().latched).toBeDefined()
  expect(await approve(gate, dan)).toMatchObject({ command: { released: true } })
  expect(gate.safety.status().latched).toBeUndefined()
  await badge('ada')
  expect(await gate.ask(ada, 'welder', start)).toMatchObject({ status: 'awaiting_confirmation' })
  expect(sent('welder').map(({ intent }) => intent)).toEqual(['welder.stop'])
  await gate.close()
})

test('the cameras of the zone are part of the evidence, when it is asked and when it goes out', async () => {
  const { about, bus, open, audited, ack } = await openShop()
  const cameras = [
    ['cam', 'camera', 'yard'],
    ['far_cam', 'camera', 'Bay'],
    ['no_cam', 'light', 'Yard'],
  ] as const
  const shows = (id: string, snapshot: string) =>
    bus.publish(deviceOf(id), message('devices/{device}/state', { device: id }, { snapshot }))
  for (const [id, kind, area] of cameras) {
    about(id, { name: id, kind, area, intents: {} })
    shows(id, `/pictures/${id}/1.jpg`)
  }
  await settle()
  const gate = await open()
  const { commandId } = await gate.ask(ada, 'door', unlock)
  expect(await gate.safety.approvals({})).toMatchObject([
    { evidence: { snapshots: [{ camera: 'cam', snapshot: '/pictures/cam/1.jpg' }] } },
  ])
  shows('cam', '/pictures/cam/2.jpg')
  await approve(gate, bob, PHRASE)
  await approve(gate, cleo)
  ack('door', { id: commandId, status: 'done' })
  await settle()
  await gate.close()
  expect(await audited('cmd')).toMatchObject([
    { detail: { evidence: { snapshots: [{ camera: 'cam', snapshot: '/pictures/cam/2.jpg' }] } } },
  ])
})
