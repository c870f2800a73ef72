// Light or dark: as the device says, or as was chosen here. The wall has a look of its own.
import { useLayoutEffect, useSyncExternalStore } from 'react'

export type Choice = 'device' | 'light' | 'dark'

const KEY = 'millrace.theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()
let wall = false

export const themeChoice = (): Choice => {
  const kept = localStorage.getItem(KEY)
  return kept === 'light' || kept === 'dark' ? kept : 'device'
}

/** Puts the theme on the page. */
export const applyTheme = (): void => {
  const choice = themeChoice()
  const shown = choice === 'device' ? (dark.matches ? 'dark' : 'light') : choice
  document.documentElement.dataset['theme'] = wall ? 'wall' : shown
}

export const chooseTheme = (choice: Choice): void => {
  if (choice === 'device') localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, choice)
  applyTheme()
  for (const listener of [...listeners]) listener()
}

/** The wall's look while `on`, otherwise the device's. */
export const useWallTheme = (on: boolean): void => {
  useLayoutEffect(() => {
    wall = on
    applyTheme()
  }, [on])
}

export const useTheme = (): Choice =>
  useSyncExternalStore((listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, themeChoice)

dark.addEventListener('change', applyTheme)
