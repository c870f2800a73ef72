// Attacks on a whole hub by signed requests: each ends refused, with nothing sent, and with a row in the audit.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { signedText } from '../approvals/signatures.ts'
import { type Attacked, openAttacked, refused } from './attacked.rig.ts'
import { type Building } from './building.rig.ts'
import { eventually } from '../../testing/until.ts'

let it: Attacked
let shop: Building
beforeAll(async () => {
  it = await openAttacked()
  shop = it.shop
}, 30_000)
afterAll(() => shop.close())
afterEach(() => it.tidy())

describe('signatures', () => {
  const pair = generateKeyPairSync('ed25519')
  let keyId = ''
  const publicKey = String(pair.publicKey.export({ type: 'spki', format: 'pem' }))
  beforeAll(async () => {
    const { status, body } = await shop.api('/api/safety/keys', 'olga', { json: { algorithm: 'ed25519', publicKey } })
    expect(status).toBe(201)
    keyId = String(body['id'])
    await it.tidy()
  })
  const wish = { intent: 'vault.open', device: 'vault', zone: '', user: 'person:olga', payload: {} }
  const signed = (about: object = {}, { from = 0, to = 30_000, by = pair.privateKey, id = keyId } = {}) => {
    const window = {
      nonce: randomBytes(16).toString('base64url'),
      issuedAt: new Date(Date.now() + from).toISOString(),
      expiresAt: new Date(Date.now() + to).toISOString(),
    }
    return {
      keyId: id,
      ...window,
      value: sign(null, Buffer.from(signedText({ ...wish, ...about }, window)), by).toString('base64'),
    }
  }
  const send = (signature?: object) =>
    shop.api('/api/safety/hazards', 'olga', {
      json: { device: 'vault', intent: 'vault.open', ...(signature === undefined ? {} : { signature }) },
    })
  const attacks: [string, () => object | undefined | Promise<object>][] = [
    ['none', () => undefined],
    ['with another key', () => signed({}, { by: generateKeyPairSync('ed25519').privateKey })],
    ['for another device', () => signed({ device: 'door' })],
    ['for another payload', () => signed({ payload: { wide: true } })],
    ['in another’s name', () => signed({ user: 'person:bob' })],
    ['for another zone', () => signed({ zone: 'Bay' })],
    ['with a key nobody has', () => signed({}, { id: 'made-up' })],
    ['valid for longer than a minute', () => signed({}, { to: 61_000 })],
    ['of the past', () => signed({}, { from: -50_000, to: -1_000 })],
    ['of the future', () => signed({}, { from: 20_000, to: 50_000 })],
    ['whose times were changed', () => ({ ...signed(), expiresAt: new Date(Date.now() + 29_000).toISOString() })],
    [
      'a second time',
      async () => {
        const one = signed()
        const { status, body } = await send(one)
        expect(status, JSON.stringify(body)).toBe(202)
        it.opened.push({ by: 'olga', id: String(body['approval']) })
        await shop.api('/api/safety/hazards/cancel', 'olga', { json: { id: body['approval'] } })
        return one
      },
    ],
    [
      'with a key that was removed',
      async () => {
        const one = signed()
        refused(204)(await shop.api(`/api/safety/keys/${keyId}`, 'olga', { method: 'DELETE' }))
        return one
      },
    ],
  ]
  test.each(attacks)('%s', async (_, make) => {
    const signature = await make()
    const { status, body } = await send(signature)
    expect([status, JSON.stringify(body)]).toEqual([403, expect.stringMatching(/has to be signed/)])
    const rows = await eventually(
      () => shop.rows().filter(({ event, who }) => event === 'refused.signature' && who === 'person:olga'),
      (all) => all.length > 0,
    )
    expect(rows.length).toBeGreaterThan(0)
    await it.settled()
    expect(it.dangerous()).toEqual([])
  })

  test('over MQTT, where none travels', async () => {
    const wire = await shop.outside.mqtt({ clientId: 'ui.bob-m', username: 'bob', password: shop.tokens.bob ?? '' })
    await wire.publish('jarvis/devices/vault/request', { intent: 'vault.open', id: 'by-mqtt' })
    const result = await shop.watcher.hears(
      ({ topic, json }) => topic === 'jarvis/devices/vault/result' && json()['id'] === 'by-mqtt',
    )
    expect(result.json()).toMatchObject({ status: 'refused' })
    await wire.end()
    await it.held('refused.signature', 'person:bob')
  })
})
