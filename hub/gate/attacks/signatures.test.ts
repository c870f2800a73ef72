// Attacks on signed requests: forged, replayed, too old, too early, in another’s name. Each ends refused, with a row that says who tried.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { message } from '../../streams/message.ts'
import { type Signature, signedText } from '../approvals/signatures.ts'
import { ada, bob, openShop, policy } from '../approvals/shop.rig.ts'
import { fixedPolicy } from '../policy/file.ts'
import { held, later, undo, unlock } from './attack.rig.ts'

afterEach(undo)

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
    later(() => gate.close())
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
