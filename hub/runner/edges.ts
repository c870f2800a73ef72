// Edges: one bounded queue per `from(…)` of a flow, over one order of items. What does not fit is dropped by the edge's policy and counted.
import type { Envelope } from '../bus/envelope.ts'
import { TopicTrie } from '../bus/trie.ts'
import { Fifo } from './fifo.ts'
import { type Item, tickAt } from './frame.ts'
import type { Input } from './host.ts'

/** A run of messages that an edge did not get: all of its topic from one seq to another. */
export interface Gap {
  flow: number
  /** Number of the edge. */
  edge: number
  topic: string
  from: number
  to: number
  count: number
}

/** What an edge got and did not get, on whichever line it stood. */
export interface EdgeCounts {
  in: number
  dropped: number
}

/** By number of the edge. */
export type Accounts = Map<number, EdgeCounts>

interface Edge {
  readonly flow: number
  readonly input: Input
  readonly bound: number
  /** What waits for it, oldest first. */
  readonly waiting: Fifo<Place>
  readonly counts: EdgeCounts
  gap?: Gap
  open: boolean
}

/** An item with those it is for. */
interface Place {
  readonly item: Item & { skip: readonly number[] }
  readonly edges: readonly Edge[]
  /** How many of its edges still want it. */
  left: number
  readonly bytes: number
}

export interface Edges {
  open(flow: number, inputs: readonly Input[]): void
  close(flow: number): void
  /** Puts a message in line for those who listen; false when nobody does. */
  offer(envelope: Envelope): boolean
  /** Puts a tick in line, unless something waits that tells the time anyway. */
  tick(at: number): void
  /** The next item to send; it stays here until it is acknowledged. */
  next(): Item | undefined
  /** The oldest `count` items that were sent are done. */
  done(count: number): void
  /** Everything that was sent and is not done waits again: its receiver is gone. */
  again(): void
  /** Puts items that were counted before in line for those who listen. */
  put(items: Iterable<Item>): void
  /** What a flow was sent and is not done, in order; also when its edges are closed. */
  sentTo(flow: number): Item[]
  /** What waits for a flow, in order. Its edges are closed. */
  leave(flow: number): Item[]
  /** Takes back the gaps that are still open: their messages will be heard again from the journal. Returns the last seq in them; 0 for none. */
  recall(flow: number): number
  /** Forgets all that was sent or waits. */
  reset(): void
  /** How many messages wait for each edge of a flow. */
  depths(flow: number): number[]
  /** Stamp and seq of the last item in line. */
  readonly last: { at: number; seq: number }
  /** The same of the last item that is done. */
  readonly acked: { at: number; seq: number }
  readonly sent: number
  readonly sentBytes: number
  readonly waiting: number
}

const NOBODY: readonly number[] = []
/** What is kept of an item beside its payload, roughly. */
const ITEM_BYTES = 200
/** All that waits, together. */
const WAITING_BYTES = 64 * 2 ** 20
/** Dropped items may stay in line, without effect, until they are this many more than the others. */
const DEAD = 1024

export interface EdgesOptions {
  /** In number and bytes of all that waits; instead of what each edge asks for. While a flow is brought up to date its policy drops nothing. */
  atLeast?: number
  bytes?: number
  accounts?: Accounts
}

