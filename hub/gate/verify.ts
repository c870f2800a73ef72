// Walks the audit chain and names the first row that is not as it was written; heads that were signed and kept elsewhere have to be in it.
import type { KeyObject } from 'node:crypto'
import type { Kysely } from 'kysely'
import { reasonOf } from '../errors.ts'
import type { Tables } from '../store/store.ts'
import { isSigned, readHeads } from './anchor.ts'
import { GENESIS, hashOf, storedHead } from './audit.ts'

const PAGE = 5000

export interface AuditVerdict {
  rows: number
  ok: boolean
  /** How many signed heads were looked at. */
  heads?: number
  /** The first row that is not as it was written; `n` is the number it has or should have. */
  firstBad?: { n: number; why: string }
}

/** Heads that were kept elsewhere, by row; or what is wrong with their file. */
export type Heads =
  { ok: true; heads: Map<number, { hash: string; at: string }> } | { ok: false; n: number; why: string }

/** Reads the file of signed heads. A file that is not there holds none. */
export const headsIn = async (file: string, publicKey: KeyObject): Promise<Heads> => {
  const heads = new Map<number, { hash: string; at: string }>()
  try {
    for await (const { line, head } of readHeads(file)) {
      // A hub that was killed may leave half a line; it is told by the next head, which is whole.
      if (head === undefined) continue
      const bad = (why: string): Heads => ({ ok: false, n: head.n, why: `line ${line} of ${file} ${why}` })
      if (!isSigned(head, publicKey)) return bad("was not signed by this hub's key, or was changed")
      const before = heads.get(head.n)
      if (before !== undefined && before.hash !== head.hash)
        return bad(`names another row ${head.n} than an earlier line: the chain was written anew from there`)
      heads.set(head.n, { hash: head.hash, at: head.at })
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      return { ok: false, n: 0, why: `${file} cannot be read: ${reasonOf(error)}` }
  }
  return { ok: true, heads }
}

/**
 * Walks the whole chain in pages. Finds rows that were changed, removed, reordered or put in between, and an end that was cut
 * off. Somebody who can write the database can also compute all of it anew: that is found only with `heads` kept elsewhere.
 */
export const verifyAudit = async (db: Kysely<Tables>, kept?: Heads): Promise<AuditVerdict> => {
  // Rows written while this walks lie beyond the head read here; they are checked, but not expected.
  const head = await storedHead(db)
  let at = GENESIS
  let atHead: string | undefined
  const bad = (n: number, why: string): AuditVerdict => ({ rows: at.n, ok: false, firstBad: { n, why } })
  if (kept?.ok === false) return bad(kept.n, kept.why)
  const heads = kept?.heads ?? new Map<number, { hash: string; at: string }>()
  const looked = kept === undefined ? {} : { heads: heads.size }
  const pageAfter = (n: number) =>
    db.selectFrom('audit').selectAll().where('n', '>', n).orderBy('n').limit(PAGE).execute()
  let coming = pageAfter(at.n)
  for (;;) {
    const page = await coming
    const last = page.at(-1)
    // Read while the page before is hashed.
    if (page.length === PAGE && last !== undefined) coming = pageAfter(Number(last.n))
    for (const stored of page) {
      const row = { ...stored, n: Number(stored.n), at: Number(stored.at) }
      const { hash, ...rest } = row
      const found =
        row.n !== at.n + 1
          ? bad(at.n + 1, `row ${at.n + 1} is missing; the next one is ${row.n}`)
          : row.prev !== at.hash
            ? bad(row.n, `row ${row.n} does not follow row ${at.n}: one of them was replaced or moved`)
            : hashOf(rest) !== hash
              ? bad(row.n, `row ${row.n} was changed after it was written`)
              : anchored(heads, row.n, hash)
      if (found !== undefined) {
        coming.catch(() => {})
        return 'why' in found ? bad(row.n, found.why) : found
      }
      at = { n: row.n, hash }
      if (row.n === head?.n) atHead = hash
    }
    if (page.length < PAGE) break
  }
  const below = await db.selectFrom('audit').select('n').where('n', '<', 1).executeTakeFirst()
  if (below !== undefined) return bad(Number(below.n), `row ${below.n} was put before the first`)
  for (const [n, { at: when }] of heads)
    if (n > at.n)
      return bad(
        at.n + 1,
        `the chain ends at row ${at.n}, but row ${n} was there at ${when}, as a signed head says: the end was cut off`,
      )
  if (head === undefined)
    return at.n === 0
      ? { rows: 0, ok: true, ...looked }
      : bad(at.n, 'the head of the chain is missing: nobody can tell whether rows at the end were removed')
  if (head.n > at.n) return bad(at.n + 1, `the chain ends at row ${at.n}, but it was written up to row ${head.n}`)
  if (atHead !== head.hash) return bad(head.n, `row ${head.n} is not the one the head of the chain names`)
  return { rows: at.n, ok: true, ...looked }
}

const anchored = (
  heads: ReadonlyMap<number, { hash: string; at: string }>,
  n: number,
  hash: string,
): { why: string } | undefined => {
  const head = heads.get(n)
  return head === undefined || head.hash === hash
    ? undefined
    : { why: `row ${n} is another than at ${head.at}, as a signed head says: the chain was written anew up to here` }
}
