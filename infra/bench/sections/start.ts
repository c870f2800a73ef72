// Sections start and journal: how soon the hub is there, what it needs when nothing happens, and what its record costs.
import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { brokers, hub, mosquitto, type RunningBroker } from '../brokers.ts'
import { family, memoryOf, ownMemoryOf } from '../cpu.ts'
import { open, leave, publishPacket, PUBACK, PUBLISH, subscribe, within } from '../load/wire.ts'
import { sleep } from '../processes.ts'
import { median, rounded, spread, type Section } from '../table.ts'

const RETAINED = 10_000
const READY_MS = 60_000
const CALM_MS = 5000
const ROOT = resolve(import.meta.dirname, '../../..')

/** Publishes retained messages with QoS 1 and waits for all acknowledgements. */
const retain = async ({ entrance }: RunningBroker): Promise<void> => {
  let acked = 0
  let told = () => {}
  const client = await open(entrance, {
    id: 'bench-retain',
    take: (type) => {
      if (type === PUBACK) acked++
      told()
    },
  })
  for (let n = 0; n < RETAINED; n += 50) {
    const batch = Array.from({ length: 50 }, (_, i) =>
      publishPacket(`bench/kept/${n + i}`, `{"n":${n + i},"pad":"${'x'.repeat(80)}"}`, 1, n + i + 1, true),
    )
    client.socket.write(Buffer.concat(batch))
    const all = new Promise<void>((done) => (told = () => void (acked >= n + 50 && done())))
    told()
    await within(10_000, all, 'no acknowledgement')
  }
  await leave(client)
}

/** How many retained messages a new subscriber gets, and within what time, ms. */
const kept = async ({ entrance }: RunningBroker): Promise<{ count: number; ms: number }> => {
  const begun = performance.now()
  let [count, last] = [0, begun]
  const client = await subscribe(
    entrance,
    { id: 'bench-kept', take: (type) => void (type === PUBLISH && ((last = performance.now()), count++)) },
    'bench/kept/+',
    0,
  )
  while (count < RETAINED && performance.now() - last < 1500) await sleep(5)
  await leave(client)
  return { count, ms: last - begun }
}

/** Tries until it works; the time from `begun`, ms. */
const until = async (begun: number, attempt: () => Promise<boolean>): Promise<number> => {
  while (performance.now() - begun < READY_MS) {
    if (await attempt().catch(() => false)) return performance.now() - begun
    await sleep(3)
  }
  return Number.NaN
}

interface Figure {
  readyMs: number
  connackMs: number
  kept: number
  keptMs: number
}

const restart = async (broker: RunningBroker): Promise<Figure> => {
  await broker.end()
  const begun = performance.now()
  const up = broker.again()
  const { http } = broker
  const [readyMs, connackMs] = await Promise.all([
    http === undefined ? Number.NaN : until(begun, async () => (await fetch(`${http}/readyz`)).ok),
    until(begun, async () => {
      await leave(await open(broker.entrance, { id: 'bench-first' }))
      return true
    }),
  ])
  await up
  const { count, ms } = await kept(broker)
  return { readyMs, connackMs, kept: count, keptMs: ms }
}

export const starts = async (rounds: number): Promise<Section> => {
  const rows: string[][] = []
  for (const kind of brokers()) {
    const broker = await kind.start({ durable: true })
    try {
      await sleep(CALM_MS)
      const [memory, own, main] = [memoryOf(broker.pids), ownMemoryOf(broker.pids), memoryOf(broker.pids, false)]
      const processes = broker.pids.flatMap(family).length
      const figures: Figure[] = []
      if (kind === hub || kind === mosquitto) {
        await retain(broker)
        for (let round = 0; round < rounds; round++) figures.push(await restart(broker))
      }
      const of = (pick: (figure: Figure) => number) => rounded(median(figures.map(pick)))
      rows.push([
        kind.name,
        of((f) => f.readyMs),
        of((f) => f.connackMs),
        spread(figures.map((f) => f.connackMs)),
        of((f) => f.kept),
        of((f) => f.keptMs),
        `${rounded(memory)} (${rounded(main)} in the first of ${processes})`,
        rounded(own),
      ])
    } finally {
      await broker.close()
    }
  }
  return {
    title: 'Start, restart with 10,000 retained messages, idle memory',
    notes: `Times from the start of the process, web app built before. Restarted by SIGTERM, so that Mosquitto saves its file. Memory ${CALM_MS / 1000} s after a start, one login by password included; shared pages are counted once for each process in the first figure, once in all in the second.`,
    head: [
      'system', 'to /readyz ms', 'to the first CONNACK ms', 'spread', 'retained there', 'read in ms', 'idle MiB', 'MiB, shared once',
    ], // prettier-ignore
    rows,
  }
}

/** The journal's own benchmark, as it prints. */
export const journal = (): string =>
  execFileSync(process.execPath, [join(ROOT, 'hub/journal/journal.bench.ts')], { encoding: 'utf8', timeout: 180_000 })
