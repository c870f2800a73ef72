// One device: its values and their age, what it can be asked, its past as charts, its requests and whose it is.
import { useEffect, useState, type ReactNode } from 'react'
import { sentence } from '../api/problem.ts'
import { Age, Ago } from '../design/age.tsx'
import { Badge } from '../design/badge.tsx'
import { Icon, kindIcon } from '../design/icon.tsx'
import { Note, Spark } from '../design/parts.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { fromCommand, merge, type RequestView } from '../live/request.ts'
import type { DeviceView } from '../live/state.ts'
import { originWords } from '../messages/origin.ts'
import { To } from '../pages/to.tsx'
import { RequestRow } from '../requests/list.tsx'
import { Charts } from './chart.tsx'
import { Forget } from './forget.tsx'
import { orderedIntents } from './intent.ts'
import { Fate, IntentButton } from './intents.tsx'
import { useCommand } from './use-command.ts'
import { shownValues, words } from './value.ts'

const Part = ({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) => (
  <section className="panel part">
    <div className="side-head">
      <h2>{title}</h2>
      {aside}
    </div>
    <div className="part-body">{children}</div>
  </section>
)

const Values = ({ device, hearing }: { device: DeviceView; hearing: boolean }) => {
  const values = shownValues(device)
  if (values.length === 0) return <p className="small soft">It has not published a state yet.</p>
  return (
    <dl className="facts">
      {values.map(({ name, label, text, unit, number }) => (
        <div key={name}>
          <dt className="small soft">{label}</dt>
          <dd className="fact-value">
            {number !== undefined && <Spark values={device.trail[name] ?? []} />}
            <span>
              {text}
              {unit !== '' && <span className="soft"> {unit}</span>}
            </span>
            <Age value={device} hearing={hearing} bare />
          </dd>
        </div>
      ))}
    </dl>
  )
}

const Asking = ({ device }: { device: DeviceView }) => {
  const { me } = useJarvisContext()
  const asking = useCommand(device.id, device.name)
  const mayAsk = me.rights.length === 0 || me.rights.includes('devices.request')
  const intents = orderedIntents(Object.keys(device.intents), device.safe)
  if (intents.length === 0) return <p className="small soft">It only tells; it cannot be asked for anything.</p>
  return (
    <>
      {!mayAsk && <p className="small soft">Your role may look, but not ask devices for anything.</p>}
      <div className="row">
        {intents.map((intent) => (
          <IntentButton key={intent} device={device} intent={intent} asking={asking} isDisabled={!mayAsk} />
        ))}
      </div>
      <Fate asking={asking} />
    </>
  )
}

/** Requests to this device: those the hub keeps, with what was heard of them since. */
const Requests = ({ device }: { device: DeviceView }) => {
  const { hub, workshop } = useJarvisContext()
  const [past, setPast] = useState<readonly RequestView[] | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useEffect(() => {
    let current = true
    hub.commandsOf(device.id).then(
      (items) => current && setPast(items.map(fromCommand)),
      (error: unknown) => current && setProblem(sentence(error)),
    )
    return () => {
      current = false
    }
  }, [hub, device.id])
  const all = new Map(past?.map((one) => [one.id, one]))
  for (const one of workshop.requests.values()) {
    const known = all.get(one.id)
    if (one.device === device.id) all.set(one.id, known ? merge(known, one) : one)
  }
  const requests = [...all.values()].sort((a, b) => b.issuedAt - a.issuedAt)
  return (
    <>
      {problem !== undefined && <Note tone="warn">Its older requests cannot be read: {problem}</Note>}
      {requests.length === 0 ? (
        <p className="small soft">{past ? 'Nobody has asked it for anything yet.' : 'Reading…'}</p>
      ) : (
        <ul className="lines">
          {requests.map((request) => (
            <RequestRow key={request.id} request={request} name={device.name} />
          ))}
        </ul>
      )}
    </>
  )
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) =>
  children === undefined || children === '' ? null : (
    <div>
      <dt className="small soft">{name}</dt>
      <dd>{children}</dd>
    </div>
  )

const About = ({ device }: { device: DeviceView }) => (
  <dl className="facts">
    <Fact name="Id">{device.id}</Fact>
    <Fact name="Kind">{words(device.kind)}</Fact>
    <Fact name="Area">{device.area}</Fact>
    <Fact name="Owner">{device.owner === '' ? 'nobody yet' : originWords(device.owner)}</Fact>
    <Fact name="Maker">{device.maker}</Fact>
    <Fact name="Model">{device.model}</Fact>
    <Fact name="By way of">{device.via}</Fact>
    <Fact name="Last heard">
      <Ago at={device.receivedAt} />
    </Fact>
  </dl>
)

const Detail = ({ device }: { device: DeviceView }) => {
  const { link, me } = useJarvisContext()
  const hearing = link.state === 'live'
  return (
    <>
      <div className="row device-top">
        <span className="kind-icon">
          <Icon name={kindIcon(`${device.kind} ${device.id}`)} size={22} />
        </span>
        <Badge tone={device.online ? 'good' : 'bad'}>{device.online ? 'Online' : 'Offline'}</Badge>
        <Age value={device} hearing={hearing} />
        <span className="small soft">
          {words(device.kind)}
          {device.area !== undefined && ` · ${device.area}`}
        </span>
      </div>
      <div className="flow-parts">
        <div className="stack">
          <Part title="What it can do">
            <Asking device={device} />
          </Part>
          <Part title="Values">
            <Values device={device} hearing={hearing} />
          </Part>
          {me.rights.includes('journal.read') && (
            <Part title="Past">
              <Charts device={device} />
            </Part>
          )}
        </div>
        <div className="stack">
          <Part title="Requests">
            <Requests device={device} />
          </Part>
          <Part title="About" {...(me.rights.includes('devices.manage') ? { aside: <Forget device={device} /> } : {})}>
            <About device={device} />
          </Part>
        </div>
      </div>
    </>
  )
}

export const DevicePage = ({ id }: { id: string }) => {
  const { workshop, readAt } = useJarvisContext()
  useTopics(
    ['about', 'state', 'online', 'telemetry', 'request', 'cmd', 'ack', 'result'].map((leaf) => `devices/${id}/${leaf}`),
  )
  const device = workshop.devices.get(id)
  return (
    <div className="stack">
      <p className="crumbs small">
        <To path="/devices" className="crumb">
          <Icon name="back" size={16} /> All devices
        </To>
      </p>
      {device && <Detail device={device} />}
      {!device &&
        (readAt === 0 ? (
          <div className="panel skeleton device-reserve" />
        ) : (
          <Note tone="warn">The hub has no device {id} (any more).</Note>
        ))}
    </div>
  )
}
