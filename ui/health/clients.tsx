// MQTT clients: who is connected, whose session sleeps, what waits for them, what they lost and what went wrong.
import { useEffect, useId, useState } from 'react'
import type { ClientItem, Clients } from '../api/types.ts'
import { Ago, For } from '../design/age.tsx'
import { Badge, type Tone } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { TextField } from '../design/field.tsx'
import { Empty, Note } from '../design/parts.tsx'
import { numberText } from '../devices/value.ts'
import { ageWords } from '../live/age.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import { useNow } from '../live/now.ts'
import { originWords } from '../messages/origin.ts'
import { bytesText, stateOf } from './client-words.ts'
import { PartSheet } from './part-sheet.tsx'
import { useClients } from './use-clients.ts'

const LIMIT = 200
const TYPING_MS = 300

const Figure = ({ name, value, tone }: { name: string; value: string; tone?: Tone | undefined }) => (
  <div>
    <dt className="small soft">{name}</dt>
    <dd className={tone}>{value}</dd>
  </div>
)

const Tally = ({ counts }: { counts: Clients['counts'] }) => (
  <dl className="counts tally">
    <Figure name="connected" value={numberText(counts.connected)} />
    <Figure name="asleep" value={numberText(counts.asleep)} />
    <Figure name="messages waiting" value={numberText(counts.queued)} />
    <Figure name="dropped" value={numberText(counts.dropped)} tone={counts.dropped > 0 ? 'warn' : undefined} />
    <Figure
      name="slow ones cut"
      value={numberText(counts.slowClientsCut)}
      tone={counts.slowClientsCut > 0 ? 'warn' : undefined}
    />
  </dl>
)

/** How long a session still lives. */
const Left = ({ until }: { until: number }) => {
  const left = until - useNow()
  return <>{left <= 0 ? 'its session ends now' : `its session ends in ${ageWords(Math.max(left, 2000))}`}</>
}

/** Since when, and from where. Times of the hub are moved to this device's clock by `offset`, in ms. */
const Whereabouts = ({ client, offset }: { client: ClientItem; offset: number }) => (
  <span className="small soft">
    {originWords(client.principal)}
    {client.address !== undefined && ` · ${client.address}`}
    {client.protocol !== undefined && ` · MQTT ${client.protocol}`}
    {client.connectedAt !== undefined && (
      <>
        {' · for '}
        <For at={client.connectedAt - offset} />
      </>
    )}
    {client.expiresAt !== undefined && (
      <>
        {' · '}
        <Left until={client.expiresAt - offset} />
      </>
    )}
  </span>
)

interface RowProps {
  client: ClientItem
  offset: number
  onPart: ((client: ClientItem) => void) | undefined
}

const Row = ({ client, offset, onPart }: RowProps) => {
  const { tone, word } = stateOf(client)
  const { clientId, online, subscriptions, queued, queuedBytes, dropped, bufferedBytes, lastError } = client
  return (
    <li className="line client" data-client={clientId}>
      <div className="client-state">
        <Badge tone={tone}>{word}</Badge>
      </div>
      <div className="line-main client-who">
        <strong>{clientId}</strong>
        <Whereabouts client={client} offset={offset} />
      </div>
      <dl className="counts client-counts">
        <Figure name="subscriptions" value={numberText(subscriptions)} />
        <Figure
          name="waiting"
          value={queued === 0 ? '0' : `${numberText(queued)} (${bytesText(queuedBytes)})`}
          tone={queued > 0 && online ? 'warn' : undefined}
        />
        <Figure name="dropped" value={numberText(dropped)} tone={dropped > 0 ? 'warn' : undefined} />
        {bufferedBytes > 0 && <Figure name="unsent" value={bytesText(bufferedBytes)} />}
      </dl>
      {lastError !== undefined && (
        <p className="small client-error">
          <span className="soft">
            Last error, <Ago at={lastError.at - offset} />:
          </span>{' '}
          {lastError.what}
        </p>
      )}
      {onPart && (
        <div className="client-part">
          <Button
            label={online ? `Disconnect ${clientId}…` : `Forget the session of ${clientId}…`}
            onPress={() => onPart(client)}
          >
            {online ? 'Disconnect…' : 'Forget…'}
          </Button>
        </div>
      )}
    </li>
  )
}

/** What is typed, once typing has paused. */
const useTyped = (text: string): string => {
  const [typed, setTyped] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setTyped(text), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text])
  return typed
}

const Nothing = ({ text }: { text: string }) =>
  text === '' ? (
    <Empty title="No MQTT clients">
      Nobody is connected and no session waits. Give a device a credential (<code>POST /api/device-credentials</code>)
      and let it connect with it.
    </Empty>
  ) : (
    <Empty title="Nothing found">
      No client has “{text}” in its id, its device or person, its address or its last error.
    </Empty>
  )

/** The clients, for those who may read the broker; read every five seconds while shown. */
const List = () => {
  const { hub, me } = useJarvisContext()
  const title = useId()
  const [text, setText] = useState('')
  const [parting, setParting] = useState<ClientItem | undefined>(undefined)
  const view = useClients(useTyped(text.trim()), LIMIT)
  const { clients, problem, readAt } = view
  const offset = hub.offset()
  const onPart = me.rights.includes('devices.manage') ? setParting : undefined
  return (
    <section className="panel side-panel" aria-labelledby={title}>
      <div className="side-head">
        <h2 id={title}>MQTT clients</h2>
        {readAt > 0 && (
          <span className="small soft">
            read <Ago at={readAt} />
          </span>
        )}
      </div>
      {problem !== undefined && (
        <Note tone="warn">
          {clients ? 'What stands here is not up to date: ' : 'The clients cannot be read: '}
          {problem} Trying again every five seconds.
        </Note>
      )}
      {!clients && problem === undefined && <div className="skeleton reserve" />}
      {clients && (
        <>
          <Tally counts={clients.counts} />
          <div className="client-find">
            <TextField
              label="Find a client"
              type="search"
              value={text}
              onChange={setText}
              hint="By its id, device or person, address or last error"
            />
          </div>
          {clients.items.length === 0 ? (
            <Nothing text={view.text} />
          ) : (
            <ul className="lines">
              {clients.items.map((client) => (
                <Row key={client.clientId} client={client} offset={offset} onPart={onPart} />
              ))}
            </ul>
          )}
          {clients.total > clients.items.length && (
            <p className="small soft client-more">
              The first {numberText(clients.items.length)} of {numberText(clients.total)}. Type above to find one.
            </p>
          )}
        </>
      )}
      <PartSheet client={parting} onClose={() => setParting(undefined)} onDone={view.again} />
    </section>
  )
}

export const MqttClients = () => {
  const { me } = useJarvisContext()
  return me.rights.includes('broker.read') ? <List /> : null
}
