// How much the session store keeps. Beyond it the oldest messages of a queue go; new sessions and new retained topics are refused.

export interface SessionLimits {
  /** Messages that wait for one client. */
  perClientMessages: number
  /** Bytes that wait for one client. */
  perClientBytes: number
  /** Bytes of all waiting messages together, each counted once however many clients it waits for. They are held in memory. */
  queuedBytes: number
  /** How long a message waits, and how long a session lives that its client does not come back to, ms. */
  maxAgeMs: number
  retainedTopics: number
  retainedBytes: number
  sessions: number
  /** QoS 2 messages of one client that it has not released (PUBREL). */
  perClientIncoming: number
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  perClientMessages: 1_000_000,
  perClientBytes: 2 ** 30,
  queuedBytes: 2 ** 30,
  maxAgeMs: 7 * 24 * 3_600_000,
  retainedTopics: 100_000,
  retainedBytes: 256 * 2 ** 20,
  sessions: 10_000,
  perClientIncoming: 1000,
}
