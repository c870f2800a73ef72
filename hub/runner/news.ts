// News of the flows for `hub/flows`: when a state changes at most once a second, for mere counters every ten seconds.
import type { FlowView } from './runner.ts'

const CHANGED_MS = 1000
const COUNTED_MS = 10_000

export interface News {
  /** A state changed. */
  changed(): void
  /** A counter moved. */
  counted(): void
  close(): void
}

export const openNews = (options: {
  view(): FlowView[]
  publish(items: Omit<FlowView, 'about'>[]): void
  failed(error: unknown): void
}): News => {
  let timer: NodeJS.Timeout | undefined
  let due = Infinity
  let last = -Infinity

  const tell = (): void => {
    timer = undefined
    due = Infinity
    last = performance.now()
    try {
      options.publish(options.view())
    } catch (error) {
      options.failed(error)
    }
  }
  const within = (ms: number): void => {
    if (due <= last + ms) return
    const at = Math.max(last + ms, performance.now())
    if (at >= due) return
    due = at
    clearTimeout(timer)
    timer = setTimeout(tell, Math.max(0, at - performance.now()))
    timer.unref()
  }
  return {
    changed: () => within(CHANGED_MS),
    counted: () => within(COUNTED_MS),
    close: () => clearTimeout(timer),
  }
}
