// Approvals in their table: written before anything follows from them, and read back with suspicion.
import type { Kysely } from 'kysely'
import { type Clock, iso } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Health } from '../../health/report.ts'
import type { Tables } from '../../store/store.ts'
import { type Wait, within } from '../bounds.ts'
import type { ApprovalsTable } from '../tables.ts'
import { type ApprovalView, approvalFrom, type OpenApproval, rowOf } from './approval.ts'

const KEEP_MS = 90 * 86_400_000
const MOST_LISTED = 500

/** As pages get it. */
export type Listed = ApprovalView & {
  /** Whether whoever asked may be one of those who say yes. */
  requesterMayApprove: boolean
  decidedAt?: string
  decidedBy?: string
  why?: string
}

/** One that is open. */
export const listed = ({ view, asked }: OpenApproval): Listed => ({
  ...view,
  requesterMayApprove: asked.requesterMayApprove,
})

export interface RecordsParts {
  db: Kysely<Tables>
  clock: Pick<Clock, 'now'>
  health: Pick<Health, 'report'>
  wait: Wait
  /** Longest wait for the database, ms. */
  recordMs: number
}

export const openRecords = ({ db, clock, health, wait, recordMs }: RecordsParts) => {
  const trouble = (type: string, text: string): void =>
    health.report({ source: 'gate', type, severity: 'error', category: 'database', message: text })

  /** Waits for it no longer than `recordMs`. False when nobody knows whether it is written. */
  const written = async (work: Promise<unknown>): Promise<boolean> => {
    const done = work.then(() => true)
    const answer = await within(recordMs, done, wait).catch((error: unknown) => {
      trouble('ApprovalUnrecorded', `An approval could not be recorded: ${reasonOf(error)}. Check the database.`)
      return false
    })
    done.catch(() => {})
    return answer === true
  }

  /** Undefined when the row is not as the gate writes it, which is told. */
  const readable = (row: ApprovalsTable): OpenApproval | undefined => {
    try {
      return approvalFrom(row)
    } catch (error) {
      trouble(
        'ApprovalUnreadable',
        `The record of approval ${row.id} is not as the gate writes it, so it counts for nothing: ${reasonOf(error).slice(0, 300)}`,
      )
      return undefined
    }
  }

  /** With how it ended; nothing when the row is not as the gate writes it. */
  const withEnd = (row: ApprovalsTable, now: OpenApproval | undefined): Listed | undefined => {
    const approval = now ?? readable(row)
    const decided = { decidedAt: iso(Number(row.decided_at)), decidedBy: row.decided_by, why: row.why }
    return approval && { ...listed(approval), ...(Number(row.decided_at) > 0 ? decided : {}) }
  }

  const decide = (view: ApprovalView, why: string, by: string): Promise<unknown> =>
    db
      .updateTable('approvals')
      .set({
        status: view.status,
        body: JSON.stringify(view),
        decided_at: clock.now(),
        decided_by: by,
        why: why.slice(0, 500),
      })
      .where('id', '=', view.id)
      .execute()

  return {
    readable,
    withEnd,
    /** A new one. One that is written too late is cancelled in the table: nobody was asked. */
    async add(approval: OpenApproval): Promise<boolean> {
      const adding = db.insertInto('approvals').values(rowOf(approval)).execute()
      const isWritten = await written(adding)
      if (!isWritten)
        void adding
          .then(() =>
            decide({ ...approval.view, status: 'cancelled' }, 'recorded too late, so nobody was asked', 'gate'),
          )
          .catch(() => {})
      return isWritten
    },
    /** One more yes, or the last. */
    yes: (view: ApprovalView, by: string): Promise<boolean> =>
      written(
        db
          .updateTable('approvals')
          .set({
            body: JSON.stringify(view),
            status: view.status,
            decided_by: by,
            ...(view.status === 'pending' ? {} : { decided_at: clock.now() }),
          })
          .where('id', '=', view.id)
          .where('status', '=', 'pending')
          .execute(),
      ),
    end: (view: ApprovalView, why: string, by: string): Promise<boolean> => written(decide(view, why, by)),
    row: (id: string): Promise<ApprovalsTable | undefined> =>
      db.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst(),
    /** The approval of a command as an earlier run left it; `unreadable` when its row is not as the gate writes it. */
    async of(commandId: string): Promise<OpenApproval | 'unreadable' | undefined> {
      const row = await db.selectFrom('approvals').selectAll().where('command_id', '=', commandId).executeTakeFirst()
      return row && (readable(row) ?? 'unreadable')
    },
    /** Every one that an earlier run left pending. */
    async pending(): Promise<OpenApproval[]> {
      const rows = await db.selectFrom('approvals').selectAll().where('status', '=', 'pending').execute()
      return rows.flatMap((row) => readable(row) ?? [])
    },
    /** Newest first; `now` gives those that are open as they are. */
    async list(
      { limit = 100, before }: { limit?: number; before?: number | undefined },
      now: (id: string) => OpenApproval | undefined,
    ): Promise<Listed[]> {
      let query = db
        .selectFrom('approvals')
        .selectAll()
        .orderBy('requested_at', 'desc')
        .orderBy('id')
        .limit(Math.min(limit, MOST_LISTED))
      if (before !== undefined) query = query.where('requested_at', '<', before)
      return (await query.execute()).flatMap((row) => withEnd(row, now(row.id)) ?? [])
    },
    async prune(): Promise<void> {
      await db
        .deleteFrom('approvals')
        .where('status', '!=', 'pending')
        .where('requested_at', '<', clock.now() - KEEP_MS)
        .execute()
    },
  }
}
