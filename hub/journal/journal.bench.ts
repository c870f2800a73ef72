// What the journal costs the hub's main thread per message, at saturation: node hub/journal/journal.bench.ts
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from './entry.ts'
import { openJournal } from './journal.ts'

const MESSAGES = 500_000
const RUNS = 5
const WINDOW = 4096
const PAYLOAD = Buffer.from(
  JSON.stringify({ value: 21.5, unit: '°C', battery: 87, quality: 'good', note: 'x'.repeat(60) }),
)
const TOPICS = Array.from({ length: 100 }, (_, i) => `jarvis/devices/sensor_${i}/state`)

const cpuUs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

interface Result {
  cpu: number
  wall: number
  allThreads: number
  bytes: number
}

/** Keeps `WINDOW` messages on their way until all are acknowledged. */
const saturate = async (durability: 'process' | 'power', write: boolean): Promise<Result> => {
  const dir = mkdtempSync(join(tmpdir(), 'journal-bench-'))
  const journal = await openJournal(dir, { durability, clock: { stamp: () => 0 } })
  const entryOf = (seq: number): Entry => ({
    kind: 'message',
    seq,
    at: 1_790_000_000_000 + seq,
    cause: 0,
    n: 0,
    topic: TOPICS[seq % TOPICS.length] ?? '',
    payload: PAYLOAD,
    qos: 1,
    retain: false,
    origin: 'device:sensor_1',
    correlation: '',
  })
  const append = (entry: Entry, done: () => void): void =>
    write ? journal.append(entry, done) : void queueMicrotask(done)
  const [cpu, all, wall] = [cpuUs(), process.cpuUsage(), performance.now()]
  await new Promise<void>((resolve) => {
    let [sent, done] = [0, 0]
    const one = () => {
      sent++
      append(entryOf(journal.reserve()), () => {
        if (++done === MESSAGES) resolve()
        else if (sent < MESSAGES) one()
      })
    }
    for (let i = 0; i < WINDOW; i++) one()
  })
  const spent = process.cpuUsage(all)
  const result = {
    cpu: (cpuUs() - cpu) / MESSAGES,
    wall: performance.now() - wall,
    allThreads: (spent.user + spent.system) / MESSAGES,
    bytes: journal.stats().bytes / MESSAGES,
  }
  await journal.close()
  rmSync(dir, { recursive: true, force: true })
  return result
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
const ways = [
  ['load generator alone', 'process', false],
  ['process', 'process', true],
  ['power (fdatasync per commit)', 'power', true],
] as const

const results = ways.map((): Result[] => [])
for (let run = 0; run < RUNS; run++) {
  for (const [i, [, durability, write]] of ways.entries()) results[i]?.push(await saturate(durability, write))
}
console.log(
  `${MESSAGES} messages of ${PAYLOAD.length} payload bytes, ${WINDOW} on their way, median of ${RUNS} interleaved runs\n`,
)
console.log('| way | main thread µs/msg | all threads µs/msg | messages/s | bytes/msg | spread µs |')
console.log('| --- | --- | --- | --- | --- | --- |')
for (const [i, [name]] of ways.entries()) {
  const runs = results[i] ?? []
  const cpu = runs.map((run) => run.cpu)
  const rate = Math.round(MESSAGES / (median(runs.map((run) => run.wall)) / 1000))
  const cells = [
    median(cpu).toFixed(2),
    median(runs.map((run) => run.allThreads)).toFixed(2),
    rate,
    Math.round(median(runs.map((run) => run.bytes))),
  ]
  console.log(`| ${name} | ${cells.join(' | ')} | ${Math.min(...cpu).toFixed(2)}–${Math.max(...cpu).toFixed(2)} |`)
}
