// Asking a device for something, and following what becomes of it.
import { useEffect, useRef, useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { say, tell } from '../design/toast.tsx'
import { useJarvisContext } from '../live/jarvis.tsx'
import { isClosed, statusWords, type RequestView } from '../live/request.ts'
import { intentLabel } from './intent.ts'

export interface Asked {
  intent: string
  /** Known once the hub has taken it. */
  id?: string
  problem?: string
}

export interface Asking {
  asked: Asked | undefined
  request: RequestView | undefined
  /** True from the press to the hub's answer. */
  busy: boolean
  /** Resolves with the problem, if the hub did not take it. */
  ask(intent: string, payload?: Record<string, unknown>): Promise<Problem | undefined>
}

/** While the live line is down an open command is looked up this often, and no longer than half a minute. */
const LOOK_MS = 2000
const LOOKS = 15

/** The last thing asked of one device from this card. */
export const useCommand = (device: string, name: string): Asking => {
  const { hub, workshop, link, refetch } = useJarvisContext()
  const [asked, setAsked] = useState<Asked | undefined>(undefined)
  const [busy, setBusy] = useState(false)
  const request = asked?.id === undefined ? undefined : workshop.requests.get(asked.id)
  const status = request?.status
  const said = useRef('')

  useEffect(() => {
    if (!asked || status === undefined || !isClosed(status) || said.current === asked.id) return
    said.current = asked.id ?? ''
    const words = `${name}: ${intentLabel(asked.intent)}: ${statusWords(status)}${request?.reason === undefined ? '' : `. ${request.reason}`}`
    if (status === 'done') say(words)
    else tell(words)
  }, [asked, status, name, request?.reason])

  const open = asked?.id !== undefined && (status === undefined || !isClosed(status))
  useEffect(() => {
    if (!open || link.state === 'live') return undefined
    let looks = 0
    const timer = setInterval(() => {
      looks += 1
      if (looks >= LOOKS) clearInterval(timer)
      void refetch()
    }, LOOK_MS)
    return () => clearInterval(timer)
  }, [open, link.state, refetch])

  const ask = async (intent: string, payload?: Record<string, unknown>): Promise<Problem | undefined> => {
    setBusy(true)
    setAsked({ intent })
    try {
      const { commandId } = await hub.command(device, intent, payload)
      setAsked({ intent, id: commandId })
      return undefined
    } catch (error) {
      const problem = sentence(error)
      setAsked({ intent, problem })
      say(`${name}: ${problem}`)
      return error instanceof Problem ? error : undefined
    } finally {
      setBusy(false)
    }
  }
  return { asked, request, busy, ask }
}
