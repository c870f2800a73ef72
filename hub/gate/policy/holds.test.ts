// Interlocks of policy.yaml: a hot machine keeps its power, also where the plug calls switching off safe; a stop is not held up.
import { expect, test } from 'vitest'
import { message } from '../../streams/message.ts'
import { ada, bob, openShop, PHRASE, policy } from '../approvals/shop.rig.ts'
import { deviceOf, settle } from '../gate.rig.ts'
import { fixedPolicy } from './file.ts'
import { readPolicy } from './read.ts'

const cool = { name: 'let it cool first', intent: 'switch.turn_off', device: 'plug' }
const off = { intent: 'switch.turn_off' }

const workshop = async (interlock: object, rules: object[] = []) => {
  const shop = await openShop({ policy: fixedPolicy(policy({ interlocks: [interlock], rules })) })
  shop.about('plug', { name: 'Plug', kind: 'switch', intents: { 'switch.turn_off': {} }, safe: ['switch.turn_off'] })
  shop.about('printer', { name: 'Printer', kind: 'printer', intents: {} })
  await settle()
  const gate = await shop.open()
  return {
    shop,
    gate,
    says: async (device: string, state: Record<string, unknown>) => {
      shop.bus.publish(deviceOf(device), message('devices/{device}/state', { device }, state))
      await settle()
    },
  }
}

const hot = { ...cool, while: { device: 'printer', value: 'nozzle.actual', above: 50 } }

test('power-off while hot is refused, and let through when it is cool', async () => {
  const { shop, gate, says } = await workshop(hot)
  await says('printer', { nozzle: { actual: 210 } })
  expect(await gate.ask(ada, 'plug', off)).toMatchObject({
    http: 409,
    reason: "'switch.turn_off' is refused by 'let it cool first': nozzle.actual of 'printer' is 210, above 50.",
  })
  expect(shop.sent('plug')).toEqual([])
  expect(shop.bus.said('safety/events/{event}').map(({ payload }) => payload.type)).toContain('refused.interlock')
  await says('printer', { 'nozzle.actual': 49.9 })
  expect(await gate.ask(ada, 'plug', off)).toMatchObject({ status: 'dispatched' })
  await gate.close()
  expect(await shop.audited('refused.interlock')).toMatchObject([{ who: 'person:ada', device: 'plug' }])
})

test.each([
  ['the machine is not known', async () => {}],
  [
    'it says no such value',
    (says: (device: string, state: Record<string, unknown>) => Promise<void>) => says('printer', { bed: 20 }),
  ],
  [
    'it says something that is no number',
    (says: (device: string, state: Record<string, unknown>) => Promise<void>) =>
      says('printer', { nozzle: { actual: 'hot' } }),
  ],
])('what nobody knows counts as hot: %s', async (_, happens) => {
  const { shop, gate, says } = await workshop(hot)
  await happens(says)
  expect(await gate.ask(ada, 'plug', off)).toMatchObject({ http: 409 })
  expect(shop.sent('plug')).toEqual([])
  await gate.close()
})

test('unless the interlock says otherwise', async () => {
  const { gate } = await workshop({ ...hot, while: { ...hot.while, unknown: 'allow' } })
  expect(await gate.ask(ada, 'plug', off)).toMatchObject({ status: 'dispatched' })
  await gate.close()
})

test('a stop is not held up', async () => {
  const { shop, gate, says } = await workshop(hot)
  await says('printer', { nozzle: { actual: 210 } })
  await gate.stop(ada, 'smoke')
  expect(shop.sent('plug').map(({ intent }) => intent)).toEqual(['switch.turn_off'])
  await gate.close()
})

test('it looks again after the last yes', async () => {
  const { shop, gate, says } = await workshop(
    {
      intent: 'lock.unlock',
      while: [
        { device: 'printer', value: 'busy', is: true },
        { value: 'alarm', is: ['fire', 'gas'], unknown: 'allow' },
      ],
    },
    [{ intent: 'lock.unlock', hazard: 'medium' }],
  )
  await says('printer', { busy: false })
  await says('door', { alarm: 'none' })
  await gate.ask(ada, 'door', { intent: 'lock.unlock' })
  await says('door', { alarm: 'gas' })
  const [one] = await gate.safety.approvals({})
  expect(
    await gate.safety.answer(bob, {
      id: one?.id ?? '',
      digest: one?.digest ?? '',
      decision: 'approve',
      phrase: PHRASE,
    }),
  ).toMatchObject({
    command: { status: 'refused', http: 409, reason: expect.stringMatching(/alarm of 'door' is "gas"/) },
  })
  expect(shop.sent('door')).toEqual([])
  await gate.close()
})

test('a condition says one thing, and one that says nothing is told with its line', () => {
  const text = (condition: string) => `interlocks:\n  - intent: switch.turn_off\n    while: ${condition}\n`
  expect(readPolicy(text('{ value: hot, is: true }'))).toMatchObject({ ok: true })
  expect(readPolicy(text('{ value: t, above: 1, below: 9 }'))).toMatchObject({ ok: true })
  for (const wrong of ['{ value: hot }', '{ value: hot, is: true, above: 3 }', '{ is: true }'])
    expect(readPolicy(text(wrong))).toMatchObject({ ok: false, wrong: [{ line: 3 }] })
})

test('an intent that no rule names has the class the policy says, harmless ones and stops aside', () => {
  const { takes } = policy({ unknown: 'medium' })
  const arm = { id: 'arm', kind: 'robot' }
  expect(takes(arm, 'arm.move')).toMatchObject({ hazard: 'medium', people: 1 })
  for (const intent of ['light.turn_on', 'switch.turn_on', 'arm.stop', 'arm.home.stop', 'lock.lock'])
    expect(takes(arm, intent)).toMatchObject({ hazard: 'low', people: 0 })
  expect(policy({}).takes(arm, 'arm.move')).toMatchObject({ hazard: 'low' })
})
