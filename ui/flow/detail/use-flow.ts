// One flow in full, read again every ten seconds and as soon as the live list says that it changed.
import { useCallback, useEffect, useState } from 'react'
import { Problem, sentence } from '../../api/problem.ts'
import type { FlowDetail } from '../../api/types.ts'
import { useJarvisContext, useTopics } from '../../live/jarvis.tsx'

/** What only counts, such as rates, may be this old; what changes is told by the live list at once. */
const EVERY_MS = 10_000

export interface FlowReading {
  flow: FlowDetail | undefined
  /** Why the last attempt to read it failed. */
  problem: string | undefined
  /** The hub does not know it (any more). */
  isGone: boolean
  again(): void
}

/** Nothing is asked while the page is hidden. */
export const useFlow = (id: string): FlowReading => {
  const { hub, workshop } = useJarvisContext()
  useTopics(['hub/flows'])
  const [flow, setFlow] = useState<FlowDetail | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [isGone, setGone] = useState(false)
  const [round, setRound] = useState(0)
  const heard = workshop.flows.find((one) => one.id === id)
  const change = heard === undefined ? '' : `${heard.status} ${heard.version} ${heard.newer?.state ?? ''}`

  useEffect(() => {
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = async (): Promise<void> => {
      if (document.visibilityState === 'visible')
        try {
          const read = await hub.flow(id)
          if (!current) return
          setFlow(read)
          setProblem(undefined)
          setGone(false)
        } catch (error) {
          if (!current) return
          setProblem(sentence(error))
          setGone(error instanceof Problem && error.status === 404)
        }
      if (current) timer = setTimeout(() => void ask(), EVERY_MS)
    }
    void ask()
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [hub, id, round, change])
  const again = useCallback(() => setRound((n) => n + 1), [])
  return { flow, problem, isGone, again }
}
