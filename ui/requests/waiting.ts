// A request that is only asked and one that waits for people look the same to the gate's messages: the approval tells them apart.
import { statusAt } from '../approvals/words.ts'
import type { ApprovalView } from '../live/approvals.ts'
import type { Workshop } from '../live/state.ts'

/** The open approval a command waits for. `now` by the hub's clock. */
export const approvalOf = (
  { approvals }: Pick<Workshop, 'approvals'>,
  commandId: string,
  now: number,
): ApprovalView | undefined =>
  [...approvals.values()].find((one) => one.commandId === commandId && statusAt(one, now) === 'pending')

/** `pending` becomes `awaiting_confirmation` while people are asked. */
export const shownStatus = (status: string, approval: ApprovalView | undefined): string =>
  status === 'pending' && approval !== undefined ? 'awaiting_confirmation' : status
