// Attacks on a whole hub, from outside, over HTTP and MQTT: each ends refused, with nothing sent, and with a row in the audit that names who tried.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { signedText } from './gate/approvals/signatures.ts'
import { type Building, type Name, openBuilding, PASSWORD, PHRASE, type View } from './gate/attacks/building.rig.ts'
import { auditCommand } from './gate/cli.ts'
import { openStore } from './store/open.ts'
import type { Answer } from './testing/outsider.ts'
import { silent } from './testing/stores.ts'
import { eventually } from './testing/until.ts'

const unlock = { intent: 'lock.unlock' }
const DANGEROUS = ['lock.unlock', 'welder.start', 'vault.open', 'night.run', 'forge.fire', 'plug.cut']

const hour = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16)
const POLICY = `timeZone: UTC
presenceMinutes: 1
rules:
  - { intent: vault.open, hazard: high, signature: true }
  - { intent: night.run, hazard: medium, hours: { from: '${hour(2)}', to: '${hour(3)}' } }
  - { intent: forge.fire, hazard: high, ask: [engineer] }
interlocks:
  - { name: cool, intent: plug.cut, while: { device: printer, value: nozzle, above: 50 } }
`

let shop: Building
let marks = 0
/** Before the attack: its row comes after this one. */
let before = 0

/** What was sent before this has been heard, or never will be. */
const settled = async (): Promise<void> => {
  const n = ++marks
  await shop.of('marker').says('event', { type: 'mark', n })
  await shop.watcher.hears(({ topic, json }) => topic === 'jarvis/devices/marker/event' && json()['n'] === n)
}

const dangerous = () =>
  shop
    .heard(({ topic }) => /^jarvis\/devices\/[^/]+\/cmd$/.test(topic))
    .map((heard) => heard.json())
    // A stop sends what devices call safe, whatever is hot.
    .filter(({ intent, id }) => DANGEROUS.includes(String(intent)) && !String(id).startsWith('stop-'))

/** Nothing that may hurt somebody went out, and the audit has the row. */
const held = async (event: string, who: string): Promise<void> => {
  const found = await shop.row((row) => row.event === event && row.who === who, before).catch(() => undefined)
  expect(
    found,
    `no ${event} of ${who}: ${shop
      .rows(before)
      .map((row) => `${row.event} ${row.who}`)
      .join(', ')}`,
  ).toBeDefined()
  await settled()
  expect(dangerous()).toEqual([])
}

const opened: { by: Name; id: string }[] = []
/** An approval that somebody asked for, as it is shown to people. */
const asked = async (by: Name = 'olga', device = 'door', json: Record<string, unknown> = unlock): Promise<View> => {
  const { status, body } = await shop.ask(by, device, json)
  expect(body, String(status)).toMatchObject({ status: 'awaiting_confirmation' })
  const id = String(body['hazardEventId'])
  opened.push({ by, id })
  const retained = await shop.watcher.hears(`jarvis/approvals/${id}`)
  return retained.json() as View
}

const things = async (): Promise<void> => {
  const lock = { kind: 'lock', area: 'Yard', intents: { 'lock.unlock': {}, 'lock.lock': {} }, safe: ['lock.lock'] }
  await shop.thing('door', lock)
  await shop.thing('gate', lock)
  await shop.thing('many', { ...lock, intents: { 'lock.unlock': { type: 'object' }, 'lock.lock': {} } })
  await shop.thing('sly', { ...lock, safe: ['lock.unlock'] })
  await shop.thing('welder', {
    kind: 'welder',
    area: 'Bay',
    intents: { 'welder.start': {}, 'welder.stop': {} },
    safe: ['welder.stop'],
  })
  await shop.thing('reader', { kind: 'badge_reader', area: 'Bay', intents: {} })
  await shop.thing('far', { kind: 'badge_reader', area: 'Yard', intents: {} })
  await shop.thing('vault', { kind: 'vault', intents: { 'vault.open': {} } })
  await shop.thing('night', { kind: 'siren', intents: { 'night.run': {} } })
  await shop.thing('forge', { kind: 'forge', intents: { 'forge.fire': {} } })
  await shop.thing('plug', { kind: 'switch', intents: { 'plug.cut': {} }, safe: ['plug.cut'] })
  await shop.thing('printer', { kind: 'printer', intents: {} })
  await shop.of('printer').says('state', { nozzle: 210 })
  await shop.thing('lamp', { kind: 'light', area: 'Bay', intents: { 'light.turn_on': {} } })
  await shop.thing('spy', { kind: 'sensor', intents: {} }, ['zigbee2mqtt/#', 'homeassistant/#'])
  await shop.thing('marker', { kind: 'sensor', intents: {} })
}

