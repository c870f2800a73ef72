// Talk: say what should happen, see what was understood and what came of it, in a conversation that is the same on every device.
import { useEffect, useMemo, useRef, useState, useSyncExternalStore, type FormEvent } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { Ago } from '../design/age.tsx'
import type { PastTurn } from '../api/read-talk.ts'
import { ownOrigin } from '../approvals/words.ts'
import { Button } from '../design/button.tsx'
import { TextField } from '../design/field.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { say } from '../design/toast.tsx'
import { intentLabel } from '../devices/intent.ts'
import { useHubNow } from '../approvals/use-approvals.ts'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { go } from '../pages/route.ts'
import {
  addTurn,
  contextWords,
  conversationWords,
  isListed,
  knownConversations,
  mergedTurns,
  newConversation,
  ownConversation,
  subscribe,
  turnsOf,
  type Turn,
} from './conversation.ts'
import { examplesFor } from './examples.ts'
import { Pending } from './pending.tsx'
import { TurnView } from './turn.tsx'

/** Retained, so that the context is there at once; results, so that what was asked for shows its fate. */
const TOPICS = ['ctx/+', 'approvals/+', 'devices/+/online', 'devices/+/cmd', 'devices/+/ack', 'devices/+/result']
const MOST_LETTERS = 500
export const talkPath = (id: string): string => `/talk/${encodeURIComponent(id)}`

/** What was said here, and what the hub kept of it: read again whenever the context moves on, here or elsewhere. */
const useTurns = (id: string): { turns: Turn[]; problem: string | undefined; isForeign: boolean } => {
  const { hub, me, workshop } = useJarvisContext()
  const here = useSyncExternalStore(subscribe, () => turnsOf(hub, id))
  const [past, setPast] = useState<readonly PastTurn[]>([])
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [isForeign, setForeign] = useState(false)
  const rev = workshop.contexts.get(id)?.rev ?? 0
  useEffect(() => {
    let current = true
    hub.conversation(id).then(
      (turns) => {
        if (!current) return
        setPast(turns)
        setProblem(undefined)
      },
      (error: unknown) => {
        if (!current) return
        setProblem(sentence(error))
        setForeign(error instanceof Problem && error.status === 403)
      },
    )
    return () => {
      current = false
    }
  }, [hub, id, rev])
  const offset = hub.offset()
  const turns = useMemo(() => mergedTurns(past, here, offset, ownOrigin(me)), [past, here, offset, me])
  return { turns, problem, isForeign }
}

const Context = ({ id }: { id: string }) => {
  const { workshop } = useJarvisContext()
  const now = useHubNow()
  const context = workshop.contexts.get(id)
  const meanings = contextWords(context, (device) => workshop.devices.get(device)?.name ?? device, now)
  if (meanings.length === 0) return null
  return (
    <div className="talk-context small" aria-label="What is spoken of">
      {meanings.map(({ word, meaning }) => (
        <span key={word} className="talk-meaning">
          <strong>“{word}”</strong> = {meaning}
        </span>
      ))}
    </div>
  )
}

