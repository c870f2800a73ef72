// What rolling up values costs per message, and how long a chart takes at a million rows: node hub/journal/series.bench.ts
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from './entry.ts'
import { openJournal } from './journal.ts'
import { SPANS } from './series/bucket.ts'
import { pastOf } from './series/ask.ts'
import { openRollup } from './series/rollup.ts'
import { type Row, openTables } from './series/tables.ts'

const MESSAGES = 300_000
const RUNS = 5
const WINDOW = 4096
const DEVICES = 100
const T0 = Date.UTC(2026, 10, 1)
const PAYLOAD = (n: number): Buffer =>
  Buffer.from(JSON.stringify({ celsius: 20 + (n % 50) / 10, humidity: 40 + (n % 7), on: n % 9 < 4, mode: 'auto' }))
const TOPICS = Array.from({ length: DEVICES }, (_, i) => `jarvis/devices/sensor_${i}/telemetry`)

const cpuUs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return user + system
}
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
const spread = (values: number[], digits: number): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`

interface Cost {
  main: number
  all: number
  bytes: number
}

/** Writes messages as fast as they are acknowledged; with roll-ups, until they are rolled up as well. */
const write = async (isRolledUp: boolean): Promise<Cost> => {
  const dir = mkdtempSync(join(tmpdir(), 'series-bench-'))
  const file = join(dir, 'series.sqlite')
  const series = { file, prefix: 'jarvis', clock: { now: () => T0 }, tell: console.error }
  const journal = await openJournal(join(dir, 'journal'), {
    durability: 'process',
    clock: { stamp: () => T0 },
    ...(isRolledUp ? { series } : {}),
  })
  const payloads = Array.from({ length: 1000 }, (_, n) => PAYLOAD(n))
  const entryOf = (seq: number): Entry => ({
    kind: 'message',
    seq,
    at: T0 + seq * 10,
    cause: 0,
    n: 0,
    topic: TOPICS[seq % DEVICES] ?? '',
    payload: payloads[seq % 1000] ?? Buffer.alloc(0),
    qos: 0,
    retain: false,
    origin: 'device:sensor',
    correlation: '',
  })
  const [cpu, all] = [cpuUs(), process.cpuUsage()]
  await new Promise<void>((resolve) => {
    let [sent, done] = [0, 0]
    const one = (): void => {
      sent++
      journal.append(entryOf(journal.reserve()), () => {
        if (++done === MESSAGES) resolve()
        else if (sent < MESSAGES) one()
      })
    }
    for (let i = 0; i < WINDOW; i++) one()
  })
  if (journal.series !== undefined && 'pass' in journal.series && typeof journal.series.pass === 'function')
    await journal.series.pass()
  const spent = process.cpuUsage(all)
  const cost = { main: (cpuUs() - cpu) / MESSAGES, all: (spent.user + spent.system) / MESSAGES, bytes: 0 }
  await journal.close()
  if (isRolledUp) cost.bytes = statSync(file).size / MESSAGES
  rmSync(dir, { recursive: true, force: true })
  return cost
}

const costs = { without: [] as Cost[], with: [] as Cost[] }
for (let run = 0; run < RUNS; run++) {
  costs.without.push(await write(false))
  costs.with.push(await write(true))
}
console.log(`${MESSAGES} messages of 3 values, ${DEVICES} devices, 10 ms apart, median of ${RUNS} interleaved runs\n`)
console.log('| journal | main thread µs/msg | all threads µs/msg | bytes/msg in the file |')
console.log('| --- | --- | --- | --- |')
for (const name of ['without', 'with'] as const) {
  const runs = costs[name]
  const cells = [spread(runs.map((run) => run.main), 2), spread(runs.map((run) => run.all), 2), median(runs.map((run) => run.bytes)).toFixed(1)] // prettier-ignore
  console.log(`| ${name} roll-ups | ${cells.join(' | ')} |`)
}

const ROWS = 1_000_000
const SERIES = 100
const dir = mkdtempSync(join(tmpdir(), 'series-bench-'))
const { tables } = openTables(join(dir, 'series.sqlite'))
const minutes = Math.floor(ROWS / SERIES / (1 + 1 / 60 + 1 / 1440))
const named = Array.from({ length: SERIES }, (_, n) => ({
  id: n + 1,
  device: `sensor_${n}`,
  field: 'celsius',
  isSwitch: false,
  day: Math.floor(T0 / SPANS.day),
}))
function* rows(): Generator<Row> {
  for (const span of ['minute', 'hour', 'day'] as const) {
    const per = SPANS[span] / SPANS.minute
    for (let index = 0; index < minutes / per; index++)
      for (let series = 1; series <= SERIES; series++) {
        const value = 20 + Math.sin(index / 100 + series)
        const bucket = { n: 6, sum: value * 6, min: value - 0.5, max: value + 0.5, first: value, firstAt: 5, last: value, lastAt: 55_000, held: 1e6 } // prettier-ignore
        yield { span, index: Math.floor(T0 / SPANS[span]) + index, series, bucket }
      }
  }
}
const place = { firstSeq: 1, salt: 1, offset: 64, before: { firstSeq: 0, salt: 0 } }
const reached = { place, run: 'bench', seq: 1, at: T0, nextId: SERIES + 1 }
tables.write({ reached, rows: rows(), series: named, gone: [], erased: [], personal: [] })
const options = { prefix: 'jarvis', run: 'bench', opened: [], perDevice: 64, inAll: 5000 }
const rollup = openRollup(tables, options)
if (rollup === undefined) throw new Error('no roll-ups')
const end = T0 + minutes * SPANS.minute
console.log(`\n${ROWS} rows of ${SERIES} series, ${(tables.bytes() / ROWS).toFixed(0)} bytes each, 200 charts\n`)
console.log('| chart | buckets | median ms | p99 ms |')
console.log('| --- | --- | --- | --- |')
for (const [name, length] of [
  ['hour', SPANS.hour],
  ['day', SPANS.day],
  ['week', 7 * SPANS.day],
  ['month', 30 * SPANS.day],
] as const) {
  // prettier-ignore
  const times: number[] = []
  for (let n = 0; n < 200; n++) {
    const device = `sensor_${(n * 37) % SERIES}`
    const begun = performance.now()
    pastOf(rollup, tables, { device, field: 'celsius', from: end - length, until: end, points: 500, now: end })
    times.push(performance.now() - begun)
  }
  const buckets = Math.ceil(length / SPANS[length > SPANS.day ? 'hour' : 'minute'])
  const sorted = times.toSorted((a, b) => a - b)
  console.log(`| ${name} | ${buckets} | ${median(times).toFixed(2)} | ${(sorted[197] ?? 0).toFixed(2)} |`)
}
tables.close()
rmSync(dir, { recursive: true, force: true })