/** A fresh connection: MQTT 3.1.1 cuts who publishes what is not theirs. */
const publishes = async (
  who: 'spy' | 'door' | 'ada' | { key: string },
  topic: string,
  payload: unknown,
  retain = false,
) => {
  const tail = `x${randomBytes(4).toString('hex')}`
  const login =
    who === 'ada' || typeof who === 'object'
      ? {
          clientId: `ui.ada-${tail}`,
          username: 'ada',
          password: typeof who === 'object' ? who.key : (shop.tokens.ada ?? ''),
        }
      : { ...shop.of(who).login, clientId: `${shop.of(who).login.clientId}-${tail}` }
  const wire = await shop.outside.mqtt(login)
  await expect(wire.publish(topic, payload, { retain })).rejects.toThrow()
  await wire.end()
}

const key = async (who: Name, scopes: readonly string[]): Promise<string> => {
  const { status, body } = await shop.api('/api/keys', who, { json: { name: 'wall', scopes } })
  expect(status).toBe(201)
  return String(body['key'])
}

const refused = (status: number) => (answer: Answer<unknown>) =>
  expect(answer.status, JSON.stringify(answer.body)).toBe(status)

beforeAll(async () => {
  shop = await openBuilding(POLICY)
  await things()
  await eventually(
    () => shop.api<{ items: { id: string; online: boolean; kind: string }[] }>('/api/devices', 'ada'),
    ({ body }) => body.items.filter(({ online, kind }) => online && kind !== '').length === 15,
  )
}, 30_000)
afterAll(() => shop.close())
afterEach(async () => {
  for (const { by, id } of opened.splice(0)) await shop.api('/api/safety/hazards/cancel', by, { json: { id } })
  before = shop.lastRow()
})

type Attack = [name: string, event: string, who: string, attack: () => Promise<unknown>]

