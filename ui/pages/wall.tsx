// The wall: at most twelve devices, read at three metres, without chrome and without scrolling.
import { useEffect } from 'react'
import { Age, Ago } from '../design/age.tsx'
import { Glyph } from '../design/badge.tsx'
import { Icon, kindIcon, Mark } from '../design/icon.tsx'
import { useHubNow } from '../approvals/use-approvals.ts'
import { byArea } from '../devices/group.ts'
import { intentLabel } from '../devices/intent.ts'
import { shownValues } from '../devices/value.ts'
import { HealthBadge } from '../health/health.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { useNow } from '../live/now.ts'
import { statusWords } from '../live/request.ts'
import type { DeviceView } from '../live/state.ts'
import { StopButton } from '../stop/stop.tsx'
import { concerns } from './attention.ts'
import { LineBadge } from './shell.tsx'

const TILES = 12
const WALL_TOPICS = [
  'devices/+/about',
  'devices/+/state',
  'devices/+/online',
  'devices/+/telemetry',
  'devices/+/ack',
  'hub/health',
  'hub/flows',
  'approvals/+',
]
const NIGHT_FROM = 22
const NIGHT_TO = 6
/** A wall that has heard nothing for this long heals by loading itself again, once the hub answers. */
const HEAL_AFTER_MS = 120_000
const HEAL_CHECK_MS = 15_000

export const isNight = (hour: number): boolean => hour >= NIGHT_FROM || hour < NIGHT_TO

const Tile = ({ device, hearing }: { device: DeviceView; hearing: boolean }) => {
  const [key] = shownValues(device)
  const size = (key?.text.length ?? 0) + (key?.unit.length ?? 0) * 0.5
  return (
    <li className="tile" data-online={device.online}>
      <div className="tile-name">
        <Icon name={kindIcon(`${device.kind} ${device.id}`)} size={40} />
        <span className="cut">{device.name}</span>
      </div>
      <div className={`tile-value${size > 8 ? ' long' : ''}`}>
        <span className="cut">{key?.text ?? '–'}</span>
        {key && key.unit !== '' && <span className="tile-unit">{key.unit}</span>}
      </div>
      <Age value={device} hearing={hearing} bare />
    </li>
  )
}

const Clock = () => {
  const now = new Date(useNow())
  const night = isNight(now.getHours())
  useEffect(() => {
    document.documentElement.toggleAttribute('data-night', night)
    return () => document.documentElement.removeAttribute('data-night')
  }, [night])
  return (
    <time className="wall-clock" dateTime={now.toISOString()}>
      {String(now.getHours()).padStart(2, '0')}:{String(now.getMinutes()).padStart(2, '0')}
    </time>
  )
}

const useHealing = (): void => {
  const { link } = useJarvisContext()
  useEffect(() => {
    if (link.state !== 'lost') return undefined
    const timer = setInterval(() => {
      if (Date.now() - link.since < HEAL_AFTER_MS) return
      fetch('/health', { cache: 'no-store', signal: AbortSignal.timeout(HEAL_CHECK_MS / 2) }).then(
        () => location.reload(),
        () => undefined,
      )
    }, HEAL_CHECK_MS)
    return () => clearInterval(timer)
  }, [link])
}

const Ticker = ({ more }: { more: number }) => {
  const { workshop, link, readAt } = useJarvisContext()
  const now = useHubNow()
  if (link.state === 'lost')
    return (
      <p className="wall-line bad" role="alert">
        <Glyph shape="cross" />
        <span>
          Live connection lost, showing what was read <Ago at={readAt} />
        </span>
      </p>
    )
  const [first] = concerns(workshop, now)
  if (first)
    return (
      <p className={`wall-line ${first.tone}`} aria-live="polite">
        <Glyph shape={first.tone === 'bad' ? 'square' : 'triangle'} />
        <span>{first.text}</span>
      </p>
    )
  const [last] = [...workshop.requests.values()].sort((a, b) => b.issuedAt - a.issuedAt)
  return (
    <p className="wall-line soft" aria-live="polite">
      <span>
        {last
          ? `${workshop.devices.get(last.device)?.name ?? last.device}: ${intentLabel(last.intent).toLowerCase()}, ${statusWords(last.status).toLowerCase()}`
          : 'All quiet'}
        {more > 0 && ` · ${more} more devices in the app`}
      </span>
    </p>
  )
}

export const Wall = () => {
  useTopics(WALL_TOPICS)
  useHealing()
  const { workshop, link, readAt, problems } = useJarvisContext()
  const devices = byArea(workshop.devices.values()).flatMap((area) => area.devices)
  const shown = devices.slice(0, TILES)
  return (
    <div className="wall">
      <header className="wall-head">
        <h1>
          <Mark size={48} /> Millrace
        </h1>
        <div className="wall-state">
          <LineBadge />
          <span>
            <span className="unseen">Hub: </span>
            <HealthBadge />
          </span>
          <Clock />
        </div>
      </header>
      <main className="wall-main">
        {shown.length === 0 ? (
          <p className="soft">
            {readAt === 0
              ? (problems['devices'] ?? 'Reading devices…')
              : 'No devices yet. Connect one, or start the hub with DEMO=1.'}
          </p>
        ) : (
          <ul className="tiles">
            {shown.map((device) => (
              <Tile key={device.id} device={device} hearing={link.state !== 'lost'} />
            ))}
          </ul>
        )}
      </main>
      <footer className="wall-foot">
        <Ticker more={devices.length - shown.length} />
        <StopButton className="wall-stop" />
      </footer>
    </div>
  )
}
