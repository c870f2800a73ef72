// One turn of a conversation: what was said, what came back, what it did, and how it was understood.
import { useJarvisContext } from '../live/jarvis.tsx'
import type { Done, TalkAnswer } from '../api/read-talk.ts'
import { Clock } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { useHubNow } from '../approvals/use-approvals.ts'
import { intentLabel } from '../devices/intent.ts'
import { devicePath } from '../devices/path.ts'
import { words } from '../devices/value.ts'
import { statusWords } from '../live/request.ts'
import { originWords } from '../messages/origin.ts'
import { To } from '../pages/to.tsx'
import { requestTone } from '../requests/tone.ts'
import { approvalOf, shownStatus } from '../requests/waiting.ts'
import type { Turn } from './conversation.ts'
import { Pending } from './pending.tsx'

const Command = ({ command, told }: { command: Done; told: string }) => {
  const { workshop } = useJarvisContext()
  const request = workshop.requests.get(command.commandId)
  const approval = approvalOf(workshop, command.commandId, useHubNow())
  const status = shownStatus(request?.status ?? command.status, approval)
  const reason = request?.reason ?? command.reason
  return (
    <li className="talk-command">
      <To path={devicePath(command.device)}>{workshop.devices.get(command.device)?.name ?? command.device}</To>
      <span>{intentLabel(command.intent)}</span>
      <Badge tone={requestTone(status)}>{statusWords(status)}</Badge>
      {reason !== undefined && status !== 'done' && !told.includes(reason) && (
        <span className="small reason">{reason}</span>
      )}
    </li>
  )
}

const Decision = ({ answer }: { answer: TalkAnswer }) => {
  const { matched, considered, path, why, commands } = answer
  if (matched.length === 0 && considered.length === 0 && why === undefined && path === undefined) return null
  return (
    <details className="evidence decision">
      <summary>How this was understood</summary>
      <dl className="facts">
        {path !== undefined && (
          <div>
            <dt className="small soft">By</dt>
            <dd>{words(path)}</dd>
          </div>
        )}
        {matched.map(({ name, value }) => (
          <div key={`${name} ${value}`}>
            <dt className="small soft">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {commands.map(({ commandId }) => (
          <div key={commandId}>
            <dt className="small soft">Command</dt>
            <dd className="small mono">{commandId}</dd>
          </div>
        ))}
      </dl>
      {why !== undefined && <p className="small">{why}</p>}
      {considered.length > 0 && (
        <>
          <p className="small soft">Also considered:</p>
          <ul className="small decision-list">
            {considered.map(({ text, why: because }) => (
              <li key={text}>
                {text}
                {because !== undefined && <span className="soft"> ({because})</span>}
              </li>
            ))}
          </ul>
        </>
      )}
    </details>
  )
}

interface Props {
  turn: Turn
  /** Says one of the sentences that were near. */
  onSay: (sentence: string) => void
}

export const TurnView = ({ turn, onSay }: Props) => {
  const { said, at, who, answer, problem } = turn
  const sayable = [...(answer?.options ?? []), ...(answer?.near ?? [])]
  return (
    <li className="turn">
      <div className="said">
        <p>{said}</p>
        <span className="small">
          {who !== undefined && `${originWords(who)}, `}
          <Clock at={at} />
        </span>
      </div>
      <div className="reply">
        {!answer && problem === undefined && <p className="soft">…</p>}
        {problem !== undefined && <Note tone="bad">{problem}</Note>}
        {answer?.replies.map((text, n) => (
          <p key={`${n} ${text}`}>{text}</p>
        ))}
        {answer && answer.commands.length > 0 && (
          <ul className="talk-commands">
            {answer.commands.map((command) => (
              <Command key={command.commandId} command={command} told={answer.replies.join(' ')} />
            ))}
          </ul>
        )}
        {answer?.pending && <Pending {...answer.pending} />}
        {sayable.length > 0 && (
          <div className="row" role="group" aria-label="Meant like this?">
            {sayable.map((near) => (
              <button key={near} type="button" className="button chip" onClick={() => onSay(near)}>
                <Icon name="talk" size={14} /> {near}
              </button>
            ))}
          </div>
        )}
        {answer && <Decision answer={answer} />}
      </div>
    </li>
  )
}
