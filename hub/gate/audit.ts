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

const PAGE = 1000

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

export interface AuditVerdict {
  rows: number
  ok: boolean
  /** The first row that is not as it was written; `n` is the number it has or should have. */
  firstBad?: { n: number; why: string }
}

/**
 * Walks the whole chain in pages. Finds rows that were changed, removed, reordered or put in between, and an end that
 * was cut off. Somebody who can write the database can also rewrite all of it: keep a copy of the head elsewhere.
 */
export const verifyAudit = async (db: Kysely<Tables>): Promise<AuditVerdict> => {
  // Rows written while this walks lie beyond the head read here; they are checked, but not expected.
  const head = await storedHead(db)
  let at = GENESIS
  let atHead: string | undefined
  for (;;) {
    const page = await db.selectFrom('audit').selectAll().where('n', '>', at.n).orderBy('n').limit(PAGE).execute()
    for (const stored of page) {
      const row = { ...stored, n: Number(stored.n), at: Number(stored.at) }
      const bad = (n: number, why: string): AuditVerdict => ({ rows: at.n, ok: false, firstBad: { n, why } })
      const { hash, ...rest } = row
      if (row.n !== at.n + 1) return bad(at.n + 1, `row ${at.n + 1} is missing; the next one is ${row.n}`)
      if (row.prev !== at.hash)
        return bad(row.n, `row ${row.n} does not follow row ${at.n}: one of them was replaced or moved`)
      if (hashOf(rest) !== hash) return bad(row.n, `row ${row.n} was changed after it was written`)
      at = { n: row.n, hash }
      if (row.n === head?.n) atHead = hash
    }
    if (page.length < PAGE) break
  }
  const below = await db.selectFrom('audit').select('n').where('n', '<', 1).executeTakeFirst()
  const bad = (n: number, why: string): AuditVerdict => ({ rows: at.n, ok: false, firstBad: { n, why } })
  if (below !== undefined) return bad(Number(below.n), `row ${below.n} was put before the first`)
  if (head === undefined)
    return at.n === 0
      ? { rows: 0, ok: true }
      : bad(at.n, 'the head of the chain is missing: nobody can tell whether rows at the end were removed')
  if (head.n > at.n) return bad(at.n + 1, `the chain ends at row ${at.n}, but it was written up to row ${head.n}`)
  if (atHead !== head.hash) return bad(head.n, `row ${head.n} is not the one the head of the chain names`)
  return { rows: at.n, ok: true }
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
