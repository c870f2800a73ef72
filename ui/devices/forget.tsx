// Taking a device out of the hub, after a question that says what goes.
import { useState } from 'react'
import { sentence } from '../api/problem.ts'
import { Button } from '../design/button.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Note } from '../design/parts.tsx'
import { tell } from '../design/toast.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { DeviceView } from '../live/state.ts'
import { go } from '../pages/route.ts'

export const Forget = ({ device }: { device: DeviceView }) => {
  const { hub, refetch } = useJarvisContext()
  const [isOpen, setOpen] = useState(false)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const forget = async (): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      await hub.forgetDevice(device.id)
      tell(`${device.name} is forgotten.`)
      go('/devices', { replace: true })
      void refetch()
    } catch (error) {
      setProblem(sentence(error))
      setBusy(false)
    }
  }
  return (
    <>
      <Button look="quiet" onPress={() => setOpen(true)} label={`Forget ${device.name}…`}>
        Forget…
      </Button>
      <Sheet title={`Forget ${device.name}?`} isOpen={isOpen} onClose={() => setOpen(false)}>
        <p>
          Its retained state, its owner and the credentials issued for it go. It has to be let in anew to come back.
          What the journal and the audit say of it stays.
        </p>
        {device.owner.startsWith('plugin:') && (
          <Note tone="idle">
            It belongs to {device.owner.replace(':', ' ')}, which may announce it again: take it out there, too.
          </Note>
        )}
        {problem !== undefined && (
          <Note tone="bad" alert>
            {problem}
          </Note>
        )}
        <div className="row">
          <Button look="primary" onPress={() => void forget()} isDisabled={busy}>
            Forget it
          </Button>
          <Button onPress={() => setOpen(false)}>Cancel</Button>
        </div>
      </Sheet>
    </>
  )
}
