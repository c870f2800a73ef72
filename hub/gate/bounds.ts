// The numbers of the gate: how long it waits and how much it holds.

export interface Bounds {
  /** No word from the executor for this long after the `cmd`: result `timeout`. */
  ackMs: number
  /** After `accepted` without `within`. */
  acceptedMs: number
  /** No extension keeps a command open longer than this after its `cmd`. */
  longestMs: number
  /** A request without `expiresAt` expires this long after it arrived. */
  expiryMs: number
  /** A request's own `expiresAt` counts up to this long after it arrived. */
  longestExpiryMs: number
  /** An interlock must answer within this. */
  interlockMs: number
  /** A safe intent waits this long for a command on its way to the same device, so that the two do not overtake each other. */
  overtakeMs: number
  /** A record that cannot be written within this refuses what is not safe. */
  recordMs: number
  /** A caller who waits for the judgement is told after this that there is none. */
  answerMs: number
  /** Requests one origin may make at once, and per second for long; beyond they are refused. */
  requestBurst: number
  requestsPerSecond: number
  /** The same for safe intents. */
  safeBurst: number
  safePerSecond: number
  /** The same for stops; beyond, a stop joins the last one. */
  stopBurst: number
  stopsPerSecond: number
  /** Open commands in all; safe intents may take as many again. */
  open: number
  /** Open commands of one device; safe intents may take as many again. */
  openPerDevice: number
  /** Closed commands whose id and outcome are kept in memory to recognise late acks and repeats; older ones are found in the table. */
  remembered: number
  /** Entries of a command's history; further ones are not kept. */
  history: number
  /** Closed commands stay in the table for this long. The audit stays for good. */
  keepMs: number
  /** Those that were never sent stay for this long. */
  keepRefusedMs: number
}

export const BOUNDS: Bounds = {
  ackMs: 5_000,
  acceptedMs: 60_000,
  longestMs: 24 * 3_600_000,
  expiryMs: 30_000,
  longestExpiryMs: 600_000,
  interlockMs: 200,
  overtakeMs: 100,
  recordMs: 5_000,
  answerMs: 15_000,
  requestBurst: 200,
  requestsPerSecond: 50,
  safeBurst: 1000,
  safePerSecond: 200,
  stopBurst: 5,
  stopsPerSecond: 1,
  open: 10_000,
  openPerDevice: 100,
  remembered: 20_000,
  history: 50,
  keepMs: 90 * 86_400_000,
  keepRefusedMs: 86_400_000,
}

/** Calls `work` once after `ms`; the returned function calls it off. */
export type Wait = (ms: number, work: () => void) => () => void

/** The process's own timers; a pending one keeps no process alive. */
export const realWait: Wait = (ms, work) => {
  const timer = setTimeout(work, Math.min(ms, 2 ** 31 - 1))
  timer.unref()
  return () => clearTimeout(timer)
}

/** The promise, or `'late'` after `ms`. A rejection passes through. */
export const within = async <T>(ms: number, promise: Promise<T>, wait: Wait): Promise<T | 'late'> => {
  let off = () => {}
  try {
    return await Promise.race([promise, new Promise<'late'>((resolve) => (off = wait(ms, () => resolve('late'))))])
  } finally {
    off()
  }
}
