// Then against now on a line of time: two lanes with marks, and where the first difference begins.
import { useEffect, useRef, useState } from 'react'
import type { ReplayReport, RowKind } from '../api/types.ts'
import { KIND } from './kind.tsx'
import { marksOf, ticksOf, type Mark } from './marks.ts'

const LANE = 44
const TOP = 10
const AXIS = 26
const SIDE = 22
const HEIGHT = TOP + 2 * LANE + AXIS
const COLUMN = 10
const TICK_WIDTH = 96

const useWidth = () => {
  const place = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    if (!place.current) return undefined
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)))
    watch.observe(place.current)
    return () => watch.disconnect()
  }, [])
  return { place, width }
}

const Glyph = ({ kind, x, y }: { kind: RowKind; x: number; y: number }) => {
  const at = `translate(${x} ${y})`
  switch (kind) {
    case 'same':
      return <rect className="mark same" x={x - 1.5} y={y - 8} width={3} height={16} rx={1.5} />
    case 'changed':
      return <path className="mark warn" transform={at} d="M0-8 8 6H-8Z" />
    case 'only then':
      return <path className="mark-line bad" transform={at} d="M-6-6 6 6M6-6-6 6" />
    case 'only now':
      return <circle className="mark good" cx={x} cy={y} r={6.5} />
    case 'unanswered then':
      return <rect className="mark idle" x={x - 5} y={y - 5} width={10} height={10} rx={1} />
  }
}

const two = (value: number): string => String(value).padStart(2, '0')
const tickText = (at: number, span: number): string => {
  const date = new Date(at)
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`
  if (span < 600_000) return `${time}:${two(date.getSeconds())}`
  return span > 2 * 86_400_000 ? `${date.getDate()}.${date.getMonth() + 1}. ${time}` : time
}

export const Legend = ({ kinds }: { kinds: readonly RowKind[] }) => (
  <ul className="marks-legend small">
    {kinds.map((kind) => (
      <li key={kind}>
        <svg viewBox="-9 -9 18 18" width={16} height={16} aria-hidden="true">
          <Glyph kind={kind} x={0} y={0} />
        </svg>
        <span>{KIND[kind].word}</span>
        <span className="soft">{KIND[kind].means}</span>
      </li>
    ))}
  </ul>
)

interface Props {
  report: ReplayReport
  /** The row looked at now. */
  selected: number | undefined
  /** A mark was pressed; the place of its row. */
  onSelect: (row: number) => void
}

export const Timeline = ({ report, selected, onSelect }: Props) => {
  const { place, width } = useWidth()
  const { rows, since, until, firstDifference } = report
  const inner = Math.max(1, width - 2 * SIDE)
  const xOf = (share: number): number => SIDE + Math.min(1, Math.max(0, share)) * inner
  const xAt = (at: number): number => xOf((at - since) / Math.max(1, until - since))
  const yOf = (lane: Mark['lane']): number => TOP + LANE * (lane === 'then' ? 0.5 : 1.5)
  const marks = width === 0 ? [] : marksOf(rows, report, Math.max(10, Math.floor(inner / COLUMN)))
  const zone = -new Date(since).getTimezoneOffset() * 60_000
  const ticks = width === 0 ? [] : ticksOf(report, Math.max(2, Math.floor(inner / TICK_WIDTH)), zone)
  const bottom = TOP + 2 * LANE
  const row = selected === undefined ? undefined : rows[selected]
  return (
    <div className="timeline">
      <div className="lanes" aria-hidden="true">
        <span>Then</span>
        <span>Now</span>
      </div>
      <div ref={place} className="timeline-place">
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={`${report.thenCount} decisions then, ${report.nowCount} now, ${report.same} the same. The differences are listed below.`}
        >
          {firstDifference && (
            <rect
              className="beyond-area"
              x={xAt(firstDifference.at)}
              y={TOP}
              width={Math.max(0, SIDE + inner - xAt(firstDifference.at))}
              height={2 * LANE}
            />
          )}
          {(['then', 'now'] as const).map((lane) => (
            <line key={lane} className="lane-line" x1={SIDE} x2={SIDE + inner} y1={yOf(lane)} y2={yOf(lane)} />
          ))}
          {ticks.map((at) => (
            <g key={at}>
              <line className="tick-line" x1={xAt(at)} x2={xAt(at)} y1={bottom} y2={bottom + 5} />
              <text className="tick-text" x={xAt(at)} y={bottom + 19} textAnchor="middle">
                {tickText(at, until - since)}
              </text>
            </g>
          ))}
          {firstDifference && (
            <line
              className="first-line"
              x1={xAt(firstDifference.at)}
              x2={xAt(firstDifference.at)}
              y1={TOP}
              y2={bottom}
            />
          )}
          {row && <rect className="chosen" x={xAt(row.at) - 11} y={TOP - 4} width={22} height={2 * LANE + 8} rx={6} />}
          {marks.map((mark) => (
            <g key={`${mark.lane} ${mark.x}`} className="mark-place" onClick={() => onSelect(mark.row)}>
              <title>{`${KIND[mark.kind].word}${mark.count > 1 ? ` and ${mark.count - 1} more` : ''}`}</title>
              <rect
                x={xOf(mark.x) - COLUMN}
                y={yOf(mark.lane) - LANE / 2}
                width={2 * COLUMN}
                height={LANE}
                fill="none"
              />
              <Glyph kind={mark.kind} x={xOf(mark.x)} y={yOf(mark.lane)} />
            </g>
          ))}
        </svg>
      </div>
    </div>
  )
}
