// Replaying a flow: choose a stretch of the past and perhaps other params, run it, and see what it would decide now.
import { useId, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { Problem } from '../api/problem.ts'
import type { FlowDetail, FlowParams } from '../api/types.ts'
import { Button } from '../design/button.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { namedField } from '../devices/form.ts'
import { numberText, words } from '../devices/value.ts'
import { useFlow } from '../flow/detail/use-flow.ts'
import { ParamFields } from '../flow/params/fields.tsx'
import { changesBetween, paramFields, textsOf, valuesFrom } from '../flow/params/form.ts'
import { Changes } from '../flow/params/panel.tsx'
import { flowPath } from '../flow/path.ts'
import { clockWords } from '../live/age.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import { useNow } from '../live/now.ts'
import { To } from '../pages/to.tsx'
import { CHOICES, localText, ownRange, RANGE_WORDS, rangeOf, type Range, type RangeChoice } from './range.ts'
import { Report } from './report.tsx'
import { replayProblem, useReplay, type ReplayRun } from './use-replay.ts'

interface InstantProps {
  label: string
  value: string
  mistake: string | undefined
  onChange: (value: string) => void
}

const Instant = ({ label, value, mistake, onChange }: InstantProps) => {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input"
        type="datetime-local"
        step={1}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        aria-invalid={mistake !== undefined}
        aria-describedby={`${id}-mistake`}
      />
      <span id={`${id}-mistake`} className="mistake">
        {mistake}
      </span>
    </div>
  )
}

interface TryProps {
  params: FlowParams
  written: Readonly<Record<string, string>>
  mistakes: Readonly<Record<string, string>>
  onChange: (written: Record<string, string>) => void
}

const TryParams = ({ params, written, mistakes, onChange }: TryProps) => {
  const fields = paramFields(params)
  const texts = textsOf(fields, params.values, written)
  const changed = Object.keys(written).length
  return (
    <details className="try" open={changed > 0 || undefined}>
      <summary>
        Try other values{' '}
        <span className="soft small">
          {changed > 0 ? `${changed} changed, nothing is saved` : 'without saving them'}
        </span>
      </summary>
      <ParamFields
        fields={fields}
        texts={texts}
        mistakes={mistakes}
        onChange={(name, text) => onChange({ ...written, [name]: text })}
      />
      {changed > 0 && (
        <div className="row">
          <Button icon="undo" onPress={() => onChange({})}>
            As they are now
          </Button>
        </div>
      )}
    </details>
  )
}

const Progress = ({ run }: { run: ReplayRun }) => {
  const progress = run.replay?.progress ?? 0
  const percent = Math.round(progress * 100)
  return (
    <div className="panel part-body replay-progress">
      <div
        className="progress"
        role="progressbar"
        aria-label="Replay"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
      >
        <span style={{ transform: `scaleX(${progress})` }} />
      </div>
      <div className="row">
        <span className="small">
          {percent} % · {numberText(run.replay?.messages ?? 0)} messages
        </span>
        <Button onPress={run.cancel}>Cancel</Button>
      </div>
    </div>
  )
}

interface FormProps {
  flow: FlowDetail
  run: ReplayRun
}

