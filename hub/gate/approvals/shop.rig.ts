// A shop with dangerous things in it, the people who work there, and a policy: what the tests of approvals and the attacks stand on.
import { no, YES } from '../../broker/broker.ts'
import { originOf, type Principal, type Role } from '../../bus/principal.ts'
import { may, type Right } from '../../access/policy.ts'
import { message } from '../../streams/message.ts'
import type { Kysely } from 'kysely'
import type { Tables } from '../../store/store.ts'
import { deviceOf, dustFlow, rig, settle } from '../gate.rig.ts'
import type { GateParts } from '../open.ts'
import { fixedPolicy } from '../policy/file.ts'
import { type Policy, policyOf } from '../policy/policy.ts'
import { PolicyFile } from '../policy/schema.ts'

export const person = (id: string, ...roles: Role[]): Principal => ({ kind: 'person', id, roles })

export const ada = person('ada', 'operator')
export const bob = person('bob', 'engineer')
export const cleo = person('cleo', 'safety')
export const dan = person('dan', 'safety')
export const eve = person('eve')
export const PHRASE = 'Confirm: proceed'

/** A policy as it would stand in the file. */
export const policy = (file: object): Policy => policyOf(PolicyFile.parse(file))

export const start = { intent: 'welder.start', payload: { amps: 90 } }

/** `people` may be changed while it runs: who is not in it is not known any more. */
export const openShop = async (more: Partial<GateParts> = {}, db?: Kysely<Tables>) => {
  const shop = await rig(db)
  const people = new Map([ada, bob, cleo, dan, eve].map((who) => [originOf(who), who]))
  const welder = {
    name: 'MIG welder',
    kind: 'welder',
    area: 'Bay',
    intents: { 'welder.start': { type: 'object', properties: { amps: { type: 'number' } } }, 'welder.stop': {} },
    safe: ['welder.stop'],
  }
  shop.about('welder', welder)
  shop.about('door', {
    name: 'Yard door',
    kind: 'lock',
    area: 'Yard',
    intents: { 'lock.unlock': {}, 'lock.lock': {} },
    safe: ['lock.lock'],
  })
  shop.about('heater', { name: 'Heater', kind: 'heater', area: 'Bay', intents: { 'heater.start': {} } })
  shop.about('reader', { name: 'Badge reader', kind: 'badge_reader', area: 'Bay', intents: {} })
  shop.about('far_reader', { name: 'Badge reader', kind: 'badge_reader', area: 'Yard', intents: {} })
  shop.about('lamp', { name: 'Lamp', kind: 'light', area: 'Bay', intents: { 'light.turn_on': {} } })
  await settle()
  const access: GateParts['access'] = {
    mayRequest: (who) =>
      who.kind !== 'person' || may(who, 'devices.request') ? YES : no('the right devices.request is missing'),
    may: (who: Principal, right: Right) => (may(who, right) ? YES : no(`the right ${right} is missing`)),
  }
  const parts: Partial<GateParts> = {
    access,
    principalOf: (origin) =>
      people.get(origin) ??
      (origin.startsWith('device:') ? deviceOf(origin.slice(7)) : origin === originOf(dustFlow) ? dustFlow : undefined),
    ...more,
  }
  return {
    ...shop,
    people,
    welder,
    /** Opens a gate; several one after the other are restarts. */
    open: (again: Partial<GateParts> = {}) => shop.open({ ...parts, ...again }),
    badge: async (who: string, reader = 'reader', direction?: 'in' | 'out', as = deviceOf(reader)) => {
      shop.bus.publish(
        as,
        message(
          'devices/{device}/event',
          { device: reader },
          { type: 'badge', person: who, ...(direction === undefined ? {} : { direction }) },
        ),
      )
      await settle()
    },
    sent: (device: string) => shop.bus.said('devices/{device}/cmd', { device }).map(({ payload }) => payload),
    results: (device: string) => shop.bus.said('devices/{device}/result', { device }).map(({ payload }) => payload),
    audited: async (event: string) =>
      (await shop.db.selectFrom('audit').selectAll().where('event', 'like', event).orderBy('n').execute()).map(
        (row) => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }),
      ),
  }
}

/** The policy source whose policy can be changed while it runs. */
export const changing = (first: Policy) => {
  let now = first
  return {
    source: {
      ...fixedPolicy(),
      get now() {
        return now
      },
    },
    set: (next: Policy) => void (now = next),
  }
}
