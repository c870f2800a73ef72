// The past of a device's values: which value, how far back, the chart, and the same in a sentence.
import { lazy, Suspense, useEffect, useMemo, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import type { Hub } from '../api/client.ts'
import { sentence } from '../api/problem.ts'
import { isRecord } from '../api/read.ts'
import { Choice } from '../design/field.tsx'
import { Note } from '../design/parts.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { DeviceView } from '../live/state.ts'
import { drawnOf, extent, MOST_LIVE, type Live, type Stop } from './history.ts'
import type { Past } from './past.ts'
import { numberText, shownValues, switchWords, type Shown } from './value.ts'

const Plot = lazy(() => import('./plot.tsx').then((module) => ({ default: module.Plot })))

const MINUTE = 60_000
const DAY = 1440 * MINUTE
/** How far back, and how often it is read again while it is looked at; in between the live line goes on at the right. */
const RANGES = [
  { name: 'Hour', ms: 60 * MINUTE, againMs: 30_000 },
  { name: 'Day', ms: DAY, againMs: 60_000 },
  { name: 'Week', ms: 7 * DAY, againMs: 300_000 },
  { name: 'Month', ms: 30 * DAY, againMs: 300_000 },
] as const
const POINTS = 500
/** While older messages are being worked through, the chart is read again after this. */
const BEHIND_MS = 3000
/** After an answer that was none. */
const RETRY_MS = 10_000
/** A page that is not looked at asks for nothing, and looks after this whether it is. */
const HIDDEN_MS = 1000

interface Asked {
  key: string
  /** Undefined when the hub has nothing of it. */
  past: Past | undefined
}

/** The past of one value, read again now and then. `undefined` until it was read. */
const usePast = (
  hub: Hub,
  device: string,
  field: string,
  { ms, againMs }: (typeof RANGES)[number],
): { asked: Asked | undefined; problem: string | undefined } => {
  const [asked, setAsked] = useState<Asked | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const key = `${device} ${field} ${ms}`
  useEffect(() => {
    if (field === '') return undefined
    const end = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const read = async (): Promise<void> => {
      let wait: number = againMs
      try {
        if (document.visibilityState === 'hidden') wait = HIDDEN_MS
        else {
          const past = await hub.past({ device, field, ms, points: POINTS }, end.signal)
          if (end.signal.aborted) return
          setAsked({ key, past })
          setProblem(undefined)
          if (past?.isBehind === true) wait = BEHIND_MS
        }
      } catch (error) {
        if (end.signal.aborted) return
        setProblem(sentence(error))
        wait = RETRY_MS
      }
      timer = setTimeout(() => void read(), wait)
    }
    void read()
    return () => {
      end.abort()
      clearTimeout(timer)
    }
  }, [hub, device, field, ms, againMs, key])
  return { asked: asked?.key === key ? asked : undefined, problem }
}

const numberOf = (raw: unknown): number | undefined => {
  const value = isRecord(raw) && 'value' in raw ? raw['value'] : raw
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

const NOTHING: readonly Live[] = []

/** What the live line says of a value while its chart is looked at. */
const useLive = (device: DeviceView, field: string, offset: number): readonly Live[] => {
  const [heard, setHeard] = useState<{ key: string; live: readonly Live[] }>({ key: '', live: NOTHING })
  const key = `${device.id} ${field}`
  const value = numberOf({ ...device.state, ...device.telemetry }[field])
  const at = device.receivedAt === 0 ? 0 : device.receivedAt + offset
  const live = heard.key === key ? heard.live : NOTHING
  // Taken in while it is drawn, as what came before is kept by nobody else.
  if (value !== undefined && at !== 0 && live.at(-1)?.at !== at)
    setHeard({ key, live: [...live, { at, value }].slice(-MOST_LIVE) })
  return live
}

const isDrawable = (device: DeviceView, { name, number }: Shown): boolean =>
  number !== undefined || typeof { ...device.state, ...device.telemetry }[name] === 'boolean'

/** A time of day, with the day where more than one is shown, with seconds for what was heard a moment ago. */
const when = (at: number, more: 'day' | 'seconds' | ''): string =>
  new Date(at).toLocaleString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    ...(more === 'day' ? { weekday: 'short', day: 'numeric', month: 'short' } : {}),
    ...(more === 'seconds' ? { second: '2-digit' } : {}),
  })

