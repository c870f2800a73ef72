// One flow: what it is for, how it is, what it decides by, what it keeps, what comes and goes, and its source.
import type { ReactNode } from 'react'
import type { FlowDetail } from '../../api/types.ts'
import { Ago, Clock } from '../../design/age.tsx'
import { Icon } from '../../design/icon.tsx'
import { Note } from '../../design/parts.tsx'
import { numberText } from '../../devices/value.ts'
import { spanWords } from '../../live/age.ts'
import { useJarvisContext } from '../../live/jarvis.tsx'
import { To } from '../../pages/to.tsx'
import { ParamsPanel } from '../params/panel.tsx'
import { replayPath } from '../path.ts'
import { rateWords } from '../rate.ts'
import { Release } from '../release.tsx'
import { Remarks, StatusBadge } from '../state.tsx'
import { RELEASABLE } from '../tone.ts'
import { Edges } from './edges.tsx'
import { FlowMessages } from './messages.tsx'
import { lineOf, Source } from './source.tsx'
import { Trouble } from './trouble.tsx'
import { useFlow } from './use-flow.ts'

export const Part = ({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) => (
  <section className="panel part">
    <div className="side-head">
      <h2>{title}</h2>
      {aside}
    </div>
    <div className="part-body">{children}</div>
  </section>
)

const Fact = ({ name, children, tone = '' }: { name: string; children: ReactNode; tone?: string }) => (
  <div className="figure-box">
    <dt className="small soft">{name}</dt>
    <dd className={tone}>{children}</dd>
  </div>
)

const RateAndCount = ({ rate, count }: { rate: number | undefined; count: number }) =>
  rate !== undefined && rate > 0 ? (
    <>
      {rateWords(rate)} <span className="soft small">{numberText(count)}</span>
    </>
  ) : (
    numberText(count)
  )

const Figures = ({ flow }: { flow: FlowDetail }) => (
  <dl className="figures">
    <Fact name="In">
      <RateAndCount rate={flow.rateIn} count={flow.in} />
    </Fact>
    <Fact name="Out">
      <RateAndCount rate={flow.rateOut} count={flow.out} />
    </Fact>
    <Fact name="Delay, half and 99 of 100">
      {flow.delayMs ? `${spanWords(flow.delayMs.p50)}, ${spanWords(flow.delayMs.p99)}` : '–'}
    </Fact>
    <Fact name="Dropped" tone={flow.dropped > 0 ? 'warn' : ''}>
      {numberText(flow.dropped)}
    </Fact>
    <Fact name="Restarts" tone={flow.restarts > 0 ? 'warn' : ''}>
      {numberText(flow.restarts)}
    </Fact>
    <Fact name="This run began">{flow.runSince === undefined ? '–' : <Ago at={flow.runSince} />}</Fact>
  </dl>
)

const Kept = ({ flow }: { flow: FlowDetail }) =>
  flow.kept.length === 0 ? (
    <p className="small soft">It keeps nothing beyond its run.</p>
  ) : (
    <dl className="facts">
      {flow.kept.map(({ key, value }) => (
        <div key={key}>
          <dt className="small soft">{key}</dt>
          <dd>
            <code>{JSON.stringify(value)}</code>
          </dd>
        </div>
      ))}
    </dl>
  )

/** The place in the source that failed; of a version that was rejected only where its source is what is shown. */
const failingLine = ({ error, newer, status }: FlowDetail): number | undefined =>
  lineOf(error?.place ?? (status === 'failed to load' ? newer?.error?.place : undefined) ?? placeIn(error?.message))

const placeIn = (message: string | undefined): string | undefined => /[\w-]+\.ts:\d+(?::\d+)?/.exec(message ?? '')?.[0]

const Detail = ({ flow, again }: { flow: FlowDetail; again: () => void }) => {
  const { me } = useJarvisContext()
  const mayReplay = me.rights.includes('journal.read')
  return (
    <>
      <div className="flow-top">
        {flow.about !== undefined && <p className="flow-about">{flow.about}</p>}
        <div className="row">
          <StatusBadge flow={flow} />
          <Remarks flow={flow} />
          {flow.startedAt !== undefined && (
            <span className="small soft">
              since <Clock at={flow.startedAt} />
            </span>
          )}
        </div>
        <div className="row">
          {mayReplay && (
            <To path={replayPath(flow.id)} className="button primary">
              <Icon name="replay" /> Replay this flow
            </To>
          )}
          {RELEASABLE.includes(flow.status) && <Release id={flow.id} onDone={again} />}
        </div>
      </div>
      <Trouble flow={flow} />
      <div className="flow-parts">
        <div className="stack">
          <Part title="Figures">
            <Figures flow={flow} />
          </Part>
          <Part title="Hears">
            <Edges flow={flow} />
          </Part>
          {flow.params && (
            <Part title="Decides by">
              <ParamsPanel flow={flow} params={flow.params} onSaved={again} />
            </Part>
          )}
          <Part title="Keeps">
            <Kept flow={flow} />
          </Part>
          <Part title="Source" aside={<code className="small soft">flows/{flow.id}.ts</code>}>
            {flow.source === '' ? (
              <p className="small soft">The hub does not tell its source.</p>
            ) : (
              <Source source={flow.source} name={`${flow.id}.ts`} failing={failingLine(flow)} />
            )}
          </Part>
        </div>
        <div className="stack">
          <Part title="Last said">
            <FlowMessages messages={flow.recentOut} none="It has said nothing the journal still has." />
          </Part>
          <Part title="Last heard">
            <FlowMessages messages={flow.recentIn} none="It has heard nothing the journal still has." />
          </Part>
        </div>
      </div>
    </>
  )
}

/** The page of one flow. */
export const FlowPage = ({ id }: { id: string }) => {
  const { flow, problem, isGone, again } = useFlow(id)
  return (
    <div className="stack">
      <p className="crumbs small">
        <To path="/flows" className="crumb">
          <Icon name="back" size={16} /> All flows
        </To>
      </p>
      {problem !== undefined && (
        <Note tone="warn" alert>
          {isGone
            ? `There is no flow ${id} (any more): its file is not in flows/.`
            : `What is shown may be old: ${problem}`}
        </Note>
      )}
      {flow ? <Detail flow={flow} again={again} /> : !isGone && <div className="skeleton reserve" />}
    </div>
  )
}
