// The correlation id follows a request through everything it sets off, without being passed by hand.
import { AsyncLocalStorage } from 'node:async_hooks'

export interface Correlation {
  /** The id of what is being worked on, or undefined outside of any request. */
  current(): string | undefined
  /** Runs `work`, and everything asynchronous it starts, under this id. */
  run<T>(id: string, work: () => T): T
}

/** One per hub: made in main.ts, given to the log, the web app and outbound calls. */
export const openCorrelation = (): Correlation => {
  const storage = new AsyncLocalStorage<string>()
  return { current: () => storage.getStore(), run: (id, work) => storage.run(id, work) }
}

const SHAPE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/

/** Whether an id that came from outside may be used: it ends up in headers, logs and topics. */
export const isCorrelationId = (id: unknown): id is string => typeof id === 'string' && SHAPE.test(id)