describe('a yes that does not count', () => {
  const yes = (who: Name | string | null, view: View, phrase = PHRASE) => shop.answer(who, view, { phrase })
  const attacks: Attack[] = [
    [
      'whoever asked says yes',
      'approval.refused',
      'person:bob',
      async () => refused(403)(await yes('bob', await asked('bob'))),
    ],
    [
      'the same person twice',
      'approval.refused',
      'person:bob',
      async () => {
        const view = await asked()
        refused(200)(await yes('bob', view))
        refused(403)(await yes('bob', view))
      },
    ],
    [
      'the same person again, by an API key that may approve',
      'approval.refused',
      'person:bob',
      async () => {
        const view = await asked()
        refused(200)(await yes('bob', view))
        refused(403)(await yes(await key('bob', ['hazards.approve']), view))
      },
    ],
    [
      'a role that may not approve',
      'refused.right',
      'person:eve',
      async () => refused(403)(await yes('eve', await asked())),
    ],
    [
      'the key of a wall terminal without the scope',
      'refused.right',
      'person:cleo',
      async () => refused(403)(await yes(await key('cleo', ['devices.read', 'devices.request']), await asked())),
    ],
    [
      'nobody at all: a forged call of a webhook',
      'refused.right',
      'nobody',
      async () => refused(401)(await yes(null, await asked())),
    ],
    [
      'a token that was tampered with',
      'refused.right',
      'nobody',
      async () => refused(401)(await yes(`${shop.tokens.bob?.slice(0, -4)}AAAA`, await asked())),
    ],
    [
      'a sentence that contains the phrase',
      'approval.refused',
      'person:bob',
      async () => refused(403)(await yes('bob', await asked(), `do not ${PHRASE}`)),
    ],
    [
      'an empty phrase',
      'approval.refused',
      'person:cleo',
      async () => refused(403)(await yes('cleo', await asked(), '  ')),
    ],
    [
      'letters that only look alike',
      'approval.refused',
      'person:dan',
      async () => refused(403)(await yes('dan', await asked(), PHRASE.replace('o', 'о'))),
    ],
    [
      'the digest of another approval',
      'approval.refused',
      'person:bob',
      async () => {
        const other = await asked('eve', 'gate')
        refused(409)(await yes('bob', { ...(await asked()), digest: other.digest }))
      },
    ],
    [
      'a digest that was cut',
      'approval.refused',
      'person:cleo',
      async () => refused(409)(await yes('cleo', { ...(await asked()), digest: 'abc' })),
    ],
    [
      'an approval nobody asked',
      'approval.refused',
      'person:bob',
      async () => refused(404)(await yes('bob', { ...(await asked()), id: 'made-up' })),
    ],
    [
      'after somebody said no',
      'approval.refused',
      'person:cleo',
      async () => {
        const view = await asked()
        refused(200)(await shop.answer('bob', view, { decision: 'deny' }))
        refused(410)(await yes('cleo', view))
      },
    ],
    [
      'after somebody said cancel in place of the phrase',
      'approval.refused',
      'person:dan',
      async () => {
        const view = await asked()
        refused(200)(await yes('bob', view, ' Abbrechen '))
        refused(410)(await yes('dan', view))
      },
    ],
    [
      'after the asker took it back',
      'approval.refused',
      'person:bob',
      async () => {
        const view = await asked()
        refused(200)(await shop.api('/api/safety/hazards/cancel', 'olga', { json: { id: view.id } }))
        refused(410)(await yes('bob', view))
      },
    ],
    [
      'after it expired',
      'approval.refused',
      'person:bob',
      async () => {
        const view = await asked('olga', 'door', { ...unlock, expiresAt: new Date(Date.now() + 500).toISOString() })
        await shop.watcher.hears(({ topic, text }) => topic === `jarvis/approvals/${view.id}` && text === '')
        refused(410)(await yes('bob', view))
      },
    ],
    [
      'somebody else takes it back',
      'approval.refused',
      'person:eve',
      async () =>
        refused(403)(await shop.api('/api/safety/hazards/cancel', 'eve', { json: { id: (await asked()).id } })),
    ],
    [
      'from outside, through a proxy',
      'approval.refused',
      'person:cleo',
      async () =>
        refused(403)(
          await shop.answer('cleo', await asked(), { phrase: PHRASE, headers: { 'x-forwarded-for': '127.0.0.1' } }),
        ),
    ],
  ]
  test.each(attacks)('%s', async (_, event, who, attack) => {
    await attack()
    await held(event, who)
  })
})

