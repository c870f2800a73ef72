// Thousands of clients that do nothing but be there, each with one subscription, and come back when they are cut.
import type { Entrance } from '../brokers.ts'
import { serve } from './child.ts'
import { subscribe, type Client } from './wire.ts'

export interface CrowdSetup {
  entrance: Entrance
  first: number
  count: number
}
/** `back`: wait until everybody is there. `storm`: all drop their connection at once, and come back. */
export type CrowdOrder = 'back' | 'storm'
export interface CrowdResult {
  ms: number
  /** Attempts that failed. */
  failures: number
}

/** Below what the hub lets log in at once from one address. */
const PER_ADDRESS = 25
const AT_ONCE = 500
const BACK_MS = 90_000

const addressOf = (n: number): string => {
  const host = Math.floor(n / PER_ADDRESS)
  return `127.0.${1 + Math.floor(host / 200)}.${1 + (host % 200)}`
}

serve<CrowdSetup, CrowdOrder, CrowdResult>(async ({ entrance, first, count }) => {
  const there = new Map<number, Client>()
  let failures = 0
  let stormy = false
  const join = async (n: number): Promise<void> => {
    for (;;) {
      try {
        const gone = () => {
          there.delete(n)
          setTimeout(() => void join(n), stormy ? 0 : Math.random() * 500)
        }
        there.set(
          n,
          await subscribe(entrance, { id: `bench-i${n}`, address: addressOf(n), gone }, `bench/idle/${n}`, 0),
        )
        return
      } catch {
        failures++
        await new Promise((next) => setTimeout(next, 50 + Math.random() * 450))
      }
    }
  }
  const back = async (): Promise<void> => {
    for (const late = performance.now() + BACK_MS; there.size < count;) {
      if (performance.now() > late)
        throw new Error(`${count - there.size} of ${count} are not back; ${failures} failures`)
      await new Promise((next) => setTimeout(next, 5))
    }
  }
  for (let n = first; n < first + count; n += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, first + count - n) }, (_, i) => join(n + i)))
  }
  return async (order) => {
    const begun = performance.now()
    failures = 0
    if (order === 'storm') {
      stormy = true
      const all = [...there.values()]
      there.clear()
      for (const { socket } of all) socket.destroy()
    }
    await back()
    stormy = false
    return { ms: performance.now() - begun, failures }
  }
})
