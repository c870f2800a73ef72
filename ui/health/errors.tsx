// The error events of the last day, with those that come while the page is open.
import { useEffect, useRef, useState } from 'react'
import { sentence } from '../api/problem.ts'
import { readErrorEvent, type ErrorItem } from '../api/read-notification.ts'
import { Ago } from '../design/age.tsx'
import { Badge, type Tone } from '../design/badge.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { words } from '../devices/value.ts'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'

const SHOWN = 20
const TOPICS = ['errors/+/+']
const TONES: Readonly<Record<string, Tone>> = { info: 'idle', debug: 'idle', warning: 'warn' }

/** What came live, then what was read; each once, the newest first. */
const useErrors = (): { items: readonly ErrorItem[] | undefined; problem: string | undefined } => {
  const { hub, workshop } = useJarvisContext()
  useTopics(TOPICS)
  const [read, setRead] = useState<readonly ErrorItem[] | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useEffect(() => {
    let current = true
    hub.errors(SHOWN).then(
      (items) => current && setRead(items),
      (error: unknown) => current && setProblem(sentence(error)),
    )
    return () => {
      current = false
    }
  }, [hub])
  const heard = workshop.messages
    .filter(({ topic }) => topic.startsWith('errors/'))
    .map(({ payload }) => readErrorEvent(payload))
    .filter((one) => one !== undefined)
  const all = new Map([...(read ?? []), ...heard].map((one) => [one.id, one]))
  return { items: read && [...all.values()].sort((a, b) => b.at - a.at).slice(0, SHOWN), problem }
}

const List = () => {
  const { hub, workshop } = useJarvisContext()
  const { items, problem } = useErrors()
  const place = useRef<HTMLElement>(null)
  // What stands above has its height by then.
  const isPlaced = items !== undefined && workshop.health !== undefined
  useEffect(() => {
    if (isPlaced && location.hash === '#errors') place.current?.scrollIntoView()
  }, [isPlaced])
  return (
    <section className="panel side-panel errors" id="errors" ref={place} aria-labelledby="errors-title">
      <div className="side-head">
        <h2 id="errors-title">Errors of the last day</h2>
      </div>
      {problem !== undefined && <Note tone="warn">They cannot be read: {problem}</Note>}
      {!items && problem === undefined && <div className="skeleton reserve" />}
      {items?.length === 0 && <Empty title="None">Warnings and errors of every part come here as they happen.</Empty>}
      {items && items.length > 0 && (
        <ul className="lines">
          {items.map(({ id, type, source, severity, message, at }) => (
            <li key={id} className="line flow" data-error={id}>
              <div className="flow-head">
                <div className="line-main">
                  <strong>{type}</strong>
                  <span className="small">{message}</span>
                  <span className="small soft">
                    {source} · <Ago at={at - hub.offset()} />
                  </span>
                </div>
                <Badge tone={TONES[severity] ?? 'bad'}>{words(severity)}</Badge>
              </div>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

/** For those who may read errors. */
export const HealthErrors = () => (useJarvisContext().me.rights.includes('errors.read') ? <List /> : null)
