// A found thing: what voices say of it, what people decided, and how it looks to them.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { confidenceIn } from './confidence.ts'
import type { Finding } from './finding.ts'
import { isVague, nextFor, titleOf } from './kinds.ts'
import { STATUSES } from './topics.ts'

const Text = (most: number) => z.string().max(most)
const At = z.number().int().min(0)

const Voice = z.object({
  source: z.enum(['mdns', 'ssdp', 'udp']),
  key: Text(300),
  kind: Text(24),
  name: Text(64),
  addresses: z.array(z.union([z.ipv4(), z.ipv6()])).max(16),
  port: z.number().int().min(1).max(65_535).optional(),
  url: Text(320).optional(),
  what: Text(80),
  facts: z.record(Text(32), Text(100)),
  from: Text(45),
  until: At,
})

const Decision = z.object({
  status: z.enum(['accepted', 'ignored']),
  /** Such as `person:ada`. */
  by: Text(200),
  at: At,
  kind: Text(24),
  addresses: z.array(Text(45)).max(16),
  port: At.optional(),
})
export type Decision = z.output<typeof Decision>

/** A found thing as it is kept over a restart. The first voice leads; times in ms since 1970. */
export const Thing = z.object({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  voices: z.array(Voice).min(1).max(4),
  firstSeenAt: At,
  lastSeenAt: At,
  decision: Decision.optional(),
  /** Why a decision no longer holds, in words. */
  reopened: Text(300).optional(),
})
export type Thing = z.output<typeof Thing>

export const MOST_VOICES = 4

export const idOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 12)

/** What leads: the first voice that still speaks, else the first one. */
export const leadOf = ({ voices }: Thing, now: number): Finding => {
  const [first, ...rest] = voices
  const lead = [first, ...rest].find((one) => one !== undefined && one.until > now) ?? first
  if (lead === undefined) throw new Error('a found thing has at least one voice')
  return lead
}

export const isThere = ({ voices }: Thing, now: number): boolean => voices.some(({ until }) => until > now)

export const statusOf = (one: Thing, now: number): (typeof STATUSES)[number] =>
  isThere(one, now) ? (one.decision?.status ?? 'new') : 'gone'

/** Why a decision does not hold for what a thing says now; undefined when it holds. An acceptance is of one thing at one address. */
export const brokenBy = (decision: Decision, { kind, addresses, port }: Finding): string | undefined => {
  if (decision.status !== 'accepted') return undefined
  const who = decision.by.replace(/^person:/, '')
  if (kind !== decision.kind)
    return `It said it was ${titleOf(decision.kind)} when ${who} accepted it, and says ${titleOf(kind)} now.`
  const had = decision.addresses
  if (addresses.length > 0 && !addresses.some((one) => had.includes(one)))
    return `It was at ${had[0] ?? 'no address'} when ${who} accepted it, and says ${addresses[0] ?? ''} now.`
  if (port !== undefined && decision.port !== undefined && port !== decision.port)
    return `It was at port ${decision.port} when ${who} accepted it, and says ${port} now.`
  return undefined
}

const Iso = z.iso.datetime({ offset: true })

/** A found thing as routes answer. */
export const Found = z.strictObject({
  id: z.string(),
  kind: z.string(),
  title: z.string().describe('The kind in words.'),
  name: z.string(),
  addresses: z.array(z.string()),
  port: z.number().int().optional(),
  url: z.string().optional().describe('A page at its own address. The hub never fetches it.'),
  facts: z.record(z.string(), z.string()),
  saidBy: z.array(
    z.strictObject({
      source: z.enum(['mdns', 'ssdp', 'udp']),
      what: z.string(),
      from: z.string(),
      until: Iso.describe('Without another word from it this is over then.'),
    }),
  ),
  confidence: z.number().min(0).max(1),
  reasons: z.array(z.strictObject({ text: z.string(), weight: z.number() })),
  firstSeenAt: Iso,
  lastSeenAt: Iso,
  status: z.enum(STATUSES),
  decision: z
    .strictObject({ status: z.enum(['accepted', 'ignored']), by: z.string(), at: Iso })
    .optional()
    .describe('Stays while it is gone.'),
  reopened: z.string().optional().describe('Why an acceptance no longer holds.'),
  next: z
    .strictObject({ text: z.string(), yaml: z.string().optional() })
    .optional()
    .describe('What to do once it is accepted. Accepting alone controls nothing.'),
})
export type Found = z.output<typeof Found>

const iso = (ms: number): string => new Date(ms).toISOString()

/** Whether two say they are at the same place. */
export const isSamePlace = (a: Finding, b: Finding): boolean =>
  a.addresses.some((one) => b.addresses.includes(one)) &&
  (a.port === undefined || b.port === undefined || a.port === b.port)

/** What is there and no vague word, by address and port: who says to be at the same place as another. */
export type Places = ReadonlyMap<string, readonly { id: string; name: string; kind: string }[]>

const placesOf = ({ addresses, port }: Finding): string[] =>
  port === undefined ? [] : addresses.map((address) => `${address} ${port}`)

export const placesIn = (all: Iterable<Thing>, now: number): Places => {
  const places = new Map<string, { id: string; name: string; kind: string }[]>()
  for (const one of all) {
    if (!isThere(one, now)) continue
    const lead = leadOf(one, now)
    if (isVague(lead.kind)) continue
    const { id } = one
    for (const place of placesOf(lead)) {
      const there = places.get(place)
      if (there === undefined) places.set(place, [{ id, name: lead.name, kind: lead.kind }])
      else there.push({ id, name: lead.name, kind: lead.kind })
    }
  }
  return places
}

/** How a found thing looks among the others, `now` in ms since 1970. */
export const viewOf = (one: Thing, places: Places, now: number): Found => {
  const lead = leadOf(one, now)
  const there = one.voices.filter(({ until }) => until > now)
  const rivals = isVague(lead.kind)
    ? []
    : placesOf(lead)
        .flatMap((place) => places.get(place) ?? [])
        .filter(({ id, kind }) => id !== one.id && kind !== lead.kind)
        .slice(0, 1)
  const status = statusOf(one, now)
  const { decision } = one
  return {
    id: one.id,
    kind: lead.kind,
    title: titleOf(lead.kind),
    name: lead.name,
    addresses: [...lead.addresses],
    ...(lead.port === undefined ? {} : { port: lead.port }),
    ...(lead.url === undefined ? {} : { url: lead.url }),
    facts: { ...lead.facts },
    saidBy: one.voices.map(({ source, what, from, until }) => ({ source, what, from, until: iso(until) })),
    ...confidenceIn({
      voices: there.length > 0 ? [lead, ...there.filter((voice) => voice !== lead)] : [],
      knownForMs: one.lastSeenAt - one.firstSeenAt,
      rivals,
    }),
    firstSeenAt: iso(one.firstSeenAt),
    lastSeenAt: iso(one.lastSeenAt),
    status,
    ...(decision === undefined ? {} : { decision: { status: decision.status, by: decision.by, at: iso(decision.at) } }),
    ...(one.reopened === undefined ? {} : { reopened: one.reopened }),
    ...(decision?.status === 'accepted'
      ? {
          next: nextFor(decision.kind, {
            name: lead.name,
            address: decision.addresses[0],
            port: decision.port,
            facts: lead.facts,
          }),
        }
      : {}),
  }
}
