// One announced device as a device of the hub: says what it is, how it is and whether it is there, and answers commands.
import { type Message, message, type Native, type NativeMessage, type Payload } from '#hub/plugin'
import type { AnnouncedDevice, Fields } from './announcement.ts'
import { type Availability, availabilityOf, signatureOf } from './availability.ts'
import { openCommands } from './commands.ts'
import type { Component, News, Said } from './component.ts'
import { type Offer, offersOf, schemaOf } from './intents.ts'
import { kindOf } from './kind.ts'

export type Out =
  | 'devices/{device}/about'
  | 'devices/{device}/state'
  | 'devices/{device}/online'
  | 'devices/{device}/event'
  | 'devices/{device}/ack'

/** A component within a device. */
export interface Entity {
  key: string
  name?: string
  component: Component
  /** As announced: what says when it is there, and whether anything changed. */
  fields: Fields
}

export interface MirrorParts {
  id: string
  /** Wall-clock ms. */
  now(): number
  say(message: Message<Out>): void
  command: Native['command']
  /** ms a command may take to show. */
  patience: number
  /** Asks to be called by `due` until that answers false. */
  wake(): void
}

export interface Mirror {
  id: string
  /**
   * Replaces what the device is; what it said on topics it still reads is kept. Nothing is published before `show`. Gives
   * the topics of what is new or changed: what is retained there is to be heard.
   */
  become(device: AnnouncedDevice, entities: readonly Entity[]): ReadonlySet<string>
  /** Publishes what it is and how it is. */
  show(): void
  readonly topics: ReadonlySet<string>
  readonly entities: number
  hear(this: void, message: NativeMessage): void
  /** A command of the gate. */
  obey(command: Payload<'devices/{device}/cmd'>): void
  /** Does what is due; false when nothing is left to wait for. */
  due(now: number): boolean
  /** Answers what is open: the device is gone. */
  end(why: string): void
}

interface Held {
  entity: Entity
  value: unknown
  availability: Availability | undefined
  signature: string
  /** Beyond what is supported: never there. */
  lost: boolean
  then?: { at: number; value: unknown }
}

const STATE_EVERY_MS = 50