/** How a value is written beside its chart. A share of one is shown in percent, as everywhere. */
const writer = ({ name, unit }: Shown, high: number): ((value: number) => string) => {
  const factor = unit === '%' && /progress/.test(name) && high <= 1 ? 100 : 1
  return (value) => `${numberText(value * factor)}${unit === '' ? '' : ` ${unit}`}`
}

const OneChart = ({ device, value, range }: { device: DeviceView; value: Shown; range: (typeof RANGES)[number] }) => {
  const { hub } = useJarvisContext()
  const { asked, problem } = usePast(hub, device.id, value.name, range)
  const live = useLive(device, value.name, hub.offset())
  const past = asked?.past
  const drawn = useMemo(() => past && drawnOf(past, live, Math.max(past.to, live.at(-1)?.at ?? 0)), [past, live])
  const words = switchWords(value.name)
  const found = drawn && extent(drawn.stops)
  const text = writer(value, found?.high ?? 0)
  const readings = (n: number): string => `${n.toLocaleString('en')} ${n === 1 ? 'report' : 'reports'}`
  const read = ({ from, to, min, max, mean, last, n }: Stop): string => {
    const time = when(from, range.ms > DAY ? 'day' : to > from ? '' : 'seconds')
    if (past?.isSwitch === true) {
      const how = mean > 0 && mean < 1 ? `${words[0]} ${numberText(mean * 100)} % of the time` : words[last > 0 ? 0 : 1]
      return `${time}: ${how}`
    }
    return n === 1 || min === max ? `${time}: ${text(last)}` : `${time}: ${text(mean)} (${text(min)} to ${text(max)})`
  }
  return (
    <>
      {problem !== undefined && <Note tone="warn">The past cannot be read: {problem}</Note>}
      <div className="plot-place">
        {!asked && problem === undefined && <div className="skeleton plot-reserve" />}
        {past && drawn && found && (
          <Suspense fallback={<div className="skeleton plot-reserve" />}>
            <Plot drawn={drawn} step={past.step} label={value.label} words={words} read={read}>
              {past.isSwitch
                ? `${words[0]} ${numberText(found.on * 100)} % of the time, now ${words[found.last > 0 ? 0 : 1].toLowerCase()}; ${readings(found.n)}.`
                : `Lowest ${text(found.low)}, highest ${text(found.high)}, last ${text(found.last)}; ${readings(found.n)}.`}
            </Plot>
          </Suspense>
        )}
        {asked && !found && (
          <p className="small soft plot-none">The hub kept no {value.label.toLowerCase()} from this time.</p>
        )}
      </div>
      {past?.isBehind === true && (
        <p className="small soft">Older messages are still being worked through; the chart fills by itself.</p>
      )}
    </>
  )
}

/** Only for those who may read the journal. */
export const Charts = ({ device }: { device: DeviceView }) => {
  const values = shownValues(device).filter((one) => isDrawable(device, one))
  const [chosen, setChosen] = useState('')
  const [range, setRange] = useState<(typeof RANGES)[number]>(RANGES[0])
  const value = values.find(({ name }) => name === chosen) ?? values[0]
  if (!value) return <p className="small soft">It has no value that could be drawn.</p>
  return (
    <div className="charts">
      <div className="chart-head">
        <Choice
          label="Value"
          value={value.name}
          onChange={setChosen}
          options={values.map((one) => ({ value: one.name, text: one.label }))}
        />
        <div className="row" role="group" aria-label="How far back">
          {RANGES.map((one) => (
            <AriaButton
              key={one.name}
              className="button chip"
              aria-pressed={one === range}
              onPress={() => setRange(one)}
            >
              {one.name}
            </AriaButton>
          ))}
        </div>
      </div>
      <OneChart device={device} value={value} range={range} />
    </div>
  )
}
