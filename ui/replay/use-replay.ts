// One replay from wish to report: begun, followed, cancelled; forgotten by the hub when the page is left.
import { useCallback, useEffect, useRef, useState } from 'react'
import { sentence } from '../api/problem.ts'
import type { ReplayWish } from '../api/client.ts'
import type { Replay } from '../api/types.ts'
import { useJarvisContext } from '../live/jarvis.tsx'

/** Most replays end within a moment; a long one is asked for more seldom, for the hub counts the requests of a person. */
const FIRST_MS = 250
const SLOWEST_MS = 3000
/** The hub may be busy; after so many unanswered questions in a row it is given up. */
const MISSED_AT_MOST = 5

export interface ReplayRun {
  /** What was asked for last, also while it runs. */
  wish: ReplayWish | undefined
  replay: Replay | undefined
  problem: unknown
  isRunning: boolean
  start(wish: ReplayWish): void
  cancel(): void
}

export const useReplay = (): ReplayRun => {
  const { hub } = useJarvisContext()
  const [wish, setWish] = useState<ReplayWish | undefined>(undefined)
  const [replay, setReplay] = useState<Replay | undefined>(undefined)
  const [problem, setProblem] = useState<unknown>(undefined)
  const [isRunning, setRunning] = useState(false)
  const run = useRef({ stopped: true, id: '' })

  const forget = useCallback(() => {
    const { id } = run.current
    run.current.stopped = true
    // Whether the hub still knows it makes no difference to the person who leaves.
    if (id !== '') hub.endReplay(id).catch(() => undefined)
  }, [hub])
  useEffect(() => forget, [forget])

  const start = (next: ReplayWish): void => {
    forget()
    const mine = { stopped: false, id: '' }
    run.current = mine
    setWish(next)
    setReplay(undefined)
    setProblem(undefined)
    setRunning(true)
    const follow = async (): Promise<void> => {
      mine.id = await hub.startReplay(next)
      if (mine.stopped) return void hub.endReplay(mine.id).catch(() => undefined)
      for (let missed = 0, pause = FIRST_MS; ; pause = Math.min(pause * 1.6, SLOWEST_MS)) {
        await new Promise((done) => setTimeout(done, pause))
        if (mine.stopped) return
        try {
          const read = await hub.replay(mine.id)
          missed = 0
          if (mine.stopped) return
          setReplay(read)
          if (read.state === 'failed') throw new Error(read.error ?? 'The hub gave no reason.', { cause: 'failed' })
          if (read.state !== 'running') return
        } catch (error) {
          missed += 1
          if (missed > MISSED_AT_MOST || (error instanceof Error && error.cause === 'failed')) throw error
        }
      }
    }
    follow()
      .catch((error: unknown) => {
        if (!mine.stopped) setProblem(error)
      })
      .finally(() => {
        if (run.current === mine) setRunning(false)
      })
  }
  const cancel = (): void => {
    forget()
    run.current = { stopped: true, id: '' }
    setRunning(false)
    setReplay((was) => (was ? { ...was, state: 'cancelled' } : was))
    setWish(undefined)
  }
  return { wish, replay, problem, isRunning, start, cancel }
}

/** Words for a replay that did not work. */
export const replayProblem = (problem: unknown): string => sentence(problem)
