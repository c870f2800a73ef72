// The hub's own health, part by part.
import type { HealthWord } from '../api/types.ts'
import { For } from '../design/age.tsx'
import { Badge, type Tone } from '../design/badge.tsx'
import { Empty } from '../design/parts.tsx'
import { words } from '../devices/value.ts'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { partWords } from './words.ts'

export const healthTone: Record<HealthWord, Tone> = {
  healthy: 'good',
  degraded: 'warn',
  unhealthy: 'bad',
  unknown: 'idle',
}

/** The hub's health in a word; unknown while nothing was read. */
export const useHealthWord = (): HealthWord => {
  const { workshop, problems } = useJarvisContext()
  return problems['health'] === undefined ? (workshop.health?.status ?? 'unknown') : 'unknown'
}

export const HealthBadge = () => {
  const word = useHealthWord()
  return <Badge tone={healthTone[word]}>{words(word)}</Badge>
}

/** Every part with its word and what to do; parts in trouble first. */
export const HealthParts = () => {
  const { workshop } = useJarvisContext()
  useTopics(['hub/health'])
  const order: HealthWord[] = ['unhealthy', 'degraded', 'unknown', 'healthy']
  const parts = [...(workshop.health?.parts ?? [])].sort(
    (a, b) => order.indexOf(a.status) - order.indexOf(b.status) || a.part.localeCompare(b.part),
  )
  if (workshop.health === undefined) return <div className="skeleton reserve" />
  if (parts.length === 0)
    return (
      <Empty title="No parts reported">The hub says only how it is as a whole. Its log and /metrics say more.</Empty>
    )
  return (
    <ul className="lines">
      {parts.map(({ part, status, what, since }) => (
        <li key={part} className="line flow">
          <div className="flow-head">
            <div className="line-main">
              <strong>{partWords(part)}</strong>
              {what !== undefined && <span className="small">{what}</span>}
              {since !== undefined && (
                <span className="small soft">
                  for <For at={since} />
                </span>
              )}
            </div>
            <Badge tone={healthTone[status]}>{words(status)}</Badge>
          </div>
        </li>
      ))}
    </ul>
  )
}
