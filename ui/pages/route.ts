// Where the app is: the path in the address bar, and nothing else.
import { useSyncExternalStore } from 'react'

const listeners = new Set<() => void>()
const changed = (): void => {
  for (const listener of [...listeners]) listener()
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  addEventListener('popstate', listener)
  return () => {
    listeners.delete(listener)
    removeEventListener('popstate', listener)
  }
}

/** Goes to a path of this app; `replace` leaves no step to go back to. */
export const go = (path: string, { replace = false } = {}): void => {
  if (replace) history.replaceState(null, '', path)
  else history.pushState(null, '', path)
  changed()
  scrollTo(0, 0)
}

/** The current path without query. */
export const usePath = (): string => useSyncExternalStore(subscribe, () => location.pathname)
