// A button, and a button that must be held.
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { Button as AriaButton, type PressEvent } from 'react-aria-components'
import { Sheet } from './dialog.tsx'
import { Icon, type IconName } from './icon.tsx'
import { tell } from './toast.tsx'

export interface ButtonProps {
  children?: ReactNode
  onPress?: () => void
  /** `primary`: the one thing to do here; `quiet`: without a border. */
  look?: 'plain' | 'primary' | 'quiet' | 'safe'
  icon?: IconName
  /** What an icon alone means. */
  label?: string
  type?: 'button' | 'submit'
  isDisabled?: boolean
  className?: string
}

export const Button = ({
  children,
  onPress,
  look = 'plain',
  icon,
  label,
  type = 'button',
  isDisabled = false,
  className = '',
}: ButtonProps) => (
  <AriaButton
    type={type}
    className={`button ${look}${children === undefined ? ' icon' : ''} ${className}`}
    isDisabled={isDisabled}
    {...(onPress ? { onPress } : {})}
    {...(label === undefined ? {} : { 'aria-label': label })}
  >
    {icon && <Icon name={icon} />}
    {children}
  </AriaButton>
)

export const HOLD_MS = 800

interface HoldProps {
  children: ReactNode
  /** What it does, as a sentence for the question asked where holding is not possible. */
  question: string
  onHeld: () => void
  isDisabled?: boolean
  className?: string
  label?: string
}

/**
 * Fires after being held for 0.8 s, by pointer or with Space or Enter. Assistive technology that can only click is asked
 * a question instead.
 */
export const HoldButton = ({ children, question, onHeld, isDisabled = false, className = '', label }: HoldProps) => {
  const [holding, setHolding] = useState(false)
  const [asking, setAsking] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const fired = useRef(false)

  const release = (): void => {
    clearTimeout(timer.current)
    timer.current = undefined
    setHolding(false)
  }
  useEffect(() => () => clearTimeout(timer.current), [])

  const start = (event: PressEvent): void => {
    fired.current = false
    if (event.pointerType === 'virtual') {
      setAsking(true)
      return
    }
    setHolding(true)
    timer.current = setTimeout(() => {
      fired.current = true
      release()
      onHeld()
    }, HOLD_MS)
  }
  const end = (event: PressEvent): void => {
    if (event.pointerType !== 'virtual' && !fired.current) tell('Keep holding until the bar is full.')
    release()
  }

  return (
    <>
      <AriaButton
        className={`button hold ${className}`}
        isDisabled={isDisabled}
        onPressStart={start}
        onPressEnd={end}
        {...(label === undefined ? {} : { 'aria-label': label })}
        {...(holding ? { 'data-holding': '' } : {})}
      >
        <span className="fill" />
        <span className="face">{children}</span>
      </AriaButton>
      <Sheet title={question} isOpen={asking} onClose={() => setAsking(false)}>
        <div className="row">
          <Button
            look="primary"
            onPress={() => {
              setAsking(false)
              onHeld()
            }}
          >
            Yes
          </Button>
          <Button onPress={() => setAsking(false)}>No</Button>
        </div>
      </Sheet>
    </>
  )
}
