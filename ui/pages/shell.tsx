// The frame around the pages: a bar below on a phone, a rail at the left on larger screens, the stop always in sight.
import { useState, type ReactNode } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { useArrivals } from '../approvals/arrivals.tsx'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Choice } from '../design/field.tsx'
import { Icon, Mark, type IconName } from '../design/icon.tsx'
import { Ago } from '../design/age.tsx'
import { Note } from '../design/parts.tsx'
import { HealthBadge } from '../health/health.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { Bell } from '../notifications/bell.tsx'
import { StopButton } from '../stop/stop.tsx'
import { usePath } from './route.ts'
import { chooseTheme, useTheme } from './theme.ts'
import { follow, To } from './to.tsx'

interface Place {
  path: string
  name: string
  icon: IconName
  /** Without this right the page has nothing to show. */
  right?: string
}

/** On a phone the first four stand in the bar; the others are behind More. */
const PLACES: readonly Place[] = [
  { path: '/', name: 'Now', icon: 'now' },
  { path: '/devices', name: 'Devices', icon: 'devices' },
  { path: '/approvals', name: 'Approvals', icon: 'approvals' },
  { path: '/talk', name: 'Talk', icon: 'talk' },
  { path: '/flows', name: 'Flows', icon: 'flows' },
  { path: '/requests', name: 'Requests', icon: 'requests' },
  { path: '/messages', name: 'Messages', icon: 'messages' },
  { path: '/audit', name: 'Audit', icon: 'audit', right: 'audit.read' },
  { path: '/network', name: 'Network', icon: 'network' },
  { path: '/hub', name: 'Health', icon: 'health' },
]
const IN_BAR = 4

/** The page a path belongs to: `/flows/dust` is one of Flows. */
const placeOf = (path: string): string => `/${path.split('/')[1] ?? ''}`

interface ItemProps {
  place: Place
  isHere: boolean
  waiting: number
  onFollow?: () => void
}

const NavItem = ({ place, isHere, waiting, onFollow }: ItemProps) => (
  <a
    href={place.path}
    className="nav-item"
    aria-current={isHere ? 'page' : undefined}
    onClick={(event) => {
      follow(event, place.path)
      onFollow?.()
    }}
  >
    <Icon name={place.icon} size={22} />
    <span>{place.name}</span>
    {waiting > 0 && (
      <span className="nav-count">
        {waiting}
        <span className="unseen"> open</span>
      </span>
    )}
  </a>
)

const Nav = ({ waiting }: { waiting: number }) => {
  const { me } = useJarvisContext()
  const [isOpen, setOpen] = useState(false)
  const here = placeOf(usePath())
  const places = PLACES.filter(({ right }) => right === undefined || me.rights.includes(right))
  const item = (place: Place, onFollow?: () => void) => (
    <NavItem
      key={place.path}
      place={place}
      isHere={here === place.path}
      waiting={place.path === '/approvals' ? waiting : 0}
      {...(onFollow ? { onFollow } : {})}
    />
  )
  const rest = places.slice(IN_BAR)
  return (
    <nav className="nav" aria-label="Pages">
      {places.slice(0, IN_BAR).map((place) => item(place))}
      <div className="nav-rest">{rest.map((place) => item(place))}</div>
      <AriaButton
        className="nav-item nav-more"
        {...(rest.some(({ path }) => path === here) ? { 'data-here': '' } : {})}
        onPress={() => setOpen(true)}
      >
        <Icon name="more" size={22} />
        <span>More</span>
      </AriaButton>
      <Sheet title="More pages" isOpen={isOpen} onClose={() => setOpen(false)}>
        <div className="nav-sheet">{rest.map((place) => item(place, () => setOpen(false)))}</div>
      </Sheet>
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

/** Nothing of these is retained: whoever does not listen has missed it on the next page. */
const REQUESTS = ['devices/+/request', 'devices/+/cmd', 'devices/+/ack', 'devices/+/result']

interface Props {
  title: ReactNode
  aside?: ReactNode
  onLogout: () => void
  children: ReactNode
}

export const Shell = ({ title, aside, onLogout, children }: Props) => {
  const [isOpen, setOpen] = useState(false)
  const { me } = useJarvisContext()
  useTopics(REQUESTS)
  const waiting = useArrivals()
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
          {me.rights.includes('errors.read') && <Bell />}
          <Button look="quiet" icon="account" label="Account" onPress={() => setOpen(true)} />
        </div>
      </header>
      <Nav waiting={waiting} />
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
