// Fields of a form: text, choice and check, with label, hint and mistake.
import { useId, type ReactNode } from 'react'
import { Checkbox, FieldError, Input, Label, Text, TextField as AriaTextField } from 'react-aria-components'
import { Icon } from './icon.tsx'

interface TextProps {
  label: string
  value: string
  onChange: (value: string) => void
  type?: 'text' | 'password' | 'search'
  hint?: ReactNode
  mistake?: string | undefined
  autoComplete?: string
  inputMode?: 'text' | 'decimal' | 'numeric'
  isRequired?: boolean
  isFocused?: boolean
  placeholder?: string
}

export const TextField = ({
  label,
  value,
  onChange,
  type = 'text',
  hint,
  mistake,
  autoComplete = 'off',
  inputMode = 'text',
  isRequired = false,
  isFocused = false,
  placeholder,
}: TextProps) => (
  <AriaTextField
    className="field"
    value={value}
    onChange={onChange}
    type={type}
    autoComplete={autoComplete}
    inputMode={inputMode}
    isRequired={isRequired}
    isInvalid={mistake !== undefined}
    autoFocus={isFocused}
    validationBehavior="aria"
    spellCheck="false"
  >
    <Label>{label}</Label>
    <Input className="input" autoCapitalize="none" {...(placeholder === undefined ? {} : { placeholder })} />
    {hint !== undefined && (
      <Text slot="description" className="hint">
        {hint}
      </Text>
    )}
    <FieldError className="mistake">{mistake}</FieldError>
  </AriaTextField>
)

interface ChoiceProps {
  label: string
  value: string
  options: readonly { value: string; text: string }[]
  onChange: (value: string) => void
  hint?: ReactNode
  mistake?: string | undefined
}

/** A choice; the device's own list is the best one on a phone. */
export const Choice = ({ label, value, options, onChange, hint, mistake }: ChoiceProps) => {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        className="input"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        aria-describedby={`${id}-hint`}
        aria-invalid={mistake !== undefined}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
      <span id={`${id}-hint`} className={mistake === undefined ? 'hint' : 'mistake'}>
        {mistake ?? hint}
      </span>
    </div>
  )
}

interface AreaProps {
  label: string
  value: string
  onChange: (value: string) => void
  hint?: ReactNode
  mistake?: string | undefined
}

export const TextArea = ({ label, value, onChange, hint, mistake }: AreaProps) => {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        className="input"
        rows={4}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        aria-describedby={`${id}-hint`}
        aria-invalid={mistake !== undefined}
        spellCheck={false}
      />
      <span id={`${id}-hint`} className={mistake === undefined ? 'hint' : 'mistake'}>
        {mistake ?? hint}
      </span>
    </div>
  )
}

interface CheckProps {
  children: ReactNode
  isSelected: boolean
  onChange: (isSelected: boolean) => void
}

export const Check = ({ children, isSelected, onChange }: CheckProps) => (
  <Checkbox className="check" isSelected={isSelected} onChange={onChange}>
    <span className="box">
      <Icon name="check" size={16} />
    </span>
    <span>{children}</span>
  </Checkbox>
)
