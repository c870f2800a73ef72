// Whether this session counts as outside the building, where no yes counts. Asked once for each session.
import { useEffect, useState } from 'react'
import type { Hub } from '../api/client.ts'
import { useJarvisContext } from '../live/jarvis.tsx'

const asked = new WeakMap<Hub, Promise<string | undefined>>()

/** Why a yes from here does not count; undefined where it does, and while nobody knows: the hub judges again. */
export const useOutside = (): string | undefined => {
  const { hub } = useJarvisContext()
  const [why, setWhy] = useState<string | undefined>(undefined)
  useEffect(() => {
    let current = true
    const answer = asked.get(hub) ?? hub.outside()
    asked.set(hub, answer)
    answer.then(
      (said) => current && setWhy(said),
      () => asked.delete(hub),
    )
    return () => {
      current = false
    }
  }, [hub])
  return why
}
