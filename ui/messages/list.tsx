// The last messages, by topic, each with the chain of causes behind it.
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { sentence } from '../api/problem.ts'
import { Clock } from '../design/age.tsx'
import { Button } from '../design/button.tsx'
import { TextField } from '../design/field.tsx'
import { Icon } from '../design/icon.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { fromJournal, type MessageView } from '../live/state.ts'
import { filterProblem, matches } from '../live/topic.ts'
import { originIcon, originWords } from './origin.ts'
import { WhyDrawer } from './why.tsx'

/** One line of a payload, as long as a line may get. */
export const payloadLine = (payload: unknown): string => {
  const text = typeof payload === 'string' ? payload : (JSON.stringify(payload) ?? '')
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}

const Row = ({ message, onOpen }: { message: MessageView; onOpen: (message: MessageView) => void }) => (
  <li className="line message">
    <AriaButton className="line-head" onPress={() => onOpen(message)}>
      <span className="message-time small soft">
        <Clock at={message.at} />
      </span>
      <span className="line-main">
        <span className="message-topic cut">{message.topic}</span>
        <span className="small soft cut mono">{payloadLine(message.payload)}</span>
      </span>
      {message.origin !== undefined && (
        <span className="small soft message-origin cut">
          <Icon name={originIcon(message.origin)} size={14} />{' '}
          <span className="cut">{originWords(message.origin)}</span>
        </span>
      )}
      <span className="unseen">why?</span>
      <Icon name="chevron" size={16} />
    </AriaButton>
  </li>
)

/** Messages as lines; pressing one is for the caller to answer. */
export const MessageLines = ({
  messages,
  onOpen,
}: {
  messages: readonly MessageView[]
  onOpen: (message: MessageView) => void
}) => (
  <ul className="lines">
    {messages.map((message) => (
      <Row key={message.key} message={message} onOpen={onOpen} />
    ))}
  </ul>
)

const Rows = ({ messages }: { messages: readonly MessageView[] }) => {
  const [open, setOpen] = useState<MessageView | undefined>(undefined)
  return (
    <>
      <MessageLines messages={messages} onOpen={setOpen} />
      <WhyDrawer message={open} onClose={() => setOpen(undefined)} />
    </>
  )
}

const Nothing = () => {
  const { readAt } = useJarvisContext()
  return readAt === 0 ? (
    <div className="skeleton reserve" />
  ) : (
    <Empty title="No messages yet">
      Publish something: <code>mosquitto_pub</code> with a device credential, or start the hub with <code>DEMO=1</code>.
    </Empty>
  )
}

/** The newest messages of devices, for the page Now. */
export const LastMessages = ({ limit }: { limit: number }) => {
  const { workshop } = useJarvisContext()
  const messages = workshop.messages.filter(({ topic }) => topic.startsWith('devices/')).slice(0, limit)
  return messages.length === 0 ? <Nothing /> : <Rows messages={messages} />
}

const SHOWN = 100
const TYPING_MS = 400

const CHOICES: readonly { text: string; filter: string }[] = [
  { text: 'Devices', filter: 'devices/#' },
  { text: 'State', filter: 'devices/+/state' },
  { text: 'Requests', filter: 'devices/+/request' },
  { text: 'Commands', filter: 'devices/+/cmd' },
  { text: 'Results', filter: 'devices/+/result' },
  { text: 'Safety', filter: 'safety/#' },
  { text: 'Errors', filter: 'errors/#' },
]

interface ListProps {
  filter: string
  held: readonly MessageView[] | undefined
  /** Tells what is shown now, so that it can be held. */
  onShown: (messages: readonly MessageView[]) => void
}

/** What the journal has of one filter, and what comes. */
const ByTopic = ({ filter, held, onShown }: ListProps) => {
  const { hub, workshop, full, short, denied } = useJarvisContext()
  const [past, setPast] = useState<readonly MessageView[]>([])
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useTopics([filter])

  useEffect(() => {
    let current = true
    hub.journal({ topic: full(filter) }).then(
      (items) => current && setPast(items.map((item) => fromJournal(item, short))),
      (error: unknown) => current && setProblem(sentence(error)),
    )
    return () => {
      current = false
    }
  }, [filter, hub, full, short])

  const shown = useMemo(() => {
    const newest = past[0]?.at ?? 0
    const live = workshop.messages.filter(
      ({ topic, seq, at }) => seq === undefined && at > newest && matches(filter, topic),
    )
    return [...live, ...past].slice(0, SHOWN)
  }, [workshop.messages, past, filter])
  useEffect(() => onShown(shown), [shown, onShown])
  const list = held ?? shown

  return (
    <>
      {denied.has(filter) && (
        <Note tone="warn">Your role may not listen to {filter}. Choose another topic, or ask an administrator.</Note>
      )}
      {problem !== undefined && <Note tone="warn">The past of this topic cannot be read: {problem}</Note>}
      <div className="panel">{list.length === 0 ? <Nothing /> : <Rows messages={list} />}</div>
    </>
  )
}

/** A topic in the address (`/messages?topic=…`), so that other pages can lead here. */
const topicOfQuery = (): string => {
  const topic = new URLSearchParams(location.search).get('topic') ?? ''
  return filterProblem(topic) === undefined ? topic : 'devices/#'
}

/** Messages by topic. */
export const Messages = () => {
  const [filter, setFilter] = useState(topicOfQuery)
  const [typed, setTyped] = useState(filter)
  const [held, setHeld] = useState<readonly MessageView[] | undefined>(undefined)
  const shown = useRef<readonly MessageView[]>([])
  const keep = useCallback((messages: readonly MessageView[]) => {
    shown.current = messages
  }, [])
  const mistake = filterProblem(typed)

  useEffect(() => {
    if (mistake !== undefined) return undefined
    const timer = setTimeout(() => setFilter(typed), TYPING_MS)
    return () => clearTimeout(timer)
  }, [typed, mistake])

  const choose = (next: string): void => {
    setTyped(next)
    setFilter(next)
    setHeld(undefined)
  }

  return (
    <div className="stack">
      <div className="filters">
        <TextField
          label="Topic"
          type="search"
          value={typed}
          onChange={setTyped}
          mistake={mistake}
          hint="+ is one level, # is the rest"
        />
        <div className="row" role="group" aria-label="Common topics">
          {CHOICES.map((choice) => (
            <AriaButton
              key={choice.filter}
              className="button chip"
              aria-pressed={filter === choice.filter}
              onPress={() => choose(choice.filter)}
            >
              {choice.text}
            </AriaButton>
          ))}
          <Button look="quiet" icon={held ? 'play' : 'pause'} onPress={() => setHeld(held ? undefined : shown.current)}>
            {held ? 'Go on' : 'Hold'}
          </Button>
        </div>
      </div>
      {held && <Note tone="warn">The list is held. New messages are not shown until you press “Go on”.</Note>}
      <ByTopic key={filter} filter={filter} held={held} onShown={keep} />
    </div>
  )
}
