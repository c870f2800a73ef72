// The retained set as the hub sees it: the last message of each retained topic, changed in the same turn in which it is accepted.
import type { Envelope } from './envelope.ts'

export interface Retained {
  /** Whether it can be kept within the bounds, those of all and those of its origin. */
  fits(envelope: Pick<Envelope, 'topic' | 'payload' | 'origin'>): boolean
  /** Keeps it, or clears the topic when the payload is empty. */
  set(envelope: Envelope): void
  get(topic: string): Envelope | undefined
  all(): Iterable<Envelope>
  readonly size: number
}

interface Held {
  topics: number
  bytes: number
}

/** No single device may fill the set. The hub, its plugins and its people share the rest. */
const SHARE = 10

/** Bounds: 100,000 topics and 256 MiB by default, as in the broker's own store; a tenth of each for one origin. */
export const openRetained = ({ topics = 100_000, bytes = 256 * 2 ** 20 } = {}): Retained => {
  const kept = new Map<string, Envelope>()
  const origins = new Map<string, Held>()
  let size = 0

  const count = (origin: string, by: Held): void => {
    const held = origins.get(origin) ?? { topics: 0, bytes: 0 }
    held.topics += by.topics
    held.bytes += by.bytes
    if (held.topics === 0) origins.delete(origin)
    else origins.set(origin, held)
  }

  return {
    fits({ topic, payload, origin }) {
      if (payload.length === 0) return true
      const old = kept.get(topic)
      if (size - (old?.payload.length ?? 0) + payload.length > bytes) return false
      if (old?.origin === origin) return true
      const own = origins.get(origin) ?? { topics: 0, bytes: 0 }
      if (origin !== 'hub' && (own.topics >= topics / SHARE || own.bytes + payload.length > bytes / SHARE)) return false
      return old !== undefined || kept.size < topics
    },
    set(envelope) {
      const { topic, payload, origin } = envelope
      const old = kept.get(topic)
      if (old !== undefined) {
        size -= old.payload.length
        count(old.origin, { topics: -1, bytes: -old.payload.length })
        kept.delete(topic)
      }
      if (payload.length === 0) return
      size += payload.length
      count(origin, { topics: 1, bytes: payload.length })
      kept.set(topic, envelope)
    },
    get: (topic) => kept.get(topic),
    all: () => kept.values(),
    get size() {
      return kept.size
    },
  }
}
