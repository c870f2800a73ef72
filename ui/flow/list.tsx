// The flows as a list: health, what goes in and out, and what is wrong with which.
import type { FlowItem } from '../api/types.ts'
import type { Tone } from '../design/badge.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { numberText, words } from '../devices/value.ts'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { To } from '../pages/to.tsx'
import { flowPath } from './path.ts'
import { Release } from './release.tsx'
import { errorWords, Remarks, StatusBadge } from './state.tsx'
import { byTrouble, RELEASABLE, remarks } from './tone.ts'

const Count = ({ name, value, tone }: { name: string; value: number; tone?: Tone }) => (
  <div>
    <dt className="small soft">{name}</dt>
    <dd className={tone}>{numberText(value)}</dd>
  </div>
)

const Topics = ({ title, topics }: { title: string; topics: readonly string[] }) => {
  const { short } = useJarvisContext()
  return topics.length === 0 ? null : (
    <p className="small soft flow-topics">
      <span>{title}</span>{' '}
      {topics.map((topic) => (
        <code key={topic}>{short(topic)}</code>
      ))}
    </p>
  )
}

const Flow = ({ flow, brief }: { flow: FlowItem; brief: boolean }) => (
  <li className={`line flow${brief ? ' brief' : ''}`} data-flow={flow.id}>
    <div className="flow-head">
      <div className="line-main">
        <To path={flowPath(flow.id)} className="flow-name cut">
          {words(flow.id)}
        </To>
        {!brief && flow.about !== undefined && <span className="small soft">{flow.about}</span>}
      </div>
      <StatusBadge flow={flow} />
    </div>
    {!brief && remarks(flow).length > 0 && (
      <div className="row">
        <Remarks flow={flow} />
      </div>
    )}
    <dl className="counts">
      <Count name="in" value={flow.in} />
      <Count name="out" value={flow.out} />
      <Count name="dropped" value={flow.dropped} {...(flow.dropped > 0 ? { tone: 'warn' } : {})} />
      <Count name="restarts" value={flow.restarts} {...(flow.restarts > 0 ? { tone: 'warn' } : {})} />
    </dl>
    {!brief && <Topics title="hears" topics={flow.inputs} />}
    {!brief && <Topics title="says" topics={flow.outputs} />}
    {flow.error !== undefined && <p className="small reason">{errorWords(flow.error)}</p>}
    {!brief && RELEASABLE.includes(flow.status) && (
      <div className="row">
        <Release id={flow.id} />
      </div>
    )}
  </li>
)

export const FlowLines = ({ flows, brief = false }: { flows: readonly FlowItem[]; brief?: boolean }) => (
  <ul className="lines">
    {flows.map((flow) => (
      <Flow key={flow.id} flow={flow} brief={brief} />
    ))}
  </ul>
)

/** Why there is nothing to show, or that it is still being read. */
export const NoFlows = () => {
  const { problems, readAt } = useJarvisContext()
  if (problems['flows'] !== undefined)
    return (
      <Note tone="warn">{problems['flows'] === 'forbidden' ? 'Your role may not read flows.' : problems['flows']}</Note>
    )
  if (readAt === 0) return <div className="skeleton reserve" />
  return (
    <Empty title="No flows yet">
      A flow is one file in <code>flows/</code>. Make one with <code>npm run new -- flow my-first</code>; it starts as
      soon as it is saved.
    </Empty>
  )
}

/** The flows in brief, those in trouble first, for the page Now. */
export const Flows = ({ limit = Infinity }: { limit?: number }) => {
  const { workshop } = useJarvisContext()
  useTopics(['hub/flows'])
  const flows = [...workshop.flows].sort(byTrouble)
  return flows.length === 0 ? <NoFlows /> : <FlowLines flows={flows.slice(0, limit)} brief />
}
