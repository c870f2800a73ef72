// Who is where: the last badge of each person, and what presence sensors say. What nobody knows counts as no.
import { z } from 'zod'
import { iso } from '../../clock.ts'
import type { Device, Devices } from '../../devices/devices.ts'
import { Line } from '../../topics/core.ts'
import type { Presence } from '../policy/schema.ts'

const BADGE_READER = 'badge_reader'
const SENSOR = 'presence'
/** People remembered; the one seen longest ago goes first. */
const MOST_PEOPLE = 10_000

const Badge = z.looseObject({
  type: z.literal('badge'),
  person: Line(120).min(1),
  direction: z.enum(['in', 'out']).optional(),
})

interface Seen {
  zone: string | undefined
  reader: string
  at: number
  here: boolean
}

/** Whether a condition holds, with what it was judged by. */
export interface PresenceFound {
  ok: boolean
  /** In words, when it does not hold. */
  why: string
  /** For the approval and the audit. */
  evidence: Record<string, unknown>
}

/** The names of people in badges are their user names. `at` in ms since 1970. */
export const openPresence = (devices: Pick<Devices, 'get' | 'list'>) => {
  const last = new Map<string, Seen>()

  const same = (a: string | undefined, b: string): boolean => a?.toLowerCase() === b.toLowerCase()

  const hear = (device: string, payload: unknown, at: number): void => {
    const badge = Badge.safeParse(payload)
    const reader = devices.get(device)
    if (!badge.success || reader?.kind !== BADGE_READER) return
    const { person, direction } = badge.data
    if ((last.get(person)?.at ?? 0) > at) return
    last.delete(person)
    last.set(person, { zone: reader.area, reader: device, at, here: direction !== 'out' })
    for (const oldest of last.keys()) {
      if (last.size <= MOST_PEOPLE) break
      last.delete(oldest)
    }
  }

  const isFresh = (seen: Seen, now: number, ttlMs: number): boolean => now - seen.at <= ttlMs && seen.at <= now + 1000

  const requester = (origin: string, zone: string, now: number, ttlMs: number): PresenceFound => {
    const person = origin.startsWith('person:') ? origin.slice('person:'.length) : undefined
    const seen = person === undefined ? undefined : last.get(person)
    const evidence = { rule: 'requester_present', zone, ...evidenceOf(seen) }
    const not = (why: string): PresenceFound => ({ ok: false, why, evidence })
    if (person === undefined) return not(`${origin} is not a person, so nobody is there for it`)
    if (seen === undefined) return not(`nobody knows whether ${person} is in '${zone}': no badge was read`)
    if (!isFresh(seen, now, ttlMs)) return not(`the last badge of ${person} is from ${iso(seen.at)}, too long ago`)
    if (!seen.here) return not(`${person} has left '${seen.zone ?? 'no zone'}'`)
    if (!same(seen.zone, zone)) return not(`${person} was last seen in '${seen.zone ?? 'no zone'}', not in '${zone}'`)
    return { ok: true, why: '', evidence }
  }

  const sensorsIn = (zone: string): Device[] =>
    devices.list().filter(({ kind, area, online }) => kind === SENSOR && online && same(area, zone))

  const anybody = (zone: string, now: number, ttlMs: number) => {
    const people = [...last].filter(([, seen]) => seen.here && same(seen.zone, zone) && isFresh(seen, now, ttlMs))
    const sensors = sensorsIn(zone)
    const known = sensors.filter(({ state }) => typeof state['occupied'] === 'boolean')
    return {
      people: people.map(([name, seen]) => ({ person: name, at: iso(seen.at), reader: seen.reader })),
      occupied: known.filter(({ state }) => state['occupied'] === true).map(({ id }) => id),
      empty: known.filter(({ state }) => state['occupied'] === false).map(({ id }) => id),
      silent: sensors.length - known.length,
    }
  }

  const someone = (zone: string, now: number, ttlMs: number): PresenceFound => {
    const { people, occupied, empty } = anybody(zone, now, ttlMs)
    const evidence = { rule: 'someone_present', zone, people: people.slice(0, 10), occupied, empty }
    if (people.length > 0 || occupied.length > 0) return { ok: true, why: '', evidence }
    const why = empty.length > 0 ? `nobody is in '${zone}'` : `nobody knows whether anybody is in '${zone}'`
    return { ok: false, why, evidence }
  }

  const clear = (zone: string, now: number, ttlMs: number): PresenceFound => {
    const { people, occupied, empty, silent } = anybody(zone, now, ttlMs)
    const evidence = { rule: 'zone_clear', zone, people: people.slice(0, 10), occupied, empty }
    const not = (why: string): PresenceFound => ({ ok: false, why, evidence })
    if (occupied.length > 0) return not(`'${zone}' is occupied (${occupied.join(', ').slice(0, 100)})`)
    if (people.length > 0) return not(`somebody is in '${zone}'`)
    if (empty.length === 0 || silent > 0)
      return not(`nobody knows whether '${zone}' is clear: it takes a presence sensor`)
    return { ok: true, why: '', evidence }
  }

  return {
    hear,
    /** Forgets every badge: after the clock jumped nobody knows how old they are. */
    forget: (): void => last.clear(),
    /** Whether the condition of a rule holds. */
    judge(rule: Presence, origin: string, zone: string | undefined, now: number, ttlMs: number): PresenceFound {
      if (rule === 'none') return { ok: true, why: '', evidence: { rule } }
      if (zone === undefined)
        return { ok: false, why: 'the device says no area, so nobody can be known to be there', evidence: { rule } }
      if (rule === 'requester_present') return requester(origin, zone, now, ttlMs)
      return rule === 'someone_present' ? someone(zone, now, ttlMs) : clear(zone, now, ttlMs)
    },
  }
}

export type PresenceBook = ReturnType<typeof openPresence>

const evidenceOf = (seen: Seen | undefined): Record<string, unknown> =>
  seen === undefined
    ? { known: false }
    : { lastSeen: iso(seen.at), lastZone: seen.zone ?? '', reader: seen.reader, here: seen.here }
