// The retained set as the hub sees it: the last message of each retained topic, changed in the same turn in which it is accepted.
import type { Envelope } from './envelope.ts'

export interface Retained {
  /** Whether it can be kept within the bounds. */
  fits(envelope: Pick<Envelope, 'topic' | 'payload'>): boolean
  /** Keeps it, or clears the topic when the payload is empty. */
  set(envelope: Envelope): void
  get(topic: string): Envelope | undefined
  all(): Iterable<Envelope>
  readonly size: number
}

/** Bounds: 100,000 topics and 256 MiB by default, as in the broker's own store. */
export const openRetained = ({ topics = 100_000, bytes = 256 * 2 ** 20 } = {}): Retained => {
  const kept = new Map<string, Envelope>()
  let size = 0
  return {
    fits({ topic, payload }) {
      const old = kept.get(topic)
      const grown = size - (old?.payload.length ?? 0) + payload.length
      return payload.length === 0 || (grown <= bytes && (old !== undefined || kept.size < topics))
    },
    set(envelope) {
      size += envelope.payload.length - (kept.get(envelope.topic)?.payload.length ?? 0)
      if (envelope.payload.length === 0) kept.delete(envelope.topic)
      else kept.set(envelope.topic, envelope)
    },
    get: (topic) => kept.get(topic),
    all: () => kept.values(),
    get size() {
      return kept.size
    },
  }
}
