// Parts are started downwards and stopped upwards; a part that does not stop in time is left behind and named.
import { reasonOf } from './errors.ts'
import type { Log } from './health/report.ts'

const STOP_MS = 2000

export interface Parts {
  /** Starts a part and remembers how to stop it. When it fails, everything above it has to be stopped by `stop`. */
  start<T>(name: string, opening: Promise<T> | T, stop?: (part: T) => Promise<void> | void): Promise<T>
  /** Stops all, the last started first. Never throws. */
  stop(): Promise<void>
  /** How long each part took to start, in ms. */
  times(): Readonly<Record<string, number>>
}

export const openParts = (log: Log): Parts => {
  const running: { name: string; stop: () => Promise<void> | void }[] = []
  const times: Record<string, number> = {}
  return {
    async start(name, opening, stop) {
      const begun = performance.now()
      const part = await opening
      times[name] = Math.round((performance.now() - begun) * 10) / 10
      log.debug('part-started', { name, ms: times[name] })
      if (stop !== undefined) running.push({ name, stop: () => stop(part) })
      return part
    },
    async stop() {
      for (let part = running.pop(); part !== undefined; part = running.pop()) {
        const { name, stop } = part
        let late: NodeJS.Timeout | undefined
        try {
          await Promise.race([
            stop(),
            new Promise((_, reject) => {
              late = setTimeout(() => reject(new Error(`did not stop within ${STOP_MS} ms`)), STOP_MS)
            }),
          ])
        } catch (error) {
          log.error('part-not-stopped', { name, error: reasonOf(error) })
        } finally {
          clearTimeout(late)
        }
      }
    },
    times: () => times,
  }
}
