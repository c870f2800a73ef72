// The buttons of a device: what it can be asked, each with its form where it needs one.
import { useState, type ReactNode } from 'react'
import type { JsonSchema } from '../api/types.ts'
import { Badge } from '../design/badge.tsx'
import { Button, HoldButton } from '../design/button.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Check, Choice, TextArea, TextField } from '../design/field.tsx'
import { Note } from '../design/parts.tsx'
import type { DeviceView } from '../live/state.ts'
import { isClosed, statusWords, took } from '../live/request.ts'
import { spanWords } from '../live/age.ts'
import { fieldsOf, namedField, payloadFrom, type Field } from './form.ts'
import { intentLabel, mustHold } from './intent.ts'
import type { Asking } from './use-command.ts'

interface FieldProps {
  field: Field
  value: string
  mistake: string | undefined
  onChange: (value: string) => void
}

const FormField = ({ field, value, mistake, onChange }: FieldProps) => {
  const shared = {
    label: field.label,
    value,
    onChange,
    mistake,
    ...(field.hint === undefined ? {} : { hint: field.hint }),
  }
  switch (field.type) {
    case 'choice': {
      const options = field.options.map((option) => ({ value: option, text: option }))
      return (
        <Choice
          {...shared}
          options={
            value === '' || !field.required
              ? [{ value: '', text: field.required ? 'Choose…' : 'Not set' }, ...options]
              : options
          }
        />
      )
    }
    case 'boolean':
      return (
        <Check isSelected={value === 'true'} onChange={(on) => onChange(String(on))}>
          {field.label}
        </Check>
      )
    case 'json':
      return <TextArea {...shared} />
    case 'number':
    case 'integer':
    case 'text':
      return (
        <TextField
          {...shared}
          inputMode={field.type === 'text' ? 'text' : field.type === 'integer' ? 'numeric' : 'decimal'}
        />
      )
  }
}

interface FormProps {
  device: DeviceView
  intent: string
  schema: JsonSchema
  asking: Asking
  onDone: () => void
}

const IntentForm = ({ device, intent, schema, asking, onDone }: FormProps) => {
  const fields = fieldsOf(schema)
  const [values, setValues] = useState<Record<string, string>>(() =>
    Object.fromEntries(fields.map(({ name, initial }) => [name, initial])),
  )
  const [mistakes, setMistakes] = useState<Record<string, string>>({})
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const held = mustHold(intent, device.safe)

  const send = async (): Promise<void> => {
    const result = payloadFrom(schema, values)
    setProblem(undefined)
    if ('problems' in result) {
      setMistakes(result.problems)
      return
    }
    setMistakes({})
    const refused = await asking.ask(intent, result.payload)
    if (!refused) {
      onDone()
      return
    }
    const field = namedField(fields, refused.details.field)
    if (field === undefined) setProblem(refused.message)
    else setMistakes({ [field]: refused.details.constraint ?? refused.message })
  }

  return (
    <form
      className="intent-form"
      onSubmit={(event) => {
        event.preventDefault()
        if (!held) void send()
      }}
    >
      {fields.map((field) => (
        <FormField
          key={field.name}
          field={field}
          value={values[field.name] ?? ''}
          mistake={mistakes[field.name]}
          onChange={(value) => setValues((was) => ({ ...was, [field.name]: value }))}
        />
      ))}
      {problem !== undefined && (
        <Note tone="bad" alert>
          {problem}
        </Note>
      )}
      <div className="row">
        {held ? (
          <HoldButton
            question={`${intentLabel(intent)}: ${device.name}?`}
            onHeld={() => void send()}
            isDisabled={asking.busy}
          >
            <span className="hold-mark" />
            <span>Hold to {intentLabel(intent).toLowerCase()}</span>
          </HoldButton>
        ) : (
          <Button type="submit" look="primary" isDisabled={asking.busy}>
            {intentLabel(intent)}
          </Button>
        )}
      </div>
    </form>
  )
}

interface IntentProps {
  device: DeviceView
  intent: string
  asking: Asking
  isDisabled: boolean
}

/** One intent as a button: sent at once, held, or with a form in between. */
export const IntentButton = ({ device, intent, asking, isDisabled }: IntentProps) => {
  const [isOpen, setOpen] = useState(false)
  const schema = device.intents[intent] ?? {}
  const label = intentLabel(intent)
  const safe = device.safe.includes(intent)
  if (fieldsOf(schema).length > 0)
    return (
      <>
        <Button look={safe ? 'safe' : 'plain'} isDisabled={isDisabled} onPress={() => setOpen(true)}>
          {label}…
        </Button>
        <Sheet title={`${device.name}: ${label.toLowerCase()}`} isOpen={isOpen} onClose={() => setOpen(false)}>
          <IntentForm device={device} intent={intent} schema={schema} asking={asking} onDone={() => setOpen(false)} />
        </Sheet>
      </>
    )
  if (mustHold(intent, device.safe))
    return (
      <HoldButton
        question={`${label}: ${device.name}?`}
        label={`${label} ${device.name}, press and hold`}
        isDisabled={isDisabled || asking.busy}
        onHeld={() => void asking.ask(intent)}
      >
        <span className="hold-mark" />
        <span>{label}</span>
      </HoldButton>
    )
  return (
    <Button
      look={safe ? 'safe' : 'plain'}
      isDisabled={isDisabled || asking.busy}
      onPress={() => void asking.ask(intent)}
    >
      {label}
    </Button>
  )
}

/** One line on what became of the last thing asked here; before that its place holds `children`. */
export const Fate = ({ asking, children }: { asking: Asking; children?: ReactNode }) => {
  const { asked, request } = asking
  if (!asked) return <p className="fate soft">{children}</p>
  const label = intentLabel(asked.intent)
  if (asked.problem !== undefined)
    return (
      <p className="fate bad" title={asked.problem}>
        {label}: {asked.problem}
      </p>
    )
  if (!request) return <p className="fate soft">{asked.id === undefined ? `${label}: asking…` : `${label}: asked`}</p>
  const ms = took(request)
  const tone = request.status === 'done' ? 'good' : isClosed(request.status) ? 'bad' : 'idle'
  return (
    <p className="fate" title={request.reason}>
      <Badge tone={tone} bare>
        {label}: {statusWords(request.status).toLowerCase()}
        {ms === undefined ? '' : ` in ${spanWords(ms)}`}
      </Badge>
      {request.reason !== undefined && request.status !== 'done' && <span className="soft cut">{request.reason}</span>}
    </p>
  )
}
