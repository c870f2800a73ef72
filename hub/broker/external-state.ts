// How the line to another broker is, as health: down, up, or up with something a person has to see to.
import type { Health } from '../health/report.ts'

export interface LineHealth {
  up(): void
  down(sentence: string): void
  /** Something to see to although the line is up; said for a quarter of an hour since it last happened. */
  note(kind: string, sentence: string): void
  close(): void
}

const NOTE_MS = 900_000
const LOOK_MS = 30_000

export const openLineHealth = (
  health: Pick<Health, 'set'>,
  part: string,
  now: () => number,
  more: () => string,
): LineHealth => {
  const notes = new Map<string, { sentence: string; at: number }>()
  let wrong: string | undefined = 'The line is being made.'
  const say = () => {
    for (const [kind, { at }] of notes) if (now() - at > NOTE_MS) notes.delete(kind)
    const said = [...notes.values()].map(({ sentence }) => sentence).join(' ')
    if (wrong !== undefined) health.set(part, 'unhealthy', `${wrong} ${more()}`.trim())
    else if (said !== '') health.set(part, 'degraded', said)
    else health.set(part, 'healthy')
  }
  const timer = setInterval(say, LOOK_MS)
  timer.unref()
  return {
    up() {
      wrong = undefined
      say()
    },
    down(sentence) {
      wrong = sentence
      say()
    },
    note(kind, sentence) {
      notes.set(kind, { sentence, at: now() })
      say()
    },
    close: () => clearInterval(timer),
  }
}
