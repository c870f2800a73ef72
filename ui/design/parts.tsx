// Small parts the pages share: an empty place, a note, a sparkline, a reserved place.
import type { ReactNode } from 'react'
import type { Tone } from './badge.tsx'
import { Icon } from './icon.tsx'

/** Nothing here yet, and what to do about it. */
export const Empty = ({ title, children }: { title: string; children: ReactNode }) => (
  <div className="empty">
    <p className="empty-title">{title}</p>
    <p className="small">{children}</p>
  </div>
)

/** Something a person should know, with what to do. */
export const Note = ({
  tone,
  children,
  alert = false,
}: {
  tone: Exclude<Tone, 'good'>
  children: ReactNode
  alert?: boolean
}) => (
  <div className={`note ${tone}`} role={alert ? 'alert' : undefined}>
    <Icon name={tone === 'idle' ? 'info' : 'warning'} size={16} />
    <div>{children}</div>
  </div>
)

const WIDTH = 96
const HEIGHT = 28

/** The last values as a line; only its shape is meant, so it says nothing to assistive technology. */
export const Spark = ({ values }: { values: readonly number[] }) => {
  const low = Math.min(...values)
  const span = Math.max(...values) - low
  // A value that stands still has no shape to show; its place is kept.
  if (values.length < 3 || span === 0) return <svg className="spark" width={WIDTH} height={HEIGHT} aria-hidden="true" />
  const x = (n: number): number => (n / (values.length - 1)) * (WIDTH - 4) + 2
  const y = (value: number): number => HEIGHT - 3 - ((value - low) / span) * (HEIGHT - 6)
  const points = values.map((value, n) => `${x(n).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <polygon points={`2,${HEIGHT} ${points} ${WIDTH - 2},${HEIGHT}`} className="spark-area" />
      <polyline points={points} className="spark-line" />
      <circle cx={WIDTH - 2} cy={y(values.at(-1) ?? low)} r={2} className="spark-end" />
    </svg>
  )
}
