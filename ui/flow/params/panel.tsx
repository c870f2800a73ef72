// Changing a flow's params: checked here and by the hub, confirmed where it may move something, and put back on demand.
import { useState } from 'react'
import { Problem, sentence } from '../../api/problem.ts'
import type { FlowDetail, FlowParams } from '../../api/types.ts'
import { Button } from '../../design/button.tsx'
import { Sheet } from '../../design/dialog.tsx'
import { Note } from '../../design/parts.tsx'
import { tell } from '../../design/toast.tsx'
import { namedField } from '../../devices/form.ts'
import { words } from '../../devices/value.ts'
import { useJarvisContext } from '../../live/jarvis.tsx'
import { ParamFields } from './fields.tsx'
import { changesBetween, paramFields, textsOf, valuesFrom, type Change } from './form.ts'

export const Changes = ({ changes }: { changes: readonly Change[] }) => (
  <dl className="facts">
    {changes.map(({ name, label, before, after }) => (
      <div key={name}>
        <dt className="small soft">{label}</dt>
        <dd>
          <span className="soft">{before}</span> → <strong>{after}</strong>
        </dd>
      </div>
    ))}
  </dl>
)

interface Asked {
  values: Record<string, unknown>
  changes: readonly Change[]
  isUndo: boolean
}

interface Props {
  flow: FlowDetail
  params: FlowParams
  /** The hub took new values. */
  onSaved: () => void
}

const mayMove = (flow: FlowDetail): boolean =>
  // As long as it has said nothing, nobody knows what it asks for.
  flow.outputs.length === 0 || flow.outputs.some((topic) => topic.endsWith('/request'))

/** The params of a flow as a form, for those who may change them; for others as they are. */
export const ParamsPanel = ({ flow, params, onSaved }: Props) => {
  const { hub, me } = useJarvisContext()
  const [written, setWritten] = useState<Record<string, string>>({})
  const [mistakes, setMistakes] = useState<Record<string, string>>({})
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [asked, setAsked] = useState<Asked | undefined>(undefined)
  const [previous, setPrevious] = useState<readonly Record<string, unknown>[]>([])
  const [busy, setBusy] = useState(false)
  const fields = paramFields(params)
  const texts = textsOf(fields, params.values, written)

  const save = async ({ values, isUndo }: Asked): Promise<void> => {
    setAsked(undefined)
    setBusy(true)
    setProblem(undefined)
    setMistakes({})
    try {
      await hub.flowParams(flow.id, values)
      setPrevious((was) => (isUndo ? was.slice(0, -1) : [...was, params.values].slice(-20)))
      setWritten({})
      tell(`${words(flow.id)} decides by the ${isUndo ? 'earlier' : 'new'} values now.`)
      onSaved()
    } catch (error) {
      const field = error instanceof Problem ? namedField(fields, error.details.field) : undefined
      if (field === undefined) setProblem(sentence(error))
      else
        setMistakes({ [field]: (error instanceof Problem ? error.details.constraint : undefined) ?? sentence(error) })
    } finally {
      setBusy(false)
    }
  }
  const ask = (values: Record<string, unknown>, isUndo: boolean): void => {
    const changes = changesBetween(fields, params.values, values)
    if (changes.length === 0) {
      setWritten({})
      tell('Nothing is different.')
      return
    }
    const next = { values, changes, isUndo }
    if (mayMove(flow)) setAsked(next)
    else void save(next)
  }
  const submit = (): void => {
    const read = valuesFrom(params, texts)
    setProblem(undefined)
    setMistakes('problems' in read ? read.problems : {})
    if ('values' in read) ask(read.values, false)
  }

  if (!me.rights.includes('flows.manage'))
    return (
      <>
        <dl className="facts">
          {fields.map(({ name, label, hint, unit }) => (
            <div key={name}>
              <dt className="small soft">
                {label}
                {hint !== undefined && <span className="block">{hint}</span>}
              </dt>
              <dd>
                {texts[name] === '' ? 'not set' : texts[name]} {unit}
              </dd>
            </div>
          ))}
        </dl>
        <p className="small soft">Your role may look, but not change them.</p>
      </>
    )
  const isDirty = Object.keys(written).length > 0
  const last = previous.at(-1)
  return (
    <form
      className="params"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <ParamFields
        fields={fields}
        texts={texts}
        mistakes={mistakes}
        onChange={(name, text) => setWritten((was) => ({ ...was, [name]: text }))}
      />
      {problem !== undefined && (
        <Note tone="bad" alert>
          {problem}
        </Note>
      )}
      <div className="row">
        <Button type="submit" look="primary" isDisabled={busy || !isDirty}>
          {mayMove(flow) ? 'Change…' : 'Change'}
        </Button>
        {isDirty && (
          <Button
            onPress={() => {
              setWritten({})
              setMistakes({})
            }}
          >
            Discard
          </Button>
        )}
        {last !== undefined && !isDirty && (
          <Button icon="undo" isDisabled={busy} onPress={() => ask(last, true)}>
            Put back{' '}
            {changesBetween(fields, params.values, last)
              .map(({ label, after }) => `${label} ${after}`)
              .join(', ')}
          </Button>
        )}
      </div>
      <Sheet
        title={asked?.isUndo === true ? 'Put the earlier values back?' : 'Decide by these values from now on?'}
        isOpen={asked !== undefined}
        onClose={() => setAsked(undefined)}
      >
        {asked && (
          <>
            <Changes changes={asked.changes} />
            <p className="small soft">
              {words(flow.id)} starts anew with them and may ask devices for something soon. Waits that run now are
              forgotten; what it keeps, it keeps.
            </p>
            <div className="row">
              <Button look="primary" onPress={() => void save(asked)}>
                {asked.isUndo ? 'Put back' : 'Change'}
              </Button>
              <Button onPress={() => setAsked(undefined)}>Cancel</Button>
            </div>
          </>
        )}
      </Sheet>
    </form>
  )
}
