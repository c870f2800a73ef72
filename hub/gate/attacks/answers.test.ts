// Attacks on approvals: answers that do not count, and yeses that come too late. Each ends with nothing sent, and a row that says who tried.
import { afterEach, describe, expect, test } from 'vitest'
import { HUB } from '../../bus/principal.ts'
import { ada, bob, changing, cleo, dan, eve, openShop, person, PHRASE, policy, start } from '../approvals/shop.rig.ts'
import { deviceOf, dustFlow, settle } from '../gate.rig.ts'
import { fixedPolicy } from '../policy/file.ts'
import { asked, held, later, undo, unlock, type Shop } from './attack.rig.ts'

afterEach(undo)

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
    later(() => gate.close())
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
    later(() => gate.close())
    await expect(
      gate.safety.answer(dan, { id: it.view.id, digest: it.view.digest, decision: 'approve' }),
    ).rejects.toMatchObject({ code: 'GONE' })
    await settle()
    expect(it.shop.sent('door')).toHaveLength(1)
    await gate.close()
    expect(await it.shop.audited('approval.refused')).toHaveLength(2)
  })
})
