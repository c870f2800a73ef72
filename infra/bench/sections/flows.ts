// Section flows: sensor → flow → topic, against a broker with rules beside it and one with rules inside.
import { hasMosquitto } from '../brokers.ts'
import { contend, type Row } from '../contender.ts'
import { millrace, mirror, mosquitto, stockAedes, type System } from '../systems.ts'
import { median, ratio, rounded, spread, type Section } from '../table.ts'

const WARM_MS = 1500

const measure = async (system: System, rules: number, ms: number): Promise<Row> => {
  const contender = await contend(system, rules)
  try {
    await contender.warm(WARM_MS)
    return await contender.measure(ms)
  } finally {
    await contender.stop()
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
