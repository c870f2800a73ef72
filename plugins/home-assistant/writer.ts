// Writes what changed, newest only: a device that changes faster than it can be written is written later, and once.

export interface Writer {
  touch(id: string): void
  /** Writes it at once when it waits. */
  flush(id: string): void
  drop(id: string): void
  /** Devices that wait to be written: never more than there are devices. */
  depth(): number
  close(): void
}

export interface WriterOptions {
  write: (id: string) => void
  /** Between two writes of one device, in ms. */
  gapMs?: number
}

/** Long enough to take several changes together, short enough for nobody to notice. */
const TURN_MS = 5
/** Devices written in one turn, so that a resync does not hold the event loop. */
const MOST_A_TURN = 50
const GAP_MS = 25

/** One timer while something waits, none otherwise. */
export const openWriter = ({ write, gapMs = GAP_MS }: WriterOptions): Writer => {
  const waiting = new Set<string>()
  const written = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined

  const turn = (): void => {
    timer = undefined
    const at = performance.now()
    let left = MOST_A_TURN
    for (const id of waiting) {
      if (at - (written.get(id) ?? -Infinity) < gapMs) continue
      waiting.delete(id)
      written.set(id, at)
      write(id)
      if (--left === 0) break
    }
    if (waiting.size > 0) timer ??= setTimeout(turn, left === 0 ? 0 : TURN_MS)
  }

  return {
    touch(id) {
      waiting.add(id)
      timer ??= setTimeout(turn, TURN_MS)
    },
    flush(id) {
      if (!waiting.delete(id)) return
      written.set(id, performance.now())
      write(id)
    },
    drop(id) {
      waiting.delete(id)
      written.delete(id)
    },
    depth: () => waiting.size,
    close() {
      clearTimeout(timer)
      waiting.clear()
    },
  }
}