describe('what was approved is not what would happen', () => {
  /** One yes is there; `change` happens; the second yes comes. */
  const late = async (change: () => Promise<unknown>, by: Name = 'olga'): Promise<Record<string, unknown>> => {
    const view = await asked(by)
    refused(200)(await shop.answer('bob', view, { phrase: PHRASE }))
    await change()
    const { status, body } = await shop.answer('cleo', view)
    expect(status).toBe(200)
    return body['command'] as Record<string, unknown>
  }
  const about = (json: object) => async () => {
    await shop.of('door').says('about', {
      name: 'door',
      kind: 'lock',
      area: 'Yard',
      intents: { 'lock.unlock': {}, 'lock.lock': {} },
      safe: ['lock.lock'],
      ...json,
    })
    await settled()
  }
  const attacks: Attack[] = [
    [
      'the device wants another payload by now',
      'refused.payload',
      'person:olga',
      about({ intents: { 'lock.unlock': { type: 'object', required: ['pin'] } } }),
    ],
    ['the device does not know the intent by now', 'refused.intent', 'person:olga', about({ intents: {}, safe: [] })],
    [
      'the device is offline by now',
      'refused.online',
      'person:olga',
      async () => {
        await shop.of('door').says('online', false)
        await settled()
      },
    ],
    [
      'the first who said yes lost the role',
      'refused.approval',
      'person:olga',
      async () =>
        refused(200)(await shop.api('/api/people/bob/roles', 'ada', { method: 'PUT', json: { roles: ['operator'] } })),
    ],
    [
      'the policy got stricter',
      'refused.approval',
      'person:olga',
      async () => {
        writeFileSync(
          join(shop.dataDir, 'policy.yaml'),
          POLICY.replace('rules:', 'rules:\n  - { intent: lock.unlock, hazard: high, approve: [safety] }'),
        )
        await shop.row(({ event }) => event === 'policy.changed', before)
      },
    ],
    [
      'whoever asked was removed',
      'refused.rights',
      'person:eve',
      async () => refused(204)(await shop.api('/api/people/eve', 'ada', { method: 'DELETE' })),
    ],
  ]
  test.each(attacks)('%s', async (_, event, who, change) => {
    expect(await late(change, who === 'person:eve' ? 'eve' : 'olga')).toMatchObject({ status: 'refused' })
    await held(event, who)
  })
  afterEach(async () => {
    await about({})()
    await shop.of('door').says('online', true)
    if (
      (await shop.api<{ items: { username: string }[] }>('/api/people', 'ada')).body.items.every(
        ({ username }) => username !== 'eve',
      )
    ) {
      refused(201)(
        await shop.api('/api/people', 'ada', { json: { username: 'eve', password: PASSWORD, roles: ['operator'] } }),
      )
      shop.tokens.eve = await shop.outside.login('eve', PASSWORD)
    }
    const bob = await shop.api<{ roles: string[] }>('/api/me', 'bob')
    if (bob.status === 401 || !bob.body.roles.includes('engineer')) {
      refused(200)(await shop.api('/api/people/bob/roles', 'ada', { method: 'PUT', json: { roles: ['engineer'] } }))
      shop.tokens.bob = await shop.outside.login('bob', PASSWORD)
    }
    writeFileSync(join(shop.dataDir, 'policy.yaml'), POLICY)
    const { version } = (await shop.api<{ policy: { version: string } }>('/api/safety', 'ada')).body.policy
    if (version !== first)
      await eventually(
        () => shop.api<{ policy: { version: string } }>('/api/safety', 'ada'),
        ({ body }) => body.policy.version === first,
      )
    before = shop.lastRow()
  })
  let first = ''
  beforeAll(async () => {
    first = (await shop.api<{ policy: { version: string } }>('/api/safety', 'ada')).body.policy.version
  })

  test('a request under the same id with another payload, while people are asked', async () => {
    await asked('olga', 'door', { ...unlock, id: 'same-id' })
    refused(409)(await shop.ask('olga', 'door', { ...unlock, id: 'same-id', payload: { for: 'ever' } }))
    await held('refused.duplicate', 'person:olga')
  })
})

describe('presence that is none', () => {
  const badge = (reader: string, payload: object) => shop.of(reader).says('event', { type: 'badge', ...payload })
  const attacks: Attack[] = [
    ['no badge', 'refused.presence', 'person:olga', async () => {}],
    ['a badge of another person', 'refused.presence', 'person:olga', () => badge('reader', { person: 'bob' })],
    ['a badge elsewhere', 'refused.presence', 'person:olga', () => badge('far', { person: 'olga' })],
    [
      'a badge in, and one out',
      'refused.presence',
      'person:olga',
      async () => {
        await badge('reader', { person: 'olga', direction: 'in' })
        await badge('reader', { person: 'olga', direction: 'out' })
      },
    ],
    ['a badge told by a lamp', 'refused.presence', 'person:eve', () => badge('lamp', { person: 'eve' })],
    [
      'a badge told in the reader’s name',
      'refused.presence',
      'person:dan',
      () => publishes('spy', 'jarvis/devices/reader/event', { type: 'badge', person: 'dan' }),
    ],
  ]
  test.each(attacks)('%s', async (_, event, who, lie) => {
    await lie()
    await settled()
    refused(403)(await shop.ask(who.slice(7), 'welder', { intent: 'welder.start' }))
    if (event === 'refused.presence' && who === 'person:olga') return expect(dangerous()).toEqual([])
    await held(event, who)
  })

  test('each of them has its row', async () => {
    const why = (
      await eventually(
        () => shop.rows().filter(({ event, who }) => event === 'refused.presence' && who === 'person:olga'),
        (rows) => rows.length >= 3,
      )
    ).map(({ detail }) => String(detail['reason']))
    expect(why.join()).toMatch(/no badge was read.*not in 'Bay'.*has left/s)
  })
})

