// Announcements that wait to be looked at: the latest of each topic, in slices that hold the event loop for a few milliseconds only.
import type { NativeMessage } from '#hub/plugin'

export interface InboxParts {
  look(said: NativeMessage): void
  /** Called when nothing waits: does what came of it until the time given; true when something of that is left. */
  settle(until: number): boolean
  /** Called after each slice; `isDone` when nothing is left. */
  turned(isDone: boolean): void
  refuse(said: NativeMessage, reason: string): void
}

export interface Inbox {
  put(said: NativeMessage): void
  /** Puts off a retained record until all others were looked at; then it is looked at as if it were said now. */
  putOff(said: NativeMessage): void
  readonly size: number
  close(): void
}

const MOST = 40_000
const MOST_OF_ONE = 10_000
/** A slice of work holds the event loop no longer than this, ms. */
const SLICE_MS = 12

export const openInbox = ({ look, settle, turned, refuse }: InboxParts): Inbox => {
  const waiting = new Map<string, NativeMessage>()
  const later = new Map<string, NativeMessage>()
  const byOrigin = new Map<string, number>()
  let timer: NodeJS.Immediate | undefined

  const add = (said: NativeMessage): void => {
    waiting.set(said.topic, said)
    byOrigin.set(said.origin, (byOrigin.get(said.origin) ?? 0) + 1)
  }
  const drop = (said: NativeMessage): void => {
    waiting.delete(said.topic)
    const left = (byOrigin.get(said.origin) ?? 0) - 1
    if (left > 0) byOrigin.set(said.origin, left)
    else byOrigin.delete(said.origin)
  }

  const work = (): void => {
    timer = undefined
    const until = performance.now() + SLICE_MS
    for (const said of waiting.values()) {
      drop(said)
      look(said)
      if (performance.now() >= until) break
    }
    let isMore = waiting.size > 0 || settle(until + SLICE_MS)
    if (waiting.size === 0 && later.size > 0) {
      for (const said of later.values()) add({ ...said, retained: false })
      later.clear()
      isMore = true
    }
    turned(!isMore)
    if (isMore) timer = setImmediate(work)
  }

  return {
    put(said) {
      const earlier = waiting.get(said.topic)
      const isFull = waiting.size >= MOST || (byOrigin.get(said.origin) ?? 0) >= MOST_OF_ONE
      if (isFull && earlier?.origin !== said.origin) {
        refuse(said, 'too many announcements wait; announce it again later')
        return
      }
      if (earlier !== undefined) {
        drop(earlier)
        // Another's word on the same record does not displace the owner's before it was looked at.
        if (earlier.origin !== said.origin) look(earlier)
      }
      later.delete(said.topic)
      add(said)
      timer ??= setImmediate(work)
    },
    putOff: (said) => void later.set(said.topic, said),
    get size() {
      return waiting.size
    },
    close: () => clearImmediate(timer),
  }
}
