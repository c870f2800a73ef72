// Several changes as one: all of them, or none.
import type { Compilable, Kysely } from 'kysely'
import type { Tables } from './store.ts'

/** Changes that belong together, in order. */
export type Changes = readonly Pick<Compilable, 'compile'>[]

/** For databases that take a transaction statement by statement: a trip for each, and two more. */
export const writeTo =
  (db: Kysely<Tables>) =>
  async (changes: Changes): Promise<void> => {
    await db.transaction().execute(async (trx) => {
      for (const change of changes) await trx.executeQuery(change.compile())
    })
  }
