// Section reload: a flow saved again and again under a counted load, and what a thousand reloads leave behind.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { family, memoryOf } from '../cpu.ts'
import { heapOf, inspectorIn } from '../inspector.ts'
import { load } from '../load/child.ts'
import type { SequenceFigures, SequenceOrder, SequenceSetup } from '../load/sequence.ts'
import { leave, PUBLISH, publishParts, subscribe } from '../load/wire.ts'
import { sleep } from '../processes.ts'
import { median, rounded, spread, type Section } from '../table.ts'
import { flowText, startWorkshop, type Workshop } from '../workshop.ts'

const RATE = 1000
const SAVES = 20
const BETWEEN_MS = 600
const LIVE_LATE_MS = 15_000
/** Of the thousand, so many come first: caches fill, code is compiled, processes of the hub start. */
const WARM = 150
const LOOK_MS = 5

const counter = (version: number): string =>
  flowText(
    'Counts along.',
    ['map'],
    "where: { n: 'count' }, ",
    `map(({ payload }) => message('flows/{flow}/{value}', { flow: 'counter', value: 'out' }, { n: Number(payload['n']), v: ${version} }))`,
  )

const V = Buffer.from('"v":')

/** Listens to the flow's outputs: resolves when one by `version` has come. */
const listen = async ({ port, subscriber }: Workshop) => {
  const waiting = new Map<number, (at: number) => void>()
  const id = `${subscriber.clientId}-reload`
  const client = await subscribe(
    { port, ...subscriber },
    {
      id,
      take(type, flags, bytes, at, end) {
        if (type !== PUBLISH) return
        const payload = bytes.subarray(publishParts(flags, bytes, at).payload, end)
        const found = payload.indexOf(V)
        const version = found < 0 ? -1 : Number.parseInt(payload.toString('latin1', found + V.length), 10)
        waiting.get(version)?.(performance.now())
        waiting.delete(version)
      },
    },
    'jarvis/flows/counter/out',
    0,
  )
  return {
    /** When its first output came; NaN when none came in time. */
    by: (version: number): Promise<number> =>
      new Promise((done) => {
        const late = setTimeout(() => done(Number.NaN), LIVE_LATE_MS)
        waiting.set(version, (at) => {
          clearTimeout(late)
          done(at)
        })
      }),
    stop: () => leave(client),
  }
}

/** ms during which the API says that a version is being checked; NaN when it never says so. Looks until `isOver`. */
const checking = async ({ get }: Workshop, isOver: () => boolean): Promise<number> => {
  let [from, to] = [Number.NaN, Number.NaN]
  while (!isOver()) {
    const { items } = (await get('/api/flows').catch(() => ({ items: [] }))) as {
      items: { newer?: { state: string } }[]
    }
    const isChecking = items.some(({ newer }) => newer?.state === 'checking')
    const now = performance.now()
    if (isChecking && Number.isNaN(from)) from = now
    if (isChecking) to = now
    await sleep(LOOK_MS)
  }
  return to - from
}

interface Saved {
  liveMs: number
  checkMs: number
}

const save = async (workshop: Workshop, ear: Awaited<ReturnType<typeof listen>>, version: number): Promise<Saved> => {
  const live = ear.by(version)
  writeFileSync(join(workshop.flowsDir, 'counter.ts'), counter(version))
  const saved = performance.now()
  let isOver = false
  const checked = checking(workshop, () => isOver)
  const at = await live
  isOver = true
  return { liveMs: at - saved, checkMs: await checked }
}

interface Left {
  hubHeap: number
  hubFds: number
  hubThreads: number
  flowsMib: number
  flowsFds: number
  flowsThreads: number
}

const count = (pid: number, what: 'fd' | 'task'): number => {
  try {
    return readdirSync(`/proc/${pid}/${what}`).length
  } catch {
    return Number.NaN
  }
}

const flowsPid = ({ pid }: Workshop): number =>
  family(pid).find((each) => {
    try {
      return readFileSync(`/proc/${each}/cmdline`, 'latin1').includes('runner/child.ts')
    } catch {
      return false
    }
  }) ?? 0

const left = async (workshop: Workshop): Promise<Left> => {
  const url = inspectorIn(workshop.said())
  const flows = flowsPid(workshop)
  const hubHeap = url === undefined ? Number.NaN : await heapOf(url)
  return {
    hubHeap,
    hubFds: count(workshop.pid, 'fd'),
    hubThreads: count(workshop.pid, 'task'),
    flowsMib: memoryOf([flows], false),
    flowsFds: count(flows, 'fd'),
    flowsThreads: count(flows, 'task'),
  }
}

const isMet = (met: boolean): string => (met ? 'met' : 'missed')

