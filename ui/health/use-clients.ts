// The MQTT clients as the hub sees them, read again every five seconds while they are on the screen.
import { useEffect, useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { Clients } from '../api/types.ts'
import { useJarvisContext } from '../live/jarvis.tsx'

export const EVERY_MS = 5000

export interface ClientsView {
  clients: Clients | undefined
  /** When they were read, by this device's clock; 0 before the first time. */
  readAt: number
  /** Why the last attempt to read them failed. */
  problem: string | undefined
  /** What they were searched for. */
  text: string
  again(): void
}

/** Clients with `text` in them. Nothing is asked while the page is hidden. */
export const useClients = (text: string, limit: number): ClientsView => {
  const { hub } = useJarvisContext()
  const [read, setRead] = useState<{ clients?: Clients; at: number; text: string }>({ at: 0, text: '' })
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [round, setRound] = useState(0)

  useEffect(() => {
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    let isAsking = false
    const ask = async (): Promise<void> => {
      try {
        const clients = await hub.clients({ text, limit })
        if (!current) return
        setRead({ clients, at: Date.now(), text })
        setProblem(undefined)
      } catch (error) {
        if (current) setProblem(sentence(error))
      }
    }
    const next = (): void => {
      if (!current || isAsking || document.visibilityState !== 'visible') return
      clearTimeout(timer)
      isAsking = true
      void ask().finally(() => {
        isAsking = false
        if (current) timer = setTimeout(next, EVERY_MS)
      })
    }
    next()
    document.addEventListener('visibilitychange', next)
    return () => {
      current = false
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', next)
    }
  }, [hub, text, limit, round])

  return {
    clients: read.clients,
    readAt: read.at,
    problem,
    text: read.text,
    again: () => setRound((n) => n + 1),
  }
}
