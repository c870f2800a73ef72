// What was found on the network, read again and again while the page is seen: often while a search runs.
import { useCallback, useEffect, useRef, useState } from 'react'
import { sentence } from '../api/problem.ts'
import { useJarvisContext } from '../live/jarvis.tsx'
import type { Verb } from './found.tsx'
import type { NetworkFound } from './read.ts'

const SEARCHING_MS = 1000
const RESTING_MS = 10_000

export interface FoundView {
  /** undefined before the first answer, `off` while the hub does not search at all. */
  found: NetworkFound | 'off' | undefined
  problem: string | undefined
  search: () => Promise<void>
  decide: (id: string, verb: Verb) => Promise<void>
}

export const useFound = (): FoundView => {
  const { hub } = useJarvisContext()
  const [found, setFound] = useState<NetworkFound | 'off' | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [round, setRound] = useState(0)
  const asked = useRef(0)
  const again = useCallback(() => setRound((n) => n + 1), [])
  useEffect(() => {
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const mine = (asked.current += 1)
    const next = (ms: number): void => {
      if (current) timer = setTimeout(again, ms)
    }
    hub.network().then(
      (answer) => {
        if (!current || mine !== asked.current) return
        setProblem(undefined)
        setFound(answer ?? 'off')
        next(answer !== undefined && answer.searchingUntil > 0 ? SEARCHING_MS : RESTING_MS)
      },
      (error: unknown) => {
        if (!current) return
        setProblem(sentence(error))
        next(RESTING_MS)
      },
    )
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [hub, round, again])
  return {
    found,
    problem,
    search: async () => {
      await hub.searchNetwork()
      again()
    },
    decide: async (id, verb) => {
      const item = await hub.decideFound(id, verb)
      setFound((was) =>
        was === undefined || was === 'off'
          ? was
          : { ...was, items: was.items.map((one) => (one.id === id ? item : one)) },
      )
    },
  }
}
