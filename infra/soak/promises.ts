// Whether what was acknowledged arrives: kill -9 again and again with a subscriber that is away, and QoS levels in any mix.
import type { RunningBroker } from '../bench/brokers.ts'
import { load } from '../bench/load/child.ts'
import type { ReaderOrder, ReaderResult, ReaderSetup } from '../bench/load/reader.ts'
import type { WritersOrder, WritersResult, WritersSetup } from '../bench/load/writers.ts'

export interface PromiseFigures extends ReaderResult {
  acked: number
  again: number
}

const PUBLISHERS = 8

const run = async (
  broker: RunningBroker,
  parts: { topic: string; qos: readonly (0 | 1 | 2)[]; away: boolean; say: (line: string) => void },
  work: (more: (acked: number) => Promise<WritersResult>) => Promise<void>,
): Promise<PromiseFigures> => {
  const { entrance } = broker
  const { topic, qos, away } = parts
  const reader = await load<ReaderSetup, ReaderOrder, ReaderResult>('reader.ts', {
    entrance,
    topic,
    publishers: PUBLISHERS,
    away,
  })
  const setup: WritersSetup = { entrance, qos, publishers: PUBLISHERS, topic, inflight: 100 }
  const writers = await load<WritersSetup, WritersOrder, WritersResult>('writers.ts', setup)
  try {
    await work((acked) => writers.ask({ acked }, 180_000))
    const { sent, acked, again } = await writers.ask('finish', 90_000)
    parts.say(`${acked} acknowledged; the subscriber reads`)
    return { ...(await reader.ask({ sent, qos }, 600_000)), acked, again }
  } finally {
    await Promise.all([writers.stop(), reader.stop()])
  }
}

/** Kills the broker `kills` times under load, each time after at least `each` acknowledgements. */
export const killLoop = (
  broker: RunningBroker,
  { kills, each, say }: { kills: number; each: number; say: (line: string) => void },
): Promise<PromiseFigures> =>
  run(broker, { topic: 'bench/kill', qos: [1, 2], away: true, say }, async (more) => {
    for (let kill = 1; kill <= kills; kill++) {
      const { acked } = await more(each)
      // Not always at the same point of what the writers do.
      await new Promise((go) => setTimeout(go, Math.random() * 100))
      await broker.kill()
      await broker.again()
      say(`kill ${kill} of ${kills}: ${acked} acknowledged so far`)
    }
  })

/** QoS 0, 1 and 2 from each publisher in turn to one durable subscriber with QoS 2. */
export const mixedLevels = (
  broker: RunningBroker,
  { acked, say }: { acked: number; say: (line: string) => void },
): Promise<PromiseFigures> =>
  run(broker, { topic: 'bench/mixed', qos: [0, 1, 2, 1, 0, 2], away: false, say }, async (more) => {
    await more(acked)
  })
