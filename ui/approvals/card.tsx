// One approval: what would happen, who asked, what the hub knew, what is missing, how long there is, and the answer.
import type { ReactNode } from 'react'
import type { ApprovalItem } from '../api/read-approval.ts'
import { Ago, Clock } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Icon, kindIcon } from '../design/icon.tsx'
import { words } from '../devices/value.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import { originWords } from '../messages/origin.ts'
import { To } from '../pages/to.tsx'
import { Answer } from './answer.tsx'
import { approvalPath } from './path.ts'
import { useHubNow } from './use-approvals.ts'
import {
  askedWords,
  evidenceLines,
  hazardTone,
  leftWords,
  lookOf,
  neededWords,
  ownOrigin,
  partOf,
  saidWords,
  statusAt,
} from './words.ts'

/** The last tenth of a minute is worth a colour. */
const SHORT_MS = 20_000

const Left = ({ approval }: { approval: ApprovalItem }) => {
  const now = useHubNow()
  const status = statusAt(approval, now)
  if (status !== 'pending') return <Badge tone={lookOf(status).tone}>{lookOf(status).word}</Badge>
  const left = approval.expiresAt - now
  const share = Math.min(1, Math.max(0, left / Math.max(1, approval.expiresAt - approval.requestedAt)))
  return (
    <span className={`left${left < SHORT_MS ? ' short' : ''}`} role="timer">
      <span className="left-time">{leftWords(left)}</span>
      <span className="small soft"> left</span>
      <span className="left-bar" aria-hidden="true" style={{ '--share': share }} />
    </span>
  )
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt className="small soft">{name}</dt>
    <dd>{children}</dd>
  </div>
)

const Facts = ({ approval }: { approval: ApprovalItem }) => {
  const { hub } = useJarvisContext()
  const offset = hub.offset()
  const { requestedBy, requestedAt, reason, decidedAt, decidedBy, why } = approval
  return (
    <dl className="facts">
      <Fact name="Asked by">
        {originWords(requestedBy)}, <Ago at={requestedAt - offset} />
      </Fact>
      {reason !== undefined && <Fact name="Reason given">“{reason}”</Fact>}
      {decidedAt !== undefined && (
        <Fact name="Ended">
          <Clock at={decidedAt - offset} />
          {decidedBy !== undefined && `, by ${originWords(decidedBy)}`}
        </Fact>
      )}
      {why !== undefined && <Fact name="Why">{why}</Fact>}
    </dl>
  )
}

const Evidence = ({ approval, isOpen }: { approval: ApprovalItem; isOpen: boolean }) => {
  const lines = evidenceLines(approval, useHubNow())
  return (
    <details className="evidence" open={isOpen}>
      <summary>What the hub knew when it asked</summary>
      <dl className="facts">
        {lines.map(({ name, value }) => (
          <Fact key={name} name={name}>
            {value}
          </Fact>
        ))}
        {Object.keys(approval.payload).length > 0 && (
          <Fact name="Exact values">
            <code className="small">{JSON.stringify(approval.payload)}</code>
          </Fact>
        )}
        <Fact name="Fingerprint">
          <code className="small">{approval.digest.slice(0, 16)}</code>
        </Fact>
      </dl>
      {lines.length === 0 && <p className="small soft">It told nothing more.</p>}
    </details>
  )
}

interface Props {
  approval: ApprovalItem
  /** On its own page everything is open. */
  isAlone?: boolean
}

export const ApprovalCard = ({ approval, isAlone = false }: Props) => {
  const { workshop, me } = useJarvisContext()
  const now = useHubNow()
  const device = workshop.devices.get(approval.device)
  const name = device?.name ?? approval.device
  const title = askedWords(approval, name)
  const status = statusAt(approval, now)
  return (
    <article className="panel approval" data-approval={approval.id} data-status={status} aria-label={title}>
      <header className="approval-head">
        <span className="kind-icon">
          <Icon name={device ? kindIcon(`${device.kind} ${device.id}`) : 'approvals'} size={22} />
        </span>
        <div className="approval-names">
          <h2>{title}</h2>
          <span className="small">
            <Badge tone={hazardTone(approval.hazard)} bare>
              {words(approval.hazard)} hazard
            </Badge>
            {approval.zone !== undefined && <span className="soft"> · {approval.zone}</span>}
          </span>
        </div>
        <Left approval={approval} />
      </header>
      <p className="effect">{approval.effect}</p>
      <p className="needed">
        <Icon name="person" size={16} />{' '}
        <span>{status === 'pending' ? neededWords(approval, ownOrigin(me)) : saidWords(approval, ownOrigin(me))}</span>
      </p>
      <Facts approval={approval} />
      <Evidence approval={approval} isOpen={isAlone} />
      <Answer approval={approval} name={name} part={partOf(approval, me, now)} />
      {!isAlone && (
        <To path={approvalPath(approval.id)} className="approval-more small">
          Open on its own<span className="unseen">: {title}</span>
        </To>
      )}
    </article>
  )
}
