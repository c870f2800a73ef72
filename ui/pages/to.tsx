// A link to a page of the app; new tabs and windows are left to the browser.
import type { MouseEvent, ReactNode } from 'react'
import { go } from './route.ts'

export const follow = (event: MouseEvent, path: string): void => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
  event.preventDefault()
  go(path)
}

interface Props {
  path: string
  children: ReactNode
  className?: string
  /** Called before the page changes, also when it opens elsewhere. */
  onFollow?: () => void
}

export const To = ({ path, children, className, onFollow }: Props) => (
  <a
    href={path}
    className={className}
    onClick={(event) => {
      onFollow?.()
      follow(event, path)
    }}
  >
    {children}
  </a>
)
