// A building under attack: its dangerous things, its policy, and the check that nothing went out and the audit names who tried.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ROOT } from '../../testing/hub.ts'
import type { Answer } from '../../testing/outsider.ts'
import { eventually } from '../../testing/until.ts'
import { type Building, type Name, openBuilding, type View } from './building.rig.ts'

/** A case of a table. The row that the attack leaves is of `event`, by `who`. */
export type Attack = [name: string, event: string, who: string, attack: () => Promise<unknown>]

export const unlock = { intent: 'lock.unlock' }
const DANGEROUS = ['lock.unlock', 'welder.start', 'vault.open', 'night.run', 'forge.fire', 'plug.cut']

const hour = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16)
export const POLICY = `timeZone: UTC
presenceMinutes: 1
rules:
  - { intent: vault.open, hazard: high, signature: true }
  - { intent: night.run, hazard: medium, hours: { from: '${hour(2)}', to: '${hour(3)}' } }
  - { intent: forge.fire, hazard: high, ask: [engineer] }
interlocks:
  - { name: cool, intent: plug.cut, while: { device: printer, value: nozzle, above: 50 } }
`

const things = async (shop: Building): Promise<void> => {
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

/** Holds an answer to the code it should have. */
export const refused = (status: number) => (answer: Answer<unknown>) =>
  expect(answer.status, JSON.stringify(answer.body)).toBe(status)

export const openAttacked = async () => {
  const shop = await openBuilding(POLICY, { PLUGINS_DIR: join(ROOT, 'plugins') })
  await things(shop)
  await eventually(
    () => shop.api<{ items: { id: string; online: boolean; kind: string }[] }>('/api/devices', 'ada'),
    ({ body }) => body.items.filter(({ online, kind }) => online && kind !== '').length === 15,
  )
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

  return {
    shop,
    /** The row after which those of this attack come. */
    get before() {
      return before
    },
    settled,
    dangerous,
    held,
    asked,
    publishes,
    key,
    /** To be taken back at the end of a test. */
    opened,
    /** After each attack: nobody is asked any more, and the next one's rows come after these. */
    async tidy(): Promise<void> {
      for (const { by, id } of opened.splice(0)) await shop.api('/api/safety/hazards/cancel', by, { json: { id } })
      before = shop.lastRow()
    },
  }
}

export type Attacked = Awaited<ReturnType<typeof openAttacked>>