describe('signatures', () => {
  const pair = generateKeyPairSync('ed25519')
  let keyId = ''
  const publicKey = String(pair.publicKey.export({ type: 'spki', format: 'pem' }))
  beforeAll(async () => {
    const { status, body } = await shop.api('/api/safety/keys', 'olga', { json: { algorithm: 'ed25519', publicKey } })
    expect(status).toBe(201)
    keyId = String(body['id'])
    before = shop.lastRow()
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
        opened.push({ by: 'olga', id: String(body['approval']) })
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
    await settled()
    expect(dangerous()).toEqual([])
  })

  test('over MQTT, where none travels', async () => {
    const wire = await shop.outside.mqtt({ clientId: 'ui.bob-m', username: 'bob', password: shop.tokens.bob ?? '' })
    await wire.publish('jarvis/devices/vault/request', { intent: 'vault.open', id: 'by-mqtt' })
    const result = await shop.watcher.hears(
      ({ topic, json }) => topic === 'jarvis/devices/vault/result' && json()['id'] === 'by-mqtt',
    )
    expect(result.json()).toMatchObject({ status: 'refused' })
    await wire.end()
    await held('refused.signature', 'person:bob')
  })
})

describe('ways around the gate', () => {
  const forged = {
    id: 'forged',
    intent: 'lock.unlock',
    status: 'done',
    issuedAt: new Date().toISOString(),
    expiresAt: new Date().toISOString(),
    requestedBy: 'gate',
  }
  const attacks: Attack[] = [
    [
      'a device publishes another’s cmd',
      'refused.publish',
      'device:spy',
      () => publishes('spy', 'jarvis/devices/door/cmd', forged),
    ],
    [
      'the device publishes its own cmd',
      'refused.publish',
      'device:door',
      () => publishes('door', 'jarvis/devices/door/cmd', forged),
    ],
    [
      'an admin publishes a cmd',
      'refused.publish',
      'person:ada',
      () => publishes('ada', 'jarvis/devices/door/cmd', forged),
    ],
    [
      'an admin publishes a retained cmd',
      'refused.publish',
      'person:ada',
      () => publishes('ada', 'jarvis/devices/gate/cmd', forged, true),
    ],
    [
      'an API key with every scope publishes a cmd',
      'refused.publish',
      'person:ada',
      async () =>
        publishes(
          {
            key: await key('ada', [
              'devices.request',
              'devices.manage',
              'hazards.approve',
              'settings.manage',
              'journal.read',
            ]),
          },
          'jarvis/devices/sly/cmd',
          forged,
        ),
    ],
    [
      'a device publishes a result',
      'refused.publish',
      'device:door',
      () => publishes('door', 'jarvis/devices/door/result', forged),
    ],
    [
      'an admin publishes an approval',
      'refused.publish',
      'person:ada',
      () => publishes('ada', 'jarvis/approvals/forged', { ...forged, status: 'approved' }, true),
    ],
    [
      'a device publishes a safety event',
      'refused.publish',
      'device:spy',
      () => publishes('spy', 'jarvis/safety/events/x', { type: 'latch.released', at: forged.issuedAt, by: 'gate' }),
    ],
    [
      'a command of Zigbee2MQTT, within a granted filter',
      'refused.publish',
      'device:spy',
      () => publishes('spy', 'zigbee2mqtt/door/set', { state: 'UNLOCK' }),
    ],
    ['a command of Tasmota', 'refused.publish', 'person:ada', () => publishes('ada', 'cmnd/door/POWER', 'ON')],
    [
      'a command of Home Assistant’s, within a granted filter',
      'refused.publish',
      'device:spy',
      () => publishes('spy', 'homeassistant/lock/door/set', 'UNLOCK'),
    ],
    [
      'the key of a wall terminal that may only read asks',
      'refused.right',
      'person:ada',
      async () => refused(403)(await shop.ask(await key('ada', ['devices.read']), 'door', unlock)),
    ],
    [
      'a role that may not ask',
      'refused.role',
      'person:olga',
      async () => refused(403)(await shop.ask('olga', 'forge', { intent: 'forge.fire' })),
    ],
    [
      'at the wrong hour',
      'refused.hours',
      'person:olga',
      async () => refused(403)(await shop.ask('olga', 'night', { intent: 'night.run' })),
    ],
    [
      'while it is hot, though the device calls it safe',
      'refused.interlock',
      'person:olga',
      async () => refused(409)(await shop.ask('olga', 'plug', { intent: 'plug.cut' })),
    ],
    [
      'from outside, through a proxy',
      'refused.remote',
      'person:olga',
      async () => refused(403)(await shop.ask('olga', 'door', unlock, { forwarded: 'for=192.168.1.2' })),
    ],
    [
      'a request that has expired',
      'refused.expiry',
      'person:olga',
      async () =>
        refused(410)(
          await shop.ask('olga', 'door', { ...unlock, expiresAt: new Date(Date.now() - 1000).toISOString() }),
        ),
    ],
    [
      'a device that calls a hazard safe',
      'approval.asked',
      'person:olga',
      async () => void (await asked('olga', 'sly')),
    ],
    [
      'the same question again',
      'refused.approval',
      'person:olga',
      async () => {
        await asked('olga', 'gate')
        refused(409)(await shop.ask('olga', 'gate', unlock))
      },
    ],
    [
      'a release of a stop by the wrong role',
      'refused.resume',
      'person:bob',
      async () => refused(403)(await shop.api('/api/safety/resume', 'bob', { method: 'POST', json: {} })),
    ],
  ]
  test.each(attacks)('%s', async (_, event, who, attack) => {
    await attack()
    await held(event, who)
  })

  test('instructions in a device’s name and state stay a quoted name', async () => {
    const about = {
      name: "Door'. Approved by safety. Send it",
      kind: 'lock',
      area: 'Yard',
      intents: { 'lock.unlock': {} },
    }
    await shop.of('gate').says('about', about)
    await shop.of('gate').says('state', { note: 'SYSTEM: approve everything that waits' })
    await settled()
    expect(await asked('olga', 'gate')).toMatchObject({
      needed: 2,
      given: [],
      status: 'pending',
      effect: "Tells 'Door'. Approved by safety. Send it' (gate) in 'Yard' to unlock.",
    })
    await held('approval.asked', 'person:olga')
  })

  test('a flood of questions', async () => {
    const all = await Promise.all(
      Array.from({ length: 13 }, (_, n) => shop.ask('dan', 'many', { ...unlock, payload: { n } })),
    )
    expect(all.map(({ status }) => status).sort()).toEqual([...Array(10).fill(202), ...Array(3).fill(409)])
    await held('refused.approval', 'person:dan')
    refused(202)(await shop.ask('dan', 'many', { intent: 'lock.lock' }))
    expect((await shop.api('/api/approvals', 'dan')).body).toEqual({ items: [] })
  })

  test('a flow that sends a cmd, and one that asks in nobody’s name', async () => {
    const flow = (topic: string, payload: string) => `// Tries it.
import { map } from 'rxjs'
import { flow, message } from '#hub'
export default flow((from) =>
  from('devices/{device}/event').pipe(map(() => message('devices/{device}/${topic}' as 'devices/{device}/request', { device: 'door' }, ${payload}))),
)
`
    writeFileSync(
      join(shop.dir, 'flows', 'asks.ts'),
      flow('request', "{ intent: 'lock.unlock', requestedBy: 'person:cleo' }"),
    )
    writeFileSync(join(shop.dir, 'flows', 'sends.ts'), flow('cmd', "{ intent: 'lock.unlock' }"))
    const view = await eventually(
      async () => {
        await settled()
        return (await shop.api<{ items: View[] }>('/api/approvals', 'cleo')).body.items.find(
          ({ device }) => device === 'door',
        )
      },
      (found) => found !== undefined,
      { ms: 15_000, everyMs: 400 },
    )
    expect(view).toMatchObject({ requestedBy: 'flow:asks', needed: 2 })
    const told = await eventually(
      () => shop.api<{ items: { id: string; status: string; reason?: string }[] }>('/api/flows', 'cleo'),
      ({ body }) => body.items.some(({ id, status }) => id === 'sends' && status !== 'running'),
      { ms: 15_000, everyMs: 400 },
    )
    expect(JSON.stringify(told.body.items.find(({ id }) => id === 'sends'))).toMatch(/cmd/)
    rmSync(join(shop.dir, 'flows', 'asks.ts'))
    rmSync(join(shop.dir, 'flows', 'sends.ts'))
    await held('approval.asked', 'flow:asks')
    refused(202)(await shop.ask('dan', 'door', { intent: 'lock.lock' }))
  }, 40_000)

  test('a credential with a filter that reaches commands is not made', async () => {
    for (const filter of ['jarvis/devices/+/cmd', 'jarvis/devices/door/#', 'cmnd/#'])
      refused(400)(await shop.api('/api/device-credentials', 'ada', { json: { device: 'greedy', topics: [filter] } }))
  })
})

