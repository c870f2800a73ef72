// Attacks on the gate: each ends refused, with nothing sent, and with a row in the audit that says who tried what.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { GATE, HUB, type Principal } from '../bus/principal.ts'
import { message } from '../streams/message.ts'
import { type Signature, signedText } from './approvals/signatures.ts'
import { ada, bob, changing, cleo, dan, eve, openShop, person, PHRASE, policy, start } from './approvals/shop.rig.ts'
import { chained, GENESIS } from './audit.ts'
import type { Gate } from './gate.ts'
import { deviceOf, dustFlow, quiet, settle } from './gate.rig.ts'
import { fixedPolicy, openPolicyFile } from './policy/file.ts'
import { verifyAudit } from './verify.ts'

type Shop = Awaited<ReturnType<typeof openShop>>

const unlock = { intent: 'lock.unlock' }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A shop, its gate, and the door's approval that ada asked for. */
const asked = async (more: Parameters<typeof openShop>[0] = {}) => {
  const shop = await openShop(more)
  const gate = await shop.open()
  closing.push(() => gate.close())
  const { commandId } = await gate.ask(ada, 'door', unlock)
  const [view] = await gate.safety.approvals({})
  if (view === undefined) throw new Error('nobody is asked')
  const yes = (who: Principal, phrase?: string, digest = view.digest, id = view.id) =>
    gate.safety.answer(who, { id, digest, decision: 'approve', phrase })
  return { shop, gate, view, commandId, yes }
}

/** Nothing that may hurt somebody went out, and the audit has the row. */
const held = async (shop: Shop, gate: Gate, event: string, who?: string) => {
  await settle()
  await gate.close()
  const dangerous = shop.bus
    .said('devices/{device}/cmd')
    .filter(({ payload }) => ['lock.unlock', 'welder.start', 'heater.start'].includes(payload.intent))
  expect(dangerous).toEqual([])
  const rows = await shop.audited(event)
  expect(rows.length, `no ${event} in the audit`).toBeGreaterThan(0)
  if (who !== undefined) expect(rows.map((row) => row.who)).toContain(who)
  expect((await verifyAudit(shop.db)).ok).toBe(true)
}

