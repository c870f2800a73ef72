// New approvals are told to eyes and ears on every page; the bar shows how many wait.
import { useEffect, useRef } from 'react'
import { tell } from '../design/toast.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { useOpenApprovals } from './use-approvals.ts'
import { askedWords, neededWords, ownOrigin } from './words.ts'

/** Tells of each approval that came after the first look. */
export const useArrivals = (): number => {
  const { workshop, me, readAt } = useJarvisContext()
  const open = useOpenApprovals()
  const known = useRef<Set<string> | undefined>(undefined)
  useEffect(() => {
    if (readAt === 0) return
    const first = known.current === undefined
    const seen = (known.current ??= new Set())
    for (const one of open) {
      if (seen.has(one.id)) continue
      seen.add(one.id)
      if (first || one.requestedBy === ownOrigin(me)) continue
      const name = workshop.devices.get(one.device)?.name ?? one.device
      tell(`Approval asked. ${askedWords(one, name)}. ${neededWords(one, ownOrigin(me))}`)
    }
  }, [open, readAt, me, workshop.devices])
  return open.length
}
