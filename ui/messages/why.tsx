// Why a message is there: the chain of causes, from the message back to what began it.
import { useEffect, useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { JournalItem } from '../api/types.ts'
import { Clock } from '../design/age.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { spanWords } from '../live/age.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { MessageView } from '../live/state.ts'
import { findEntry } from './find-entry.ts'
import { originIcon, originWords } from './origin.ts'
import { Right } from './right.tsx'

/** How far the clocks of this device and the hub may differ when a heard message is looked up, in ms. */
const AROUND_MS = 15_000
/** So many entries of a chain say by which right they were published; the others when asked. */
const EXPLAINED = 4

interface CauseProps {
  item: JournalItem
  /** What led to it, if anything did. */
  next: JournalItem | undefined
  short: (topic: string) => string
  /** Ask by which right it was published without being told to. */
  isExplained: boolean
}

const Cause = ({ item, next, short, isExplained }: CauseProps) => (
  <li className="cause">
    <span className="cause-icon">
      <Icon name={originIcon(item.origin)} size={18} />
    </span>
    <div className="cause-body">
      <p className="cause-topic">{short(item.topic)}</p>
      <p className="small soft">
        {originWords(item.origin)} · <Clock at={item.at} />
        {next && ` · ${spanWords(item.at - next.at)} after its cause`}
      </p>
      <Right origin={item.origin} topic={item.topic} isAsked={isExplained} />
      <pre className="small">
        {typeof item.payload === 'string' ? item.payload : JSON.stringify(item.payload, null, 2)}
      </pre>
    </div>
  </li>
)

const Chain = ({ message }: { message: MessageView }) => {
  const { hub, full, short } = useJarvisContext()
  const [chain, setChain] = useState<readonly JournalItem[] | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)

  useEffect(() => {
    let current = true
    const find = async (): Promise<void> => {
      let seq = message.seq
      if (seq === undefined) {
        const at = message.at + hub.offset()
        const items = await hub.journal({ topic: full(message.topic), since: at - AROUND_MS, limit: 200 })
        seq = findEntry(items, { payload: message.payload, at })?.seq
      }
      const found = seq === undefined ? [] : await hub.why(seq)
      if (current) setChain(found)
    }
    find().catch((error: unknown) => {
      if (current) setProblem(sentence(error))
    })
    return () => {
      current = false
    }
  }, [message, hub, full])

  if (problem !== undefined) return <Note tone="warn">The chain of causes cannot be read: {problem}</Note>
  if (!chain) return <div className="skeleton reserve" />
  if (chain.length === 0)
    return (
      <>
        <pre className="small">{JSON.stringify(message.payload, null, 2)}</pre>
        <Note tone="idle">The journal has no entry of this message: its topic may be excluded, or it is too old.</Note>
      </>
    )
  return (
    <>
      <ol className="causes">
        {chain.map((item, n) => (
          <Cause key={item.seq} item={item} next={chain[n + 1]} short={short} isExplained={n < EXPLAINED} />
        ))}
      </ol>
      {chain.length === 1 && (
        <p className="small soft">Nothing inside the hub led to this message: it came from outside.</p>
      )}
    </>
  )
}

export const WhyDrawer = ({ message, onClose }: { message: MessageView | undefined; onClose: () => void }) => (
  <Sheet title="Why?" isOpen={message !== undefined} onClose={onClose} place="side">
    {message && <Chain key={message.key} message={message} />}
  </Sheet>
)