const saidOf = ({ payload }: NativeMessage): Said => {
  const text = payload.toString('utf8').toWellFormed()
  let json: unknown
  if (payload.length <= 65_536 && /^\s*[[{"\d\-tfn]/.test(text))
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
  return { text, json }
}

const hasValue = ({ component }: Entity): boolean =>
  component.platform !== 'event' && component.platform !== 'device_automation' && component.platform !== 'button'

const readsSame = (a: Entity, b: Entity): boolean => {
  const reads = ({ component }: Entity): string =>
    [component.platform, ...component.readings.map(({ topic }) => topic)].join('\n')
  return reads(a) === reads(b)
}

export const openMirror = (parts: MirrorParts): Mirror => {
  const { id, now, say } = parts
  const params = { device: id }
  let device: AnnouncedDevice = { identifiers: [] }
  let held = new Map<string, Held>()
  let offers = new Map<string, Offer[]>()
  let topics = new Set<string>()
  const told = new Map<string, string>()
  const commands = openCommands({ ...parts, valueOf: (component) => held.get(component)?.value })
  let stateAt = 0
  let isStateDue = false

  const isThere = ({ availability, lost }: Held): boolean => !lost && (availability?.isThere() ?? true)

  /** Publishes a retained topic when it differs from what was said last. */
  const tell = (out: Message<Out>): void => {
    const text = JSON.stringify(out.payload)
    if (told.get(out.topic) === text) return
    told.set(out.topic, text)
    say(out)
  }

  const tellOnline = (): void => {
    const all = [...held.values()]
    tell(message('devices/{device}/online', params, all.length > 0 && all.some(isThere)))
  }

  const tellState = (): void => {
    isStateDue = false
    stateAt = now()
    const state = Object.fromEntries(
      [...held.values()].flatMap((one) =>
        hasValue(one.entity) ? [[one.entity.key, isThere(one) ? one.value : null]] : [],
      ),
    )
    tell(message('devices/{device}/state', params, state))
  }

  const stateSoon = (): void => {
    if (now() - stateAt >= STATE_EVERY_MS) return tellState()
    isStateDue = true
    parts.wake()
  }

  const about = (): Payload<'devices/{device}/about'> => {
    const { name, maker, model, area, via } = device
    const entities = Object.fromEntries(
      [...held.values()].map(({ entity: { key, name: called, component } }) => [
        key,
        {
          platform: component.platform,
          ...(called === undefined ? {} : { name: called }),
          ...component.detail,
          ...(component.problem === undefined ? {} : { problem: component.problem }),
        },
      ]),
    )
    const safe = [...offers].filter(([, list]) => list.every(({ action }) => action.isSafe === true))
    return {
      name: name ?? id,
      kind: kindOf(
        [...held.values()].map(({ entity }) => entity.component.platform),
        [name, model, ...[...held.values()].map(({ entity }) => entity.name)],
      ),
      intents: Object.fromEntries([...offers].map(([intent, list]) => [intent, schemaOf(list)])),
      ...(safe.length > 0 ? { safe: safe.map(([intent]) => intent).slice(0, 64) } : {}),
      ...(area === undefined ? {} : { area }),
      ...(maker === undefined ? {} : { maker }),
      ...(model === undefined ? {} : { model }),
      via: via ?? 'MQTT discovery',
      entities,
    }
  }

  const take = (one: Held, news: News | undefined, isOld: boolean): boolean => {
    if (news === undefined) return false
    if ('event' in news) {
      // What is retained happened before; nobody wants to hear it again.
      if (!isOld) say(message('devices/{device}/event', params, { entity: one.entity.key, ...news.event }))
      return false
    }
    one.value = news.value
    delete one.then
    if (news.then !== undefined) {
      one.then = { at: now() + news.then.afterMs, value: news.then.value }
      parts.wake()
    }
    return true
  }

  return {
    id,
    get topics() {
      return topics
    },
    get entities() {
      return held.size
    },

    become(next, entities) {
      device = next
      const before = held
      /** By signature; what was known of one that stays is kept. */
      const kept = new Map<string, Availability | string | undefined>()
      for (const { signature, availability } of before.values())
        if (availability !== undefined) kept.set(signature, availability)
      const fresh = new Set<string>()
      held = new Map(
        entities.map((entity) => {
          const signature = signatureOf(entity.fields)
          if (!kept.has(signature)) kept.set(signature, availabilityOf(entity.fields))
          const availability = kept.get(signature)
          const lost = typeof availability === 'string'
          const problems = [entity.component.problem, lost ? availability : undefined].filter(
            (one) => one !== undefined,
          )
          const old = before.get(entity.key)
          const isSame = old !== undefined && readsSame(old.entity, entity)
          if (!isSame || JSON.stringify(old.entity.fields) !== JSON.stringify(entity.fields))
            for (const topic of [
              ...entity.component.readings.map((one) => one.topic),
              ...(typeof availability === 'object' ? availability.topics : []),
            ])
              fresh.add(topic)
          const component =
            problems.length === 0 ? entity.component : { ...entity.component, problem: problems.join('; ') }
          const one: Held = {
            entity: { ...entity, component },
            value: isSame ? old.value : null,
            availability: lost ? undefined : availability,
            signature,
            lost,
            ...(isSame && old.then !== undefined ? { then: old.then } : {}),
          }
          return [entity.key, one]
        }),
      )
      offers = offersOf([...held.values()].map(({ entity }) => entity))
      topics = new Set(
        [...held.values()].flatMap(({ entity, availability }) => [
          ...entity.component.readings.map(({ topic }) => topic),
          ...(availability?.topics ?? []),
        ]),
      )
      commands.keep((key) => held.has(key))
      return fresh
    },

    show() {
      tell(message('devices/{device}/about', params, about()))
      tellOnline()
      tellState()
    },

    hear(native) {
      const said = saidOf(native)
      const availabilities = new Set<Availability>()
      let isNews = false
      for (const one of held.values()) {
        const { availability } = one
        if (availability?.topics.includes(native.topic) === true) availabilities.add(availability)
      }
      for (const availability of availabilities) availability.hear(native.topic, said)
      for (const one of held.values()) {
        let isHeard = false
        // An empty payload takes back what was retained: nothing is known any more.
        for (const reading of one.entity.component.readings)
          if (reading.topic === native.topic)
            isHeard =
              take(
                one,
                native.payload.length === 0 ? { value: null } : reading.take(said, one.value),
                native.retained,
              ) || isHeard
        if (isHeard) {
          isNews = true
          if (commands.size > 0) commands.settled(one.entity.key, one.value)
        }
      }
      if (told.size === 0) return
      if (availabilities.size > 0) tellOnline()
      if (isNews || availabilities.size > 0) stateSoon()
    },

    obey: (command) => commands.obey(command, offers.get(command.intent)),

    due(at) {
      if (isStateDue && at - stateAt >= STATE_EVERY_MS) tellState()
      let isChanged = false
      for (const one of held.values()) {
        if (one.then === undefined || at < one.then.at) continue
        one.value = one.then.value
        delete one.then
        isChanged = true
      }
      if (isChanged) tellState()
      commands.due(at)
      return isStateDue || commands.size > 0 || [...held.values()].some(({ then }) => then !== undefined)
    },

    end: commands.end,
  }
}
