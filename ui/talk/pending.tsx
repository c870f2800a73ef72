// What waits for people's yes, inside a conversation: what it is, how it stands, and the way to it.
import { Badge } from '../design/badge.tsx'
import { Icon } from '../design/icon.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { approvalPath } from '../approvals/path.ts'
import { useHubNow } from '../approvals/use-approvals.ts'
import { askedWords, leftWords, lookOf, neededWords, ownOrigin, statusAt } from '../approvals/words.ts'
import { To } from '../pages/to.tsx'

interface Props {
  approval?: string
  commandId?: string
  text?: string
}

export const Pending = ({ approval: id, commandId, text }: Props) => {
  const { workshop, me } = useJarvisContext()
  const now = useHubNow()
  const approval =
    (id === undefined ? undefined : workshop.approvals.get(id)) ??
    [...workshop.approvals.values()].find((one) => one.commandId === commandId)
  const to = approval?.id ?? id
  const status = approval && statusAt(approval, now)
  return (
    <To path={to === undefined ? '/approvals' : approvalPath(to)} className="pending">
      <Icon name="approvals" size={20} />
      <span className="line-main">
        <strong>
          {approval
            ? askedWords(approval, workshop.devices.get(approval.device)?.name ?? approval.device)
            : 'An approval'}
        </strong>
        <span className="small">
          {approval && status === 'pending'
            ? neededWords(approval, ownOrigin(me))
            : (text ?? 'Open it to see how it stands')}
        </span>
      </span>
      {approval && status !== undefined && (
        <Badge tone={lookOf(status).tone}>
          {status === 'pending' ? `${leftWords(approval.expiresAt - now)} left` : lookOf(status).word}
        </Badge>
      )}
      <Icon name="chevron" size={16} />
    </To>
  )
}