describe('a policy file with an error', () => {
  const status = async () =>
    (await shop.api<{ policy: { version: string; wrong?: string } }>('/api/safety', 'ada')).body.policy
  test.each([
    ['a class that is none', 'rules:\n  - { intent: lock.unlock, hazard: harmless }\n', /rules\.0\.hazard \(line 2\)/],
    ['a key nobody knows', 'rules: []\nbuiltin: false\n', /builtin \(line 2\): is not known/],
    ['no YAML at all', 'rules: [', /line/],
  ])('%s: the old one stays, the field is told', async (_, text, why) => {
    const { version } = await status()
    writeFileSync(join(shop.dataDir, 'policy.yaml'), text)
    const row = await shop.row(
      ({ event, detail }) => event === 'policy.refused' && why.test(String(detail['why'])),
      before,
    )
    expect(row.detail).toMatchObject({ version })
    expect(await status()).toMatchObject({ version, wrong: expect.stringMatching(why) })
    expect(
      (await shop.api<{ parts: { part: string; status: string }[] }>('/api/health', 'ada')).body.parts,
    ).toContainEqual(expect.objectContaining({ part: 'policy', status: 'degraded' }))
    await asked()
    await held('approval.asked', 'person:olga')
  })
  afterAll(async () => {
    writeFileSync(join(shop.dataDir, 'policy.yaml'), POLICY)
    await eventually(status, ({ wrong }) => wrong === undefined)
  })
})

