// A lane: the way to one flow alone. For a flow that is brought up to date, and for one that takes too much of everybody's time.
import type { Envelope } from '../bus/envelope.ts'
import { type Edges, type EdgesOptions, type Gap, openEdges } from './edges.ts'
import { Fifo } from './fifo.ts'
import type { Item } from './frame.ts'
import type { Input } from './host.ts'

/** `held`: its process is gone, or it is not started yet. `past`: it hears its history, then what waited. `slow`: paced. `leaving`: it is in company again, with answers outstanding. */
export type LaneState = 'held' | 'past' | 'slow' | 'leaving'

/** Items of history in one frame, and under way to one flow. */
const SLICE = 256
const PAST_WINDOW = 512
/** Items of history that wait in the hub for one flow, before no more is read. */
const PAST_WAITING = 8192
/** Items that wait for a flow while it is brought up to date, whatever its edges ask for. */
export const BEHIND = 100_000
const WINDOW = 512
/** Work of a slow flow under way at once, and how much longer than its work it pauses: after a turn that holds up everybody, much longer. */
const SLOW_MS = 5
const SLOW_MOST = 64
const PAUSE_PER_MS = 3
const PAUSE_MOST_MS = 500
const LONG_MS = 20
const LONG_PAUSE_PER_MS = 20
const LONG_PAUSE_MOST_MS = 3000

export interface Lane {
  readonly number: number
  readonly inputs: readonly Input[]
  readonly edges: Edges
  state: LaneState
  /** Up to here its history is in the journal; what comes later waits here. */
  readonly upTo: number
  offer(envelope: Envelope): void
  /** History, in order. */
  tell(item: Item): void
  room(): Promise<void>
  /** No more history will come. */
  told(): void
  /** Its run is over: nothing is sent any more, and whoever reads history for it waits for it no longer. */
  close(): void
  /** The next items to send, and whether they are history; undefined when there is nothing, or no room. */
  next(now: number): { past: boolean; items: Item[] } | undefined
  /** All that is there is under way; its history, too. */
  readonly isEmpty: boolean
  readonly inFlight: number
  /** `count` items were done, in `ms`, with so many outputs. */
  done(count: number, ms: number, now: number): void
  /** It works off its own lane again, from the beginning: its process is gone. Nothing is under way. */
  readonly behind: number
}

export const openLane = (
  number: number,
  inputs: readonly Input[],
  {
    state,
    upTo,
    gap,
    pending,
    options,
  }: {
    state: LaneState
    upTo: number
    gap: (gap: Gap) => void
    pending: Iterable<Item>
    options: EdgesOptions
  },
): Lane => {
  const edges = openEdges(gap, options)
  edges.open(number, inputs)
  edges.put(pending)
  const past = new Fifo<Item>()
  let isTold = state === 'slow'
  let isOver = false
  let pastInFlight = 0
  let waitingForRoom: (() => void)[] = []
  let notBefore = 0
  let perItemMs = state === 'slow' ? SLOW_MS : 1

  const goOn = (): void => {
    const now = waitingForRoom
    waitingForRoom = []
    for (const go of now) go()
  }

  const pastSlice = (): Item[] => {
    const items: Item[] = []
    while (items.length < SLICE && pastInFlight < PAST_WINDOW) {
      const item = past.shift()
      if (item === undefined) break
      items.push(item)
      pastInFlight++
    }
    if (past.size < PAST_WAITING / 2) goOn()
    return items
  }

  const window = (): number =>
    lane.state === 'slow' ? Math.max(1, Math.min(SLOW_MOST, Math.floor(SLOW_MS / perItemMs))) : WINDOW

  const lane: Lane = {
    number,
    inputs,
    edges,
    state,
    upTo,
    offer(envelope) {
      // What came before is in its history; a slow one has none, and may get what was held back for the journal.
      if (envelope.seq > upTo || lane.state === 'slow') edges.offer(envelope)
    },
    tell: (item) => void (isOver || past.push(item)),
    room: () =>
      isOver || past.size < PAST_WAITING
        ? Promise.resolve()
        : new Promise((resolve) => void waitingForRoom.push(resolve)),
    told() {
      isTold = true
    },
    close() {
      isOver = true
      edges.close(number)
      goOn()
    },
    next(now) {
      if (isOver || lane.state === 'held' || lane.state === 'leaving') return undefined
      if (past.size > 0) {
        const items = pastSlice()
        return items.length > 0 ? { past: true, items } : undefined
      }
      if (!isTold || (lane.state === 'slow' && now < notBefore)) return undefined
      const items: Item[] = []
      while (edges.sent < window() && items.length < SLICE) {
        const item = edges.next()
        if (item === undefined) break
        items.push(item)
      }
      return items.length > 0 ? { past: false, items } : undefined
    },
    get isEmpty() {
      return isTold && past.size === 0 && edges.waiting === 0
    },
    get inFlight() {
      return pastInFlight + edges.sent
    },
    done(count, ms, now) {
      const ofPast = Math.min(count, pastInFlight)
      pastInFlight -= ofPast
      edges.done(count - ofPast)
      if (count > 0) perItemMs = Math.max(0.01, perItemMs * 0.8 + (ms / count) * 0.2)
      const isLong = ms > LONG_MS * Math.max(1, count)
      notBefore =
        now +
        (isLong ? Math.min(LONG_PAUSE_MOST_MS, ms * LONG_PAUSE_PER_MS) : Math.min(PAUSE_MOST_MS, ms * PAUSE_PER_MS))
    },
    get behind() {
      return past.size + edges.waiting
    },
  }
  return lane
}
