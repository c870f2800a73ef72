// The frame around the pages: a bar below on a phone, a rail at the left on larger screens, the stop always in sight.
import { useState, type MouseEvent, type ReactNode } from 'react'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Choice } from '../design/field.tsx'
import { Icon, Mark, type IconName } from '../design/icon.tsx'
import { Ago } from '../design/age.tsx'
import { Note } from '../design/parts.tsx'
import { HealthBadge } from '../health/health.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { StopButton } from '../stop/stop.tsx'
import { go, usePath } from './route.ts'
import { chooseTheme, useTheme } from './theme.ts'

const PLACES: readonly { path: string; name: string; icon: IconName }[] = [
  { path: '/', name: 'Now', icon: 'now' },
  { path: '/requests', name: 'Requests', icon: 'requests' },
  { path: '/messages', name: 'Messages', icon: 'messages' },
  { path: '/flows', name: 'Flows', icon: 'flows' },
  { path: '/hub', name: 'Health', icon: 'health' },
]

const follow = (event: MouseEvent, path: string): void => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
  event.preventDefault()
  go(path)
}

/** A link to a page of the app. */
export const To = ({ path, children, className }: { path: string; children: ReactNode; className?: string }) => (
  <a href={path} className={className} onClick={(event) => follow(event, path)}>
    {children}
  </a>
)

const Nav = () => {
  const path = usePath()
  const here = path === '/dashboard' ? '/' : path.startsWith('/flows/') ? '/flows' : path
  return (
    <nav className="nav" aria-label="Pages">
      {PLACES.map((place) => (
        <a
          key={place.path}
          href={place.path}
          className="nav-item"
          aria-current={here === place.path ? 'page' : undefined}
          onClick={(event) => follow(event, place.path)}
        >
          <Icon name={place.icon} size={22} />
          <span>{place.name}</span>
        </a>
      ))}
    </nav>
  )
}

export const LineBadge = () => {
  const { link } = useJarvisContext()
  if (link.state === 'live') return <Badge tone="good">Live</Badge>
  if (link.state === 'connecting') return <Badge tone="idle">Connecting</Badge>
  return (
    <Badge tone="bad" shape="cross">
      Not live
    </Badge>
  )
}

/** Says when the page shows the past. */
export const LineNote = () => {
  const { link, readAt, problems } = useJarvisContext()
  if (link.state !== 'lost') return null
  return (
    <Note tone="warn" alert>
      <strong>Live connection lost</strong>
      {readAt === 0 ? (
        <>, and nothing could be read yet. {problems['devices']}</>
      ) : (
        <>
          , showing what was read <Ago at={readAt} />. Trying again every few seconds.
        </>
      )}
    </Note>
  )
}

const Account = ({ isOpen, onClose, onLogout }: { isOpen: boolean; onClose: () => void; onLogout: () => void }) => {
  const { me } = useJarvisContext()
  const theme = useTheme()
  return (
    <Sheet title={me.id} isOpen={isOpen} onClose={onClose}>
      <p className="soft">{me.roles.length === 0 ? 'No role' : me.roles.join(', ')}</p>
      <Choice
        label="Look"
        value={theme}
        onChange={(value) => chooseTheme(value === 'light' || value === 'dark' ? value : 'device')}
        options={[
          { value: 'device', text: 'As this device' },
          { value: 'light', text: 'Light' },
          { value: 'dark', text: 'Dark' },
        ]}
      />
      <div className="row">
        <To path="/wall" className="button">
          <Icon name="wall" /> Wall view
        </To>
        <Button onPress={onLogout}>Sign out</Button>
      </div>
    </Sheet>
  )
}

interface Props {
  title: string
  aside?: ReactNode
  onLogout: () => void
  children: ReactNode
}

export const Shell = ({ title, aside, onLogout, children }: Props) => {
  const [isOpen, setOpen] = useState(false)
  return (
    <div className="shell">
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="top">
        <To path="/" className="brand">
          <Mark />
          <span className="brand-name">Millrace</span>
        </To>
        <div className="top-state">
          <LineBadge />
          <To path="/hub" className="health-link">
            <span className="unseen">Hub: </span>
            <HealthBadge />
          </To>
          <Button look="quiet" icon="account" label="Account" onPress={() => setOpen(true)} />
        </div>
      </header>
      <Nav />
      <main id="content" className="main" tabIndex={-1}>
        <div className="page-head">
          <h1>{title}</h1>
          {aside}
        </div>
        <LineNote />
        {children}
      </main>
      <StopButton />
      <Account isOpen={isOpen} onClose={() => setOpen(false)} onLogout={onLogout} />
    </div>
  )
}
