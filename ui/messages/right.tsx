// By which right somebody published a message: the rule of the policy, as it is now.
import { useEffect, useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { RightItem } from '../api/types.ts'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'

interface Props {
  origin: string
  /** The full topic. */
  topic: string
  /** Ask at once; otherwise there is a button for it. */
  isAsked: boolean
}

const Answer = ({ origin, topic }: Omit<Props, 'isAsked'>) => {
  const { hub } = useJarvisContext()
  const [right, setRight] = useState<RightItem | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useEffect(() => {
    let current = true
    hub.right(origin, topic).then(
      (found) => {
        if (current) setRight(found)
      },
      (error: unknown) => {
        if (current) setProblem(sentence(error))
      },
    )
    return () => {
      current = false
    }
  }, [hub, origin, topic])
  if (problem !== undefined) return <p className="small soft">Its right cannot be read: {problem}</p>
  if (!right) return <p className="small soft">Looking up its right…</p>
  return (
    <p className="small right">
      <Badge tone={right.allowed ? 'good' : 'warn'} bare>
        {right.allowed ? 'May publish this' : 'May not publish this now'}
      </Badge>{' '}
      <span className="soft">{right.why}, as rights are now.</span>
    </p>
  )
}

/** The right behind a message, for those who may read the broker. Notes of the hub itself (`!…`) take none. */
export const Right = ({ origin, topic, isAsked }: Props) => {
  const { me } = useJarvisContext()
  const [asked, setAsked] = useState(isAsked)
  if (!me.rights.includes('broker.read') || origin === '' || topic.startsWith('!')) return null
  if (asked) return <Answer origin={origin} topic={topic} />
  return (
    <div className="row">
      <Button onPress={() => setAsked(true)}>By which right?</Button>
    </div>
  )
}
