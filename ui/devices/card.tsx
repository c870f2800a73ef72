// A device as a card: what it is, its key value, how fresh that is, and what it can be asked.
import { memo } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { Age } from '../design/age.tsx'
import { Button } from '../design/button.tsx'
import { Icon, kindIcon } from '../design/icon.tsx'
import { Spark } from '../design/parts.tsx'
import type { DeviceView } from '../live/state.ts'
import { Fate, IntentButton } from './intents.tsx'
import { orderedIntents } from './intent.ts'
import { useCommand } from './use-command.ts'
import { shownValues, words, type Shown } from './value.ts'

interface Props {
  device: DeviceView
  hearing: boolean
  mayAsk: boolean
  onOpen: (id: string) => void
}

const BUTTONS = 2
const VALUES = 3

/** A value beside the key value: `Humidity 41 %`, `Locked`. */
const brief = ({ label, text, unit, plain }: Shown): string =>
  `${plain === true ? '' : `${label} `}${text}${unit === '' ? '' : ` ${unit}`}`

/** A plain no is the usual case and left to the details. */
const isTelling = ({ text }: Shown): boolean => text !== 'No'

export const DeviceCard = memo(({ device, hearing, mayAsk, onOpen }: Props) => {
  const asking = useCommand(device.id, device.name)
  const [key, ...rest] = shownValues(device)
  const intents = orderedIntents(Object.keys(device.intents), device.safe)
  const more = intents.length > BUTTONS
  return (
    <li className="panel card" data-device={device.id} data-online={device.online}>
      <AriaButton className="card-title" onPress={() => onOpen(device.id)}>
        <span className="kind-icon">
          <Icon name={kindIcon(`${device.kind} ${device.id}`)} size={22} />
        </span>
        <span className="card-names">
          <span className="card-name cut">{device.name}</span>
          <Age value={device} hearing={hearing} />
        </span>
        <span className="unseen">details</span>
        <Icon name="chevron" size={16} />
      </AriaButton>
      <div className="card-value">
        <p className="key cut">
          <span className={`key-text${(key?.text.length ?? 0) > 9 ? ' long' : ''}`}>{key?.text ?? '–'}</span>
          {key && key.unit !== '' && <span className="key-unit">{key.unit}</span>}
        </p>
        {key?.number !== undefined && <Spark values={device.trail[key.name] ?? []} />}
        <p className="values small soft cut">
          {key ? [key.label, ...rest.filter(isTelling).slice(0, VALUES).map(brief)].join(' · ') : 'No value yet'}
        </p>
      </div>
      <div className="card-foot">
        <div className="row">
          {intents.slice(0, BUTTONS).map((intent) => (
            <IntentButton key={intent} device={device} intent={intent} asking={asking} isDisabled={!mayAsk} />
          ))}
          {more && (
            <Button look="quiet" icon="more" label={`More of ${device.name}`} onPress={() => onOpen(device.id)} />
          )}
        </div>
        <Fate asking={asking}>
          {words(device.kind)} · {device.online ? 'online' : 'offline'}
        </Fate>
      </div>
    </li>
  )
})
DeviceCard.displayName = 'DeviceCard'
