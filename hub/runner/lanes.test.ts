// Lanes, step by step and without a process: what a flow is given when its process dies, is each item once and in order.
import { expect, test } from 'vitest'
import type { Envelope } from '../bus/envelope.ts'
import type { Log } from '../health/report.ts'
import type { Entry } from '../journal/entry.ts'
import { type Accounts, type Gap, openEdges } from './edges.ts'
import { readHistory } from './history.ts'
import type { Input } from './host.ts'
import { lanesOf } from './lanes.ts'

const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, of: () => QUIET }
const listens = (flow: number, bound: number): Input[] => [
  { edge: flow * 1024, topic: 'a', filter: 'a', latest: false, overload: { dropOldest: bound } },
]
const envelope = (seq: number): Envelope => ({
  seq,
  at: seq,
  topic: 'a',
  payload: Buffer.from('1'),
  qos: 0,
  retain: false,
  origin: 'device:dust',
  cause: 0,
  correlation: '',
  n: 0,
})

/** A common line and its lanes, over a journal that has all that was offered. */
const bench = ({ isExact = true, page = 1000 } = {}) => {
  const log: Envelope[] = []
  const gaps: Gap[] = []
  const accounts: Accounts = new Map()
  const common = openEdges((gap) => gaps.push(gap), { accounts })
  const given = new Map<number, number[]>()
  const present = new Set<number>()
  const journal = {
    read: ({ fromSeq = 0, toSeq = Infinity }) =>
      Promise.resolve(
        log
          .filter(({ seq }) => seq >= fromSeq && seq <= toSeq)
          .sort((a, b) => a.seq - b.seq)
          .slice(0, page)
          .map((each): Entry => ({ ...each, kind: 'message' })),
      ),
  }
  const give = (flow: number, seqs: number[]) => void given.set(flow, [...(given.get(flow) ?? []), ...seqs])
  const flush = () => {
    for (let item = common.next(); item !== undefined; item = common.next())
      for (const flow of [1, 2])
        if (common.sentTo(flow).some(({ seq }) => seq === item.seq) && !item.skip.includes(flow * 1024))
          give(flow, [item.seq])
  }
  const lanes = lanesOf({
    accounts,
    gap: (gap) => gaps.push(gap),
    log: QUIET,
    common,
    say() {},
    send: (flow, _, items) =>
      give(
        flow,
        items.filter(({ topic }) => topic !== '').map(({ seq }) => seq),
      ),
    flush,
    read: (listeners) => readHistory(journal, listeners),
    present: (flow) => void present.add(flow),
    isExact: () => isExact,
    stamp: () => log.length,
  })
  return {
    common,
    lanes,
    gaps,
    accounts,
    flush,
    given: (flow: number) => given.get(flow) ?? [],
    begin(flow: number, bound = 1000) {
      common.open(flow, listens(flow, bound))
      lanes.began(flow, listens(flow, bound), { seq: 0 })
    },
    offer(...seqs: number[]) {
      for (const seq of seqs) {
        log.push(envelope(seq))
        common.offer(envelope(seq))
        lanes.offer(envelope(seq))
      }
    },
    die() {
      given.clear()
      present.clear()
      lanes.hold()
    },
    /** In a fresh process: its whole history, then what waited. */
    again(...flows: number[]) {
      for (const flow of flows) {
        const order = { after: 0, skips: [], speak: false, present: () => log.length }
        lanes.resume(flow, listens(flow, 1000), order)
      }
      lanes.catchUp()
    },
    async until(isSo: () => boolean) {
      const deadline = performance.now() + 5000
      while (!isSo()) {
        if (performance.now() > deadline) throw new Error('not within five seconds')
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    isPresent: (flow: number) => present.has(flow),
  }
}
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

test('what had no room while the process hung is heard again in the next one, and was not dropped', async () => {
  const { begin, offer, common, die, again, until, isPresent, given, accounts, gaps } = bench()
  begin(1, 3)
  offer(1, 2)
  common.next()
  common.next()
  common.done(1)
  // It hangs with 2 under way: of the rest three have room.
  offer(3, 4, 5, 6, 7, 8, 9)
  expect(accounts.get(1024)).toEqual({ in: 9, dropped: 4 })
  die()
  offer(10)
  again(1)
  await until(() => isPresent(1))
  expect(given(1)).toEqual(upTo(10))
  expect(accounts.get(1024)).toEqual({ in: 10, dropped: 0 })
  expect(gaps).toEqual([])
})

test('where the history cannot be heard again, what had no room is a gap', () => {
  const { begin, offer, die, accounts, gaps } = bench({ isExact: false })
  begin(1, 3)
  offer(...upTo(9))
  die()
  expect(accounts.get(1024)).toEqual({ in: 9, dropped: 6 })
  expect(gaps).toEqual([{ flow: 1, edge: 1024, topic: 'a', from: 1, to: 6, count: 6 }])
})

test('a flow that left the common line with what waited for it gets it once when the process dies', async () => {
  const { begin, offer, flush, lanes, die, again, until, isPresent, given } = bench()
  begin(1)
  begin(2)
  offer(1, 2, 3, 4)
  lanes.slow(1)
  flush()
  lanes.pump()
  offer(5)
  die()
  again(1, 2)
  await until(() => isPresent(1) && isPresent(2))
  expect(given(1)).toEqual(upTo(5))
  expect(given(2)).toEqual(upTo(5))
  lanes.close()
})

test('a flow that dies as soon as it is in company again has what it did not answer', async () => {
  const { begin, offer, common, lanes, die, again, until, isPresent, given } = bench()
  begin(1)
  offer(1, 2, 3)
  die()
  offer(4, 5, 6)
  again(1)
  await until(() => isPresent(1))
  lanes.done(1, 4, 1)
  offer(7, 8)
  common.next()
  die()
  offer(9)
  again(1)
  await until(() => isPresent(1))
  expect(given(1)).toEqual(upTo(9))
})

test('what had no room for a flow just in company again is heard again, too', async () => {
  const { begin, offer, lanes, die, again, until, isPresent, given, accounts } = bench()
  begin(1)
  offer(1, 2, 3)
  die()
  again(1)
  await until(() => isPresent(1))
  lanes.done(1, 2, 1)
  offer(...upTo(1010).slice(3))
  expect(accounts.get(1024)?.dropped).toBe(7)
  die()
  again(1)
  await until(() => {
    lanes.done(1, given(1).length, 1)
    lanes.pump()
    return isPresent(1)
  })
  expect(given(1)).toEqual(upTo(1010))
  expect(accounts.get(1024)?.dropped).toBe(0)
})

test('a slow flow hears what was held back while others went ahead', () => {
  const { begin, offer, flush, lanes, given } = bench()
  begin(1)
  offer(1, 2, 4)
  flush()
  lanes.slow(1)
  offer(3)
  lanes.pump()
  expect(given(1)).toEqual([1, 2, 4, 3])
  lanes.close()
})

test('a flow that ends while it hears a long history holds up nobody else', async () => {
  const { begin, offer, flush, lanes, die, again, until, isPresent, given, common } = bench()
  begin(1)
  begin(2)
  offer(...upTo(20_000))
  flush()
  common.done(20_000)
  die()
  again(1, 2)
  await until(() => given(1).length > 0)
  lanes.forget(1)
  await until(() => {
    lanes.done(2, given(2).length, 1)
    lanes.pump()
    return isPresent(2)
  })
  expect(given(2)).toEqual(upTo(20_000))
})