const underLoad = async (workshop: Workshop): Promise<string[][]> => {
  const { port, publisher, subscriber } = workshop
  const setup = { port, publisher, subscriber, topic: 'bench/count/in', subscribe: 'jarvis/flows/counter/out' }
  const line = await load<SequenceSetup, SequenceOrder, SequenceFigures>('sequence.ts', setup)
  const ear = await listen(workshop)
  try {
    await line.ask({ rate: RATE, ms: 2000, drainMs: 3000 })
    let isOver = false
    // Longer than the saves can take; what is left of it is cut off when they are done.
    const longest = SAVES * (BETWEEN_MS + LIVE_LATE_MS) + 10_000
    const work = line.ask({ rate: RATE, ms: longest, drainMs: 5000, until: 'told' }, longest + 30_000)
    void work.finally(() => (isOver = true)).catch(() => {})
    const all: Saved[] = []
    for (let version = 1; version <= SAVES && !isOver; version++) {
      all.push(await save(workshop, ear, version))
      process.stderr.write(`save ${version} of ${SAVES}: live after ${rounded(all.at(-1)?.liveMs ?? Number.NaN)} ms\n`)
      // A hub that does not reload will not do so at the next save either.
      if (Number.isNaN(all.at(-1)?.liveMs)) break
      await sleep(BETWEEN_MS)
    }
    line.tell('enough')
    const figures = await work
    const [first, ...rest] = all
    const live = rest.map(({ liveMs }) => liveMs)
    const checks = rest.map(({ checkMs }) => checkMs)
    const apart = rest.map(({ liveMs, checkMs }) => liveMs - (Number.isNaN(checkMs) ? 0 : checkMs))
    return [
      ['saves at 1,000 messages/s', String(all.length), '', ''],
      [
        'from the save to the first output by the new version, ms',
        `${rounded(median(live))} (${spread(live)})`,
        '',
        '',
      ],
      ['of it the type check, ms', `${rounded(median(checks))} (${spread(checks)})`, '', ''],
      ['the first save, which starts the checker, ms', `${rounded(first?.liveMs ?? Number.NaN)}`, '', ''],
      [
        'without the type check, ms',
        `${rounded(median(apart))} (${spread(apart)})`,
        '≤ 100',
        isMet(median(apart) <= 100),
      ],
      ['lost', `${figures.lost} of ${figures.sent}`, '0', isMet(figures.lost === 0)],
      ['doubled', String(figures.doubled), '0', isMet(figures.doubled === 0)],
      ['out of order', String(figures.late), '0', isMet(figures.late === 0)],
      ['longest time without an output, ms', rounded(figures.gap), '', ''],
    ]
  } finally {
    await ear.stop()
    await line.stop()
  }
}

const manyTimes = async (workshop: Workshop, reloads: number): Promise<string[][]> => {
  const { port, publisher, subscriber } = workshop
  const setup = { port, publisher, subscriber, topic: 'bench/count/in', subscribe: 'jarvis/flows/counter/out' }
  const line = await load<SequenceSetup, SequenceOrder, SequenceFigures>('sequence.ts', setup)
  const ear = await listen(workshop)
  const deadline = performance.now() + 240_000 + reloads * 300
  let version = 10_000
  const reload = async (times: number): Promise<number> => {
    for (let i = 0; i < times; i++) {
      const live = ear.by(++version)
      writeFileSync(join(workshop.flowsDir, 'counter.ts'), counter(version))
      if (Number.isNaN(await live) || performance.now() > deadline) return i
      if (i % 100 === 99) process.stderr.write(`${i + 1} reloads\n`)
    }
    return times
  }
  try {
    const longest = deadline - performance.now()
    const work = line.ask({ rate: 200, ms: longest, drainMs: 5000, until: 'told' }, longest + 30_000)
    await reload(Math.min(WARM, reloads))
    await sleep(1000)
    const before = await left(workshop)
    const done = await reload(reloads)
    await sleep(1000)
    const after = await left(workshop)
    line.tell('enough')
    const figures = await work
    const row = (what: string, pick: (at: Left) => number, most: number): string[] => {
      const [from, to] = [pick(before), pick(after)]
      const grown = (to - from) / from
      const percent = `${grown >= 0 ? '+' : ''}${(grown * 100).toFixed(1)} %`
      return [
        what,
        `${rounded(from)} → ${rounded(to)} (${percent})`,
        most === 0 ? 'flat' : `≤ ${most * 100} %`,
        isMet(grown <= most),
      ]
    }
    return [
      ['reloads in a row', String(done), String(reloads), isMet(done === reloads)],
      row('heap of the hub after a full collection, MiB', (at) => at.hubHeap, 0.05),
      row('resident memory of the process of flows, MiB', (at) => at.flowsMib, 0.05),
      row('open files of the hub', (at) => at.hubFds, 0),
      row('open files of the process of flows', (at) => at.flowsFds, 0),
      row('threads of the hub', (at) => at.hubThreads, 0),
      row('threads of the process of flows', (at) => at.flowsThreads, 0),
      [
        'lost, doubled',
        `${figures.lost}, ${figures.doubled} of ${figures.sent}`,
        '0, 0',
        isMet(figures.lost + figures.doubled === 0),
      ],
    ]
  } finally {
    await ear.stop()
    await line.stop()
  }
}

/** Twenty saves under load, then `reloads` in a row. */
export const reload = async (reloads: number): Promise<Section> => {
  const workshop = await startWorkshop({ flows: { counter: counter(0) }, node: ['--inspect=127.0.0.1:0'] })
  try {
    const rows = await underLoad(workshop)
    const isLive = rows[0]?.[1] === String(SAVES)
    if (isLive) rows.push(...(await manyTimes(workshop, reloads)))
    return {
      title: 'Reload',
      notes: `One flow, its file written in place with another version ${SAVES} times while a counted sequence runs through it at ${RATE} messages/s; how long the type check takes is what the API says of the version, looked at every ${LOOK_MS} ms. Then ${reloads} more reloads in a row at 200 messages/s, after ${WARM} that do not count; the process of flows is replaced now and then, so its memory is that of a moment.${isLive ? '' : ' The hub did not reload: the rest was left out.'}`,
      head: ['what', 'figure', 'goal', ''],
      rows,
    }
  } finally {
    await workshop.stop()
  }
}
