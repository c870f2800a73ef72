// A random world for the properties: messages with gaps around the window of the operators, and ways to give them to a host.
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { ownTime } from '../../streams/clock.ts'
import { core } from '../../topics/core.ts'
import { topicTable } from '../../topics/table.ts'
import { type Item, tickAt } from '../frame.ts'
import { FlowHost, type Listener, type Start } from '../host.ts'
import { requestId } from '../host-ids.ts'
import { W, zoo } from './zoo.ts'

const table = topicTable([core], 'p')
export const names = Object.keys(zoo)
/** The number of a flow of the zoo in every host. */
export const numberOf = (name: string): number => names.indexOf(name) + 1

const BEGIN = Date.parse('2026-03-29T00:59:58.000Z')
const EDGES_PER_FLOW = 1024
const FIRST_SEQ = 100

export const startOf = (name: string): Start => ({ at: BEGIN, since: FIRST_SEQ, name })

/** One message of the world, and what a live hub does meanwhile. */
interface Step {
  gap: number
  device: string
  kind: 'sample' | 'online' | 'result'
  v: number
  /** This message finds the edges of the flows whose number leaves this rest full; nobody's when it is 0. */
  drop: number
  /** Parts of the gap at which a tick comes. */
  ticks: number[]
  /** The flows whose number leaves this rest change between their own lane and that of all. */
  lane: number
  /** Those in their own lane are given what waits for them. */
  flush: boolean
}

const gap = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1, 2) },
  { weight: 5, arbitrary: fc.constantFrom(W - 1, W, W + 1, 2 * W, 3 * W) },
  { weight: 4, arbitrary: fc.nat(3 * W) },
  { weight: 1, arbitrary: fc.constantFrom(100, 700) },
)

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    gap,
    device: fc.constantFrom('a', 'b', 'c'),
    kind: fc.constantFrom('sample', 'sample', 'sample', 'sample', 'online', 'result'),
    v: fc.nat(20),
    drop: fc.constantFrom(0, 0, 0, 0, 1, 2, 3),
    ticks: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2 }),
    lane: fc.nat(12),
    flush: fc.boolean(),
  }),
  { minLength: 4, maxLength: 24 },
)

const topicOf = ({ kind, device }: Step): string =>
  kind === 'sample'
    ? `p/devices/${device}/telemetry`
    : kind === 'online'
      ? `p/devices/${device}/online`
      : 'p/devices/press/result'

/** The messages as the journal has them: stamped, and with the edges that had no room. */
export const itemsOf = (all: readonly Step[]): Item[] => {
  const next = requestId('ask', BEGIN, FIRST_SEQ)
  const ids = Array.from({ length: 5 }, () => next())
  let at = BEGIN
  return all.map((step, i) => {
    at += step.gap
    const payload =
      step.kind === 'sample'
        ? { v: step.v }
        : step.kind === 'online'
          ? step.v > 10
          : { id: ids[step.v % 5] ?? '', status: step.v > 10 ? 'done' : 'failed', intent: 'press.start' }
    const full = step.drop === 0 ? [] : names.map((name) => numberOf(name)).filter((n) => n % 4 === step.drop)
    return {
      seq: FIRST_SEQ + 1 + i,
      at,
      topic: topicOf(step),
      origin: 'device:a',
      payload: Buffer.from(JSON.stringify(payload)),
      skip: full.flatMap((n) => [n * EDGES_PER_FLOW, n * EDGES_PER_FLOW + 1]),
    }
  })
}

/** All that a flow said and kept, as lines: number, time, cause, what. */
export type Said = Map<number, string[]>

const telling = (): { said: Said; listener: Listener } => {
  const said: Said = new Map(names.map((name) => [numberOf(name), []]))
  const tell = (flow: number, line: string): void => void said.get(flow)?.push(line)
  return {
    said,
    listener: {
      output: ({ flow, n, at, cause, topic, payload }) =>
        tell(flow, `${n} ${at - BEGIN} ${cause} ${topic} ${payload.toString()}`),
      kept: ({ flow, n, at, cause, key, value }) =>
        tell(flow, `${n} ${at - BEGIN} ${cause} kept ${key} ${JSON.stringify(value)}`),
      setAside: ({ flow, key }) => tell(flow, `set aside ${key}`),
      failed: (flow, error, cause) => tell(flow, `failed ${cause} ${String(error)}`),
      ended: (flow) => tell(flow, 'ended'),
      bad({ seq }, { field, constraint }) {
        throw new Error(`the world made a bad message: ${seq} ${field} ${constraint}`)
      },
    },
  }
}

/** How far time goes after the last message: everything that waits has come by then. */
const AFTER_MS = 40 * W
export const endOf = (items: readonly Item[]): Item =>
  tickAt((items.at(-1)?.at ?? BEGIN) + AFTER_MS, FIRST_SEQ + items.length)

/** Runs `work` on a host with these flows; time is theirs meanwhile. */
export const hosting = (flows: readonly string[], work: (host: FlowHost, said: Said) => void): Said => {
  const { said, listener } = telling()
  const giveBack = ownTime()
  try {
    const host = new FlowHost(table, listener)
    for (const name of flows) begin(host, name, startOf(name))
    work(host, said)
  } finally {
    giveBack()
  }
  return said
}

export const begin = (host: FlowHost, name: string, start: Start): void => {
  const flow = zoo[name]
  if (flow === undefined) throw new Error(`the zoo has no '${name}'`)
  host.define(numberOf(name), flow, { at: start.at })
  host.start(numberOf(name), start)
}

/** Items only, to one flow alone; then time goes on. */
export const replay = (name: string, items: readonly Item[], end = endOf(items)): string[] =>
  hosting([name], (host) => {
    for (const item of items) host.take(item)
    host.take(end)
  }).get(numberOf(name)) ?? []

/** What a live hub does between the items; `before` may disturb it, told how many items came so far. */
export const live = (
  all: readonly Step[],
  items: readonly Item[],
  before: (host: FlowHost, done: number, said: Said) => void = () => {},
): Said =>
  hosting(names, (host, said) => {
    const waiting = new Map<number, Item[]>()
    const give = (item: Item): void => {
      host.take(item)
      for (const queue of waiting.values()) queue.push(item)
    }
    const flush = (): void => {
      for (const [number, queue] of waiting) for (const item of queue.splice(0)) host.takeFor(number, item)
    }
    const change = (number: number): void => {
      const queue = waiting.get(number)
      for (const item of queue ?? []) host.takeFor(number, item)
      host.apart(number, queue === undefined)
      if (queue === undefined) waiting.set(number, [])
      else waiting.delete(number)
    }
    let at = BEGIN
    for (const [i, item] of items.entries()) {
      const step = all[i]
      if (step === undefined) throw new Error('a step for each item')
      before(host, i, said)
      for (const part of [...step.ticks].sort((a, b) => a - b))
        give(tickAt(Math.floor(at + part * (item.at - at)), item.seq - 1))
      // The hub also ticks exactly when the host says that a timer is due.
      if (step.flush && host.next <= item.at) give(tickAt(host.next, item.seq - 1))
      give(item)
      for (const name of names) if (numberOf(name) % 13 === step.lane && step.lane > 0) change(numberOf(name))
      if (step.flush) flush()
      at = item.at
    }
    before(host, items.length, said)
    give(endOf(items))
    flush()
  })
