// Section flows: sensor → flow → topic, against a broker with rules beside it and one with rules inside.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { hasMosquitto } from '../brokers.ts'
import { cpuOf, memoryOf } from '../cpu.ts'
import type { Figures, Order, Setup } from '../load/flows.ts'
import { millrace, mirror, mosquitto, stockAedes, type System } from '../systems.ts'
import { median, ratio, rounded, spread, type Section } from '../table.ts'

interface Row {
  cpuUs: number
  perSecond: number
  lost: number
  p50: number
  p99: number
  mib: number
  generatorUs: number
}

const measure = async (system: System, rules: number, ms: number): Promise<Row> => {
  const running = await system.start(rules)
  const setup: Setup = { ...running.setup, topics: rules }
  const load = spawn(process.execPath, [join(import.meta.dirname, '../load/flows.ts'), JSON.stringify(setup)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: load.stdout })[Symbol.asyncIterator]()
  const ask = async (order: Order): Promise<Figures> => {
    load.stdin.write(`${JSON.stringify(order)}\n`)
    const { value } = (await lines.next()) as { value: string | undefined }
    if (value === undefined) throw new Error(`${system.name}: the load ended`)
    return JSON.parse(value) as Figures
  }
  try {
    await lines.next()
    await ask({ rate: 0, ms: 1500, window: 1000 })
    const before = cpuOf(running.pids)
    const full = await ask({ rate: 0, ms, window: 1000 })
    const cpu = cpuOf(running.pids) - before
    const calm = await ask({ rate: 1000, ms, window: 0 })
    return {
      cpuUs: cpu / full.received,
      perSecond: (full.received / full.ms) * 1000,
      lost: calm.sent - calm.received,
      p50: calm.p50,
      p99: calm.p99,
      mib: memoryOf(running.pids),
      generatorUs: full.generatorCpuUs / full.received,
    }
  } finally {
    load.kill()
    await running.stop()
  }
}

export const flows = async (size: { rounds: number; ms: number; rules: readonly number[] }): Promise<Section> => {
  const { rounds, ms } = size
  const systems = [millrace, ...(hasMosquitto() ? [mosquitto] : []), stockAedes]
  const figures = new Map<string, Row[]>()
  for (const rules of size.rules) {
    for (let round = 0; round < rounds; round++) {
      for (const system of systems) {
        const key = `${rules}|${system.name}`
        figures.set(key, [...(figures.get(key) ?? []), await measure(system, rules, ms)])
        process.stderr.write(`round ${round + 1} of ${rounds}: ${system.name}, ${rules} rules\n`)
      }
    }
  }
  const ceiling = await measure(mirror, 1, ms)
  return {
    title: 'Sensor → flow → topic',
    notes: `QoS 0, 120-byte JSON, one output for each input. The generator alone reaches ${Math.round(ceiling.perSecond)}/s at ${ceiling.generatorUs.toFixed(1)} µs of CPU per message. Millrace: journal on, flows in a process of their own, rights checked per message. The peers: no record, no rights, no isolation.`,
    head: [
      'rules', 'system', 'CPU µs/message', 'spread', 'Millrace is', 'messages/s', 'p50 ms at 1,000/s', 'p99 ms', 'lost', 'MiB',
    ], // prettier-ignore
    rows: [...figures].map(([key, rows]) => {
      const [rules = '', name = ''] = key.split('|')
      const of = (pick: (row: Row) => number) => median(rows.map(pick))
      const own = median((figures.get(`${rules}|${millrace.name}`) ?? []).map((row) => row.cpuUs))
      return [
        rules,
        name,
        rounded(of((r) => r.cpuUs)),
        spread(rows.map((r) => r.cpuUs)),
        name === millrace.name ? '1' : ratio(own, of((r) => r.cpuUs), true),
        rounded(of((r) => r.perSecond)),
        rounded(of((r) => r.p50)),
        rounded(of((r) => r.p99)),
        rounded(of((r) => r.lost)),
        rounded(of((r) => r.mib)),
      ] // prettier-ignore
    }),
  }
}
