// The stop button, always on the screen, and what became of a stop.
import { useEffect, useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { StopAnswer } from '../api/types.ts'
import { Badge } from '../design/badge.tsx'
import { HoldButton } from '../design/button.tsx'
import { Sheet } from '../design/dialog.tsx'
import { Icon } from '../design/icon.tsx'
import { Note } from '../design/parts.tsx'
import { say } from '../design/toast.tsx'
import { intentLabel } from '../devices/intent.ts'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { reached, reachWords, type Reached } from './reach.ts'

type Outcome =
  { kind: 'asking' } | { kind: 'answered'; stop: StopAnswer; at: number } | { kind: 'unsent'; reason: string }

const LOOK = {
  sent: { tone: 'warn', word: 'Sent, no answer yet' },
  done: { tone: 'good', word: 'Done' },
  failed: { tone: 'bad', word: 'Failed' },
} as const

/** While an answer is missing and the live line is down, the requests are read again this often, and no longer than this. */
const ASK_AGAIN_MS = 1500
const ASK_FOR_MS = 30_000

const Row = ({ one, name }: { one: Reached; name: string }) => (
  <li className="reach-row">
    <div>
      <strong>{name}</strong>
      <div className="small soft">{one.reason ?? one.intents.map(intentLabel).join(', ')}</div>
    </div>
    <Badge tone={LOOK[one.state].tone}>{LOOK[one.state].word}</Badge>
  </li>
)

const Answered = ({ stop, at }: { stop: StopAnswer; at: number }) => {
  const { workshop, link, refetch } = useJarvisContext()
  const devices = reached(stop, [...workshop.requests.values()], at)
  const open = devices.some(({ state }) => state === 'sent')
  const words = reachWords(devices)
  useEffect(() => say(words), [words])
  useEffect(() => {
    if (!open || link.state === 'live') return undefined
    const timer = setInterval(() => void refetch(), ASK_AGAIN_MS)
    const end = setTimeout(() => clearInterval(timer), ASK_FOR_MS)
    return () => {
      clearInterval(timer)
      clearTimeout(end)
    }
  }, [open, link.state, refetch])
  return (
    <>
      <p>{words}</p>
      <ul className="reach">
        {devices.map((one) => (
          <Row key={one.device} one={one} name={workshop.devices.get(one.device)?.name ?? one.device} />
        ))}
      </ul>
    </>
  )
}

/** Hold 0.8 s to send every device the safe intents it declared for a stop. */
export const StopButton = ({ className = '' }: { className?: string }) => {
  const { hub, me } = useJarvisContext()
  useTopics(['devices/+/cmd', 'devices/+/result'])
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined)
  const may = me.rights.length === 0 || me.rights.includes('safety.stop')

  const fire = (): void => {
    setOutcome({ kind: 'asking' })
    say('Stop sent.')
    const at = Date.now() + hub.offset()
    hub.stop('Stop button').then(
      (stop) => setOutcome({ kind: 'answered', stop, at }),
      (error: unknown) => setOutcome({ kind: 'unsent', reason: sentence(error) }),
    )
  }

  return (
    <div className={`stop-place ${className}`} data-react-aria-top-layer="true">
      <HoldButton className="stop" question="Stop everything that moves?" isDisabled={!may} onHeld={fire}>
        <Icon name="stop" />
        <span className="stop-words">
          <span>STOP</span>
          <span className="stop-hold">hold</span>
          <span className="unseen">to stop everything that moves</span>
        </span>
      </HoldButton>
      <Sheet title="Stop" isOpen={outcome !== undefined} onClose={() => setOutcome(undefined)}>
        <div className="stop-outcome" aria-live="assertive">
          {outcome?.kind === 'asking' && <p>Sending the stop to the hub…</p>}
          {outcome?.kind === 'unsent' && (
            <Note tone="bad" alert>
              <strong>The stop was not sent.</strong> {outcome.reason} Use the machine’s own stop now.
            </Note>
          )}
          {outcome?.kind === 'answered' && <Answered stop={outcome.stop} at={outcome.at} />}
        </div>
        <p className="small soft">
          This button sends messages. It is no substitute for a physical emergency stop: in danger, press the one on the
          machine.
        </p>
      </Sheet>
    </div>
  )
}
