// What just happened, said once to eyes and ears. `say` is for ears only, `tell` for both.
import { useSyncExternalStore } from 'react'
import { Button } from './button.tsx'

interface Told {
  key: number
  text: string
}

const SHOWN_MS = 8000
const AT_MOST = 3

let told: readonly Told[] = []
let said = ''
let count = 0
const listeners = new Set<() => void>()

const changed = (): void => {
  for (const listener of [...listeners]) listener()
}

const drop = (key: number): void => {
  told = told.filter((one) => one.key !== key)
  changed()
}

/** Says a sentence to assistive technology. */
export const say = (text: string): void => {
  said = said === text ? `${text} ` : text
  changed()
}

/** Shows a sentence for eight seconds and says it. */
export const tell = (text: string): void => {
  const key = (count += 1)
  told = [...told, { key, text }].slice(-AT_MOST)
  setTimeout(() => drop(key), SHOWN_MS)
  say(text)
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Where toasts appear and the live region lives; once per page. */
export const Toasts = () => {
  const shown = useSyncExternalStore(subscribe, () => told)
  const spoken = useSyncExternalStore(subscribe, () => said)
  return (
    <>
      <div className="unseen" role="status" aria-live="polite" data-live-announcer="true">
        {spoken}
      </div>
      <div className="toasts" data-react-aria-top-layer="true">
        {shown.map(({ key, text }) => (
          <div key={key} className="toast">
            <p>{text}</p>
            <Button look="quiet" onPress={() => drop(key)}>
              Dismiss
            </Button>
          </div>
        ))}
      </div>
    </>
  )
}
