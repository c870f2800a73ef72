// Flood control: equal reports beyond a count per window are held back, counted, and summed up once when the window ends.

export interface FloodSummary {
  source: string
  type: string
  throttled: number
  /** Message of the last one held back. */
  last: string
  windowMs: number
}

export interface Flood {
  /** Counts one report; false when it is held back. */
  passes(source: string, type: string, message: string): boolean
  /** Sums up every open window now. */
  close(): void
}

interface Window {
  source: string
  type: string
  seen: number
  throttled: number
  last: string
  ends: number
}

/** Kinds of reports watched at the same time; beyond it the oldest window is closed early. */
const MAX_WINDOWS = 1_000

/** A fixed window per source and type, begun by its first report. One timer for all of them. */
export const openFlood = (options: {
  count: number
  windowMs: number
  now: () => number
  summary: (summary: FloodSummary) => void
}): Flood => {
  const { count, windowMs, now, summary } = options
  const windows = new Map<string, Window>()
  let timer: NodeJS.Timeout | undefined

  const end = (key: string, window: Window): void => {
    windows.delete(key)
    const { source, type, throttled, last } = window
    if (throttled > 0) summary({ source, type, throttled, last, windowMs })
  }

  // Windows are in the order of their ends: all are equally long.
  const endDue = (): void => {
    timer = undefined
    const at = now()
    for (const [key, window] of windows) {
      if (window.ends > at) break
      end(key, window)
    }
    arm()
  }

  const arm = (): void => {
    const first = windows.values().next().value
    if (timer !== undefined || first === undefined) return
    timer = setTimeout(endDue, Math.min(Math.max(first.ends - now(), 1), windowMs)).unref()
  }

  return {
    passes: (source, type, message) => {
      const key = `${source}\n${type}`
      let window = windows.get(key)
      if (window !== undefined && window.ends <= now()) {
        end(key, window)
        window = undefined
      }
      if (window === undefined) {
        const oldest = windows.size >= MAX_WINDOWS ? windows.entries().next().value : undefined
        if (oldest !== undefined) end(...oldest)
        window = { source, type, seen: 0, throttled: 0, last: '', ends: now() + windowMs }
        windows.set(key, window)
        arm()
      }
      window.seen++
      if (window.seen <= count) return true
      window.throttled++
      window.last = message
      return false
    },
    close: () => {
      clearTimeout(timer)
      for (const [key, window] of [...windows]) end(key, window)
    },
  }
}
