// A log for what a stranger or a broken client repeats for ever: each thing once a minute, with how often it came.
import type { Log } from '../health/report.ts'
import { remember } from './remember.ts'

const EVERY_MS = 60_000

/** Writes a warning for the same `event` and `key` at most once a minute; the next one says how many were left out. */
export type QuietWarn = (event: string, key: string, fields: object) => void

export const quietly = (log: Log, now: () => number): QuietWarn => {
  const said = new Map<string, { at: number; left: number }>()
  return (event, key, fields) => {
    const name = `${event} ${key}`
    const before = said.get(name)
    if (before !== undefined && now() - before.at < EVERY_MS) {
      before.left++
      return
    }
    remember(said, name, { at: now(), left: 0 })
    log.warn(event, before?.left ? { ...fields, leftOut: before.left } : fields)
  }
}