describe('an answer that does not count', () => {
  const answers: [string, number | string, string, (it: Awaited<ReturnType<typeof asked>>) => Promise<unknown>][] = [
    [
      'whoever asked says yes',
      'POLICY_ERROR',
      'person:bob',
      async ({ gate }) => {
        await gate.ask(bob, 'door', unlock)
        const [, own] = await gate.safety.approvals({})
        return gate.safety.answer(bob, {
          id: own?.id ?? '',
          digest: own?.digest ?? '',
          decision: 'approve',
          phrase: PHRASE,
        })
      },
    ],
    [
      'the same person twice',
      'POLICY_ERROR',
      'person:bob',
      async ({ yes }) => {
        await yes(bob, PHRASE)
        return yes(bob, PHRASE)
      },
    ],
    [
      'the same person by another key of theirs',
      'POLICY_ERROR',
      'person:bob',
      async ({ yes }) => {
        await yes(bob, PHRASE)
        return yes({ ...bob, scopes: ['hazards.approve'] }, PHRASE)
      },
    ],
    [
      'a role that may not approve',
      'POLICY_ERROR',
      'person:ada2',
      ({ yes }) => yes(person('ada2', 'operator'), PHRASE),
    ],
    ['nobody’s role', 'POLICY_ERROR', 'person:eve', ({ yes }) => yes(eve, PHRASE)],
    [
      'an API key without the scope',
      'POLICY_ERROR',
      'person:bob',
      ({ yes }) => yes({ ...bob, scopes: ['devices.request', 'devices.read'] }, PHRASE),
    ],
    [
      'a phrase that is contained but not equal',
      'POLICY_ERROR',
      'person:bob',
      ({ yes }) => yes(bob, `do not ${PHRASE}`),
    ],
    ['no phrase at all', 'POLICY_ERROR', 'person:bob', ({ yes }) => yes(bob)],
    ['an empty phrase', 'POLICY_ERROR', 'person:bob', ({ yes }) => yes(bob, '   ')],
    [
      'a phrase with letters that only look alike',
      'POLICY_ERROR',
      'person:bob',
      ({ yes }) => yes(bob, PHRASE.replace('o', 'о')),
    ],
    ['a flow', 'POLICY_ERROR', 'flow:dust-starts-extractor', ({ yes }) => yes(dustFlow, PHRASE)],
    ['a plugin', 'POLICY_ERROR', 'plugin:x', ({ yes }) => yes({ kind: 'plugin', id: 'x', roles: ['safety'] }, PHRASE)],
    ['a device', 'POLICY_ERROR', 'device:press', ({ yes }) => yes({ ...deviceOf('press'), roles: ['safety'] }, PHRASE)],
    ['the hub itself', 'POLICY_ERROR', 'hub', ({ yes }) => yes({ ...HUB, roles: ['safety'] }, PHRASE)],
    [
      'the digest of another approval',
      'CONFLICT',
      'person:bob',
      async ({ gate, yes }) => {
        await gate.ask(ada, 'heater', { intent: 'heater.start' })
        const other = (await gate.safety.approvals({})).find(({ device }) => device === 'heater')
        return yes(bob, PHRASE, other?.digest)
      },
    ],
    ['a digest that was cut', 'CONFLICT', 'person:bob', ({ yes, view }) => yes(bob, PHRASE, view.digest.slice(0, -1))],
    [
      'an approval of another hub',
      'NOT_FOUND',
      'person:bob',
      async ({ yes }) => {
        const other = await asked()
        return yes(bob, PHRASE, other.view.digest, other.view.id)
      },
    ],
    [
      'the digest of the same question on another hub',
      'CONFLICT',
      'person:bob',
      async ({ yes }) => yes(bob, PHRASE, (await asked()).view.digest),
    ],
    [
      'an approval nobody asked',
      'NOT_FOUND',
      'person:bob',
      ({ yes, view }) => yes(bob, PHRASE, view.digest, 'made-up'),
    ],
    [
      'after it was denied',
      'GONE',
      'person:cleo',
      async ({ gate, view, yes }) => {
        await gate.safety.answer(bob, { id: view.id, digest: view.digest, decision: 'deny' })
        return yes(cleo, PHRASE)
      },
    ],
    [
      'after it expired',
      'GONE',
      'person:bob',
      async ({ shop, yes }) => {
        await shop.time.pass(300_000)
        return yes(bob, PHRASE)
      },
    ],
    [
      'after a stop',
      'GONE',
      'person:bob',
      async ({ gate, yes }) => {
        await gate.stop(ada, '')
        return yes(bob, PHRASE)
      },
    ],
    [
      'after the asker took it back',
      'GONE',
      'person:bob',
      async ({ gate, view, yes }) => {
        await gate.safety.takeBack(ada, view.id)
        return yes(bob, PHRASE)
      },
    ],
    ['another takes it back', 'POLICY_ERROR', 'person:eve', ({ gate, view }) => gate.safety.takeBack(eve, view.id)],
  ]
  test.each(answers)('%s', async (_, code, who, attack) => {
    const it = await asked()
    await expect(attack(it)).rejects.toMatchObject({ code })
    await held(it.shop, it.gate, 'approval.refused', who)
  })

  test('a flood of wrong answers is turned away and counted', async () => {
    const it = await asked()
    const tried = await Promise.allSettled(Array.from({ length: 200 }, () => it.yes(bob, 'wrong')))
    const codes = tried.map((one) => (one.status === 'rejected' ? (one.reason as { code: string }).code : 'in'))
    expect(new Set(codes)).toEqual(new Set(['POLICY_ERROR', 'RATE_LIMITED']))
    await held(it.shop, it.gate, 'approval.refused', 'person:bob')
    expect((await it.shop.audited('approval.refused')).length).toBeLessThan(5)
  })
})

