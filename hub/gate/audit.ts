// The audit: rows that can only be added, each holding the hash of the one before, and a head that says where the chain ends.
import type { Kysely } from 'kysely'
import type { Tables } from '../store/store.ts'
import { canonical, sha256 } from './canonical.ts'
import type { AuditTable } from './tables.ts'

/** What happened, to be chained. */
export interface AuditEvent {
  at: number
  event: string
  /** Id of the request, or ''. */
  subject: string
  who: string
  device: string
  intent: string
  detail: Record<string, unknown>
}

export interface Head {
  n: number
  hash: string
}

/** The head before the first row. */
export const GENESIS: Head = { n: 0, hash: '0'.repeat(64) }

/** sha256 of the previous hash and the canonical JSON of everything else in the row. */
export const hashOf = (row: Omit<AuditTable, 'hash'>): string => {
  const { prev, ...rest } = row
  return sha256(prev + canonical(rest))
}

/** As every database gives it back: UTF-8 has no half characters, PostgreSQL no NUL. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd')

/** The rows that continue a chain. */
export const chained = (head: Head, events: readonly AuditEvent[]): AuditTable[] => {
  let { n, hash: prev } = head
  return events.map(({ at, event, subject, who, device, intent, detail }) => {
    const row = {
      at,
      event: storable(event),
      subject: storable(subject),
      who: storable(who),
      device: storable(device),
      intent: storable(intent),
      detail: canonical(detail),
      n: ++n,
      prev,
    }
    const hash = hashOf(row)
    prev = hash
    return { ...row, hash }
  })
}

/** The stored head; undefined before the first row. */
export const storedHead = async (db: Kysely<Tables>): Promise<Head | undefined> => {
  const row = await db.selectFrom('audit_head').select(['n', 'hash']).where('id', '=', 1).executeTakeFirst()
  return row && { n: Number(row.n), hash: row.hash }
}

/** The last row of the chain as it lies in the table. */
export const lastRow = async (db: Kysely<Tables>): Promise<Head | undefined> => {
  const row = await db.selectFrom('audit').select(['n', 'hash']).orderBy('n', 'desc').limit(1).executeTakeFirst()
  return row && { n: Number(row.n), hash: row.hash }
}

const SKEW_MS = 60_000

/** ms by which a clock is behind the last row, when that is more than a minute: it was set back while nobody looked. */
export const behindAudit = async (db: Kysely<Tables>, now: number): Promise<number> => {
  const row = await db.selectFrom('audit').select('at').orderBy('n', 'desc').limit(1).executeTakeFirst()
  const by = Number(row?.at ?? 0) - now
  return by > SKEW_MS ? by : 0
}

/** The detail of a row. One that somebody tampered with is shown as it is. */
export const detailOf = (text: string): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : { value }
  } catch {
    return { unreadable: text }
  }
}
