// What was said in the last seconds, for devices that say how they are before they say what they are.
import type { NativeMessage } from '#hub/plugin'

export interface Recent {
  add(message: NativeMessage): void
  /** What was said on these topics, oldest first. */
  on(topics: ReadonlySet<string>): NativeMessage[]
  clear(): void
}

/** A Tasmota that starts reports after five seconds and announces itself after ten; the next report takes five minutes. */
const KEPT_MS = 30_000
const MOST = 5000
const MOST_BYTES = 4_194_304

export const openRecent = (now: () => number): Recent => {
  let kept: { message: NativeMessage; at: number }[] = []
  /** Where the oldest that counts is in `kept`. */
  let first = 0
  let bytes = 0
  const trim = (): void => {
    const since = now() - KEPT_MS
    for (let one = kept[first]; one !== undefined; one = kept[first]) {
      if (one.at >= since && kept.length - first <= MOST && bytes <= MOST_BYTES) break
      bytes -= one.message.payload.length
      first += 1
    }
    if (first <= MOST) return
    kept = kept.slice(first)
    first = 0
  }
  return {
    add(message) {
      kept.push({ message, at: now() })
      bytes += message.payload.length
      trim()
    },
    on(topics) {
      trim()
      return kept.slice(first).flatMap(({ message }) => (topics.has(message.topic) ? [message] : []))
    },
    clear() {
      kept = []
      first = 0
      bytes = 0
    },
  }
}
