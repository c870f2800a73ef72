// One found thing: what it says it is, how sure that is and why, and what a person decides.
import { useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { sentence } from '../api/problem.ts'
import { originWords } from '../messages/origin.ts'
import { Ago } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { say, tell } from '../design/toast.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { FoundItem } from './read.ts'
import { foundIcon, placeWords, STATUS_LOOK, sureness, weightWords } from './words.ts'

export type Verb = 'accept' | 'ignore' | 'reset'

const Reasons = ({ item }: { item: FoundItem }) => (
  <div className="found-part">
    <h2 className="small soft found-title">Why {sureness(item.confidence).text}</h2>
    <ul className="found-reasons">
      {item.reasons.map(({ text, weight }) => (
        <li key={text}>
          <span className="mono found-weight" data-less={weight < 0}>
            {weightWords(weight)}
          </span>
          <span>{text}</span>
        </li>
      ))}
    </ul>
    <p className="small soft">Nobody on a network proves who he is, so it is never more than 95 %.</p>
  </div>
)

const Facts = ({ item }: { item: FoundItem }) => {
  const { hub } = useJarvisContext()
  const rows: [string, React.ReactNode][] = [
    ['Addresses', item.addresses.length === 0 ? 'none given' : item.addresses.join(', ')],
    ['Said by', item.saidBy.map(({ what, from }) => `${what} from ${from}`).join(', ')],
    ...item.facts,
    ['Last heard', <Ago key="last" at={item.lastSeenAt - hub.offset()} />],
    ['First heard', <Ago key="first" at={item.firstSeenAt - hub.offset()} />],
  ]
  return (
    <div className="found-part">
      <h2 className="small soft found-title">What it says</h2>
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt className="small soft">{name}</dt>
            <dd className="small found-fact">{value}</dd>
          </div>
        ))}
      </dl>
      {item.url !== '' && (
        <p className="small">
          <a className="found-link" href={item.url} target="_blank" rel="noreferrer noopener">
            Open its own page at {item.url}
          </a>
          <span className="soft"> The hub never reads it.</span>
        </p>
      )}
    </div>
  )
}

const Next = ({ item }: { item: FoundItem }) => {
  if (item.next === undefined) return null
  const { text, yaml } = item.next
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(yaml)
      say('Copied.')
    } catch {
      tell('This browser does not let the page copy: mark the lines and copy them.')
    }
  }
  return (
    <div className="found-part found-next">
      <h2 className="small soft found-title">What to do next</h2>
      <p className="small">{text}</p>
      {yaml !== '' && (
        <>
          <pre className="small found-yaml" tabIndex={0} role="region" aria-label="Lines for the file">
            {yaml}
          </pre>
          <div>
            <Button look="quiet" onPress={() => void copy()}>
              Copy
            </Button>
          </div>
        </>
      )}
    </div>
  )
}

interface Props {
  item: FoundItem
  /** Resolves when the hub has kept it. */
  onDecide: (verb: Verb) => Promise<void>
}

const Decide = ({ item, onDecide }: Props) => {
  const { hub, me } = useJarvisContext()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const decide = async (verb: Verb): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      await onDecide(verb)
      say(verb === 'reset' ? 'Taken back.' : verb === 'accept' ? 'Accepted.' : 'Ignored.')
    } catch (error) {
      setProblem(sentence(error))
    } finally {
      setBusy(false)
    }
  }
  const { decision } = item
  return (
    <div className="found-decide">
      {item.reopened !== '' && <Note tone="warn">{item.reopened} Look at it, and accept it again if it is right.</Note>}
      {problem !== undefined && (
        <Note tone="bad" alert>
          {problem}
        </Note>
      )}
      {!me.rights.includes('devices.manage') && (
        <p className="small soft">Your role may look. Engineers and administrators accept and ignore.</p>
      )}
      {me.rights.includes('devices.manage') && decision === undefined && (
        <div className="row">
          <Button look="primary" icon="check" onPress={() => void decide('accept')} isDisabled={busy}>
            Accept
          </Button>
          <Button onPress={() => void decide('ignore')} isDisabled={busy}>
            Ignore
          </Button>
          <span className="small soft found-means">Accepting says that you know it. It controls nothing.</span>
        </div>
      )}
      {decision !== undefined && (
        <div className="row">
          <span className="small">
            {decision.status === 'accepted' ? 'Accepted' : 'Ignored'} by {originWords(decision.by)},{' '}
            <Ago at={decision.at - hub.offset()} />
          </span>
          {me.rights.includes('devices.manage') && (
            <Button look="quiet" icon="undo" onPress={() => void decide('reset')} isDisabled={busy}>
              Undo
            </Button>
          )}
        </div>
      )}
    </div>
  )
}

export const Found = ({ item, onDecide }: Props) => {
  const { hub } = useJarvisContext()
  const [isOpen, setOpen] = useState(false)
  const sure = sureness(item.confidence)
  const look = STATUS_LOOK[item.status]
  return (
    <li className="line found" data-found={item.id} data-status={item.status}>
      <AriaButton className="line-head" aria-expanded={isOpen} onPress={() => setOpen(!isOpen)}>
        <span className="kind-icon">
          <Icon name={foundIcon(item.kind)} size={20} />
        </span>
        <span className="line-main">
          <strong className="cut">{item.name}</strong>
          <span className="small soft cut">
            {item.title} · {placeWords(item)}
          </span>
        </span>
        <span className="found-heard small soft">
          <Ago at={item.lastSeenAt - hub.offset()} />
        </span>
        <span className="found-badges">
          <Badge tone={look.tone}>{look.text}</Badge>
          {item.status !== 'gone' && (
            <Badge tone={sure.tone} bare>
              {sure.text}
            </Badge>
          )}
        </span>
        <Icon name="chevron" size={16} />
      </AriaButton>
      {isOpen && (
        <div className="line-body found-body">
          <Decide item={item} onDecide={onDecide} />
          <Next item={item} />
          <Reasons item={item} />
          <Facts item={item} />
        </div>
      )}
    </li>
  )
}