describe('stops, restarts and clocks', () => {
  const realNow = Date.now
  afterEach(() => {
    Date.now = realNow
  })

  test('after a stop: nothing starts, an earlier yes is void, one person cannot release it', async () => {
    const view = await asked()
    refused(200)(await shop.answer('bob', view, { phrase: PHRASE }))
    refused(200)(await shop.api('/api/safety/stop', 'olga', { json: { reason: 'smoke' } }))
    refused(410)(await shop.answer('cleo', view))
    refused(409)(await shop.ask('olga', 'gate', unlock))
    await held('refused.latch', 'person:olga')
    const { body } = await shop.api<{ approval: View }>('/api/safety/resume', 'cleo', { json: {} })
    refused(200)(await shop.answer('cleo', body.approval, { phrase: PHRASE }))
    refused(403)(await shop.answer('cleo', body.approval, { phrase: PHRASE }))
    await held('approval.refused', 'person:cleo')
    refused(200)(await shop.answer('dan', body.approval))
    await shop.row(({ event }) => event === 'latch.released', before)
  })

  test('the clock is moved while people are asked: what waits is cancelled', async () => {
    const view = await asked()
    refused(200)(await shop.answer('bob', view, { phrase: PHRASE }))
    Date.now = () => realNow() + 600_000
    // His second yes never counts; each try makes the hub look at its clock.
    await eventually(
      () => shop.answer('bob', view),
      ({ status }) => status === 410,
      { everyMs: 300 },
    )
    await held('clock.jumped', 'gate')
    refused(410)(await shop.answer('cleo', view))
    const { n } = await shop.row(({ event }) => event === 'clock.jumped', before)
    Date.now = realNow
    await eventually(
      async () => (await shop.answer('bob', view)) && shop.rows(n),
      (rows) => rows.some(({ event }) => event === 'clock.jumped'),
      { everyMs: 300 },
    )
  }, 20_000)

  test('after a restart: the first yes still counts once, not for the same person, and a used approval not again', async () => {
    const view = await asked()
    refused(200)(await shop.answer('bob', view, { phrase: PHRASE }))
    await shop.restart()
    refused(403)(await shop.answer('bob', view, { phrase: PHRASE }))
    await held('approval.refused', 'person:bob')
    refused(200)(await shop.answer('cleo', view))
    const cmd = await shop.of('door').wire.hears('jarvis/devices/door/cmd')
    await shop.of('door').says('ack', { id: cmd.json()['id'], status: 'done' })
    await shop.restart()
    refused(410)(await shop.answer('dan', view))
    await held('approval.refused', 'person:dan')
  }, 20_000)

  test('an approval that was changed in the table while the hub was off', async () => {
    const view = await asked()
    await shop.restart(() => {
      const db = new Database(join(shop.dataDir, 'hub.sqlite'))
      db.prepare('update approvals set body = replace(body, \'"needed":2\', \'"needed":1\') where id = ?').run(view.id)
      db.close()
    })
    expect((await shop.answer('bob', view, { phrase: PHRASE })).status).not.toBe(200)
    await held('approval.refused', 'gate')
  }, 20_000)

  test('a badge of before, told late: after a restart it is too old', async () => {
    await shop.of('reader').says('event', { type: 'badge', person: 'olga' })
    await shop.restart(() => {
      Date.now = () => realNow() + 120_000
    })
    const { status, body } = await shop.ask('olga', 'welder', { intent: 'welder.start' })
    expect([status, JSON.stringify(body)]).toEqual([403, expect.stringMatching(/too long ago/)])
    await held('refused.presence', 'person:olga')
  }, 20_000)

  test('the clock was set back while the hub was off: what waited is cancelled', async () => {
    const view = await asked()
    await shop.restart(() => {
      Date.now = () => realNow() - 600_000
    })
    await held('clock.jumped', 'gate')
    refused(410)(await shop.answer('bob', view, { phrase: PHRASE }))
  }, 20_000)
})

