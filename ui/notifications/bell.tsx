// The bell in the bar: how many notifications wait, and the way to them.
import { Icon } from '../design/icon.tsx'
import { To } from '../pages/to.tsx'
import { useUnread } from './use-inbox.ts'

const MOST = 99

export const Bell = () => {
  const unread = useUnread()
  return (
    <To path="/notifications" className="button quiet icon bell">
      <Icon name="bell" />
      <span className="unseen">Notifications{unread > 0 && `, ${unread} new`}</span>
      {unread > 0 && (
        <span className="nav-count" aria-hidden="true">
          {unread > MOST ? `${MOST}+` : unread}
        </span>
      )}
    </To>
  )
}
