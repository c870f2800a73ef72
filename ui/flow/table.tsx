// The flows as a table: the same as the graph, for those who read rather than look. On a phone it is the list.
import type { FlowItem } from '../api/types.ts'
import { numberText, words } from '../devices/value.ts'
import { spanWords } from '../live/age.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import { To } from '../pages/to.tsx'
import { flowPath } from './path.ts'
import { rateWords } from './rate.ts'
import { errorWords, Remarks, StatusBadge } from './state.tsx'

const waiting = ({ edges }: FlowItem): number => edges.reduce((sum, { depth }) => sum + depth, 0)

const Topics = ({ title, topics }: { title: string; topics: readonly string[] }) => {
  const { short } = useJarvisContext()
  return (
    <div className="table-topics">
      <span className="small soft">{title}</span>
      {topics.length === 0 ? (
        <span className="small soft">nothing yet</span>
      ) : (
        <ul>
          {topics.map((topic) => (
            <li key={topic}>
              <code>{short(topic)}</code>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

const Rate = ({ rate, count }: { rate: number | undefined; count: number }) => (
  <td className="figure">
    {rate !== undefined && rate > 0 && <span>{rateWords(rate)}</span>}
    <span className={rate !== undefined && rate > 0 ? 'small soft' : ''}>{numberText(count)}</span>
  </td>
)

const Row = ({ flow }: { flow: FlowItem }) => (
  <tr data-flow={flow.id}>
    <th scope="row">
      <To path={flowPath(flow.id)} className="flow-name">
        {words(flow.id)}
      </To>
      {flow.about !== undefined && <span className="small soft">{flow.about}</span>}
      {flow.error !== undefined && <span className="small reason">{errorWords(flow.error)}</span>}
    </th>
    <td>
      <span className="badges">
        <StatusBadge flow={flow} />
        <Remarks flow={flow} />
      </span>
    </td>
    <td>
      <Topics title="hears" topics={flow.inputs} />
      <Topics title="says" topics={flow.outputs} />
    </td>
    <Rate rate={flow.rateIn} count={flow.in} />
    <Rate rate={flow.rateOut} count={flow.out} />
    <td className={`figure${waiting(flow) > 0 ? ' warn' : ''}`}>{numberText(waiting(flow))}</td>
    <td className={`figure${flow.dropped > 0 ? ' warn' : ''}`}>{numberText(flow.dropped)}</td>
    <td className="figure">{flow.delayMs ? spanWords(flow.delayMs.p99) : '–'}</td>
    <td className={`figure${flow.restarts > 0 ? ' warn' : ''}`}>{numberText(flow.restarts)}</td>
  </tr>
)

export const FlowTable = ({ flows }: { flows: readonly FlowItem[] }) => (
  <div className="table-place" tabIndex={0} role="region" aria-label="Table of the flows">
    <table className="table flow-table">
      <thead>
        <tr>
          <th scope="col">Flow</th>
          <th scope="col">Status</th>
          <th scope="col">Topics</th>
          <th scope="col" className="figure">
            In
          </th>
          <th scope="col" className="figure">
            Out
          </th>
          <th scope="col" className="figure">
            Waiting
          </th>
          <th scope="col" className="figure">
            Dropped
          </th>
          <th scope="col" className="figure">
            <abbr title="99 of 100 messages are answered within this">p99</abbr>
          </th>
          <th scope="col" className="figure">
            Restarts
          </th>
        </tr>
      </thead>
      <tbody>
        {flows.map((flow) => (
          <Row key={flow.id} flow={flow} />
        ))}
      </tbody>
    </table>
  </div>
)
