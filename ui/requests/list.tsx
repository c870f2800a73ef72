// Requests and their fate, each with its way from asking to outcome.
import { useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { approvalPath } from '../approvals/path.ts'
import { useHubNow } from '../approvals/use-approvals.ts'
import { Ago, Clock } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Icon } from '../design/icon.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { intentLabel } from '../devices/intent.ts'
import { spanWords } from '../live/age.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import { useNow } from '../live/now.ts'
import { isClosed, statusWords, timeline, took, type RequestView } from '../live/request.ts'
import { originWords } from '../messages/origin.ts'
import { To } from '../pages/to.tsx'
import { requestTone } from './tone.ts'
import { approvalOf, shownStatus } from './waiting.ts'

const WITHOUT_TIME = { done: '', now: 'waiting', bad: '', skipped: 'not reached' } as const

const Timeline = ({ request }: { request: RequestView }) => (
  <ol className="way" aria-label="The way of this request">
    {timeline(request).map(({ name, word, state, at }) => (
      <li key={name} className={`way-${state}`}>
        <span className="way-dot" aria-hidden="true" />
        <span className="way-word">{word}</span>
        <span className="way-time soft">{at === undefined ? WITHOUT_TIME[state] : <Clock at={at} />}</span>
      </li>
    ))}
  </ol>
)

/** One request: its outcome in one line, its way underneath when opened. */
export const RequestRow = ({ request, name }: { request: RequestView; name: string }) => {
  const { workshop } = useJarvisContext()
  const [isOpen, setOpen] = useState(false)
  const approval = approvalOf(workshop, request.id, useHubNow())
  const status = shownStatus(request.status, approval)
  // A request that was only heard does not say who asked: the hub knows it from the connection.
  const who = request.requestedBy === '' ? (approval?.requestedBy ?? '') : request.requestedBy
  const ms = took(request)
  const payload = Object.keys(request.payload).length > 0 ? JSON.stringify(request.payload) : ''
  return (
    <li className="line request" data-request={request.id}>
      <AriaButton className="line-head" aria-expanded={isOpen} onPress={() => setOpen(!isOpen)}>
        <span className="line-main">
          <span className="line-title">
            <strong>{intentLabel(request.intent)}</strong> <span>{name}</span>
          </span>
          <span className="small soft cut">
            {who !== '' && `${originWords(who)} · `}
            <Ago at={request.issuedAt} />
            {ms === undefined || !['done', 'failed', 'timeout'].includes(request.status)
              ? ''
              : ` · took ${spanWords(ms)}`}
          </span>
          {request.reason !== undefined && request.status !== 'done' && (
            <span className="small reason">{request.reason}</span>
          )}
        </span>
        <Badge tone={requestTone(status)}>{statusWords(status)}</Badge>
      </AriaButton>
      {isOpen && (
        <div className="line-body">
          <Timeline request={request} />
          {approval && (
            <To path={approvalPath(approval.id)} className="approval-more small">
              Open the approval
            </To>
          )}
          {payload !== '' && <pre className="small soft">{payload}</pre>}
          <p className="small soft mono">{request.id}</p>
        </div>
      )}
    </li>
  )
}

export const Requests = ({ limit }: { limit: number }) => {
  const { workshop, problems, readAt } = useJarvisContext()
  useNow()
  const all = [...workshop.requests.values()].sort((a, b) => b.issuedAt - a.issuedAt)
  if (problems['requests'] !== undefined && all.length === 0)
    return (
      <Note tone="warn">
        {problems['requests'] === 'forbidden' ? 'Your role may not read requests.' : problems['requests']}
      </Note>
    )
  if (all.length === 0)
    return readAt === 0 ? (
      <div className="skeleton reserve" />
    ) : (
      <Empty title="No requests yet">
        Press a button on a device, or let a flow ask. Every wish shows up here with what became of it.
      </Empty>
    )
  return (
    <ul className="lines">
      {all.slice(0, limit).map((request) => (
        <RequestRow
          key={request.id}
          request={request}
          name={workshop.devices.get(request.device)?.name ?? request.device}
        />
      ))}
    </ul>
  )
}

/** How many requests are still open, for the heading. */
export const useOpenRequests = (): number =>
  [...useJarvisContext().workshop.requests.values()].filter(({ status }) => !isClosed(status)).length

export const OpenBadge = () => {
  const open = useOpenRequests()
  return open === 0 ? null : (
    <span className="small soft row">
      <Icon name="requests" size={14} /> {open} open
    </span>
  )
}
