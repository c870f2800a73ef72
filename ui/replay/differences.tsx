// The differences one by one: the list, and the one looked at with its payloads and its cause.
import { useEffect, useRef, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import type { ReplayRow } from '../api/types.ts'
import { Clock } from '../design/age.tsx'
import { Button } from '../design/button.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { MessageView } from '../live/state.ts'
import { WhyDrawer } from '../messages/why.tsx'
import { KIND, KindBadge } from './kind.tsx'
import { payloadDiff, valueText, type FieldDiff } from './payload-diff.ts'

const WORD: Record<FieldDiff['kind'], string> = {
  same: '',
  changed: 'changed',
  'only then': 'only then',
  'only now': 'only now',
}

/** An instant as a time of day, anything else as it is. */
const toldText = (value: unknown): string => {
  const at = typeof value === 'string' ? Date.parse(value) : NaN
  return Number.isNaN(at) ? valueText(value) : new Date(at).toLocaleTimeString('en-GB')
}

const Payloads = ({ row }: { row: ReplayRow }) => {
  const fields = payloadDiff(row.then, row.now)
  if (fields.length === 0 && row.told.length === 0) return <p className="small soft">It carries no payload.</p>
  return (
    <div className="table-place" tabIndex={0} role="region" aria-label="Payload, field by field">
      <table className="table diff-table">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Then</th>
            <th scope="col">Now</th>
          </tr>
        </thead>
        <tbody>
          {row.told.map(({ what, then, now }) => (
            <tr key={`(${what})`} className="differs">
              <th scope="row">{what === 'time' ? 'When it was said' : 'In which order'}</th>
              <td>{toldText(then)}</td>
              <td>{toldText(now)}</td>
            </tr>
          ))}
          {fields.map(({ path, then, now, kind }) => (
            <tr key={path} className={kind === 'same' ? 'soft' : 'differs'}>
              <th scope="row">
                <code>{path === '' ? 'payload' : path}</code>
                {WORD[kind] !== '' && row.kind === 'changed' && <span className="small warn block">{WORD[kind]}</span>}
              </th>
              <td>
                <code>{valueText(then)}</code>
              </td>
              <td>
                <code>{valueText(now)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The entry of the journal a decision came from, as the drawer of causes takes it. */
const entry = (seq: number, row: ReplayRow, short: (topic: string) => string): MessageView => ({
  key: `j${seq}`,
  seq,
  at: row.at,
  topic: short(row.topic),
  payload: row.then ?? row.now,
})

interface OneProps {
  row: ReplayRow
  place: number
  count: number
  onStep: (by: 1 | -1) => void
}

/** The difference looked at. */
const One = ({ row, place, count, onStep }: OneProps) => {
  const { short } = useJarvisContext()
  const [why, setWhy] = useState<MessageView | undefined>(undefined)
  const own = row.seq
  return (
    <section className="difference" aria-label={`Difference ${place + 1} of ${count}`}>
      <div className="difference-head">
        <div className="row" role="group" aria-label="Step through the differences">
          <Button icon="back" label="Previous difference" isDisabled={place === 0} onPress={() => onStep(-1)} />
          <span className="small" aria-live="polite">
            {place + 1} of {count}
          </span>
          <Button icon="chevron" label="Next difference" isDisabled={place === count - 1} onPress={() => onStep(1)} />
        </div>
        <KindBadge kind={row.kind} />
      </div>
      <div>
        <p className="cause-topic">{short(row.topic)}</p>
        <p className="small soft">
          <Clock at={row.at} /> · {KIND[row.kind].means}
        </p>
      </div>
      {row.beyond && (
        <Note tone="idle">
          Beyond the first difference: what happened after it happened because of what was decided then, so the recorded
          world is no longer what would have happened.
        </Note>
      )}
      <Payloads row={row} />
      <div className="row">
        {row.cause > 0 && (
          <Button icon="messages" onPress={() => setWhy(entry(row.cause, row, short))}>
            What it was decided upon
          </Button>
        )}
        {own !== undefined && <Button onPress={() => setWhy(entry(own, row, short))}>Why it was said then</Button>}
      </div>
      <WhyDrawer message={why} onClose={() => setWhy(undefined)} />
    </section>
  )
}

const PAGE = 50

interface ListProps {
  /** The differences, in order of time. */
  rows: readonly ReplayRow[]
  place: number
  onSelect: (place: number) => void
  /** How many there are beyond those told. */
  untold: number
}

const List = ({ rows, place, onSelect, untold }: ListProps) => {
  const { short } = useJarvisContext()
  const [pages, setPages] = useState(1)
  const current = useRef<HTMLLIElement>(null)
  // Whoever steps beyond the end of the list takes the list along.
  const shown = Math.max(pages, Math.ceil((place + 1) / PAGE)) * PAGE
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const line = current.current
    const view = box.current
    if (!line || !view) return
    // Only the list scrolls, never the page under whoever steps.
    const [above, below] = [line.offsetTop, line.offsetTop + line.offsetHeight]
    if (above < view.scrollTop) view.scrollTop = above
    else if (below > view.scrollTop + view.clientHeight) view.scrollTop = below - view.clientHeight
  }, [place])
  return (
    <div className="differences-list" ref={box}>
      <ol className="lines">
        {rows.slice(0, shown).map((row, n) => (
          <li key={n} className="line" ref={n === place ? current : undefined}>
            <AriaButton className="line-head" aria-current={n === place} onPress={() => onSelect(n)}>
              <span className="line-main">
                <span className="message-topic cut">{short(row.topic)}</span>
                <span className="row difference-words">
                  <span className="small soft">
                    <Clock at={row.at} />
                  </span>
                  <KindBadge kind={row.kind} bare />
                  {row.beyond && <span className="small soft">beyond the first</span>}
                </span>
              </span>
              <Icon name="chevron" size={16} />
            </AriaButton>
          </li>
        ))}
      </ol>
      {rows.length > shown && (
        <div className="row differences-more">
          <Button onPress={() => setPages(Math.ceil(shown / PAGE) + 1)}>
            Show {Math.min(PAGE, rows.length - shown)} more
          </Button>
        </div>
      )}
      {untold > 0 && (
        <p className="small soft differences-more">
          {untold} more {untold === 1 ? 'differs' : 'differ'} and {untold === 1 ? 'is' : 'are'} not told one by one.
          Choose a shorter range to see them.
        </p>
      )}
    </div>
  )
}

export const Differences = (props: ListProps) => {
  const { rows, place, onSelect } = props
  const row = rows[place]
  if (!row) return null
  return (
    <div className="differences">
      <List {...props} />
      <One key={place} row={row} place={place} count={rows.length} onStep={(by) => onSelect(place + by)} />
    </div>
  )
}
