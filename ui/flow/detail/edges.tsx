// What comes to a flow by which topic, and how it keeps up.
import type { FlowDetail } from '../../api/types.ts'
import { numberText } from '../../devices/value.ts'
import { useJarvisContext } from '../../live/jarvis.tsx'
import { To } from '../../pages/to.tsx'
import { rateWords } from '../rate.ts'

const messagesPath = (topic: string): string => `/messages?topic=${encodeURIComponent(topic)}`

export const Edges = ({ flow }: { flow: FlowDetail }) => {
  const { short } = useJarvisContext()
  if (flow.edges.length === 0)
    return <p className="small soft">It hears nothing now; its edges are shown as soon as it runs.</p>
  return (
    <div className="table-place" tabIndex={0} role="region" aria-label="What it hears">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Topic</th>
            <th scope="col">Keeps</th>
            <th scope="col" className="figure">
              Rate
            </th>
            <th scope="col" className="figure">
              In
            </th>
            <th scope="col" className="figure">
              Waiting
            </th>
            <th scope="col" className="figure">
              Dropped
            </th>
          </tr>
        </thead>
        <tbody>
          {flow.edges.map((edge) => (
            <tr key={`${edge.filter} ${edge.topic} ${String(edge.latest)}`}>
              <th scope="row">
                <To path={messagesPath(short(edge.filter))} className="topic-link">
                  {short(edge.filter)}
                </To>
                {edge.latest && <span className="small soft block">begins with the newest one</span>}
              </th>
              <td>{edge.keeps === 'newest only' ? 'the newest' : `the last ${numberText(edge.keeps)}`}</td>
              <td className="figure">{rateWords(edge.rate)}</td>
              <td className="figure">{numberText(edge.in)}</td>
              <td className={`figure${edge.depth > 0 ? ' warn' : ''}`}>{numberText(edge.depth)}</td>
              <td className={`figure${edge.dropped > 0 ? ' warn' : ''}`}>{numberText(edge.dropped)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
