// The retained messages another broker sends because of a subscription: nothing marks their end, so it is when they stop coming.

export interface Replay {
  /** A retained message came. */
  heard(topic: string): void
  readonly isOn: boolean
  /** What came in this replay. */
  readonly topics: ReadonlySet<string>
  /** Ends it without `over`. */
  stop(): void
}

const QUIET_MS = 300
const LONGEST_MS = 10_000

/** Begins when the subscription is granted. `over` is called once, when nothing has come for 0.3 s, or after ten seconds. */
export const openReplay = (over: (topics: ReadonlySet<string>) => void): Replay => {
  const topics = new Set<string>()
  let isOn = true
  const stop = () => {
    isOn = false
    clearTimeout(quiet)
    clearTimeout(longest)
  }
  const end = () => {
    stop()
    over(topics)
  }
  let quiet = setTimeout(end, QUIET_MS)
  const longest = setTimeout(end, LONGEST_MS)
  return {
    heard(topic) {
      topics.add(topic)
      if (!isOn) return
      clearTimeout(quiet)
      quiet = setTimeout(end, QUIET_MS)
    },
    get isOn() {
      return isOn
    },
    topics,
    stop,
  }
}
