// The latch of a stop: what was stopped stays stopped until people release it, also over a restart.
import type { Kysely } from 'kysely'
import { type Clock, iso } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Health } from '../../health/report.ts'
import type { Tables } from '../../store/store.ts'
import type { Wait } from '../bounds.ts'

export interface Latched {
  stop: string
  by: string
  reason: string
  /** ISO 8601. */
  at: string
}

const PAUSE_MS = 1000
const TRIES = 60

export interface LatchParts {
  db: Kysely<Tables>
  clock: Pick<Clock, 'now'>
  health: Pick<Health, 'report'>
  wait: Wait
}

/** Reads what an earlier run left. A latch that cannot be written holds in memory, and is tried again for a minute. */
export const openLatch = async ({ db, clock, health, wait }: LatchParts) => {
  const row = await db.selectFrom('safety_latch').selectAll().where('id', '=', 1).executeTakeFirst()
  let held: Latched | undefined = row && { stop: row.stop, by: row.by, reason: row.reason, at: iso(Number(row.at)) }
  let writing: Promise<void> = Promise.resolve()
  let queued = false
  let over = false

  const write = async (tries: number): Promise<void> => {
    queued = false
    const now = held
    try {
      if (now === undefined) await db.deleteFrom('safety_latch').where('id', '=', 1).execute()
      else {
        const values = { stop: now.stop, by: now.by, reason: now.reason, at: Date.parse(now.at) }
        await db
          .insertInto('safety_latch')
          .values({ id: 1, ...values })
          .onConflict((on) => on.column('id').doUpdateSet(values))
          .execute()
      }
    } catch (error) {
      if (over || tries <= 1) {
        health.report({
          source: 'gate',
          type: 'LatchUnrecorded',
          severity: 'critical',
          category: 'database',
          message: `The stop holds, but could not be recorded: after a restart it would be forgotten (${reasonOf(error)}). Check the database.`,
        })
        return
      }
      await new Promise<void>((resolve) => wait(PAUSE_MS, resolve))
      await write(tries - 1)
    }
  }
  /** A flood of stops is one write, and one more. */
  const keep = (): Promise<void> => {
    if (queued) return writing
    queued = true
    return (writing = writing.then(() => write(TRIES)))
  }

  return {
    get held() {
      return held
    },
    set(by: string, reason: string): void {
      held = {
        stop: held?.stop ?? `stop at ${iso(clock.now())}`,
        by,
        reason: reason.slice(0, 500),
        at: iso(clock.now()),
      }
      void keep()
    },
    /** Resolves when it is written. */
    release(): Promise<unknown> {
      held = undefined
      return keep()
    },
    async close(): Promise<void> {
      over = true
      await Promise.race([writing, new Promise<void>((resolve) => wait(PAUSE_MS, resolve))])
    },
  }
}

export type Latch = Awaited<ReturnType<typeof openLatch>>
