// Everything about one device: all values, all intents, its last requests, whose it is.
import { Age, Ago } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Spark } from '../design/parts.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { DeviceView } from '../live/state.ts'
import { RequestRow } from '../requests/list.tsx'
import { orderedIntents } from './intent.ts'
import { Fate, IntentButton } from './intents.tsx'
import { useCommand } from './use-command.ts'
import { shownValues, words } from './value.ts'

const Fact = ({ name, value }: { name: string; value: string | undefined }) =>
  value === undefined || value === '' ? null : (
    <div>
      <dt className="small soft">{name}</dt>
      <dd>{value}</dd>
    </div>
  )

const Detail = ({ device }: { device: DeviceView }) => {
  const { workshop, link, me } = useJarvisContext()
  const asking = useCommand(device.id, device.name)
  const mayAsk = me.rights.length === 0 || me.rights.includes('devices.request')
  const requests = [...workshop.requests.values()]
    .filter((one) => one.device === device.id)
    .sort((a, b) => b.issuedAt - a.issuedAt)
    .slice(0, 5)
  return (
    <>
      <div className="row">
        <Badge tone={device.online ? 'good' : 'bad'}>{device.online ? 'Online' : 'Offline'}</Badge>
        <Age value={device} hearing={link.state === 'live'} />
      </div>
      <section>
        <h3>Values</h3>
        <dl className="facts">
          {shownValues(device).map(({ name, label, text, unit, number }) => (
            <div key={name}>
              <dt className="small soft">{label}</dt>
              <dd className="fact-value">
                <span>
                  {text}
                  {unit !== '' && <span className="soft"> {unit}</span>}
                </span>
                {number !== undefined && <Spark values={device.trail[name] ?? []} />}
              </dd>
            </div>
          ))}
        </dl>
        {shownValues(device).length === 0 && <p className="small soft">It has not published a state yet.</p>}
      </section>
      {Object.keys(device.intents).length > 0 && (
        <section>
          <h3>What it can do</h3>
          {!mayAsk && <p className="small soft">Your role may look, but not ask devices for anything.</p>}
          <div className="row">
            {orderedIntents(Object.keys(device.intents), device.safe).map((intent) => (
              <IntentButton key={intent} device={device} intent={intent} asking={asking} isDisabled={!mayAsk} />
            ))}
          </div>
          <Fate asking={asking} />
        </section>
      )}
      <section>
        <h3>Last requests</h3>
        {requests.length === 0 ? (
          <p className="small soft">Nobody has asked it for anything lately.</p>
        ) : (
          <ul className="lines">
            {requests.map((request) => (
              <RequestRow key={request.id} request={request} name={device.name} />
            ))}
          </ul>
        )}
      </section>
      <section>
        <h3>About</h3>
        <dl className="facts">
          <Fact name="Kind" value={words(device.kind)} />
          <Fact name="Area" value={device.area} />
          <Fact name="Id" value={device.id} />
          <Fact name="Owner" value={device.owner} />
          <Fact name="Maker" value={device.maker} />
          <Fact name="Model" value={device.model} />
          <Fact name="By way of" value={device.via} />
          <div>
            <dt className="small soft">Last heard</dt>
            <dd>
              <Ago at={device.receivedAt} />
            </dd>
          </div>
        </dl>
      </section>
    </>
  )
}

export const DeviceDrawer = ({ id, onClose }: { id: string | undefined; onClose: () => void }) => {
  const { workshop } = useJarvisContext()
  const device = id === undefined ? undefined : workshop.devices.get(id)
  return (
    <Sheet title={device?.name ?? 'Device'} isOpen={id !== undefined} onClose={onClose} place="side">
      {device ? <Detail key={device.id} device={device} /> : <p>This device is gone: it was taken out of the hub.</p>}
    </Sheet>
  )
}
