// Thousands of idle clients: what they cost, and how long it takes until all are back.
import type { RunningBroker } from '../bench/brokers.ts'
import { memoryOf } from '../bench/cpu.ts'
import type { CrowdOrder, CrowdResult, CrowdSetup } from '../bench/load/crowd.ts'
import { load } from '../bench/load/child.ts'
import { openFilesLimit, sleep } from '../bench/processes.ts'

export interface CrowdFigures {
  clients: number
  /** MiB of the broker's processes without clients, with them, and after the storm. */
  before: number
  idle: number
  after: number
  /** All clients drop their connections at once: time until the last one is subscribed again, ms. */
  stormMs: number
  /** The broker is killed and started again: the same, from when it was ready. NaN where that was not asked for. */
  restartMs: number
  failures: number
}

const GENERATORS = 2
const SETTLE_MS = 2000
/** What a process needs besides its clients. */
const OTHER_FILES = 300

/** Why so many cannot be tried on this machine; undefined when they can. */
export const crowdProblem = (clients: number): string | undefined =>
  clients + OTHER_FILES > openFilesLimit()
    ? `${clients} clients need as many open files; the limit here is ${openFilesLimit()} (ulimit -Hn)`
    : undefined

export const crowd = async (
  broker: RunningBroker,
  { clients, restart }: { clients: number; restart: boolean },
): Promise<CrowdFigures> => {
  const before = memoryOf(broker.pids)
  const count = clients / GENERATORS
  const { entrance } = broker
  const generators = await Promise.all(
    Array.from({ length: GENERATORS }, (_, i) =>
      load<CrowdSetup, CrowdOrder, CrowdResult>('crowd.ts', { entrance, first: i * count, count }, 120_000),
    ),
  )
  const all = async (order: CrowdOrder) => {
    const results = await Promise.all(generators.map((generator) => generator.ask(order, 120_000)))
    return {
      ms: Math.max(...results.map(({ ms }) => ms)),
      failures: results.reduce((sum, { failures }) => sum + failures, 0),
    }
  }
  try {
    await sleep(SETTLE_MS)
    const idle = memoryOf(broker.pids)
    const storm = await all('storm')
    await sleep(SETTLE_MS)
    const after = memoryOf(broker.pids)
    let restartMs = Number.NaN
    if (restart) {
      await broker.kill()
      await broker.again()
      restartMs = (await all('back')).ms
    }
    return { clients, before, idle, after, stormMs: storm.ms, restartMs, failures: storm.failures }
  } finally {
    await Promise.all(generators.map((generator) => generator.stop()))
  }
}