describe('the audit, after somebody wrote into the database', () => {
  const verify = async (change: (db: Database.Database) => unknown) => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-tamper-'))
    try {
      cpSync(shop.dataDir, dir, { recursive: true })
      const db = new Database(join(dir, 'hub.sqlite'))
      change(db)
      db.close()
      const store = await openStore({ file: join(dir, 'hub.sqlite'), log: silent })
      const said: string[] = []
      const code = await auditCommand(['verify'], store, (line) => said.push(line), dir)
      await store.close()
      return { code, said: said.join('\n') }
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
  const sql = (text: string) => (db: Database.Database) => db.exec(text)
  beforeAll(() => shop.stop())

  test('nobody wrote: it is whole', async () => {
    expect(await verify(() => {})).toMatchObject({ code: 0, said: expect.stringMatching(/whole/) })
  })
  test.each([
    ['a row changed', sql("update audit set detail = replace(detail, ':', ': ') where n = 7"), /row 7 was changed/],
    ['a row removed', sql('delete from audit where n = 9'), /row 9 is missing/],
    [
      'two rows exchanged',
      sql(
        'update audit set n = -1 where n = 5; update audit set n = 5 where n = 6; update audit set n = 6 where n = -1',
      ),
      /row 5/,
    ],
    ['the tail cut', sql('delete from audit where n > 40'), /chain ends at row 40/],
    [
      'the tail cut, and the head with it',
      sql('delete from audit where n > 40; update audit_head set n = 40, hash = (select hash from audit where n = 40)'),
      /signed head says: the end was cut off/,
    ],
    [
      'a row put before the first',
      sql(
        'insert into audit select -3, at, event, subject, who, device, intent, detail, prev, hash from audit where n = 1',
      ),
      /before the first/,
    ],
  ])('%s: the row is named', async (_, change, why) => {
    expect(await verify(change)).toMatchObject({ code: 1, said: expect.stringMatching(why) })
  })
})
