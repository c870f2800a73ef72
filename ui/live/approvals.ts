// Approvals as they are heard and fetched: which are open, and which ended while this page looked.
import type { ApprovalItem } from '../api/read-approval.ts'

export interface ApprovalView extends ApprovalItem {
  /** By this device's clock; 0 when it was only fetched. */
  heardAt: number
}

type Known = ReadonlyMap<string, ApprovalView>

/** How many that ended are kept for the page that shows them. */
const ENDED_AT_MOST = 50

const bounded = (approvals: Map<string, ApprovalView>): Known => {
  const ended = [...approvals.values()].filter(({ status }) => status !== 'pending')
  for (const { id } of ended.slice(0, Math.max(0, ended.length - ENDED_AT_MOST))) approvals.delete(id)
  return approvals
}

/** An ended one stays as it ended, and a yes that was heard is not unheard: answers may overtake messages. */
const newer = (known: ApprovalView | undefined, item: ApprovalItem): boolean =>
  known === undefined ||
  (known.status === 'pending' && (item.status !== 'pending' || item.given.length >= known.given.length))

export const heardApproval = (approvals: Known, item: ApprovalItem, at: number): Known => {
  if (!newer(approvals.get(item.id), item)) return approvals
  return bounded(new Map(approvals).set(item.id, { ...item, heardAt: at }))
}

/** The topic was cleared: what had not been told to have ended is taken away. */
export const endedOrGone = (approvals: Known, id: string): Known => {
  if (approvals.get(id)?.status !== 'pending') return approvals
  const left = new Map(approvals)
  left.delete(id)
  return left
}

/** The API's list of open ones, asked for at `askedAt` by this device's clock. */
export const openApprovals = (approvals: Known, items: readonly ApprovalItem[], askedAt: number): Known => {
  const listed = new Set(items.map(({ id }) => id))
  const next = new Map(
    [...approvals].filter(([id, { status, heardAt }]) => status !== 'pending' || listed.has(id) || heardAt >= askedAt),
  )
  for (const item of items)
    if (newer(next.get(item.id), item)) next.set(item.id, { heardAt: 0, ...next.get(item.id), ...item })
  return next
}
