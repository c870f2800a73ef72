// An edge is the bounded queue between the bus and one listener. Nothing ever waits for a listener; what does not fit is dropped by its policy and counted.
import type { Overload } from '../streams/flow.ts'
import type { EdgeView } from './bus.ts'
import type { Envelope } from './envelope.ts'

export const DEFAULT_OVERLOAD: Overload = { dropOldest: 1000 }

export interface Edge {
  readonly filter: string
  offer(envelope: Envelope): void
  /** Hands over what waits now; what is offered meanwhile waits for the next turn. */
  drain(): void
  view(): EdgeView
}

export const edge = (
  { name, filter, overload = DEFAULT_OVERLOAD }: { name: string; filter: string; overload?: Overload | undefined },
  take: (envelope: Envelope) => void,
  failed: (name: string, error: unknown) => void,
): Edge => {
  const bound = overload === 'latest' ? 1 : Math.max(1, overload.dropOldest)
  let waiting: Envelope[] = []
  let heard = 0
  let dropped = 0
  return {
    filter,
    offer(envelope) {
      heard++
      waiting.push(envelope)
      if (waiting.length > bound) {
        waiting.shift()
        dropped++
      }
    },
    drain() {
      const now = waiting
      waiting = []
      for (const envelope of now) {
        try {
          take(envelope)
        } catch (error) {
          failed(name, error)
        }
      }
    },
    view: () => ({ name, topic: filter, in: heard, dropped, depth: waiting.length }),
  }
}