const RangeForm = ({ flow, run }: FormProps) => {
  const { hub } = useJarvisContext()
  const offset = hub.offset()
  const hubNow = useNow() + offset
  const [choice, setChoice] = useState<RangeChoice>('hour')
  const [own, setOwn] = useState({ since: '', until: '' })
  const [wrong, setWrong] = useState<{ field: 'since' | 'until'; problem: string } | undefined>(undefined)
  const [written, setWritten] = useState<Record<string, string>>({})
  const [mistakes, setMistakes] = useState<Record<string, string>>({})
  const { params } = flow
  const range = rangeOf(choice, hubNow, flow.runSince)

  const choose = (next: RangeChoice): void => {
    // Writing one's own begins with what was chosen before.
    if (next === 'own' && range && own.since === '')
      setOwn({ since: localText(range.since - offset), until: localText(range.until - offset) })
    setWrong(undefined)
    setChoice(next)
  }
  const wanted = (): Range | undefined => {
    if (choice !== 'own') return range
    const read = ownRange(own.since, own.until, hubNow - offset)
    setWrong('problem' in read ? read : undefined)
    return 'problem' in read ? undefined : { since: read.since + offset, until: read.until + offset }
  }
  const start = (): void => {
    const stretch = wanted()
    if (!stretch) return
    setMistakes({})
    if (!params || Object.keys(written).length === 0) return run.start({ flow: flow.id, ...stretch })
    const read = valuesFrom(params, textsOf(paramFields(params), params.values, written))
    if ('problems' in read) setMistakes(read.problems)
    else run.start({ flow: flow.id, ...stretch, params: read.values })
  }
  const refused =
    params && run.problem instanceof Problem ? namedField(paramFields(params), run.problem.details.field) : undefined

  return (
    <form
      className="panel part-body"
      onSubmit={(event) => {
        event.preventDefault()
        start()
      }}
    >
      <p className="small soft">
        Recorded messages are run through the flow as it is now. Nothing is sent, and no device hears of it.
      </p>
      <div className="row" role="group" aria-label="Range">
        {CHOICES.map((one) => (
          <AriaButton
            key={one}
            className="button chip"
            aria-pressed={choice === one}
            isDisabled={one === 'run' && flow.runSince === undefined}
            onPress={() => choose(one)}
          >
            {RANGE_WORDS[one]}
          </AriaButton>
        ))}
      </div>
      {choice === 'own' ? (
        <div className="own-range">
          <Instant
            label="From"
            value={own.since}
            mistake={wrong?.field === 'since' ? wrong.problem : undefined}
            onChange={(since) => setOwn({ ...own, since })}
          />
          <Instant
            label="To"
            value={own.until}
            mistake={wrong?.field === 'until' ? wrong.problem : undefined}
            onChange={(until) => setOwn({ ...own, until })}
          />
        </div>
      ) : (
        range && (
          <p className="small range-words">
            {clockWords(range.since - offset, hubNow - offset)} to {clockWords(range.until - offset, hubNow - offset)}
          </p>
        )
      )}
      {params && (
        <TryParams
          params={params}
          written={written}
          mistakes={
            refused === undefined || !(run.problem instanceof Problem)
              ? mistakes
              : { [refused]: run.problem.details.constraint ?? run.problem.message, ...mistakes }
          }
          onChange={setWritten}
        />
      )}
      {run.problem !== undefined && refused === undefined && (
        <Note tone="bad" alert>
          The replay did not work: {replayProblem(run.problem)}
        </Note>
      )}
      <div className="row">
        <Button type="submit" look="primary" icon="replay" isDisabled={run.isRunning}>
          Replay
        </Button>
      </div>
    </form>
  )
}

const Tried = ({ flow, run }: FormProps) => {
  const { params } = flow
  if (!params || run.wish?.params === undefined) return null
  const changes = changesBetween(paramFields(params), params.values, run.wish.params)
  return changes.length === 0 ? null : (
    <div className="panel part-body">
      <p>
        <strong>With these values tried</strong> <span className="soft small">Nothing was saved.</span>
      </p>
      <Changes changes={changes} />
      <p className="small">
        <To path={flowPath(flow.id)}>Change them for good on the page of the flow</To>
      </p>
    </div>
  )
}

/** The replay page of one flow. */
export const ReplayPage = ({ id }: { id: string }) => {
  const { flow, problem, isGone } = useFlow(id)
  const { me } = useJarvisContext()
  const run = useReplay()
  const report = run.replay?.state === 'done' ? run.replay.report : undefined
  return (
    <div className="stack">
      <p className="crumbs small">
        <To path={flowPath(id)} className="crumb">
          <Icon name="back" size={16} /> {words(id)}
        </To>
      </p>
      {problem !== undefined && (
        <Note tone="warn" alert>
          {isGone ? `There is no flow ${id} (any more): its file is not in flows/.` : problem}
        </Note>
      )}
      {!me.rights.includes('journal.read') ? (
        <Note tone="warn">
          Your role may not read the journal, so there is nothing to replay from. Ask an administrator.
        </Note>
      ) : (
        flow && (
          <>
            <RangeForm flow={flow} run={run} />
            {run.isRunning && <Progress run={run} />}
            {report && (
              <>
                <Tried flow={flow} run={run} />
                <Report key={run.replay?.id} report={report} />
              </>
            )}
          </>
        )
      )}
      {!flow && !isGone && problem === undefined && <div className="skeleton reserve" />}
    </div>
  )
}
