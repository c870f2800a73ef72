// A counted sequence at a steady rate through one flow: which outputs came, how often, how late, and how long nothing came.
import { PUBLISH, open, publishPacket, publishParts, subscribe } from './wire.ts'
import { serve } from './child.ts'
import { sleep } from '../processes.ts'
import type { Login } from '../workshop.ts'

export interface SequenceSetup {
  port: number
  publisher: Login
  subscriber: Login
  /** Where the counted messages go. */
  topic: string
  /** Where their outputs come, with the same `n`. */
  subscribe: string
}

export interface SequenceOrder {
  /** Messages per second. */
  rate: number
  ms: number
  /** So long nothing may come after the last message before the rest counts as lost. */
  drainMs: number
  /** Ends sooner at the word `enough`. */
  until?: 'told'
  /** Published meanwhile to somebody else. */
  also?: { topic: string; payload: string; everyMs: number }
}

export interface SequenceFigures {
  sent: number
  lost: number
  /** Outputs that came once too often. */
  doubled: number
  /** Outputs that came after a later one. */
  late: number
  p50: number
  p99: number
  max: number
  /** Of what was not sent while nothing came for `LONG_MS` or more. */
  p99Outside: number
  /** Longest time between two outputs, ms. */
  gap: number
}

const LONG_MS = 200
const N = Buffer.from('"n":')

/** The digits behind `"n":`; NaN when there are none. */
const numberIn = (payload: Buffer): number => {
  const at = payload.indexOf(N)
  return at < 0 ? Number.NaN : Number.parseInt(payload.toString('latin1', at + N.length, at + N.length + 16), 10)
}

let isEnough = false
const prepare = async (setup: SequenceSetup) => {
  let next = 1
  let times: { from: number; sentAt: number[]; arrivedAt: number[]; counts: number[] } | undefined
  let arrivals: number[] = []
  let [last, late] = [0, 0]
  const entrance = (login: Login) => ({ port: setup.port, ...login })
  await subscribe(
    entrance(setup.subscriber),
    {
      id: setup.subscriber.clientId,
      take(type, flags, bytes, at, end) {
        if (type !== PUBLISH || times === undefined) return
        const now = performance.now()
        const i = numberIn(bytes.subarray(publishParts(flags, bytes, at).payload, end)) - times.from
        if (!(i >= 0 && i < times.sentAt.length)) return
        times.counts[i] = (times.counts[i] ?? 0) + 1
        times.arrivedAt[i] ??= now
        arrivals.push(now)
        if (i < last) late++
        last = i
      },
    },
    setup.subscribe,
    0,
  )
  const { socket } = await open(entrance(setup.publisher), { id: setup.publisher.clientId })

  return async ({ rate, ms, drainMs, also }: SequenceOrder): Promise<SequenceFigures> => {
    isEnough = false
    const own = { from: next, sentAt: [] as number[], arrivedAt: [] as number[], counts: [] as number[] }
    times = own
    arrivals = []
    ;[last, late] = [0, 0]
    const begun = performance.now()
    let said = 0
    while (performance.now() - begun < ms && !isEnough) {
      const now = performance.now()
      const due = Math.floor(((now - begun) * rate) / 1000) - own.sentAt.length
      for (let i = 0; i < due; i++) {
        own.sentAt.push(performance.now())
        socket.write(publishPacket(setup.topic, `{"t":${Math.round(now)},"value":1,"n":${next++}}`, 0))
      }
      if (also !== undefined && now - begun >= said * also.everyMs) {
        said++
        socket.write(publishPacket(also.topic, also.payload, 0))
      }
      await sleep(1)
    }
    const ended = performance.now()
    const isAll = () => own.sentAt.every((_, i) => own.counts[i] !== undefined)
    while (!isAll() && performance.now() - Math.max(ended, arrivals.at(-1) ?? 0) < drainMs) await sleep(20)
    // What comes twice may come a little later.
    await sleep(300)

    const gaps: { from: number; to: number }[] = []
    let before = begun
    for (const at of [...arrivals, ...(isAll() ? [] : [performance.now()])]) {
      gaps.push({ from: before, to: at })
      before = at
    }
    const long = gaps.filter(({ from, to }) => to - from >= LONG_MS)
    const latencyOf = (i: number) => (own.arrivedAt[i] ?? Number.NaN) - (own.sentAt[i] ?? Number.NaN)
    const arrived = own.sentAt.map((_, i) => i).filter((i) => own.arrivedAt[i] !== undefined)
    const sorted = (list: number[]) => list.map(latencyOf).sort((a, b) => a - b)
    const quantile = (list: number[], q: number) =>
      list[Math.min(list.length - 1, Math.floor(list.length * q))] ?? Number.NaN
    const all = sorted(arrived)
    // What was sent a moment before nothing came any more belongs to the gap too.
    const isInside = (at: number) => long.some(({ from, to }) => at > from - 10 && at < to)
    const outside = sorted(arrived.filter((i) => !isInside(own.sentAt[i] ?? 0)))
    return {
      sent: own.sentAt.length,
      lost: own.sentAt.length - arrived.length,
      doubled: own.counts.reduce((sum, count) => sum + Math.max(0, (count ?? 0) - 1), 0),
      late,
      p50: quantile(all, 0.5),
      p99: quantile(all, 0.99),
      max: quantile(all, 1),
      p99Outside: quantile(outside, 0.99),
      gap: gaps.reduce((most, { from, to }) => Math.max(most, to - from), 0),
    }
  }
}

serve<SequenceSetup, SequenceOrder, SequenceFigures>(prepare, (word) => {
  if (word === 'enough') isEnough = true
})
