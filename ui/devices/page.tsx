// Devices: all of them by area, found by text, area, kind and trouble, each with its values and their age.
import { memo, useMemo, useState } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { Age } from '../design/age.tsx'
import { Choice, TextField } from '../design/field.tsx'
import { Icon, kindIcon } from '../design/icon.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { useNow } from '../live/now.ts'
import type { DeviceView } from '../live/state.ts'
import { To } from '../pages/to.tsx'
import { choicesOf, EVERYTHING, foundDevices, isTroubled, type Wanted } from './find.ts'
import { byArea, firstOf, NO_AREA } from './group.ts'
import { devicePath } from './path.ts'
import { shownValues, words } from './value.ts'

const TOPICS = ['devices/+/about', 'devices/+/state', 'devices/+/online', 'devices/+/telemetry']
const VALUES = 3
/** More rows than this are shown when asked for: a house has thousands of entities. */
const ROWS = 200

const Row = memo(({ device, hearing }: { device: DeviceView; hearing: boolean }) => (
  <li className="line" data-device={device.id} data-online={device.online}>
    <To path={devicePath(device.id)} className="line-head device-line">
      <span className="kind-icon">
        <Icon name={kindIcon(`${device.kind} ${device.id}`)} size={20} />
      </span>
      <span className="line-main">
        <strong className="cut">{device.name}</strong>
        <span className="small soft cut">
          {words(device.kind)} · {device.id}
        </span>
      </span>
      <span className="device-values">
        {shownValues(device)
          .slice(0, VALUES)
          .map(({ name, label, text, unit }) => (
            <span key={name} className="device-value">
              <span className="small soft cut">{label}</span>
              <span className="cut">
                {text}
                {unit !== '' && <span className="soft"> {unit}</span>}
              </span>
            </span>
          ))}
      </span>
      <Age value={device} hearing={hearing} />
    </To>
  </li>
))
Row.displayName = 'DeviceRow'

interface FiltersProps {
  devices: readonly DeviceView[]
  wanted: Wanted
  troubled: number
  onChange: (wanted: Wanted) => void
}

const Filters = ({ devices, wanted, troubled, onChange }: FiltersProps) => {
  const options = (all: string, values: readonly string[], name: (value: string) => string) => [
    { value: '', text: all },
    ...choicesOf(values).map(({ value, count }) => ({ value, text: `${name(value)} (${count})` })),
  ]
  const areas = devices.map(({ area }) => area ?? NO_AREA)
  const kinds = devices.map(({ kind }) => kind)
  return (
    <div className="device-filters">
      <TextField
        label="Find a device"
        type="search"
        value={wanted.text}
        onChange={(text) => onChange({ ...wanted, text })}
        placeholder="Name, id, maker or owner"
      />
      <Choice
        label="Area"
        value={wanted.area}
        onChange={(area) => onChange({ ...wanted, area })}
        options={options('All areas', areas, (area) => area)}
      />
      <Choice
        label="Kind"
        value={wanted.kind}
        onChange={(kind) => onChange({ ...wanted, kind })}
        options={options('All kinds', kinds, words)}
      />
      <AriaButton
        className="button chip"
        aria-pressed={wanted.onlyTrouble}
        isDisabled={troubled === 0 && !wanted.onlyTrouble}
        onPress={() => onChange({ ...wanted, onlyTrouble: !wanted.onlyTrouble })}
      >
        In trouble <span className="soft">{troubled}</span>
      </AriaButton>
    </div>
  )
}

const List = ({ devices }: { devices: readonly DeviceView[] }) => {
  const { link } = useJarvisContext()
  const [most, setMost] = useState(ROWS)
  return (
    <>
      {firstOf(byArea(devices), most).map(({ name, total, devices: shown }) => (
        <section key={name} className="panel side-panel">
          <div className="side-head">
            <h2>{name}</h2>
            <span className="small soft">{total}</span>
          </div>
          <ul className="lines">
            {shown.map((device) => (
              <Row key={device.id} device={device} hearing={link.state !== 'lost'} />
            ))}
          </ul>
        </section>
      ))}
      {devices.length > most && (
        <div>
          <AriaButton className="button" onPress={() => setMost(most + ROWS)}>
            Show more of {devices.length}
          </AriaButton>
        </div>
      )}
    </>
  )
}

export const DevicesPage = () => {
  const { workshop, readAt, problems } = useJarvisContext()
  useTopics(TOPICS)
  const now = useNow()
  const [wanted, setWanted] = useState<Wanted>(EVERYTHING)
  const all = useMemo(() => [...workshop.devices.values()], [workshop.devices])
  const found = foundDevices(all, wanted, now)
  if (all.length === 0)
    return problems['devices'] !== undefined ? (
      <Note tone="bad">The devices cannot be read: {problems['devices']}</Note>
    ) : readAt === 0 ? (
      <div className="panel skeleton device-reserve" />
    ) : (
      <div className="panel">
        <Empty title="No devices yet">
          Devices that speak MQTT discovery appear by themselves. Give another a credential (
          <code>POST /api/device-credentials</code>) and let it publish <code>devices/&lt;id&gt;/about</code>, or start
          the hub with <code>DEMO=1 npm start</code> to see a simulated workshop.
        </Empty>
      </div>
    )
  return (
    <div className="stack">
      <Filters
        devices={all}
        wanted={wanted}
        troubled={all.filter((one) => isTroubled(one, now)).length}
        onChange={setWanted}
      />
      {found.length === 0 ? (
        <div className="panel">
          <Empty title="Nothing found">No device fits. Write less, or look at all areas and kinds.</Empty>
        </div>
      ) : (
        <List devices={found} />
      )}
    </div>
  )
}
