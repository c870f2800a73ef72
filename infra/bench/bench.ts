// `npm run bench`: sensor → flow → topic against its peers, interleaved on this machine. Ratios count; absolute figures belong to the machine.
import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { cpuOf, memoryOf } from './cpu.ts'
import type { Figures, Order, Setup } from './generator.ts'
import { hasMosquitto, millrace, mirror, mosquitto, stockAedes, type System } from './systems.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    rules: { type: 'string', default: '1,50,500' },
    seconds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const ms = Number(values.seconds) * 1000

interface Row {
  cpuUs: number
  perSecond: number
  lost: number
  p50: number
  p99: number
  mib: number
  generatorUs: number
}

const measure = async (system: System, rules: number): Promise<Row> => {
  const running = await system.start(rules)
  const setup: Setup = { ...running.setup, topics: rules }
  const load = spawn(process.execPath, [join(import.meta.dirname, 'generator.ts'), JSON.stringify(setup)], {
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

const median = (list: number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN
const spread = (list: number[]): string => `${Math.min(...list).toFixed(1)}–${Math.max(...list).toFixed(1)}`

const systems = [millrace, ...(hasMosquitto() ? [mosquitto] : []), stockAedes]
if (!hasMosquitto()) console.log('Mosquitto is not installed, so the table lacks it: apt-get install mosquitto')
const figures = new Map<string, Row[]>()
for (const rules of values.rules.split(',').map(Number)) {
  for (let round = 0; round < rounds; round++) {
    for (const system of systems) {
      const key = `${rules}|${system.name}`
      figures.set(key, [...(figures.get(key) ?? []), await measure(system, rules)])
      process.stderr.write(`round ${round + 1} of ${rounds}: ${system.name}, ${rules} rules\n`)
    }
  }
}
const ceiling = await measure(mirror, 1)

if (values.json) console.log(JSON.stringify(Object.fromEntries(figures), undefined, 2))
console.log(
  `\nSensor → flow → topic, QoS 0, 120-byte JSON, one output for each input. ${rounds} interleaved rounds of ${values.seconds} s; medians, CPU with its lowest and highest.`,
)
console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}. The generator alone reaches ${Math.round(ceiling.perSecond)}/s at ${ceiling.generatorUs.toFixed(1)} µs of CPU per message.`,
)
console.log(
  'Millrace: journal on, flows in a process of their own, rights checked per message. The peers: no record, no rights, no isolation.\n',
)
console.log(
  '| rules | system | CPU µs/message | spread | messages/s | p50 ms at 1,000/s | p99 ms | lost | MiB | CPU against Millrace |',
)
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |')
for (const [key, rows] of figures) {
  const [rules = '', name = ''] = key.split('|')
  const of = (pick: (row: Row) => number) => median(rows.map(pick))
  const own = median((figures.get(`${rules}|Millrace`) ?? []).map((row) => row.cpuUs))
  console.log(
    `| ${rules} | ${name} | ${of((r) => r.cpuUs).toFixed(1)} | ${spread(rows.map((r) => r.cpuUs))} | ${Math.round(of((r) => r.perSecond))} | ${of((r) => r.p50).toFixed(2)} | ${of((r) => r.p99).toFixed(2)} | ${of((r) => r.lost)} | ${Math.round(of((r) => r.mib))} | ${(of((r) => r.cpuUs) / own).toFixed(2)} × |`,
  )
}