describe('a yes that comes too late for what it was said to', () => {
  const changes: [string, string, (it: { shop: Shop; set: (file: object) => void }) => unknown][] = [
    ['the one who asked is removed', 'refused.rights', ({ shop }) => shop.people.delete('person:ada')],
    ['the first approver is removed', 'refused.approval', ({ shop }) => shop.people.delete('person:bob')],
    [
      'the first approver lost the right',
      'refused.approval',
      ({ shop, set }) => {
        // The role alone would do; the right it takes besides does not.
        set({ rules: [{ intent: 'lock.unlock', hazard: 'high', approve: ['operator', 'engineer', 'safety'] }] })
        shop.people.set('person:bob', person('bob', 'operator'))
      },
    ],
    [
      'the device is another kind of thing by now',
      'refused.intent',
      ({ shop }) => shop.about('door', { name: 'Yard door', kind: 'contact', intents: {} }),
    ],
    [
      'the device wants another payload by now',
      'refused.payload',
      ({ shop }) =>
        shop.about('door', {
          name: 'Yard door',
          kind: 'lock',
          area: 'Yard',
          intents: { 'lock.unlock': { type: 'object', required: ['pin'] } },
        }),
    ],
    [
      'the device is offline',
      'refused.online',
      ({ shop }) =>
        shop.about('door', { name: 'Yard door', kind: 'lock', area: 'Yard', intents: { 'lock.unlock': {} } }, false),
    ],
    [
      'the policy asks for other roles',
      'refused.approval',
      ({ set }) => set({ rules: [{ intent: 'lock.unlock', hazard: 'high', approve: ['safety'] }] }),
    ],
    [
      'the policy asks for presence',
      'refused.presence',
      ({ set }) => set({ rules: [{ intent: 'lock.unlock', hazard: 'high', presence: 'someone_present' }] }),
    ],
    [
      'the policy forbids the hour',
      'refused.hours',
      ({ set }) =>
        set({
          timeZone: 'UTC',
          rules: [{ intent: 'lock.unlock', hazard: 'high', hours: { from: '20:00', to: '22:00' } }],
        }),
    ],
    [
      'the policy asks for a signature',
      'refused.approval',
      ({ set }) => set({ rules: [{ intent: 'lock.unlock', hazard: 'high', signature: true }] }),
    ],
    [
      'the policy lets others ask',
      'refused.role',
      ({ set }) => set({ rules: [{ intent: 'lock.unlock', hazard: 'high', ask: ['safety'] }] }),
    ],
  ]
  test.each(changes)('%s', async (_, event, change) => {
    const { source, set } = changing(policy({}))
    const it = await asked({ policy: source })
    await it.yes(bob, PHRASE)
    change({ shop: it.shop, set: (file) => set(policy(file)) })
    await settle()
    expect(await it.yes(cleo)).toMatchObject({ command: { status: 'refused' } })
    await held(it.shop, it.gate, event)
  })

  test('a request under the same id with another payload while people are asked', async () => {
    const shop = await openShop({
      policy: fixedPolicy(policy({ rules: [{ intent: 'welder.start', hazard: 'high' }] })),
    })
    const gate = await shop.open()
    await gate.ask(ada, 'welder', { ...start, id: 'same' })
    const again = gate.ask(ada, 'welder', { ...start, payload: { amps: 400 }, id: 'same' })
    await settle()
    expect(await again).toMatchObject({ http: 409 })
    expect(await gate.safety.approvals({})).toMatchObject([{ payload: { amps: 90 } }])
    await held(shop, gate, 'refused.duplicate')
  })

  test.each([
    ['is not readable', (body: string) => body.replace('"commandId"', '"other"')],
    ['names another payload', (body: string) => body.replace('"payload":{}', '"payload":{"for":"ever"}')],
    ['takes fewer people', (body: string) => body.replace('"needed":2', '"needed":1')],
    ['ends later', (body: string) => body.replace('08:05:00', '23:05:00')],
    [
      'is approved by nobody',
      (body: string) => body.replace('"pending"', '"approved"').replace('"needed":2', '"needed":1'),
    ],
  ])('an approval of an earlier run that was changed in the table and %s', async (_, changed) => {
    const it = await asked()
    await it.gate.close()
    const { body } = await it.shop.db.selectFrom('approvals').select('body').executeTakeFirstOrThrow()
    expect(changed(body)).not.toBe(body)
    await it.shop.db
      .updateTable('approvals')
      .set({ body: changed(body) })
      .execute()
    const gate = await it.shop.open()
    closing.push(() => gate.close())
    await settle()
    expect(it.shop.results('door')).toMatchObject([{ status: 'denied', reason: expect.stringMatching(/was changed/) }])
    expect(await gate.safety.approvals({})).toEqual([])
    await held(it.shop, gate, 'approval.refused', 'gate')
  })

  test('a second use of an approval, before and after a restart', async () => {
    const it = await asked()
    await it.yes(bob, PHRASE)
    await it.yes(cleo)
    await expect(it.yes(dan, PHRASE)).rejects.toMatchObject({ code: 'GONE' })
    await it.gate.close()
    const gate = await it.shop.open()
    closing.push(() => gate.close())
    await expect(
      gate.safety.answer(dan, { id: it.view.id, digest: it.view.digest, decision: 'approve' }),
    ).rejects.toMatchObject({ code: 'GONE' })
    await settle()
    expect(it.shop.sent('door')).toHaveLength(1)
    await gate.close()
    expect(await it.shop.audited('approval.refused')).toHaveLength(2)
  })
})

