// The flows that run: health, what goes in and out, and what is wrong with which.
import type { FlowItem } from '../api/types.ts'
import { sentence } from '../api/problem.ts'
import { Badge, type Tone } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { tell } from '../design/toast.tsx'
import { numberText, words } from '../devices/value.ts'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { flowTone } from './tone.ts'

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

/** What a person can let run again. */
const RELEASABLE: readonly string[] = ['quarantined', 'ended', 'failed to load']

const Release = ({ id }: { id: string }) => {
  const { hub, me, refetch } = useJarvisContext()
  if (!me.rights.includes('devices.manage')) return null
  const release = (): void => {
    hub.release(id).then(refetch, (error: unknown) => tell(sentence(error)))
  }
  return (
    <div className="row">
      <Button onPress={release}>Let it run again</Button>
    </div>
  )
}

const Flow = ({ flow, brief }: { flow: FlowItem; brief: boolean }) => (
  <li className={`line flow${brief ? ' brief' : ''}`} data-flow={flow.id}>
    <div className="flow-head">
      <div className="line-main">
        <strong className="cut">{words(flow.id)}</strong>
        {!brief && flow.about !== undefined && <span className="small soft">{flow.about}</span>}
      </div>
      <Badge tone={flowTone(flow)}>{words(flow.status)}</Badge>
    </div>
    <dl className="counts">
      <Count name="in" value={flow.in} />
      <Count name="out" value={flow.out} />
      <Count name="dropped" value={flow.dropped} {...(flow.dropped > 0 ? { tone: 'warn' } : {})} />
      <Count name="restarts" value={flow.restarts} {...(flow.restarts > 0 ? { tone: 'warn' } : {})} />
    </dl>
    {!brief && <Topics title="hears" topics={flow.inputs} />}
    {!brief && <Topics title="says" topics={flow.outputs} />}
    {flow.error !== undefined && <p className="small reason">{flow.error}</p>}
    {!brief && RELEASABLE.includes(flow.status) && <Release id={flow.id} />}
  </li>
)

const rank: Record<Tone, number> = { bad: 0, warn: 1, idle: 2, good: 3 }

/** The flows, those in trouble first. */
export const Flows = ({ brief = false, limit = Infinity }: { brief?: boolean; limit?: number }) => {
  const { workshop, problems, readAt } = useJarvisContext()
  useTopics(['hub/flows'])
  const flows = [...workshop.flows].sort((a, b) => rank[flowTone(a)] - rank[flowTone(b)] || a.id.localeCompare(b.id))
  if (flows.length > 0)
    return (
      <ul className="lines">
        {flows.slice(0, limit).map((flow) => (
          <Flow key={flow.id} flow={flow} brief={brief} />
        ))}
      </ul>
    )
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
