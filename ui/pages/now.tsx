// Now: what needs attention, every device by area, and beside them what was asked, what runs and what was said.
import { useCallback, useState, type ReactNode } from 'react'
import { Badge, Glyph } from '../design/badge.tsx'
import { Icon } from '../design/icon.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { useHubNow } from '../approvals/use-approvals.ts'
import { DeviceCard } from '../devices/card.tsx'
import { DeviceDrawer } from '../devices/drawer.tsx'
import { byArea } from '../devices/group.ts'
import { Flows } from '../flow/list.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { LastMessages } from '../messages/list.tsx'
import { OpenBadge, Requests } from '../requests/list.tsx'
import { concerns, type Concern } from './attention.ts'
import { To } from './to.tsx'

export const NOW_TOPICS = [
  'devices/+/about',
  'devices/+/state',
  'devices/+/online',
  'devices/+/telemetry',
  'devices/+/event',
  'devices/+/request',
  'devices/+/cmd',
  'devices/+/ack',
  'devices/+/result',
  'hub/flows',
  'hub/health',
  'safety/events/+',
  'errors/+/+',
]

const CONCERNS = 3

const Concerned = ({ path, tone, text }: Omit<Concern, 'key'>) => {
  const inside = (
    <>
      <Glyph shape={tone === 'bad' ? 'square' : 'triangle'} />
      <span className="concern-text">{text}</span>
    </>
  )
  if (path === undefined) return <p className={`concern ${tone}`}>{inside}</p>
  return (
    <To path={path} className={`concern ${tone}`}>
      {inside}
      <Icon name="chevron" size={16} />
    </To>
  )
}

const Attention = () => {
  const { workshop, readAt, link } = useJarvisContext()
  const list = concerns(workshop, useHubNow())
  if (readAt === 0) return <div className="skeleton attention-place" />
  if (list.length === 0)
    return (
      <p className="attention quiet">
        <Badge tone={link.state === 'live' ? 'good' : 'idle'} bare>
          {link.state === 'live' ? 'All quiet' : 'Nothing known to be wrong'}
        </Badge>
        <span className="soft small">
          {workshop.devices.size} devices online, {workshop.flows.length} flows
        </span>
      </p>
    )
  return (
    <ul className="attention panel" aria-label="Needs attention">
      {list.slice(0, CONCERNS).map(({ key, tone, text, path }) => (
        <li key={key}>
          <Concerned tone={tone} text={text} {...(path === undefined ? {} : { path })} />
        </li>
      ))}
      {list.length > CONCERNS && <li className="concern small soft">and {list.length - CONCERNS} more</li>}
    </ul>
  )
}

const Side = ({
  title,
  path,
  aside,
  children,
}: {
  title: string
  path: string
  aside?: ReactNode
  children: ReactNode
}) => (
  <section className="panel side-panel">
    <div className="side-head">
      <h2>{title}</h2>
      {aside}
      <To path={path} className="side-more">
        All<span className="unseen"> {title.toLowerCase()}</span>
      </To>
    </div>
    {children}
  </section>
)

const CARDS_WHILE_LOADING = 6

const Devices = ({ onOpen }: { onOpen: (id: string) => void }) => {
  const { workshop, link, readAt, problems, me } = useJarvisContext()
  const areas = byArea(workshop.devices.values())
  const mayAsk = me.rights.length === 0 || me.rights.includes('devices.request')
  if (areas.length === 0 && problems['devices'] !== undefined)
    return <Note tone="bad">The devices cannot be read: {problems['devices']}</Note>
  if (areas.length === 0 && readAt === 0)
    return (
      <div className="cards" aria-label="Loading devices" aria-busy="true">
        {Array.from({ length: CARDS_WHILE_LOADING }, (_, n) => (
          <div key={n} className="panel card skeleton" />
        ))}
      </div>
    )
  if (areas.length === 0)
    return (
      <div className="panel">
        <Empty title="No devices yet">
          Give a device a credential (POST /api/device-credentials) and let it publish{' '}
          <code>devices/&lt;id&gt;/about</code>, or start the hub with <code>DEMO=1 npm start</code> to see a simulated
          workshop.
        </Empty>
      </div>
    )
  return areas.map((area) => (
    <section key={area.name} className="area" style={{ '--n': area.devices.length }}>
      <h2 className="area-name">
        {area.name} <span className="soft">{area.devices.length}</span>
      </h2>
      <ul className="cards">
        {area.devices.map((device) => (
          <DeviceCard key={device.id} device={device} hearing={link.state !== 'lost'} mayAsk={mayAsk} onOpen={onOpen} />
        ))}
      </ul>
    </section>
  ))
}

export const Now = () => {
  useTopics(NOW_TOPICS)
  const [open, setOpen] = useState<string | undefined>(undefined)
  const show = useCallback((id: string) => setOpen(id), [])
  const { problems } = useJarvisContext()
  return (
    <>
      <Attention />
      <div className="now">
        <div className="now-main">
          <Devices onOpen={show} />
        </div>
        <div className="now-side">
          <Side title="Requests" path="/requests" aside={<OpenBadge />}>
            <Requests limit={5} />
          </Side>
          <Side title="Flows" path="/flows">
            <Flows limit={6} />
          </Side>
          <Side title="Last messages" path="/messages">
            {problems['messages'] === 'forbidden' && (
              <p className="side-hint small soft">
                Your role may not read the journal; you see what comes while this page is open.
              </p>
            )}
            <LastMessages limit={8} />
          </Side>
        </div>
      </div>
      <DeviceDrawer id={open} onClose={() => setOpen(undefined)} />
    </>
  )
}