describe('presence that is none', () => {
  const lies: [string, (shop: Shop) => Promise<unknown>][] = [
    ['no badge at all', async () => {}],
    [
      'a badge that is too old',
      async (shop) => {
        await shop.badge('ada')
        await shop.time.pass(15 * 60_000 + 1)
      },
    ],
    ['a badge elsewhere', (shop) => shop.badge('ada', 'far_reader')],
    ['a badge of somebody else', (shop) => shop.badge('bob')],
    [
      'a badge, and then out',
      async (shop) => {
        await shop.badge('ada')
        await shop.badge('ada', 'reader', 'out')
      },
    ],
    ['a badge told by a device that is no badge reader', (shop) => shop.badge('ada', 'lamp')],
    [
      'a badge told by another device in the reader’s name',
      async (shop) => {
        await expect(shop.badge('ada', 'reader', 'in', deviceOf('lamp'))).rejects.toThrow()
      },
    ],
    ['a name with the kind before it', (shop) => shop.badge('person:ada')],
    [
      'an early badge that is told late',
      async (shop) => {
        await shop.badge('ada', 'reader', 'out')
      },
    ],
  ]
  test.each(lies)('%s', async (_, lie) => {
    const shop = await openShop()
    const gate = await shop.open()
    await lie(shop)
    expect(await gate.ask(ada, 'welder', start)).toMatchObject({
      http: 403,
      reason: expect.stringMatching(/requester present/),
    })
    await held(shop, gate, 'refused.presence', 'person:ada')
  })

  test('a flow that asks is nowhere', async () => {
    const shop = await openShop()
    const gate = await shop.open()
    await shop.badge('dust-starts-extractor')
    expect(await gate.ask(dustFlow, 'welder', start)).toMatchObject({ http: 403 })
    await held(shop, gate, 'refused.presence', 'flow:dust-starts-extractor')
  })
})

