// Approvals: what waits for a yes, what became of the others; and one of them on its own page.
import type { ApprovalItem } from '../api/read-approval.ts'
import { Ago } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { Icon } from '../design/icon.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { originWords } from '../messages/origin.ts'
import { To } from '../pages/to.tsx'
import { RequestRow } from '../requests/list.tsx'
import { ApprovalCard } from './card.tsx'
import { approvalPath } from './path.ts'
import { Shop } from './shop.tsx'
import { useApproval, useHistory, useHubNow, useOpenApprovals } from './use-approvals.ts'
import { askedWords, lookOf, partOf, statusAt } from './words.ts'

/** Retained, so that devices have their names also when this is the first page. */
const TOPICS = ['devices/+/online']

const Row = ({ approval }: { approval: ApprovalItem }) => {
  const { workshop, hub } = useJarvisContext()
  const { tone, word } = lookOf(statusAt(approval, useHubNow()))
  return (
    <li className="line" data-approval={approval.id}>
      <To path={approvalPath(approval.id)} className="line-head">
        <span className="line-main">
          <strong>{askedWords(approval, workshop.devices.get(approval.device)?.name ?? approval.device)}</strong>
          <span className="small soft cut">
            {originWords(approval.requestedBy)} · <Ago at={approval.requestedAt - hub.offset()} />
            {approval.given.length > 0 && ` · yes by ${approval.given.map(({ by }) => originWords(by)).join(' and ')}`}
          </span>
          {approval.why !== undefined && <span className="small soft">{approval.why}</span>}
        </span>
        <Badge tone={tone}>{word}</Badge>
        <Icon name="chevron" size={16} />
      </To>
    </li>
  )
}

const History = () => {
  const { items, problem, more } = useHistory()
  return (
    <section className="panel side-panel">
      <div className="side-head">
        <h2>Ended</h2>
      </div>
      {problem !== undefined && <Note tone="warn">The history cannot be read: {problem}</Note>}
      {!items && problem === undefined && <div className="skeleton reserve" />}
      {items?.length === 0 && (
        <Empty title="None yet">
          Each question and its answers are kept here for 90 days, and in the audit for good.
        </Empty>
      )}
      {items && items.length > 0 && (
        <ul className="lines">
          {items.map((one) => (
            <Row key={one.id} approval={one} />
          ))}
        </ul>
      )}
      {more && (
        <div className="client-more">
          <Button onPress={more}>Older ones</Button>
        </div>
      )}
    </section>
  )
}

export const ApprovalsPage = () => {
  const { readAt, problems, me } = useJarvisContext()
  useTopics(TOPICS)
  const open = useOpenApprovals()
  const problem = problems['approvals']
  // What this person can answer stands in front.
  const now = useHubNow()
  const mine = (one: ApprovalItem): number => Number(partOf(one, me, now) !== 'may')
  const ordered = [...open].sort((a, b) => mine(a) - mine(b))
  return (
    <div className="stack approvals all">
      <Shop round={readAt === 0 ? -1 : open.length} />
      {problem !== undefined && (
        <Note tone="warn">
          {problem === 'forbidden' ? 'Your role may not read approvals.' : `Approvals cannot be read: ${problem}`}
        </Note>
      )}
      <section className="stack" aria-label="Open approvals">
        {ordered.map((one) => (
          <ApprovalCard key={one.id} approval={one} />
        ))}
        {open.length === 0 &&
          (readAt === 0 ? (
            <div className="panel approval skeleton" />
          ) : (
            <div className="panel">
              <Empty title="Nothing waits for a yes">
                When somebody asks a device for something that may hurt people, the question comes here, and to
                everybody who may answer it. What nobody answers in time is refused.
              </Empty>
            </div>
          ))}
      </section>
      <History />
    </div>
  )
}

/** What became of the command that was asked about. */
const Fate = ({ approval }: { approval: ApprovalItem }) => {
  const { workshop } = useJarvisContext()
  useTopics(['cmd', 'ack', 'result'].map((leaf) => `devices/${approval.device}/${leaf}`))
  const request = workshop.requests.get(approval.commandId)
  return request === undefined ? null : (
    <section className="panel side-panel">
      <div className="side-head">
        <h2>The request</h2>
      </div>
      <ul className="lines">
        <RequestRow request={request} name={workshop.devices.get(request.device)?.name ?? request.device} />
      </ul>
    </section>
  )
}

export const ApprovalPage = ({ id }: { id: string }) => {
  const { approval, isGone, problem } = useApproval(id)
  useTopics(TOPICS)
  return (
    <div className="stack approvals">
      <p className="crumbs small">
        <To path="/approvals" className="crumb">
          <Icon name="back" size={16} /> All approvals
        </To>
      </p>
      {problem !== undefined && <Note tone="warn">{problem}</Note>}
      {isGone && <Note tone="warn">The hub knows no such approval. It may be older than 90 days.</Note>}
      {approval && <ApprovalCard approval={approval} isAlone />}
      {approval && <Fate approval={approval} />}
      {!approval && !isGone && problem === undefined && <div className="panel approval skeleton" />}
    </div>
  )
}
