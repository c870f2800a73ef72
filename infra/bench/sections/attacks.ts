// Sections idle, stalled and attack: the attacks of npm run soak in their short form, with the peers beside.
import { crowd, crowdProblem } from '../../soak/crowd.ts'
import { flood, preauth, slowloris } from '../../soak/memory.ts'
import { stalled } from '../../soak/stalled.ts'
import { brokers, type BrokerOptions, type RunningBroker } from '../brokers.ts'
import { rounded, type Section } from '../table.ts'

const NOT_CLOSED_S = 8

/** One broker after another, each fresh. */
const eachAlone = async <T>(
  work: (broker: RunningBroker, name: string) => Promise<T>,
  options?: BrokerOptions,
): Promise<[name: string, result: T | undefined][]> => {
  const results: [string, T | undefined][] = []
  for (const kind of brokers()) {
    const broker = await kind.start(options)
    try {
      results.push([kind.name, await work(broker, kind.name)])
    } catch (error) {
      process.stderr.write(`${kind.name}: ${error instanceof Error ? error.message : String(error)}\n`)
      results.push([kind.name, undefined])
    } finally {
      await broker.close()
    }
  }
  return results
}

export const idle = async (clients: readonly number[]): Promise<Section> => {
  const rows: string[][] = []
  for (const count of clients) {
    const problem = crowdProblem(count)
    if (problem !== undefined) {
      rows.push([String(count), problem, '', '', '', '', ''])
      continue
    }
    for (const [name, figures] of await eachAlone((broker) => crowd(broker, { clients: count, restart: false }))) {
      rows.push([
        String(count),
        name,
        ...(figures === undefined
          ? ['failed', '', '', '', '']
          : [
              rounded(figures.before),
              rounded(figures.idle),
              rounded(figures.after),
              rounded(figures.stormMs / 1000),
              String(figures.failures),
            ]),
      ])
    }
  }
  return {
    title: 'Idle clients, and the storm when all come back at once',
    notes:
      'One subscription each, from hundreds of loopback addresses. Memory is the resident memory of all processes of the system together, 2 s after the last login. The storm: all connections are dropped at once; time until the last client is subscribed again.',
    head: ['clients', 'system', 'MiB without', 'MiB idle', 'MiB after the storm', 'storm s', 'refused attempts'],
    rows,
  }
}

export const stalls = async (): Promise<Section> => {
  const rows: string[][] = []
  for (const qos of [0, 1] as const) {
    for (const [name, figures] of await eachAlone((broker) => stalled(broker, { qos }))) {
      rows.push([
        `QoS ${qos}`,
        name,
        ...(figures === undefined
          ? ['failed', '', '', '', '']
          : [
              rounded(figures.healthy / figures.offered),
              rounded(figures.otherP50),
              rounded(figures.otherP99),
              `${figures.otherReceived} of ${figures.otherSent}`,
              Number.isNaN(figures.cutAfterS) ? 'not within 15' : rounded(figures.cutAfterS),
            ]),
      ])
    }
  }
  return {
    title: 'A healthy subscriber beside one that stopped reading',
    notes:
      '3,000 messages/s of 1 KiB for 15 s to both; a pair on another topic with 100 messages/s. The frozen client is cut when the kernel says that the broker closed its end.',
    head: [
      'subscription', 'system', 'healthy got, of what was offered', 'other topic p50 ms', 'p99 ms', 'other topic got', 'frozen cut after s',
    ], // prettier-ignore
    rows,
  }
}

export const attacks = async (floodMs: number): Promise<Section> => {
  const results = await eachAlone(
    async (broker) => {
      const slow = await slowloris(broker, NOT_CLOSED_S)
      const early = await preauth(broker)
      const queue = await flood(broker, floodMs)
      return { slow, early, queue, alive: broker.isAlive() }
    },
    { durable: true },
  )
  return {
    title: 'Attacks',
    notes: `Pre-auth: 4 connections that announce 200 MB each and send as long as they may. Slowloris: four kinds of logins that never come; the last to be closed. Offline flood: QoS 1 to a durable subscriber that is away, ${floodMs / 1000} s (Mosquitto without its limit of 1,000). Memory is what the broker's processes gained at most.`,
    head: ['system', 'pre-auth MiB', 'of which taken MB', 'slowloris s', 'flood MiB', 'flood acknowledged', 'alive'],
    rows: results.map(([name, figures]) =>
      figures === undefined
        ? [name, 'failed', '', '', '', '', '']
        : [
            name,
            `+${rounded(figures.early.mib)}`,
            rounded(figures.early.takenMb),
            figures.slow >= NOT_CLOSED_S ? `not within ${NOT_CLOSED_S}` : rounded(figures.slow),
            `+${rounded(figures.queue.mib)}`,
            `${figures.queue.acked}${figures.queue.problem === undefined ? '' : `; then ${figures.queue.problem}`}`,
            figures.alive ? 'yes' : 'no',
          ],
    ),
  }
}
