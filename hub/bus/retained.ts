// The retained set as the hub sees it: the last message of each retained topic, changed in the same turn in which it is accepted.
import type { Envelope } from './envelope.ts'

export interface Retained {
  /** Keeps it, or clears the topic when the payload is empty. False when a bound is reached and the topic is new. */
  set(envelope: Envelope): boolean
  get(topic: string): Envelope | undefined
  all(): Iterable<Envelope>
  readonly size: number
}

/** Bounds: 100,000 topics and 256 MiB by default, as in the broker's own store. */
export const openRetained = ({ topics = 100_000, bytes = 256 * 2 ** 20 } = {}): Retained => {
  const kept = new Map<string, Envelope>()
  let size = 0
  return {
    set(envelope) {
      const old = kept.get(envelope.topic)
      if (envelope.payload.length === 0) {
        kept.delete(envelope.topic)
        size -= old?.payload.length ?? 0
        return true
      }
      const grown = size - (old?.payload.length ?? 0) + envelope.payload.length
      if (grown > bytes || (old === undefined && kept.size >= topics)) return false
      size = grown
      kept.set(envelope.topic, envelope)
      return true
    },
    get: (topic) => kept.get(topic),
    all: () => kept.values(),
    get size() {
      return kept.size
    },
  }
}
