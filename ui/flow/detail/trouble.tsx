// What is wrong with a flow, where, and what to do about it.
import type { FlowDetail } from '../../api/types.ts'
import { Ago, Clock } from '../../design/age.tsx'
import { Note } from '../../design/parts.tsx'
import { errorWords } from '../state.tsx'
import { remarks } from '../tone.ts'

const ADVICE: Record<string, string> = {
  quarantined:
    'It is kept apart until you say otherwise. Mend the file and save it: a new version runs at once. Or let it run again as it is.',
  'failed to load': 'It does not run. Mend the file and save it.',
  restarting: 'It is being started again; the others go on.',
  ended: 'It completed and says nothing more. Save the file, or let it run again.',
  running: 'It was started again and goes on. If this comes back, it is quarantined.',
}

const Failure = ({ flow }: { flow: FlowDetail }) => {
  const { error, status } = flow
  if (!error)
    return ADVICE[status] === undefined || status === 'running' ? null : <Note tone="idle">{ADVICE[status]}</Note>
  return (
    <Note tone={status === 'running' || status === 'restarting' ? 'warn' : 'bad'}>
      <p>
        <strong>{errorWords(error)}</strong>
        {error.at > 0 && (
          <span className="soft">
            {' '}
            · <Ago at={error.at} />
          </span>
        )}
      </p>
      <p>{ADVICE[status] ?? 'Mend the file and save it.'}</p>
      {error.stack !== undefined && (
        <details>
          <summary>Stack</summary>
          <pre className="small stack-trace">{error.stack}</pre>
        </details>
      )}
    </Note>
  )
}

/** Notes on all that is not as it should be; nothing for a flow that is well. */
export const Trouble = ({ flow }: { flow: FlowDetail }) => (
  <>
    <Failure flow={flow} />
    {remarks(flow).map(({ word, tone, text }) => (
      <Note key={word} tone={tone === 'good' ? 'idle' : tone}>
        <p>
          <strong>{word}</strong>
          {word === 'Approximate' && flow.approximate && flow.approximate.since > 0 && (
            <span className="soft">
              {' '}
              · since <Clock at={flow.approximate.since} />
            </span>
          )}
        </p>
        <p>{text}</p>
        {word === 'New version rejected' && flow.newer?.error && (
          <pre className="small">{errorWords(flow.newer.error)}</pre>
        )}
      </Note>
    ))}
  </>
)
