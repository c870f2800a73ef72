// Waiting in tests: for an event where there is one, by looking again where there is none; always with a deadline.

/** Resolves to what `look` finds, now or after an event that `listen` passes on. Rejects when `look` throws, and after `ms` with `why`. */
export const until = async <T>(
  look: () => T | undefined,
  listen: (again: () => void) => () => void,
  ms: number,
  why: () => string,
): Promise<T> => {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const again = (): void => {
    try {
      const found = look()
      if (found !== undefined) resolve(found)
    } catch (error) {
      reject(error)
    }
  }
  const stop = listen(again)
  const late = setTimeout(() => reject(new Error(`after ${ms} ms ${why()}`)), ms)
  again()
  try {
    return await promise
  } finally {
    clearTimeout(late)
    stop()
  }
}

/** Asks again every `everyMs` until the answer is there. Rejects after `ms` with the last one. */
export const eventually = async <T, S extends T>(
  ask: () => Promise<T> | T,
  isSo: ((answer: T) => answer is S) | ((answer: T) => boolean),
  { ms = 8_000, everyMs = 100 } = {},
): Promise<S> => {
  const isThis = isSo as (answer: T) => answer is S
  for (const deadline = performance.now() + ms; ;) {
    const answer = await ask()
    if (isThis(answer)) return answer
    if (performance.now() > deadline) throw new Error(`still not so after ${ms} ms: ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
