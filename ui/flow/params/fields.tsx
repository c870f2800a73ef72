// The fields of a flow's params.
import { Check, Choice, TextArea, TextField } from '../../design/field.tsx'
import type { ParamField } from './form.ts'

interface FieldProps {
  field: ParamField
  text: string
  mistake: string | undefined
  onChange: (text: string) => void
}

const BooleanField = ({ field, text, mistake, onChange }: FieldProps) => (
  <div className="field">
    <Check isSelected={text === 'true'} onChange={(on) => onChange(String(on))}>
      {field.label}
      {field.hint !== undefined && <span className="hint block">{field.hint}</span>}
    </Check>
    {mistake !== undefined && <span className="mistake">{mistake}</span>}
  </div>
)

const OneField = (props: FieldProps) => {
  const { field, text, mistake, onChange } = props
  const label = field.unit === '' ? field.label : `${field.label} (${field.unit})`
  const shared = { label, value: text, onChange, mistake, ...(field.hint === undefined ? {} : { hint: field.hint }) }
  switch (field.type) {
    case 'boolean':
      return <BooleanField {...props} />
    case 'choice': {
      const options = field.options.map((option) => ({ value: option, text: option }))
      return (
        <Choice
          {...shared}
          options={field.required || field.initial !== '' ? options : [{ value: '', text: 'Not set' }, ...options]}
        />
      )
    }
    case 'json':
      return <TextArea {...shared} />
    case 'number':
    case 'integer':
    case 'text':
      return (
        <TextField
          {...shared}
          inputMode={field.type === 'text' || field.isSpan ? 'text' : field.type === 'integer' ? 'numeric' : 'decimal'}
        />
      )
  }
}

interface Props {
  fields: readonly ParamField[]
  texts: Readonly<Record<string, string>>
  mistakes: Readonly<Record<string, string>>
  onChange: (name: string, text: string) => void
}

export const ParamFields = ({ fields, texts, mistakes, onChange }: Props) => (
  <div className="param-fields">
    {fields.map((field) => (
      <OneField
        key={field.name}
        field={field}
        text={texts[field.name] ?? ''}
        mistake={mistakes[field.name]}
        onChange={(text) => onChange(field.name, text)}
      />
    ))}
  </div>
)