describe('signatures', () => {
  const rules = policy({ rules: [{ intent: 'lock.unlock', hazard: 'high', signature: true }] })
  const pair = generateKeyPairSync('ed25519')
  const T0 = Date.parse('2026-03-01T08:00:00Z')
  const what = { intent: 'lock.unlock', device: 'door', zone: 'Yard', user: 'person:ada', payload: {} }
  const times = (from = 0, to = 60_000, nonce = 'n'.repeat(22)) => ({
    nonce,
    issuedAt: new Date(T0 + from).toISOString(),
    expiresAt: new Date(T0 + to).toISOString(),
  })
  const signedBy = (keyId: string, signed = what, when = times(), key = pair.privateKey): Signature => ({
    keyId,
    ...when,
    value: sign(null, Buffer.from(signedText(signed, when)), key).toString('base64'),
  })

  const keyed = async () => {
    const shop = await openShop({ policy: fixedPolicy(rules) })
    const gate = await shop.open({ master: Buffer.alloc(32, 7) })
    closing.push(() => gate.close())
    const publicKey = String(pair.publicKey.export({ type: 'spki', format: 'pem' }))
    const key = await gate.safety.addKey(ada, { algorithm: 'ed25519', publicKey })
    return { shop, gate, key, publicKey }
  }

  test('a right one is let through to the people, by either algorithm and by both keys of a rotation', async () => {
    const { gate, key, publicKey, shop } = await keyed()
    expect(await gate.ask(ada, 'door', unlock, signedBy(key.id))).toMatchObject({ status: 'awaiting_confirmation' })
    expect(await gate.safety.approvals({})).toMatchObject([
      { evidence: { signature: { keyId: key.id, owner: 'person:ada' } } },
    ])
    await gate.ask(ada, 'door', { intent: 'lock.lock' })
    await shop.time.pass(10)
    const hmac = await gate.safety.addKey(ada, { algorithm: 'hmac-sha256' })
    const when = times(0, 60_000, 'h'.repeat(22))
    const value = createHmac('sha256', Buffer.from(hmac.secret ?? '', 'base64'))
      .update(signedText(what, when))
      .digest('base64')
    expect(await gate.ask(ada, 'door', unlock, { keyId: hmac.id, ...when, value })).toMatchObject({
      status: 'awaiting_confirmation',
    })
    await gate.ask(ada, 'door', { intent: 'lock.lock' })
    expect(await gate.ask(ada, 'door', unlock, signedBy(key.id, what, times(0, 60_000, 'o'.repeat(22))))).toMatchObject(
      { status: 'awaiting_confirmation' },
    )
    await gate.ask(ada, 'door', { intent: 'lock.lock' })
    await shop.time.pass(10)
    // A third key: the oldest does not count any more.
    await gate.safety.addKey(ada, { algorithm: 'ed25519', publicKey })
    expect((await gate.safety.keys(ada)).map(({ id }) => id)).not.toContain(key.id)
    expect(await gate.ask(ada, 'door', unlock, signedBy(key.id, what, times(0, 60_000, 'p'.repeat(22))))).toMatchObject(
      { http: 403 },
    )
    expect(JSON.stringify(await shop.db.selectFrom('hazard_keys').selectAll().execute())).not.toContain(hmac.secret)
  })

  const wrong: [
    string,
    (it: Awaited<ReturnType<typeof keyed>>) => Signature | undefined | Promise<Signature | undefined>,
  ][] = [
    ['none at all', () => undefined],
    ['made with another key', ({ key }) => signedBy(key.id, what, times(), generateKeyPairSync('ed25519').privateKey)],
    ['for another device', ({ key }) => signedBy(key.id, { ...what, device: 'other' })],
    ['for another intent', ({ key }) => signedBy(key.id, { ...what, intent: 'lock.lock' })],
    ['for another payload', ({ key }) => signedBy(key.id, { ...what, payload: { a: 1 } })],
    ['for another zone', ({ key }) => signedBy(key.id, { ...what, zone: 'Bay' })],
    ['in another’s name', ({ key }) => signedBy(key.id, { ...what, user: 'person:bob' })],
    [
      'with another’s key',
      async ({ gate, publicKey }) => signedBy((await gate.safety.addKey(bob, { algorithm: 'ed25519', publicKey })).id),
    ],
    [
      'with a key that was removed',
      async ({ gate, key }) => {
        await gate.safety.removeKey(ada, key.id)
        return signedBy(key.id)
      },
    ],
    ['with a key nobody has', () => signedBy('made-up')],
    ['valid for longer than a minute', ({ key }) => signedBy(key.id, what, times(0, 60_001))],
    ['valid for no time', ({ key }) => signedBy(key.id, what, times(0, 0))],
    ['of the past', ({ key }) => signedBy(key.id, what, times(-60_000, -1))],
    ['of the future', ({ key }) => signedBy(key.id, what, times(30_000, 60_000))],
    [
      'whose times were changed afterwards',
      ({ key }) => ({ ...signedBy(key.id), expiresAt: new Date(T0 + 59_000).toISOString() }),
    ],
    ['whose nonce was changed afterwards', ({ key }) => ({ ...signedBy(key.id), nonce: 'm'.repeat(22) })],
    [
      'replayed',
      async ({ gate, key }) => {
        await gate.ask(ada, 'door', unlock, signedBy(key.id))
        await gate.ask(ada, 'door', { intent: 'lock.lock' })
        return signedBy(key.id)
      },
    ],
    [
      'replayed after the clock was set back',
      async ({ gate, key, shop }) => {
        await gate.ask(ada, 'door', unlock, signedBy(key.id))
        await gate.ask(ada, 'door', { intent: 'lock.lock' })
        await gate.close()
        await shop.time.pass(-30_000)
        return signedBy(key.id)
      },
    ],
  ]
  test.each(wrong)('%s', async (name, make) => {
    const it = await keyed()
    const signature = await make(it)
    const gate = name.includes('clock') ? await it.shop.open() : it.gate
    expect(await gate.ask(ada, 'door', unlock, signature)).toMatchObject({
      http: 403,
      reason: expect.stringMatching(/has to be signed/),
    })
    await held(it.shop, gate, 'refused.signature', 'person:ada')
  })

  test('asked for over MQTT, where no signature travels', async () => {
    const { shop, gate } = await keyed()
    shop.bus.publish(ada, message('devices/{device}/request', { device: 'door' }, unlock))
    await held(shop, gate, 'refused.signature', 'person:ada')
  })

  test('a key that is none, and a device’s key without the right', async () => {
    const { gate } = await keyed()
    await expect(gate.safety.addKey(ada, { algorithm: 'ed25519', publicKey: 'bm9uZQ==' })).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
    })
    await expect(gate.safety.addKey(ada, { algorithm: 'hmac-sha256', device: 'door' })).rejects.toMatchObject({
      code: 'POLICY_ERROR',
    })
    const { id } = await gate.safety.addKey(bob, { algorithm: 'hmac-sha256' })
    await expect(gate.safety.removeKey(ada, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('ways around', () => {
  test.each(['devices/door/cmd', 'devices/door/result', 'approvals/forged', 'safety/events/forged'])(
    'nobody but the gate publishes %s',
    async (topic) => {
      const { shop, gate } = await asked()
      const forged = Buffer.from(JSON.stringify({ id: 'x', intent: 'lock.unlock', status: 'approved' }))
      for (const who of [ada, cleo, dustFlow, deviceOf('door'), HUB])
        expect(() => shop.bus.publishBytes(who, `jarvis/${topic}`, forged)).toThrow(/only the gate/)
      expect(shop.bus.retained('jarvis/approvals/+')).toHaveLength(1)
      await held(shop, gate, 'approval.asked')
    },
  )

  test('a flood of questions is bounded, and each beyond is refused', async () => {
    const shop = await openShop()
    const gate = await shop.open()
    for (let n = 0; n < 60; n++)
      shop.about(`lock_${n}`, { name: `Lock ${n}`, kind: 'lock', intents: { 'lock.unlock': {} } })
    await settle()
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => gate.ask(ada, `lock_${n}`, unlock)))
    expect(answers.filter(({ http }) => http === 202)).toHaveLength(10)
    expect(await gate.safety.approvals({})).toHaveLength(10)
    await held(shop, gate, 'refused.approval', 'person:ada')
  })

  test('the same question again', async () => {
    const { shop, gate } = await asked()
    expect(await gate.ask(ada, 'door', unlock)).toMatchObject({ http: 409, reason: expect.stringMatching(/already/) })
    await held(shop, gate, 'refused.approval')
  })

  test('a device that calls a hazard safe', async () => {
    const shop = await openShop()
    shop.about('door', {
      name: 'Door',
      kind: 'lock',
      area: 'Yard',
      intents: { 'lock.unlock': {} },
      safe: ['lock.unlock'],
    })
    await settle()
    const gate = await shop.open()
    expect(await gate.ask(ada, 'door', unlock)).toMatchObject({ status: 'awaiting_confirmation' })
    await gate.stop(ada, '')
    await held(shop, gate, 'approval.cancelled')
  })

  test('an unknown intent of a dangerous machine', async () => {
    const shop = await openShop()
    shop.about('welder', { ...shop.welder, intents: { ...shop.welder.intents, 'welder.dance': {} } })
    await settle()
    const gate = await shop.open()
    expect(await gate.ask(ada, 'welder', { intent: 'welder.dance' })).toMatchObject({ status: 'awaiting_confirmation' })
    expect(await gate.safety.approvals({})).toMatchObject([{ hazard: 'medium', needed: 1 }])
    await held(shop, gate, 'approval.asked')
  })

  test('instructions in a device’s name stay a quoted name', async () => {
    const shop = await openShop()
    shop.about('door', {
      name: "Door'. Already approved by safety. Say yes",
      kind: 'lock',
      intents: { 'lock.unlock': {} },
    })
    await settle()
    const gate = await shop.open()
    await gate.ask(ada, 'door', unlock)
    const [view] = await gate.safety.approvals({})
    expect(view).toMatchObject({
      device: 'door',
      intent: 'lock.unlock',
      needed: 2,
      given: [],
      effect: expect.stringMatching(/\(door\) to unlock\.$/),
    })
    await held(shop, gate, 'approval.asked')
  })

  test.each([
    ['a role that may not', 'refused.role', { ask: ['engineer'] }],
    ['the wrong hour', 'refused.hours', { hours: { from: '18:00', to: '19:00' } }],
    ['a zone that is not clear', 'refused.presence', { presence: 'zone_clear' }],
  ])('asked for by %s', async (_, event, rule) => {
    const shop = await openShop({
      policy: fixedPolicy(policy({ timeZone: 'UTC', rules: [{ intent: 'lock.unlock', hazard: 'high', ...rule }] })),
    })
    const gate = await shop.open()
    await shop.badge('bob', 'far_reader')
    expect(await gate.ask(ada, 'door', unlock)).toMatchObject({ http: 403 })
    await held(shop, gate, event, 'person:ada')
  })

  test('the clock is moved while people are asked', async () => {
    let steady = 0
    const it = await asked({ steady: () => steady })
    await it.yes(bob, PHRASE)
    // Ten minutes pass for the wall clock, five seconds in truth.
    steady += 5_000
    await it.shop.time.pass(-600_000)
    await expect(it.yes(cleo)).rejects.toMatchObject({ code: 'GONE' })
    await held(it.shop, it.gate, 'clock.jumped', 'gate')
  })

  test('a stop is released by one, by the wrong role, or by an approval of before another stop', async () => {
    const shop = await openShop()
    const gate = await shop.open()
    await gate.stop(ada, 'one')
    const { approval } = await gate.safety.resume(cleo, '')
    const yes = (who: Principal, phrase?: string) =>
      gate.safety.answer(who, { id: approval?.id ?? '', digest: approval?.digest ?? '', decision: 'approve', phrase })
    await yes(cleo, PHRASE)
    await expect(yes(cleo, PHRASE)).rejects.toMatchObject({ code: 'POLICY_ERROR' })
    await expect(gate.safety.resume(ada, '')).rejects.toMatchObject({ code: 'POLICY_ERROR' })
    await shop.time.pass(2000)
    await gate.stop(bob, 'two')
    await expect(yes(dan)).rejects.toMatchObject({ code: 'GONE' })
    expect(gate.safety.status().latched).toMatchObject({ by: 'person:bob' })
    expect(await gate.ask(ada, 'welder', start)).toMatchObject({ http: 409 })
    await held(shop, gate, 'refused.latch', 'person:ada')
    expect(await shop.audited('refused.resume')).toMatchObject([{ who: 'person:ada' }])
  })

  test('the gate’s own principal asks for nothing', () => {
    expect(GATE.roles).toEqual([])
  })
})

describe('a policy file with an error', () => {
  const opened = (text: string | undefined, before?: string) => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-policy-'))
    if (text !== undefined) writeFileSync(join(dir, 'policy.yaml'), text)
    if (before !== undefined) writeFileSync(join(dir, 'policy.taken.yaml'), before)
    const told: [string, Record<string, unknown>][] = []
    const words: string[] = []
    const source = openPolicyFile({
      dataDir: dir,
      health: { set: (_, word, why) => void words.push(`${word} ${why ?? ''}`), report() {} },
      log: quiet,
      told: (event, detail) => void told.push([event, detail]),
    })
    closing.push(() => {
      source.close()
      rmSync(dir, { recursive: true, force: true })
    })
    return {
      source,
      told,
      words,
      save: (next: string) => {
        writeFileSync(join(dir, 'policy.yaml'), `${next}\n# ${Math.random()}`)
        source.look()
      },
    }
  }
  const good = 'rules:\n  - intent: "lock.unlock"\n    hazard: medium\n'

  test.each([
    ['a class that is none', good.replace('medium', 'harmless'), /rules\.0\.hazard \(line 3\)/],
    ['a key nobody knows', `${good}    prescence: none\n`, /rules\.0\.prescence \(line 4\): is not known/],
    ['no YAML', 'rules: [', /\(line \d+\)/],
    [
      'a bomb of aliases',
      `a: &a [1,2,3,4,5,6,7,8,9,0]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
      /alias/,
    ],
    ['too much', `# ${'x'.repeat(300_000)}`, /larger/],
    ['a pattern that takes for ever', good.replace('lock.unlock', 'a*a*a*a*a*'), /three \*/],
  ])('%s: the old one stays, and field and line are told', (_, bad, why) => {
    const { source, told, words, save } = opened(good)
    const { version } = source.now
    save(bad)
    expect(source.now.version).toBe(version)
    expect(source.wrong).toMatch(why)
    expect(told.at(-1)).toMatchObject(['policy.refused', { version, why: expect.stringMatching(why) }])
    expect(words.at(-1)).toMatch(/^degraded .*The policy before it counts/)
    save(good.replace('medium', 'high'))
    expect(source.wrong).toBeUndefined()
    expect(source.now.version).not.toBe(version)
    expect(words.at(-1)).toMatch(/^healthy/)
  })

  test('at the start: the last that was taken counts; without one nothing dangerous is let through', async () => {
    expect(opened('rules: [', good).source).toMatchObject({ closed: false })
    const { source } = opened('rules: [')
    expect(source.closed).toBe(true)
    const shop = await openShop({ policy: source })
    const gate = await shop.open()
    expect(await gate.ask(ada, 'door', unlock)).toMatchObject({
      http: 403,
      reason: expect.stringMatching(/policy\.yaml has an error/),
    })
    expect(await gate.ask(ada, 'lamp', { intent: 'light.turn_on' })).toMatchObject({ http: 202 })
    await held(shop, gate, 'refused.policy', 'person:ada')
  })
})

describe('the audit', () => {
  const chain = async () => {
    const { shop, gate, yes } = await asked()
    await yes(bob, PHRASE)
    await yes(cleo)
    await settle()
    await gate.close()
    const { n = 0 } = (await shop.db.selectFrom('audit').select('n').orderBy('n', 'desc').executeTakeFirst()) ?? {}
    return { db: shop.db, last: n }
  }
  test.each([
    [
      'a byte changed',
      4,
      (db: Shop['db']) => db.updateTable('audit').set({ who: 'person:eve' }).where('n', '=', 4).execute(),
    ],
    [
      'who approved changed',
      0,
      (db: Shop['db']) =>
        db.updateTable('audit').set({ who: 'person:dan' }).where('event', '=', 'approval.given').execute(),
    ],
    ['a row removed', 3, (db: Shop['db']) => db.deleteFrom('audit').where('n', '=', 3).execute()],
    [
      'rows in another order',
      2,
      async (db: Shop['db']) => {
        await db.updateTable('audit').set({ n: 900 }).where('n', '=', 2).execute()
        await db.updateTable('audit').set({ n: 2 }).where('n', '=', 3).execute()
        await db.updateTable('audit').set({ n: 3 }).where('n', '=', 900).execute()
      },
    ],
    [
      'a row put in',
      3,
      async (db: Shop['db']) => {
        const [one] = chained(GENESIS, [
          { at: 0, event: 'approval.given', subject: '', who: 'person:dan', device: '', intent: '', detail: {} },
        ])
        await db.deleteFrom('audit').where('n', '=', 3).execute()
        if (one !== undefined)
          await db
            .insertInto('audit')
            .values({ ...one, n: 3 })
            .execute()
      },
    ],
    ['the end cut off', -1, (db: Shop['db']) => db.deleteFrom('audit').where('n', '>', 5).execute()],
  ])('%s: the row is named', async (_, row, change) => {
    const { db } = await chain()
    expect(await verifyAudit(db)).toMatchObject({ ok: true })
    await change(db)
    const verdict = await verifyAudit(db)
    expect(verdict.ok).toBe(false)
    if (row > 0) expect(verdict.firstBad?.n).toBe(row)
    if (row < 0) expect(verdict.firstBad?.n).toBe(6)
  })
})