/** `gap` is told of each run of dropped messages when it ends. */
export const openEdges = (
  gap: (gap: Gap) => void,
  { atLeast = 1, bytes: mostBytes = WAITING_BYTES, accounts = new Map() }: EdgesOptions = {},
): Edges => {
  const trie = new TopicTrie<Edge>()
  const byFlow = new Map<number, Edge[]>()
  let sent = new Fifo<Place>()
  let waiting = new Fifo<Place>()
  let sentBytes = 0
  let live = { places: 0, bytes: 0 }
  const last = { at: 0, seq: 0 }
  const acked = { at: 0, seq: 0 }

  const release = (place: Place): void => {
    if (--place.left > 0) return
    live.places--
    live.bytes -= place.bytes
  }

  const drop = (edge: Edge): void => {
    const place = edge.waiting.shift()
    if (place === undefined) return
    const { skip, seq } = place.item
    place.item.skip = [...skip, edge.input.edge]
    edge.counts.dropped++
    edge.gap ??= { flow: edge.flow, edge: edge.input.edge, topic: edge.input.topic, from: seq, to: seq, count: 0 }
    edge.gap.to = seq
    edge.gap.count++
    release(place)
  }

  const open = ({ edges, item }: Place): readonly Edge[] =>
    edges.filter((edge) => edge.open && !item.skip.includes(edge.input.edge))

  const closeGap = (edge: Edge): void => {
    if (edge.gap === undefined) return
    gap(edge.gap)
    delete edge.gap
  }

  /** The oldest that waits is the oldest of each of its edges. */
  const dropOldest = (): void => {
    const place = waiting.shift()
    if (place?.item.topic === '') release(place)
    for (const edge of place?.edges ?? []) if (edge.waiting.peek() === place) drop(edge)
  }

  /** `edges`: those of the place that are open and not skipped. */
  const line = (place: Place, edges = open(place)): void => {
    const isTick = place.item.topic === ''
    place.left = isTick ? 1 : edges.length
    if (place.left === 0) return
    waiting.push(place)
    live.places++
    live.bytes += place.bytes
    for (const edge of edges) {
      edge.waiting.push(place)
      if (edge.waiting.size > edge.bound) drop(edge)
    }
    while (live.bytes > mostBytes && waiting.size > 1) dropOldest()
    if (waiting.size <= 2 * live.places + DEAD) return
    const kept = new Fifo<Place>()
    for (const each of waiting) if (each.left > 0) kept.push(each)
    waiting = kept
  }

  const close = (edge: Edge): void => {
    edge.open = false
    trie.remove(edge.input.filter, edge)
    for (let place = edge.waiting.shift(); place !== undefined; place = edge.waiting.shift()) release(place)
    closeGap(edge)
  }

  const accountOf = (edge: number): EdgeCounts => {
    const known = accounts.get(edge) ?? { in: 0, dropped: 0 }
    accounts.set(edge, known)
    return known
  }

  const empty = (): void => {
    sent = new Fifo()
    waiting = new Fifo()
    sentBytes = 0
    live = { places: 0, bytes: 0 }
    for (const edges of byFlow.values()) for (const edge of edges) while (edge.waiting.size > 0) edge.waiting.shift()
  }

  return {
    last,
    acked,
    get sent() {
      return sent.size
    },
    get sentBytes() {
      return sentBytes
    },
    get waiting() {
      return live.places
    },

    open(flow, inputs) {
      const before = byFlow.get(flow) ?? []
      const edges = inputs.map((input): Edge => {
        const known = before.find((edge) => edge.input.edge === input.edge)
        if (known?.open === true && isSame(known.input, input)) return known
        const { overload } = input
        const edge = {
          flow,
          input,
          bound: Math.max(atLeast, overload === 'latest' ? 1 : overload.dropOldest),
          waiting: new Fifo<Place>(),
          counts: accountOf(input.edge),
          open: true,
        }
        trie.add(input.filter, edge)
        return edge
      })
      for (const edge of before) if (edge.open && !edges.includes(edge)) close(edge)
      byFlow.set(flow, edges)
    },

    close(flow) {
      for (const edge of byFlow.get(flow) ?? []) if (edge.open) close(edge)
      byFlow.delete(flow)
    },

    offer({ seq, at, topic, origin, payload }) {
      // A message that was held back for the journal comes late; time does not go back for it.
      last.at = Math.max(last.at, at)
      last.seq = Math.max(last.seq, seq)
      const edges = trie.match(topic)
      if (edges.length === 0) return false
      for (const edge of edges) edge.counts.in++
      const item = { seq, at: last.at, topic, origin, payload, skip: NOBODY }
      // Those in the trie are open.
      line({ item, edges, left: 0, bytes: payload.length + ITEM_BYTES }, edges)
      return true
    },

    tick(at) {
      if (live.places > 0 || at < last.at) return
      last.at = at
      line({ item: { ...tickAt(at, last.seq), skip: NOBODY }, edges: [], left: 0, bytes: ITEM_BYTES })
    },

    next() {
      for (let place = waiting.shift(); place !== undefined; place = waiting.shift()) {
        if (place.left <= 0) continue
        live.places--
        live.bytes -= place.bytes
        for (const edge of place.edges) {
          if (edge.waiting.peek() !== place) continue
          edge.waiting.shift()
          closeGap(edge)
        }
        sent.push(place)
        sentBytes += place.bytes
        return place.item
      }
      return undefined
    },

    done(count) {
      for (let i = 0; i < count; i++) {
        const place = sent.shift()
        if (place === undefined) return
        sentBytes -= place.bytes
        acked.at = place.item.at
        acked.seq = Math.max(acked.seq, place.item.seq)
      }
    },

    again() {
      const all = [...sent, ...waiting].filter(({ left }) => left > 0)
      empty()
      for (const place of all) line(place)
    },
    reset: empty,

    put(items) {
      for (const item of items) {
        last.at = Math.max(last.at, item.at)
        last.seq = Math.max(last.seq, item.seq)
        line({
          item: { ...item },
          edges: trie.match(item.topic),
          left: 0,
          bytes: item.payload.length + ITEM_BYTES,
        })
      }
    },

    sentTo: (flow) => [...sent].filter((place) => isFor(place, flow)).map(({ item }) => item),

    leave(flow) {
      const mine = byFlow.get(flow) ?? []
      const isOpen = (place: Place) => place.left > 0 && place.edges.some((edge) => edge.open && edge.flow === flow)
      const left = [...waiting].filter((place) => isOpen(place) && isFor(place, flow))
      const items = left.map(({ item }) => ({ ...item }))
      for (const edge of mine) if (edge.open) close(edge)
      byFlow.delete(flow)
      // When they are sent to the others, they are not sent to this one.
      const numbers = mine.map(({ input }) => input.edge)
      for (const { item } of left) item.skip = [...item.skip, ...numbers]
      return items
    },

    recall(flow) {
      let to = 0
      for (const edge of byFlow.get(flow) ?? []) {
        // Who wants the newest alone has not missed what came before.
        if (edge.gap === undefined || edge.input.overload === 'latest') continue
        edge.counts.dropped -= edge.gap.count
        to = Math.max(to, edge.gap.to)
        delete edge.gap
      }
      return to
    },

    depths: (flow) => (byFlow.get(flow) ?? []).map(({ waiting: { size } }) => size),
  }
}

const isFor = ({ item, edges }: Place, flow: number): boolean =>
  edges.some((edge) => edge.flow === flow && !item.skip.includes(edge.input.edge))

const isSame = (a: Input, b: Input): boolean =>
  a.filter === b.filter && JSON.stringify(a.overload) === JSON.stringify(b.overload)
