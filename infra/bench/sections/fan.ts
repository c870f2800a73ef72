// Sections fanin, fanout and durable: CPU of the broker per message delivered or acknowledged, all systems running, measured in turn.
import { brokers, hub, withBrokers, type BrokerKind, type BrokerOptions, type RunningBroker } from '../brokers.ts'
import { cpuOf } from '../cpu.ts'
import { load } from '../load/child.ts'
import type { FanOrder, FanResult, FanSetup } from '../load/fan.ts'
import { median, ratio, rounded, spread, type Section } from '../table.ts'

export interface Shape extends Omit<FanSetup, 'entrance'> {
  what: string
  order: Omit<FanOrder, 'ms'>
  /** What is counted: arrivals at subscribers, or acknowledgements to publishers. */
  count: 'received' | 'acked'
}
interface Figure {
  perCpuSecond: number
  perSecond: number
  p50: number
  p99: number
  lost: number
  generatorUs: number
  generatorShare: number
}

export const measure = async (
  broker: RunningBroker,
  shape: Shape,
  ms: number,
  mark: (isBegin: boolean) => void = () => {},
): Promise<Figure> => {
  const { entrance } = broker
  const { publishers, subscribers, sleepers, qos, order, count } = shape
  const setup: FanSetup = { entrance, publishers, subscribers, sleepers, qos }
  const generator = await load<FanSetup, FanOrder, FanResult>('fan.ts', setup)
  try {
    await generator.ask({ ...order, ms: Math.min(1000, ms) })
    const before = cpuOf(broker.pids)
    mark(true)
    const result = await generator.ask({ ...order, ms })
    mark(false)
    const cpu = cpuOf(broker.pids) - before
    if (sleepers > 0)
      await generator.ask({ ms: 0 }).catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
    return {
      perCpuSecond: (result[count] * 1e6) / cpu,
      perSecond: (result[count] * 1000) / result.ms,
      p50: result.p50,
      p99: result.p99,
      lost: result.lost,
      generatorUs: result.generatorCpuUs / result[count],
      generatorShare: result.generatorCpuUs / 1000 / result.ms,
    }
  } finally {
    await generator.stop()
  }
}

const HEAD = [
  'load', 'system', 'per CPU second', 'spread', 'Millrace is', 'per second', 'burst p50 / p99 ms', 'lost', 'generator µs (busy)',
] // prettier-ignore

const compare = async (
  kinds: readonly (readonly [name: string, kind: BrokerKind, options?: BrokerOptions])[],
  shapes: readonly Shape[],
  { rounds, ms }: { rounds: number; ms: number },
): Promise<string[][]> => {
  const figures = new Map<string, Figure[]>()
  await withBrokers(
    kinds.map(([, kind, options]) => (options === undefined ? [kind] : [kind, options])),
    async (running) => {
      for (let round = 0; round < rounds; round++) {
        for (const shape of shapes) {
          for (const [i, { broker }] of running.entries()) {
            const key = `${shape.what}|${kinds[i]?.[0] ?? ''}`
            figures.set(key, [...(figures.get(key) ?? []), await measure(broker, shape, ms)])
            process.stderr.write(`round ${round + 1} of ${rounds}: ${key}\n`)
          }
        }
      }
    },
  )
  return [...figures].map(([key, list]) => {
    const [what = '', name = ''] = key.split('|')
    const of = (pick: (figure: Figure) => number) => median(list.map(pick))
    const own = median((figures.get(`${what}|${hub.name}`) ?? []).map(({ perCpuSecond }) => perCpuSecond))
    return [
      what,
      name,
      rounded(of((f) => f.perCpuSecond)),
      spread(list.map((f) => f.perCpuSecond)),
      name === hub.name ? '1' : ratio(own, of((f) => f.perCpuSecond), false),
      rounded(of((f) => f.perSecond)),
      `${rounded(of((f) => f.p50))} / ${rounded(of((f) => f.p99))}`,
      rounded(of((f) => f.lost)),
      `${rounded(of((f) => f.generatorUs))} (${Math.round(of((f) => f.generatorShare) * 100)} %)`,
    ] // prettier-ignore
  })
}

interface Size {
  rounds: number
  ms: number
}
const named = () => brokers().map((kind) => [kind.name, kind] as const)
const PAYLOAD = '120-byte JSON.'
const PEERS = 'Mosquitto without persistence, aedes in memory; the hub records every message and checks every right.'

const many = { publishers: 100, subscribers: 1, sleepers: 0, order: { window: 1000 }, count: 'received' } as const
const one = { publishers: 1, subscribers: 100, sleepers: 0, count: 'received' } as const

/** The loads, by section. */
export const shapes: Readonly<Record<'fanin' | 'fanout' | 'durable', readonly Shape[]>> = {
  fanin: [
    { ...many, what: 'QoS 0', qos: 0 },
    { ...many, what: 'QoS 1', qos: 1 },
  ],
  fanout: [
    { ...one, what: 'QoS 0, bursts of 100', qos: 0, order: { burst: 100 } },
    { ...one, what: 'QoS 0, one at a time', qos: 0, order: { burst: 1 } },
    { ...one, what: 'QoS 1, bursts of 100', qos: 1, order: { burst: 100 } },
  ],
  durable: [{ ...many, what: 'QoS 1, subscriber away', subscribers: 0, sleepers: 1, qos: 1, count: 'acked' }],
}

export const fanin = async (size: Size): Promise<Section> => ({
  title: 'Fan-in: 100 publishers, 1 subscriber',
  notes: `${PAYLOAD} 1,000 messages under way. ${PEERS}`,
  head: HEAD,
  rows: await compare(named(), shapes.fanin, size),
})

export const fanout = async (size: Size): Promise<Section> => ({
  title: 'Fan-out: 1 publisher, 100 subscribers',
  notes: `${PAYLOAD} Counted are deliveries. The next burst (100 messages, or 1) goes out when the last has arrived everywhere. ${PEERS}`,
  head: HEAD,
  rows: await compare(named(), shapes.fanout, size),
})

export const durable = async (size: Size): Promise<Section> => {
  const [, ...peers] = brokers()
  return {
    title: 'Durable QoS 1: 100 publishers, 1 durable subscriber that is away',
    notes: `${PAYLOAD} 1,000 messages under way. Counted are acknowledgements. Mosquitto with Debian's persistence, which it writes every 30 minutes, and without its limit of 1,000 queued; aedes keeps it in memory: only the hub's acknowledgement survives kill -9 (process) or a power cut (power).`,
    head: HEAD,
    rows: await compare(
      [
        [hub.name, hub],
        ['Millrace, power', hub, { durability: 'power' }],
        ...peers.map((kind) => [kind.name, kind, { durable: true }] as const),
      ],
      shapes.durable,
      size,
    ),
  }
}
