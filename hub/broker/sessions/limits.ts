// How much the session store keeps. Beyond it the oldest messages of a queue go; new sessions and new retained topics are refused.

export interface SessionLimits {
  /** Messages that wait for one client. */
  perClientMessages: number
  /** Bytes that wait for one client. */
  perClientBytes: number
  /** Bytes of all waiting messages together, each counted once however many clients it waits for. They are on disk. */
  queuedBytes: number
  /** What of one queue is held in memory beside the disk; a page of this size is read when it has run out. */
  heldMessages: number
  heldBytes: number
  /** Bytes of all queues together that are held in memory; near it the pages become smaller. */
  allHeldBytes: number
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
  heldMessages: 500,
  heldBytes: 256 * 1024,
  allHeldBytes: 16 * 2 ** 20,
  maxAgeMs: 7 * 24 * 3_600_000,
  retainedTopics: 100_000,
  retainedBytes: 256 * 2 ** 20,
  sessions: 10_000,
  perClientIncoming: 1000,
}
