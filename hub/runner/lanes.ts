// The lanes of those apart, and how flows move between them and the common line: with nothing lost, and nothing given twice.
import type { Envelope } from '../bus/envelope.ts'
import type { Log } from '../health/report.ts'
import type { Accounts, Edges, Gap } from './edges.ts'
import type { Item } from './frame.ts'
import type { Listener, Skip } from './history.ts'
import type { Input } from './host.ts'
import { BEHIND, type Lane, openLane } from './lane.ts'
import type { Control } from './protocol.ts'

export interface LanesOptions {
  accounts: Accounts
  gap(gap: Gap): void
  log: Log
  /** The line of all that are not apart. */
  common: Edges
  say(control: Control): void
  send(flow: number, past: boolean, items: readonly Item[]): void
  /** Sends all that waits in the common line. */
  flush(): void
  read(listeners: readonly Listener[]): () => void
  present(flow: number, error?: Error): void
  /** Its whole history can be heard again. */
  isExact(flow: number): boolean
  stamp(): number
}

/** What is known of a run that is in the process, or was. */
interface Member {
  inputs: readonly Input[]
  /** All that it heard came before or at this, at least. */
  floor: number
  /** It takes the place of this one, and that is not confirmed yet. */
  replaces?: number
}

/** All that waits in lanes, together, and the least for one, in bytes. */
const LANE_BYTES = 128 * 2 ** 20
const LEAST_BYTES = 2 ** 20
const SLOW_TICK_MS = 20

