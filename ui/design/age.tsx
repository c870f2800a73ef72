// The age of a value, counting on by itself.
import { ageWords, clockWords, freshness, type Freshness } from '../live/age.ts'
import { useNow } from '../live/now.ts'
import { Badge, type Shape, type Tone } from './badge.tsx'

const LOOK: Record<Freshness, { tone: Tone; shape: Shape; word: string }> = {
  live: { tone: 'good', shape: 'disc', word: 'Live' },
  stale: { tone: 'warn', shape: 'triangle', word: 'Stale' },
  lost: { tone: 'bad', shape: 'cross', word: 'Lost' },
}

export interface Aged {
  receivedAt: number
  cadence: number
  online: boolean
}

/** How fresh a device's values are now; `hearing` says whether this page hears the hub. */
export const useFreshness = (value: Aged, hearing: boolean): { state: Freshness; words: string } => {
  const now = useNow()
  const age = value.receivedAt === 0 ? Infinity : Math.max(0, now - value.receivedAt)
  return { state: freshness({ age, cadence: value.cadence, online: value.online, hearing }), words: ageWords(age) }
}

/** Live, stale or lost, with the age in words. */
export const Age = ({ value, hearing, bare = false }: { value: Aged; hearing: boolean; bare?: boolean }) => {
  const { state, words } = useFreshness(value, hearing)
  const { tone, shape, word } = LOOK[state]
  const name = state === 'lost' && !value.online ? 'Offline' : word
  return (
    <Badge tone={tone} shape={shape} bare={bare || state === 'live'}>
      {name} · {words}
    </Badge>
  )
}

/** A plain age, such as `12 s ago`. */
export const Ago = ({ at }: { at: number }) => {
  const now = useNow()
  if (at === 0) return <span>never</span>
  const words = ageWords(Math.max(0, now - at))
  return (
    <time dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString()}>
      {words === 'now' ? 'now' : `${words} ago`}
    </time>
  )
}

/** How long something has been so: `12 s`. */
export const For = ({ at }: { at: number }) => {
  const words = ageWords(Math.max(0, useNow() - at))
  return <time dateTime={new Date(at).toISOString()}>{words === 'now' ? 'a moment' : words}</time>
}

/** The time of day of an instant. */
export const Clock = ({ at }: { at: number }) => (
  <time dateTime={new Date(at).toISOString()}>{clockWords(at, useNow())}</time>
)
