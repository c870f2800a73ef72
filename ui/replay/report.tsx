// The report of a replay: what it says in a sentence, the timeline, and the differences to step through with j and k.
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import { ROW_KINDS, type ReplayReport } from '../api/types.ts'
import { Badge } from '../design/badge.tsx'
import { Clock } from '../design/age.tsx'
import { Note } from '../design/parts.tsx'
import { errorWords } from '../flow/state.tsx'
import { numberText } from '../devices/value.ts'
import { spanWords } from '../live/age.ts'
import { Differences } from './differences.tsx'
import { Legend, Timeline } from './timeline.tsx'

const many = (count: number, one: string, more = `${one}s`): string =>
  `${numberText(count)} ${count === 1 ? one : more}`

const Verdict = ({ report }: { report: ReplayReport }) => {
  const { different, same, thenCount, nowCount, messages, starts } = report
  if (different > 0)
    return (
      <p className="verdict">
        <Badge tone="warn">{many(different, 'difference')}</Badge>
        <span>
          {many(thenCount, 'decision')} then, {numberText(nowCount)} now, {numberText(same)} the same.
          {starts.length > 1 && ` It was started anew ${many(starts.length - 1, 'time')} in this range, as recorded.`}
        </span>
      </p>
    )
  return (
    <p className="verdict">
      <Badge tone="good">Decides the same as then</Badge>
      <span>
        {thenCount === 0
          ? `It decided nothing then, and would decide nothing now, on ${many(messages, 'message')}.`
          : `${thenCount === 1 ? 'Its one decision' : `All ${numberText(thenCount)} decisions`} on ${many(messages, 'message')} would be taken again.`}
      </span>
    </p>
  )
}

interface Props {
  report: ReplayReport
}

export const Report = ({ report }: Props) => {
  const place = useRef<HTMLDivElement>(null)
  const [step, setStep] = useState(0)
  useEffect(() => {
    place.current?.focus({ preventScroll: true })
    place.current?.scrollIntoView({ block: 'start' })
  }, [])
  const { rows } = report
  // Which rows differ, by their place in the report.
  const differing = useMemo(() => rows.map((row, n) => ({ row, n })).filter(({ row }) => row.kind !== 'same'), [rows])
  const differences = useMemo(() => differing.map(({ row }) => row), [differing])
  const kinds = ROW_KINDS.filter((kind) => rows.some((row) => row.kind === kind))
  const first = report.firstDifference

  const key = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || differences.length === 0) return
    const by = event.key === 'j' ? 1 : event.key === 'k' ? -1 : 0
    if (by === 0 || (event.target instanceof Element && event.target.closest('input, textarea, select'))) return
    event.preventDefault()
    setStep((was) => Math.min(differences.length - 1, Math.max(0, was + by)))
  }
  const select = (row: number): void => {
    const exact = differing.findIndex(({ n }) => n === row)
    if (exact >= 0) setStep(exact)
  }

  return (
    <section className="panel report" ref={place} tabIndex={-1} onKeyDown={key} aria-label="Report">
      <div className="side-head">
        <h2>Then and now</h2>
        <span className="small soft report-took">
          {many(report.messages, 'message')} in {spanWords(report.tookMs)}
        </span>
      </div>
      <div className="part-body">
        <Verdict report={report} />
        {!report.exact && (
          <Note tone="warn">
            <strong>Approximate.</strong>{' '}
            {report.why ?? 'What the flow remembered at the beginning is not known exactly.'} Differences near the
            beginning may come from that.
          </Note>
        )}
        {report.failure && (
          <Note tone="bad">
            It fails now, at <Clock at={report.failure.at} />: <strong>{errorWords(report.failure)}</strong>
          </Note>
        )}
        {report.failureThen && (
          <Note tone="warn">
            It failed then, at <Clock at={report.failureThen.at} />: {errorWords(report.failureThen)}
          </Note>
        )}
        {report.notes.map((note) => (
          <Note key={note} tone="idle">
            {note}
          </Note>
        ))}
        {first && (
          <p className="small soft">
            The first difference is at <Clock at={first.at} />. What is shaded lies beyond it: there the recorded world
            is no longer what would have happened.
          </p>
        )}
        {rows.length > 0 && (
          <>
            <Timeline report={report} selected={differing[step]?.n} onSelect={select} />
            <Legend kinds={kinds} />
          </>
        )}
      </div>
      {differences.length > 0 && (
        <>
          <div className="side-head report-differences">
            <h2>Differences</h2>
            <span className="small soft report-took keys">
              <kbd>j</kbd> next, <kbd>k</kbd> previous
            </span>
          </div>
          <Differences rows={differences} place={step} onSelect={setStep} untold={report.untold} />
        </>
      )}
    </section>
  )
}