export const lanesOf = (options: LanesOptions) => {
  const { accounts, common, say } = options
  const members = new Map<number, Member>()
  const lanes = new Map<number, Lane>()
  /** By flow: what its history needs, until it is read. */
  const resumed = new Map<number, { after: number; skips: readonly Skip[]; speak: boolean; except: Set<number> }>()
  const excepted = new Map<number, Set<number>>()
  const speaking = new Set<number>()
  /** By flow: how many items it has done in lanes, since the process began. */
  const acked = new Map<number, number>()
  let ends: (() => void)[] = []
  let timer: NodeJS.Timeout | undefined

  const open = (
    number: number,
    inputs: readonly Input[],
    more: { state: Lane['state']; upTo: number; pending: Item[] },
  ) => {
    const isBehind = more.state !== 'slow'
    const lane = openLane(number, inputs, {
      ...more,
      gap: options.gap,
      options: {
        accounts,
        bytes: Math.max(LEAST_BYTES, LANE_BYTES / Math.max(1, members.size)),
        ...(isBehind ? { atLeast: BEHIND } : {}),
      },
    })
    lanes.set(number, lane)
    return lane
  }

  const drop = (number: number): void => {
    lanes.get(number)?.close()
    lanes.delete(number)
  }

  /** In company again: all it was sent alone goes before whatever comes now. */
  const join = (lane: Lane): void => {
    options.flush()
    const { number, inputs } = lane
    lane.edges.close(number)
    common.open(number, inputs)
    say({ do: 'apart', flow: number, on: false })
    lane.state = 'leaving'
    leaveIfDone(lane)
    options.present(number)
  }

  const leaveIfDone = (lane: Lane): void => {
    if (lane.state !== 'leaving' || lane.inFlight > 0) return
    const member = members.get(lane.number)
    if (member !== undefined) member.floor = Math.max(member.floor, lane.upTo, lane.edges.acked.seq)
    lanes.delete(lane.number)
  }

  /** Its history is over, and its clock stands where the last item left it. */
  const speakUp = ({ number }: Lane): void => {
    if (speaking.delete(number)) say({ do: 'speak', flow: number })
  }

  const pumpOne = (lane: Lane, now: number): void => {
    for (let next = lane.next(now); next !== undefined; next = lane.next(now)) {
      if (!next.past) speakUp(lane)
      options.send(lane.number, next.past, next.items)
    }
    if (lane.state !== 'past' || !lane.isEmpty) return
    speakUp(lane)
    join(lane)
  }

  /** Stamped now and put in line later, so that no message is overtaken by its time. */
  const tick = (lane: Lane): void => {
    const at = options.stamp()
    setImmediate(() => {
      if (lanes.get(lane.number) === lane && lane.state === 'slow') lane.edges.tick(at)
    })
  }

  const pump = (): void => {
    clearTimeout(timer)
    timer = undefined
    const now = performance.now()
    let isSlow = false
    for (const lane of lanes.values()) {
      pumpOne(lane, now)
      if (lane.state !== 'slow') continue
      isSlow = true
      if (lane.inFlight === 0 && lane.edges.waiting === 0) tick(lane)
    }
    if (!isSlow) return
    timer = setTimeout(pump, SLOW_TICK_MS)
    timer.unref()
  }

  /** Where a run stands whose process is gone: up to where its history reaches, and what it has to be given again. */
  const standing = (number: number, { floor }: Member): { upTo: number; pending: Item[] } => {
    const lane = lanes.get(number)
    const sent = common.sentTo(number)
    // What had no room while the process hung is not lost with it: the journal has it.
    const isAlong = lane === undefined || lane.state === 'leaving'
    const recalled = isAlong && options.isExact(number) ? common.recall(number) : 0
    const waiting = common.leave(number)
    if (lane === undefined) {
      const from = Math.max(floor, recalled)
      const upTo = Math.max(from, common.acked.seq)
      return { upTo, pending: [...sent, ...waiting].filter(({ seq }) => seq > from) }
    }
    const upTo = Math.max(lane.upTo, lane.edges.acked.seq)
    if (isAlong) {
      const own = lane.edges.sentTo(number)
      return {
        upTo: Math.max(upTo, recalled),
        pending: [...own, ...sent, ...waiting].filter(({ seq }) => seq > recalled),
      }
    }
    lane.edges.again()
    const own = lane.edges.leave(number)
    return sent.length === 0
      ? { upTo, pending: [...own, ...waiting] }
      : { upTo: Math.min(upTo, Math.max(floor, common.acked.seq)), pending: [...sent, ...waiting, ...own] }
  }

  return {
    /** Someone is apart. */
    get some() {
      return lanes.size > 0
    },
    get inFlight() {
      let sum = 0
      for (const lane of lanes.values()) sum += lane.inFlight
      return sum
    },
    get behind() {
      let sum = 0
      for (const lane of lanes.values()) if (lane.state !== 'slow') sum += lane.behind
      return sum
    },

    /** A new run stands in the common line, or, with `left`, takes over the lane and the backlog of the one it replaces. */
    began(
      number: number,
      inputs: readonly Input[],
      { seq, replaces, left }: { seq: number; replaces?: number | undefined; left?: Item[] | undefined },
    ): void {
      members.set(number, { inputs, floor: seq, ...(replaces === undefined ? {} : { replaces }) })
      if (left !== undefined) open(number, inputs, { state: 'slow', upTo: seq, pending: left })
    },

    /** The backlog of a slow run that is about to be replaced, and where it stands; undefined when it is in company. */
    take(number: number): { seq: number; at: number; items: Item[] } | undefined {
      const lane = lanes.get(number)
      if (lane?.state !== 'slow') return undefined
      const items = lane.edges.leave(number)
      const first = items[0]
      const { last } = lane.edges
      return {
        seq: first === undefined ? Math.max(last.seq, lane.upTo) : first.seq - 1,
        at: first?.at ?? last.at,
        items,
      }
    },

    resume(
      number: number,
      inputs: readonly Input[],
      order: { after: number; skips: readonly Skip[]; speak: boolean; present(): number },
    ): void {
      members.set(number, { inputs, floor: order.after })
      const lane = lanes.get(number) ?? open(number, inputs, { state: 'held', upTo: order.present(), pending: [] })
      resumed.set(number, { ...order, except: excepted.get(number) ?? new Set() })
      excepted.delete(number)
      lane.state = 'past'
    },

    catchUp(): void {
      const listeners = [...resumed].flatMap(([number, { after, skips, speak, except }]): Listener[] => {
        const lane = lanes.get(number)
        if (lane === undefined) return []
        if (speak) speaking.add(number)
        const { inputs, upTo } = lane
        return [
          {
            inputs,
            after,
            upTo,
            skips,
            except,
            take: lane.tell,
            room() {
              pumpOne(lane, performance.now())
              return lane.room()
            },
            done(error) {
              if (error !== undefined) return options.present(number, error)
              lane.told()
              if (lanes.get(number) === lane) pumpOne(lane, performance.now())
            },
          },
        ]
      })
      resumed.clear()
      ends.push(options.read(listeners))
    },

    /** The process is gone: everyone waits, with what was not answered. */
    hold(): void {
      clearTimeout(timer)
      for (const end of ends) end()
      ends = []
      resumed.clear()
      speaking.clear()
      for (const [number, { replaces }] of [...members]) {
        // A start that was not confirmed did not happen.
        if (replaces === undefined) continue
        common.leave(number)
        drop(number)
        members.delete(number)
        const before = members.get(replaces)
        drop(replaces)
        if (before !== undefined) before.floor = Math.max(before.floor, common.last.seq)
      }
      const all = [...members].map(([number, member]) => ({ number, member, ...standing(number, member) }))
      lanes.clear()
      acked.clear()
      common.reset()
      for (const { number, member, upTo, pending } of all) {
        open(number, member.inputs, { state: 'held', upTo, pending })
        excepted.set(number, new Set(pending.map(({ seq }) => seq)))
      }
    },

    slow(number: number): void {
      const member = members.get(number)
      if (member === undefined || lanes.has(number)) return
      const upTo = common.last.seq
      const pending = common.leave(number)
      say({ do: 'apart', flow: number, on: true })
      open(number, member.inputs, { state: 'slow', upTo, pending })
    },
    fast(number: number): void {
      const lane = lanes.get(number)
      // It joins when nothing waits for it any more.
      if (lane?.state === 'slow' && lane.edges.depths(number).every((depth) => depth === 0)) join(lane)
    },
    /** Up to where a run that waits for a process has to hear its history again. */
    position: (number: number) => lanes.get(number)?.upTo,
    isBehind(number: number): boolean {
      const state = lanes.get(number)?.state
      return state === 'held' || state === 'past'
    },
    isSlow: (number: number) => lanes.get(number)?.state === 'slow',

    /** Whether anyone wants it. */
    offer(envelope: Envelope): boolean {
      if (lanes.size === 0) return false
      for (const lane of lanes.values()) if (lane.state !== 'leaving') lane.offer(envelope)
      return true
    },
    done(number: number, count: number, ms: number): void {
      const lane = lanes.get(number)
      if (lane === undefined) return
      lane.done(count - (acked.get(number) ?? 0), ms, performance.now())
      acked.set(number, count)
      leaveIfDone(lane)
    },
    pump,
    depths: (number: number) => {
      const lane = lanes.get(number)
      return lane === undefined || lane.state === 'leaving' ? undefined : lane.edges.depths(number)
    },

    /** A run is over, or its successor is confirmed. */
    forget(number: number): void {
      drop(number)
      acked.delete(number)
      members.delete(number)
      resumed.delete(number)
      excepted.delete(number)
      speaking.delete(number)
      for (const member of members.values()) if (member.replaces === number) delete member.replaces
    },
    close(): void {
      clearTimeout(timer)
      for (const end of ends) end()
    },
  }
}
