// The workshop as one value that changes at most four times a second, however fast the messages come.

export interface Store<T> {
  get(): T
  /** Changes the value; listeners hear of it at the next beat. */
  change(next: (value: T) => T): void
  /** Tells the listeners now. */
  flush(): void
  subscribe(listener: () => void): () => void
}

const BEAT_MS = 250

/** A value with listeners. `get` gives what listeners were last told, so that everything on the screen agrees. */
export const store = <T>(initial: T, beat = BEAT_MS): Store<T> => {
  let working = initial
  let shown = initial
  let timer: ReturnType<typeof setTimeout> | undefined
  const listeners = new Set<() => void>()
  const flush = (): void => {
    if (timer !== undefined) clearTimeout(timer)
    timer = undefined
    if (shown === working) return
    shown = working
    for (const listener of [...listeners]) listener()
  }
  return {
    get: () => shown,
    change: (next) => {
      working = next(working)
      timer ??= setTimeout(flush, beat)
    },
    flush,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
