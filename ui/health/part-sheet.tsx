// The question before a client is disconnected or its session is forgotten.
import { useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { ClientItem } from '../api/types.ts'
import { Button } from '../design/button.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Check } from '../design/field.tsx'
import { Note } from '../design/parts.tsx'
import { tell } from '../design/toast.tsx'
import { numberText } from '../devices/value.ts'
import { useJarvisContext } from '../live/jarvis.tsx'

interface Props {
  client: ClientItem
  onClose: () => void
  onDone: () => void
}

const lost = ({ queued }: ClientItem): string =>
  queued === 0
    ? 'its subscriptions are lost'
    : `its subscriptions and ${numberText(queued)} waiting message${queued === 1 ? '' : 's'} are lost`

const Question = ({ client, onClose, onDone }: Props) => {
  const { hub } = useJarvisContext()
  const { clientId, online } = client
  const [forgets, setForgets] = useState(!online)
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)

  const part = async (): Promise<void> => {
    setBusy(true)
    try {
      await (forgets ? hub.forgetSession(clientId) : hub.disconnect(clientId))
      tell(forgets ? `The session of ${clientId} is forgotten.` : `${clientId} was disconnected.`)
      onDone()
      onClose()
    } catch (error) {
      setProblem(sentence(error))
      setBusy(false)
    }
  }

  return (
    <>
      {online ? (
        <>
          <p>
            Its connection ends now and its last will is published. It may connect again at once; to keep it out, revoke
            its credential.
          </p>
          <Check isSelected={forgets} onChange={setForgets}>
            Forget its session too: {lost(client)}, and its last will is not published
          </Check>
        </>
      ) : (
        <p>When it connects again it begins anew: {lost(client)}. This cannot be undone.</p>
      )}
      {problem !== undefined && (
        <Note tone="warn" alert>
          {problem}
        </Note>
      )}
      <div className="row">
        <Button look="primary" isDisabled={isBusy} onPress={() => void part()}>
          {online ? 'Disconnect' : 'Forget the session'}
        </Button>
        <Button onPress={onClose}>Cancel</Button>
      </div>
    </>
  )
}

/** Open while there is a client to part from. */
export const PartSheet = ({ client, onClose, onDone }: Omit<Props, 'client'> & { client: ClientItem | undefined }) => (
  <Sheet
    title={
      client?.online === false ? `Forget the session of ${client.clientId}?` : `Disconnect ${client?.clientId ?? ''}?`
    }
    isOpen={client !== undefined}
    onClose={onClose}
  >
    {client && <Question client={client} onClose={onClose} onDone={onDone} />}
  </Sheet>
)
