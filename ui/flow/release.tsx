// Lets a flow run again that is quarantined, has ended or did not load.
import { useState } from 'react'
import { sentence } from '../api/problem.ts'
import { Button } from '../design/button.tsx'
import { tell } from '../design/toast.tsx'
import { words } from '../devices/value.ts'
import { useJarvisContext } from '../live/jarvis.tsx'

/** The button, for those who may; `onDone` after the hub said yes. */
export const Release = ({ id, onDone }: { id: string; onDone?: () => void }) => {
  const { hub, me, refetch } = useJarvisContext()
  const [busy, setBusy] = useState(false)
  if (!me.rights.includes('flows.manage')) return null
  const release = async (): Promise<void> => {
    setBusy(true)
    try {
      await hub.release(id)
      tell(`${words(id)} runs again.`)
      onDone?.()
      await refetch()
    } catch (error) {
      tell(sentence(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button isDisabled={busy} onPress={() => void release()}>
      Let it run again
    </Button>
  )
}
