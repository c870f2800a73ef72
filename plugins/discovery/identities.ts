// Who announced which device first, and with which records: an identity belongs to one origin, also after a restart.
import { createHash } from 'node:crypto'
import { type Memory, reasonOf } from '#hub/plugin'
import { z } from 'zod'

export interface Identity {
  /** What the device's id in the hub is made from; never changes. */
  key: string
  origin: string
  identifiers: ReadonlySet<string>
  /** Day, since 1970, on which it was announced last. */
  day: number
  /** Digests of the records that stand for it, by those of their topics. */
  records: ReadonlyMap<string, string>
}

export interface Identities {
  /** The identity any of these identifiers belongs to. */
  find(identifiers: readonly string[]): Identity | undefined
  /** Takes the identifiers for an origin; those of an identity it has are added to it. */
  take(origin: string, identifiers: readonly string[]): Identity
  /** The origin any of these identifiers belongs to, when it is another one. */
  foreign(identifiers: readonly string[], origin: string): string | undefined
  /** Remembers that a record stands for an identity; an empty payload, that none does on this topic any more. */
  record(identity: Identity, topic: string, payload: Uint8Array): void
  /** Whether just this record stood, in this run or the one before. What stood comes before what did not. */
  stood(identity: Identity, topic: string, payload: Uint8Array): boolean
  release(identity: Identity): void
  /** Identities of an origin, those remembered from earlier runs included. */
  count(origin: string): number
  close(): Promise<void>
}

const Stored = z.array(
  z.strictObject({
    key: z.string().max(300),
    identifiers: z.array(z.string().max(300)).max(64),
    day: z.number(),
    records: z
      .array(z.tuple([z.string().max(24), z.string().max(24)]))
      .max(256)
      .default([]),
  }),
)
const PREFIX = 'origin/'
/** An identity nobody announced for so long is free again. */
const KEPT_DAYS = 30
const DAY_MS = 86_400_000
const SAVE_MS = 500
const MOST_IDENTIFIERS = 64
const MOST_RECORDS = 256

/** What is remembered of one origin has room in one value; beyond it, whose the devices are counts more than which records stood. */
const MOST_CHARACTERS = 900_000
const isTooLong = (value: unknown): boolean => JSON.stringify(value).length > MOST_CHARACTERS
const withoutRecords = <T extends { records: unknown }>({ records: _, ...rest }: T): Omit<T, 'records'> => rest

/** 128 bits: nobody finds two records with the same one. */
const digest = (bytes: string | Uint8Array): string =>
  createHash('sha256').update(bytes).digest().subarray(0, 16).toString('base64url')

/** Reads what is remembered. `failed` is told when remembering fails; the identities then last until the hub stops. */
export const openIdentities = async (
  memory: Memory,
  now: number,
  failed: (reason: string) => void,
): Promise<Identities> => {
  const today = Math.floor(now / DAY_MS)
  const byIdentifier = new Map<string, Identity>()
  const byOrigin = new Map<string, Set<Identity>>()
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let saving: Promise<void> = Promise.resolve()

  const keep = (identity: Identity): void => {
    for (const identifier of identity.identifiers) byIdentifier.set(identifier, identity)
    const mine = byOrigin.get(identity.origin) ?? new Set()
    byOrigin.set(identity.origin, mine.add(identity))
  }
  const save = async (): Promise<void> => {
    const origins = [...changed]
    changed.clear()
    for (const origin of origins) {
      const mine = [...(byOrigin.get(origin) ?? [])].map(({ key, identifiers, day, records }) => ({
        key,
        day,
        identifiers: [...identifiers],
        records: [...records],
      }))
      try {
        if (mine.length === 0) await memory.remove(PREFIX + origin)
        else await memory.set(PREFIX + origin, isTooLong(mine) ? mine.map(withoutRecords) : mine)
      } catch (error) {
        failed(reasonOf(error))
      }
    }
  }
  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    saving = saving.then(save)
    return saving
  }
  const touch = (origin: string): void => {
    changed.add(origin)
    timer ??= setTimeout(() => void flush(), SAVE_MS)
  }

  for (const name of await memory.keys(PREFIX))
    for (const { key, identifiers, day, records } of (await memory.get(name, Stored)) ?? [])
      if (day > today - KEPT_DAYS)
        keep({
          key,
          origin: name.slice(PREFIX.length),
          identifiers: new Set(identifiers),
          day,
          records: new Map(records),
        })

  const find = (identifiers: readonly string[]): Identity | undefined => {
    for (const identifier of identifiers) {
      const found = byIdentifier.get(identifier)
      if (found !== undefined) return found
    }
    return undefined
  }
  const release = (identity: Identity): void => {
    for (const identifier of identity.identifiers)
      if (byIdentifier.get(identifier) === identity) byIdentifier.delete(identifier)
    const mine = byOrigin.get(identity.origin)
    mine?.delete(identity)
    if (mine?.size === 0) byOrigin.delete(identity.origin)
    touch(identity.origin)
  }

  return {
    find,
    foreign: (identifiers, origin) =>
      identifiers.map((one) => byIdentifier.get(one)?.origin).find((one) => one !== undefined && one !== origin),
    take(origin, identifiers) {
      const old = find(identifiers)
      const [key = ''] = identifiers
      if (old !== undefined && old.day === today && identifiers.every((one) => old.identifiers.has(one))) return old
      const all = new Set([...(old?.identifiers ?? []), ...identifiers].slice(-MOST_IDENTIFIERS))
      if (old !== undefined) release(old)
      const records = old?.records ?? new Map<string, string>()
      const identity = { key: old?.key ?? key, origin, identifiers: all, day: today, records }
      keep(identity)
      touch(origin)
      return identity
    },
    record(identity, topic, payload) {
      const name = digest(topic)
      const now = payload.length === 0 ? undefined : digest(payload)
      if (identity.records.get(name) === now) return
      const records = new Map(identity.records)
      records.delete(name)
      if (now !== undefined && records.size < MOST_RECORDS) records.set(name, now)
      identity.records = records
      touch(identity.origin)
    },
    stood: ({ records }, topic, payload) => records.get(digest(topic)) === digest(payload),
    release,
    count: (origin) => byOrigin.get(origin)?.size ?? 0,
    close: flush,
  }
}
