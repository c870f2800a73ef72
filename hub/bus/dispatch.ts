// Dispatch: from one accepted envelope to every edge that listens, on a later tick, so that no listener re-enters itself.
import type { Overload } from '../streams/flow.ts'
import type { EdgeView } from './bus.ts'
import { edge, type Edge } from './edge.ts'
import type { Envelope } from './envelope.ts'
import { TopicTrie } from './trie.ts'

export interface Dispatch {
  listen(
    filter: string,
    options: { name: string; overload?: Overload | undefined },
    take: (envelope: Envelope) => void,
  ): () => void
  dispatch(envelope: Envelope): void
  edges(): EdgeView[]
}

/** `failed` is told of a listener that throws; the others go on. */
export const openDispatch = (failed: (name: string, error: unknown) => void): Dispatch => {
  const trie = new TopicTrie<Edge>()
  const edges = new Set<Edge>()
  let ready = new Set<Edge>()
  let draining = false

  const drain = (): void => {
    const now = ready
    ready = new Set()
    draining = true
    for (const one of now) one.drain()
    draining = false
    // What listeners published meanwhile waits for the event loop, so that a circle of listeners cannot starve the sockets.
    if (ready.size > 0) setImmediate(drain)
  }

  return {
    listen(filter, options, take) {
      const one = edge({ ...options, filter }, take, failed)
      trie.add(filter, one)
      edges.add(one)
      return () => {
        trie.remove(filter, one)
        edges.delete(one)
        ready.delete(one)
      }
    },
    dispatch(envelope) {
      const to = trie.match(envelope.topic)
      if (to.length === 0) return
      if (ready.size === 0 && !draining) queueMicrotask(drain)
      for (const one of to) {
        one.offer(envelope)
        ready.add(one)
      }
    },
    edges: () => [...edges].map((one) => one.view()),
  }
}
