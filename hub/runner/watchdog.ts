// The watchdog: whether a process that has work still gets on with it, and within its memory.
import { type Usage, usageOf } from './usage.ts'

export interface WatchLimits {
  /** ms of CPU time without an answer. Elsewhere than on Linux only the silence counts. */
  turnMs: number
  /** ms without an answer by the wall clock. */
  silentMs: number
  /** Resident memory, MB. */
  rssMb: number
}

/** Who is to be named: whoever has the turn, only who took most memory, or nobody. */
export type Blame = 'turn' | 'heaviest' | 'nobody'

export interface Watchdog {
  /** The process said something. */
  answered(): void
  /** What it used when it was looked at last. */
  readonly usage: Usage | undefined
  close(): void
}

/** How often it looks while there is work, ms. */
const LOOK_MS = 25
/** Part of the limit that is taken since the last answer, from which on it is whoever has the turn. */
const IN_ONE_TURN = 0.2

/**
 * Silence is failure. CPU time is what counts, so that a suspended process or a starved machine blames nobody.
 */
export const watch = (options: {
  pid: number | undefined
  limits: WatchLimits
  /** It owes an answer. `allowanceMs`: CPU time it may take beyond the usual, for loading. */
  owes(): boolean
  allowanceMs(): number
  /** Resident bytes by its own word, where the system does not tell. */
  ownRss(): number
  failed(why: string, blame: Blame): void
}): Watchdog => {
  const { pid, limits } = options
  let answers = 0
  let base: { answers: number; cpuMs: number; rss: number; looks: number } | undefined
  let usage = usageOf(pid)
  const isLinux = usage !== undefined

  const verdict = (): { why: string; blame: Blame } | undefined => {
    if (base === undefined || base.answers !== answers) return undefined
    const cpu = usage === undefined ? 0 : usage.cpuMs - base.cpuMs
    const budget = Math.max(limits.turnMs, options.allowanceMs())
    if (isLinux && cpu > budget) return { why: `stuck: ${cpu} ms of CPU time without an answer`, blame: 'turn' }
    const silent = base.looks * LOOK_MS
    if (silent > Math.max(limits.silentMs, options.allowanceMs()))
      return { why: `silent for ${silent} ms`, blame: !isLinux || cpu > limits.turnMs / 2 ? 'turn' : 'nobody' }
    return undefined
  }

  const timer = setInterval(() => {
    const owes = options.owes()
    if (!owes && base === undefined) return
    usage = usageOf(pid)
    const rss = usage?.rss ?? options.ownRss()
    if (rss > limits.rssMb * 2 ** 20) {
      const grown = base?.answers === answers ? rss - base.rss : 0
      const why = `memory: ${Math.round(rss / 2 ** 20)} MiB, the limit is ${limits.rssMb}`
      return options.failed(why, grown > limits.rssMb * 2 ** 20 * IN_ONE_TURN ? 'turn' : 'heaviest')
    }
    if (!owes) return void (base = undefined)
    // Looks are counted, not time: while the hub itself is busy it does not look.
    if (base === undefined || base.answers !== answers) base = { answers, cpuMs: usage?.cpuMs ?? 0, rss, looks: 0 }
    else base.looks++
    if (verdict() === undefined) return
    // Its answer may lie in the socket, unread: everything there is read before the next turn but one.
    setImmediate(() =>
      setImmediate(() => {
        const found = verdict()
        if (found !== undefined) options.failed(found.why, found.blame)
      }),
    )
  }, LOOK_MS)
  timer.unref()

  return {
    answered: () => void answers++,
    get usage() {
      return usage
    },
    close: () => clearInterval(timer),
  }
}
