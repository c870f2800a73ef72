// Folds what repeats: the first of equal audit events is told, those of the next minute are counted and told as one.
import type { Clock } from '../clock.ts'
import type { AuditEvent } from './audit.ts'
import type { Wait } from './bounds.ts'

const WINDOW_MS = 60_000
/** Different events of one origin told apart within a minute; further ones are counted by name alone. */
const MOST_PER_ORIGIN = 50

interface Folded {
  event: AuditEvent
  more: number
  off: () => void
}

/** `tell` writes to the audit. */
export const openFold = ({
  clock,
  wait,
  tell,
}: {
  clock: Pick<Clock, 'now'>
  wait: Wait
  tell: (event: AuditEvent) => void
}) => {
  const folded = new Map<string, Folded>()
  const perOrigin = new Map<string, number>()

  const end = (key: string): void => {
    const found = folded.get(key)
    if (found === undefined) return
    const { event, more } = found
    folded.delete(key)
    const left = (perOrigin.get(event.who) ?? 1) - 1
    if (left > 0) perOrigin.set(event.who, left)
    else perOrigin.delete(event.who)
    if (more > 0) tell({ ...event, at: clock.now(), detail: { ...event.detail, more } })
  }

  const begin = (key: string, event: AuditEvent, more: number): void => {
    perOrigin.set(event.who, (perOrigin.get(event.who) ?? 0) + 1)
    folded.set(key, { event, more, off: wait(WINDOW_MS, () => end(key)) })
  }

  return {
    /** True for the first of its kind in a minute, which the caller tells; others are counted. `same` is what they have in common besides origin, device and intent. */
    isFirst(event: AuditEvent, same: string): boolean {
      const { who, event: name, device, intent } = event
      const exact = JSON.stringify([who, name, device, intent, same])
      const coarse = JSON.stringify([who, name])
      const known = folded.get(exact)
      if (known !== undefined) {
        known.more++
        return false
      }
      if ((perOrigin.get(who) ?? 0) < MOST_PER_ORIGIN) {
        begin(exact, event, 0)
        return true
      }
      const rest = folded.get(coarse)
      if (rest === undefined) begin(coarse, { ...event, subject: '', device: '', intent: '', detail: {} }, 1)
      else rest.more++
      return false
    },
    /** Tells what was counted so far. */
    close(): void {
      for (const [key, { off }] of [...folded]) {
        off()
        end(key)
      }
    },
  }
}
