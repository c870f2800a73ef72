// A system with rules and its load: both running, measured whenever its turn comes.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cpuOf, memoryOf } from './cpu.ts'
import type { Figures, Order, Setup, Version } from './load/flows.ts'
import type { System } from './systems.ts'

export interface Row {
  /** Of the system, from the first message to the last output, per output. */
  cpuUs: number
  /** Outputs, until the last one has come. */
  perSecond: number
  /** Of those at full rate and at 1,000/s. */
  lost: number
  p50: number
  p99: number
  mib: number
  generatorUs: number
}

export interface Contender {
  name: string
  rules: number
  version: Version
  pids: number[]
  /** At full rate, so that every rule has run often enough to be compiled. */
  warm(ms: number): Promise<void>
  measure(ms: number): Promise<Row>
  /** The load at full rate alone. */
  full(ms: number): Promise<Figures>
  stop(): Promise<void>
}

const UNDER_WAY = 1000

/** Starts both. Rejects, and leaves nothing behind, when one of them does not come up. */
export const contend = async (system: System, rules: number, version: Version = 4): Promise<Contender> => {
  const running = await system.start(rules, version)
  const setup: Setup = { ...running.setup, topics: Math.max(1, rules) }
  const load = spawn(process.execPath, [join(import.meta.dirname, 'load/flows.ts'), JSON.stringify(setup)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const stop = async () => {
    load.kill()
    await running.stop()
  }
  const lines = createInterface({ input: load.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => {
    const { value } = (await lines.next()) as { value: string | undefined }
    if (value === undefined) throw new Error(`${system.name}: the load ended`)
    return value
  }
  const ask = async (order: Order): Promise<Figures> => {
    load.stdin.write(`${JSON.stringify(order)}\n`)
    return JSON.parse(await answer()) as Figures
  }
  const full = (ms: number) => ask({ rate: 0, ms, window: UNDER_WAY })
  try {
    await answer()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    name: system.name,
    rules,
    version,
    pids: running.pids,
    full,
    async warm(ms) {
      await full(ms)
    },
    async measure(ms) {
      const before = cpuOf(running.pids)
      const most = await full(ms)
      const cpu = cpuOf(running.pids) - before
      const calm = await ask({ rate: 1000, ms, window: 0 })
      return {
        cpuUs: cpu / most.received,
        perSecond: (most.received / most.ms) * 1000,
        lost: most.sent - most.received + calm.sent - calm.received,
        p50: calm.received > 0 ? calm.p50 : Number.NaN,
        p99: calm.received > 0 ? calm.p99 : Number.NaN,
        mib: memoryOf(running.pids),
        generatorUs: most.generatorCpuUs / most.received,
      }
    },
    stop,
  }
}
