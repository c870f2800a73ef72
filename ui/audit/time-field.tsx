// A time to choose; the device's own chooser is the best one.
import { useId } from 'react'

interface Props {
  label: string
  /** As `datetime-local` has it; '' for none. */
  value: string
  onChange: (value: string) => void
}

export const TimeField = ({ label, value, onChange }: Props) => {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input"
        type="datetime-local"
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  )
}
