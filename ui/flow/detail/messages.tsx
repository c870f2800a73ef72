// The last messages that came in and went out, each with its why.
import { useState } from 'react'
import type { FlowMessage } from '../../api/types.ts'
import { useJarvisContext } from '../../live/jarvis.tsx'
import type { MessageView } from '../../live/state.ts'
import { MessageLines } from '../../messages/list.tsx'
import { WhyDrawer } from '../../messages/why.tsx'

interface Props {
  messages: readonly FlowMessage[]
  /** Said when there are none. */
  none: string
}

export const FlowMessages = ({ messages, none }: Props) => {
  const { short } = useJarvisContext()
  const [open, setOpen] = useState<MessageView | undefined>(undefined)
  if (messages.length === 0) return <p className="small soft none">{none}</p>
  const views = [...messages]
    .sort((a, b) => b.seq - a.seq)
    .map(({ seq, at, topic, payload }): MessageView => ({ key: `j${seq}`, seq, at, topic: short(topic), payload }))
  return (
    <>
      <MessageLines messages={views} onOpen={setOpen} />
      <WhyDrawer message={open} onClose={() => setOpen(undefined)} />
    </>
  )
}