const Examples = ({ onSay }: { onSay: (text: string) => void }) => {
  const { workshop, readAt } = useJarvisContext()
  const examples = useMemo(() => examplesFor([...workshop.devices.values()]), [workshop.devices])
  return (
    <div className="talk-empty">
      <h2>Say what should happen</h2>
      <p className="soft">
        In English or German, by the names and areas of your devices. What may hurt somebody asks people first. For
        example:
      </p>
      {readAt > 0 && (
        <ul>
          {examples.map((example) => (
            <li key={example}>
              <button type="button" className="button" onClick={() => onSay(example)}>
                <Icon name="talk" size={16} /> {example}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

const Conversations = ({ id }: { id: string }) => {
  const { hub, me, workshop } = useJarvisContext()
  const now = useHubNow()
  const ids = useMemo(
    () =>
      new Set([
        ownConversation(me.id),
        id,
        ...knownConversations(hub),
        ...[...workshop.contexts.values()].filter((one) => isListed(one, me)).map((one) => one.id),
      ]),
    [me, id, hub, workshop.contexts],
  )
  const updated = (one: string): number => workshop.contexts.get(one)?.updatedAt ?? 0
  return (
    <section className="panel side-panel talk-side">
      <div className="side-head">
        <h2>Conversations</h2>
        <Button look="quiet" icon="plus" onPress={() => go(talkPath(newConversation(me.id, Math.random())))}>
          New
        </Button>
      </div>
      <ul className="lines">
        {[...ids]
          .sort((a, b) => updated(b) - updated(a))
          .map((one) => {
            const context = workshop.contexts.get(one)
            const words = contextWords(context, (device) => workshop.devices.get(device)?.name ?? device, now)
            const about = words.find(({ word }) => word !== 'there' && word !== 'again')?.meaning
            return (
              <li key={one} className="line" data-conversation={one}>
                <a
                  href={talkPath(one)}
                  className="line-head"
                  aria-current={one === id ? 'page' : undefined}
                  onClick={(event) => {
                    event.preventDefault()
                    go(talkPath(one))
                  }}
                >
                  <span className="line-main">
                    <strong className="cut">{conversationWords(one, me.id)}</strong>
                    <span className="small soft cut">
                      {about === undefined
                        ? 'nothing spoken of'
                        : `${context?.lastIntent === undefined ? '' : `${intentLabel(context.lastIntent)}: `}${about}`}
                    </span>
                    {context?.pending !== undefined && <span className="small">Waits for a yes</span>}
                  </span>
                  {context && (
                    <span className="small soft">
                      <Ago at={context.updatedAt - hub.offset()} />
                    </span>
                  )}
                </a>
              </li>
            )
          })}
      </ul>
    </section>
  )
}

const Composer = ({ busy, onSay }: { busy: boolean; onSay: (text: string) => void }) => {
  const [typed, setTyped] = useState('')
  const text = typed.trim()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (text === '' || busy) return
    setTyped('')
    onSay(text.slice(0, MOST_LETTERS))
  }
  return (
    <form className="composer" onSubmit={submit}>
      <TextField label="Say something" value={typed} onChange={setTyped} placeholder="Turn on the bench light" />
      <Button type="submit" look="primary" icon="send" label="Send" isDisabled={text === '' || busy} />
    </form>
  )
}

export const TalkPage = ({ id }: { id: string }) => {
  const { hub, me, workshop } = useJarvisContext()
  useTopics(TOPICS)
  const { turns, problem: unread, isForeign } = useTurns(id)
  const end = useRef<HTMLDivElement>(null)
  const busy = turns.some(({ answer, problem }) => !answer && problem === undefined)
  const pending = workshop.contexts.get(id)?.pending

  const isAbout = ({ commandId, approval }: { commandId?: string; approval?: string }, command: string | undefined) =>
    commandId === command || (approval !== undefined && workshop.approvals.get(approval)?.commandId === command)
  const isShown = turns.some(({ answer }) => answer?.pending !== undefined && isAbout(answer.pending, pending))

  const speak = (text: string): void => {
    if (busy) return
    const answered = addTurn(hub, id, text, Date.now())
    hub.query(id, text).then(
      (answer) => {
        answered({ answer })
        say(answer.replies.join(' '))
      },
      (error: unknown) => {
        answered({ problem: sentence(error) })
        say(sentence(error))
      },
    )
  }
  const last = turns.at(-1)
  const newest = `${last?.said ?? ''} ${last?.answer?.replies.join(' ') ?? ''} ${turns.length}`
  useEffect(() => {
    if (newest.trim() !== '0') end.current?.scrollIntoView({ block: 'end' })
  }, [newest])

  if (isForeign)
    return (
      <div className="talk">
        <Note tone="warn">{unread}</Note>
        <Conversations id={ownConversation(me.id)} />
      </div>
    )

  return (
    <div className="talk">
      <div className="talk-main">
        {unread !== undefined && <Note tone="warn">What was said before cannot be read: {unread}</Note>}
        {turns.length === 0 ? (
          <Examples onSay={speak} />
        ) : (
          <ol className="turns" aria-label="What was said">
            {turns.map((turn) => (
              <TurnView key={turn.key} turn={turn} onSay={speak} />
            ))}
          </ol>
        )}
        <div ref={end} className="talk-end" />
        <div className="talk-foot">
          {pending !== undefined && !isShown && <Pending commandId={pending} />}
          <Context id={id} />
          <Composer busy={busy} onSay={speak} />
        </div>
      </div>
      <Conversations id={id} />
    </div>
  )
}
