// Notifications: what people should know of, what is over, and the way to each.
import { useEffect, useRef, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { Problem, sentence } from '../api/problem.ts'
import type { NotificationItem } from '../api/read-notification.ts'
import { ownOrigin } from '../approvals/words.ts'
import { Ago } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { Icon } from '../design/icon.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { say } from '../design/toast.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { placeOfLink } from '../pages/alias.ts'
import { To } from '../pages/to.tsx'
import { CHOICES, chosen, hasPage, isUnread, kindOf, levelLook, timesWords, type Choice } from './words.ts'

interface RowProps {
  item: NotificationItem
  isNew: boolean
  onSeen: () => void
}

const Inside = ({ item, isNew }: Omit<RowProps, 'onSeen'>) => {
  const { hub } = useJarvisContext()
  const { tone, word } = levelLook(item)
  const { word: kind, icon } = kindOf(item)
  const times = timesWords(item)
  return (
    <>
      <span className="kind-icon" data-tone={tone}>
        <Icon name={icon} size={20} />
      </span>
      <span className="line-main">
        <span className="notice-title">
          {isNew && <span className="unseen">New: </span>}
          {item.title}
        </span>
        {item.text !== '' && <span className="small notice-text">{item.text}</span>}
        <span className="small soft notice-about">
          <Badge tone={tone} bare>
            {word}
          </Badge>
          <span>
            {kind} · <Ago at={item.updatedAt - hub.offset()} />
            {times !== '' && ` · ${times}`}
          </span>
        </span>
      </span>
    </>
  )
}

const Row = ({ item, isNew, onSeen }: RowProps) => {
  const row = useRef<HTMLLIElement>(null)
  const see = (): void => {
    // The button goes away: the keyboard stays where it was.
    row.current?.querySelector<HTMLElement>('a, .line-head')?.focus()
    onSeen()
  }
  return (
    <li ref={row} className="line notice" data-notification={item.id} data-new={isNew} data-open={item.isOpen}>
      {item.link === undefined ? (
        <div className="line-head" tabIndex={-1}>
          <Inside item={item} isNew={isNew} />
        </div>
      ) : (
        <To
          path={placeOfLink(item.link)}
          className="line-head"
          {...(isNew && !hasPage(item) ? { onFollow: onSeen } : {})}
        >
          <Inside item={item} isNew={isNew} />
          <span className="unseen">{kindOf(item).open}</span>
        </To>
      )}
      {isNew && <Button look="quiet" icon="check" label={`Mark as seen: ${item.title}`} onPress={see} />}
    </li>
  )
}

const NOTHING: Record<Choice, { title: string; text: string }> = {
  all: {
    title: 'Nothing to know of',
    text: 'Errors, approvals that wait, flows in quarantine and stops come here, and stay for a week.',
  },
  unread: { title: 'Nothing new', text: 'You have seen everything that stands here.' },
  open: { title: 'Nothing open', text: 'Everything that stands here is over.' },
}
const WORDS: Record<Choice, string> = { all: 'All', unread: 'New', open: 'Open' }

const List = ({ items }: { items: readonly NotificationItem[] }) => {
  const { hub, me, link, readInbox } = useJarvisContext()
  const [choice, setChoice] = useState<Choice>('all')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const own = ownOrigin(me)
  const shown = chosen(items, choice, own)
  const fresh = items.filter((one) => isUnread(one, own)).length

  /** The topic tells of the change; without a live line it is read. */
  const mark = async (id?: string): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      await hub.seen(id)
      if (link.state !== 'live') await readInbox()
      say(id === undefined ? 'All are marked as seen.' : 'Marked as seen.')
    } catch (error) {
      setProblem(sentence(error))
    } finally {
      setBusy(false)
    }
  }

  return (
    <>
      <div className="row notice-choices">
        <div className="row" role="group" aria-label="Which notifications">
          {CHOICES.map((one) => (
            <AriaButton key={one} className="button chip" aria-pressed={choice === one} onPress={() => setChoice(one)}>
              {WORDS[one]} <span className="soft">{chosen(items, one, own).length}</span>
            </AriaButton>
          ))}
        </div>
        {fresh > 0 && (
          <Button look="quiet" icon="check" onPress={() => void mark()} isDisabled={busy}>
            Mark all as seen
          </Button>
        )}
      </div>
      {problem !== undefined && (
        <Note tone="bad" alert>
          {problem}
        </Note>
      )}
      <div className="panel">
        {shown.length === 0 ? (
          <Empty title={NOTHING[choice].title}>{NOTHING[choice].text}</Empty>
        ) : (
          <ul className="lines">
            {shown.map((item) => (
              <Row key={item.id} item={item} isNew={isUnread(item, own)} onSeen={() => void mark(item.id)} />
            ))}
          </ul>
        )}
      </div>
    </>
  )
}

/** How long the topic may stay silent, in ms. */
const SILENT_MS = 1500

/** Why there is nothing to show, once that is known. */
const useProblem = (isMissing: boolean): string | undefined => {
  const { readInbox } = useJarvisContext()
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useEffect(() => {
    if (!isMissing) return undefined
    let current = true
    // The topic tells of them as soon as the line is up; only its silence is worth asking about.
    const timer = setTimeout(() => {
      readInbox().then(
        () => current && setProblem(undefined),
        (error: unknown) => {
          if (!current) return
          const isOff = error instanceof Problem && error.status === 404
          setProblem(isOff ? 'The plugin notify does not run: Health says more.' : sentence(error))
        },
      )
    }, SILENT_MS)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [isMissing, readInbox])
  return problem
}

export const NotificationsPage = () => {
  const { me, workshop } = useJarvisContext()
  const mayRead = me.rights.includes('errors.read')
  const problem = useProblem(mayRead && workshop.inbox === undefined)
  if (!mayRead) return <Note tone="warn">Your role may not read notifications.</Note>
  return (
    <div className="stack notices">
      {workshop.inbox ? (
        <List items={workshop.inbox} />
      ) : problem === undefined ? (
        <div className="panel skeleton reserve" />
      ) : (
        <Note tone="warn">Notifications cannot be read: {problem}</Note>
      )}
    </div>
  )
}
