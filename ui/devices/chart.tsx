// The past of a device's values: which value, how far back, the chart, and the same in a sentence.
import { lazy, Suspense, useEffect, useMemo, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { sentence } from '../api/problem.ts'
import type { JournalItem } from '../api/types.ts'
import { Choice } from '../design/field.tsx'
import { Note } from '../design/parts.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { DeviceView } from '../live/state.ts'
import { extent, pointsOf, thinned } from './history.ts'
import { numberText, shownValues } from './value.ts'

const Plot = lazy(() => import('./plot.tsx').then((module) => ({ default: module.Plot })))

const MINUTE = 60_000
const RANGES = [
  { name: '15 min', ms: 15 * MINUTE },
  { name: '1 h', ms: 60 * MINUTE },
  { name: '6 h', ms: 360 * MINUTE },
  { name: '24 h', ms: 1440 * MINUTE },
] as const
/** The most the journal gives at once. */
const ENTRIES = 1000
const POINTS = 600
/** As long as the chart is looked at it is read again this often. */
const AGAIN_MS = 30_000

interface Read {
  key: string
  items: readonly JournalItem[]
  until: number
  /** There was more than could be read: the chart begins later. */
  isCut: boolean
}

/** State and telemetry of a device out of the journal, newest first. */
const usePast = (device: string, ms: number): { read: Read | undefined; problem: string | undefined } => {
  const { hub, full } = useJarvisContext()
  const [read, setRead] = useState<Read | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [round, setRound] = useState(0)
  const key = `${device} ${ms}`
  useEffect(() => {
    let current = true
    const until = Date.now() + hub.offset()
    const ask = (leaf: string): Promise<JournalItem[]> =>
      hub.journal({ topic: full(`devices/${device}/${leaf}`), since: until - ms, limit: ENTRIES })
    Promise.all([ask('state'), ask('telemetry')]).then(
      (parts) => {
        if (!current) return
        setRead({ key, items: parts.flat(), until, isCut: parts.some(({ length }) => length >= ENTRIES) })
        setProblem(undefined)
      },
      (error: unknown) => current && setProblem(sentence(error)),
    )
    return () => {
      current = false
    }
  }, [hub, full, device, ms, key, round])
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') setRound((n) => n + 1)
    }, AGAIN_MS)
    return () => clearInterval(timer)
  }, [])
  return { read: read?.key === key ? read : undefined, problem }
}

const YesNo = ['on', 'running', 'open', 'locked', 'occupied', 'motion', 'enabled', 'heating', 'contact', 'leak']

/** Only for those who may read the journal. */
export const Charts = ({ device }: { device: DeviceView }) => {
  const values = useMemo(
    () =>
      shownValues(device).filter(
        ({ name, number }) =>
          number !== undefined || typeof { ...device.state, ...device.telemetry }[name] === 'boolean',
      ),
    [device],
  )
  const [chosen, setChosen] = useState('')
  const [range, setRange] = useState<(typeof RANGES)[number]>(RANGES[1])
  const { read, problem } = usePast(device.id, range.ms)
  const value = values.find(({ name }) => name === chosen) ?? values[0]
  const name = value?.name ?? ''
  const points = useMemo(() => pointsOf(read?.items ?? [], name), [read, name])
  const shown = useMemo(() => thinned(points, POINTS), [points])
  if (!value) return <p className="small soft">It has no value that could be drawn.</p>
  const isSwitch = value.number === undefined || YesNo.includes(name)
  const found = extent(points)
  const until = (read?.until ?? 0) / 1000
  const from = read?.isCut === true ? (points.at[0] ?? until - range.ms / 1000) : until - range.ms / 1000
  const text = (one: number): string => `${numberText(one)}${value.unit === '' ? '' : ` ${value.unit}`}`
  return (
    <div className="charts">
      <div className="chart-head">
        <Choice
          label="Value"
          value={name}
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
      {problem !== undefined && <Note tone="warn">The past cannot be read: {problem}</Note>}
      <div className="plot-place">
        {!read && problem === undefined && <div className="skeleton plot-reserve" />}
        {read && found && (
          <Suspense fallback={<div className="skeleton plot-reserve" />}>
            <Plot points={shown} from={from} until={until} unit={value.unit} isSwitch={isSwitch} />
          </Suspense>
        )}
        {read && !found && (
          <p className="small soft plot-none">The journal has no {value.label.toLowerCase()} from this time.</p>
        )}
      </div>
      {read && found && (
        <p className="small soft">
          {isSwitch
            ? `${points.values.length} reports, ${points.values.filter((one, n) => n > 0 && one !== points.values[n - 1]).length} changes.`
            : `Lowest ${text(found.low)}, highest ${text(found.high)}, last ${text(found.last)}; ${points.values.length} reports.`}
          {read.isCut && ' Only the newest are drawn: there are more in this time than one chart reads.'}
        </p>
      )}
    </div>
  )
}
