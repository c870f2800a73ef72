// Section neighbours: what a healthy flow at 1,000/s notices of one that throws, floods, loops, leaks or is slow.
import { family } from '../cpu.ts'
import { load } from '../load/child.ts'
import type { SequenceFigures, SequenceOrder, SequenceSetup } from '../load/sequence.ts'
import { sleep } from '../processes.ts'
import { median, rounded, spread, type Section } from '../table.ts'
import { flowText, startWorkshop, type Workshop } from '../workshop.ts'

const RATE = 1000
const WARM_MS = 3000
const QUIET_MS = 5000
const BESIDE_MS = 10_000
/** Longer than the hub needs to replace a process and bring its flows up to date. */
const DRAIN_MS = 12_000
const LOOK_MS = 250

interface Neighbour {
  does: string
  /** It is told so often; it does nothing until then. */
  everyMs: number
  text: string
}

const says = (fields: string): string => `message('flows/{flow}/{value}', { flow: 'bad', value: 'out' }, { ${fields} })`
const bad = (operators: readonly string[], pipe: string, before = ''): string => {
  const text = flowText('Does what no flow should.', operators, "where: { n: 'bad' }, ", pipe)
  return text.replace('export default', `${before}export default`)
}

const NEIGHBOURS: readonly Neighbour[] = [
  {
    does: 'throws, ten times a second',
    everyMs: 100,
    text: bad(
      ['map'],
      `map(({ payload }) => {
      if (payload.value > 0) throw new Error('thrown on purpose')
      return ${says('t: payload.t')}
    })`,
    ),
  },
  {
    does: 'floods: 5,000 outputs ten times a second',
    everyMs: 100,
    text: bad(['map', 'mergeMap', 'range'], `mergeMap(() => range(0, 5000).pipe(map((i) => ${says('i')})))`),
  },
  {
    does: 'loops endlessly',
    everyMs: 1000,
    text: bad(
      ['map'],
      `map(({ payload }) => {
      let turns = 0
      while (payload.value > 0) turns++
      return ${says('turns')}
    })`,
    ),
  },
  {
    does: 'leaks arrays, 160 MB a second',
    everyMs: 50,
    text: bad(
      ['map'],
      `map(({ payload }) => {
      kept.push(Array.from({ length: 1_000_000 }, (_, i) => i + payload.value / 3))
      return ${says('kept: kept.length')}
    })`,
      'const kept: number[][] = []\n',
    ),
  },
  {
    does: 'leaks outside the heap, 160 MB a second',
    everyMs: 50,
    text: bad(
      ['map'],
      `map(({ payload }) => {
      kept.push(new Float64Array(1_000_000).fill(payload.value))
      return ${says('kept: kept.length')}
    })`,
      'const kept: Float64Array[] = []\n',
    ),
  },
  {
    does: 'is slow: 20 million steps for each of 100 messages a second',
    everyMs: 10,
    text: bad(
      ['map'],
      `map(({ payload }) => {
      let sum = payload.value
      for (let i = 0; i < 20_000_000; i++) sum = (sum * 31 + i) % 1_000_003
      return ${says('sum')}
    })`,
    ),
  },
]

const healthy = flowText(
  'Counts along.',
  ['map'],
  "where: { n: 'good' }, ",
  `map(({ payload }) => message('flows/{flow}/{value}', { flow: 'good', value: 'out' }, { n: Number(payload['n']), t: payload.t }))`,
)

interface Row {
  quiet: SequenceFigures
  beside: SequenceFigures
  /** The flows' process was replaced. */
  isReplaced: boolean
  /** ms until the API named it; NaN when it did not. */
  namedMs: number
  status: string
}

const measure = async (workshop: Workshop, everyMs: number): Promise<Row> => {
  const { port, publisher, subscriber } = workshop
  const setup = { port, publisher, subscriber, topic: 'bench/good/in', subscribe: 'jarvis/flows/good/out' }
  const line = await load<SequenceSetup, SequenceOrder, SequenceFigures>('sequence.ts', setup)
  try {
    const calm = { rate: RATE, drainMs: DRAIN_MS }
    await line.ask({ ...calm, ms: WARM_MS })
    const quiet = await line.ask({ ...calm, ms: QUIET_MS })
    const before = family(workshop.pid)
    const begun = performance.now()
    const payload = '{"t":1,"value":1}'
    const work = line.ask({ ...calm, ms: BESIDE_MS, also: { topic: 'bench/bad/in', payload, everyMs } }, 120_000)
    let isOver = false
    void work.finally(() => (isOver = true)).catch(() => {})
    let namedMs = Number.NaN
    let status = ''
    for (; !isOver; await sleep(LOOK_MS)) {
      const row = (await workshop.flows().catch(() => [])).find(({ id }) => id === 'bad')
      if (row === undefined) continue
      status = row.status
      const isNamed = row.status !== 'running' || row.error !== undefined || row.slow === true
      if (Number.isNaN(namedMs) && isNamed) namedMs = performance.now() - begun
    }
    const beside = await work
    const after = family(workshop.pid)
    return { quiet, beside, isReplaced: before.some((pid) => !after.includes(pid)), namedMs, status }
  } finally {
    await line.stop()
  }
}

/** Each neighbour with a hub of its own, `rounds` times. About 25 s each. */
export const neighbours = async (rounds: number): Promise<Section> => {
  const rows: string[][] = []
  for (const { does, everyMs, text } of NEIGHBOURS) {
    const found: Row[] = []
    for (let round = 0; round < rounds; round++) {
      process.stderr.write(`round ${round + 1} of ${rounds}: a neighbour that ${does}\n`)
      const workshop = await startWorkshop({ flows: { good: healthy, bad: text } })
      try {
        found.push(await measure(workshop, everyMs))
      } finally {
        await workshop.stop()
      }
    }
    const besideOf = ({ beside, isReplaced }: Row) => (isReplaced ? beside.p99Outside : beside.p99)
    const ratios = found.map((row) => besideOf(row) / row.quiet.p99)
    const sum = (pick: (row: Row) => number) => found.reduce((all, row) => all + pick(row), 0)
    const gap = Math.max(...found.map(({ beside }) => beside.gap))
    const isReplaced = found.some((row) => row.isReplaced)
    const [lost, doubled] = [sum(({ beside }) => beside.lost), sum(({ beside }) => beside.doubled)]
    const misses = [
      ...(median(ratios) <= 1.5 ? [] : ['p99']),
      ...(gap <= 1500 ? [] : ['gap']),
      ...(lost === 0 ? [] : ['lost']),
      ...(doubled === 0 ? [] : ['doubled']),
    ]
    rows.push([
      does,
      rounded(median(found.map(({ quiet }) => quiet.p99))),
      rounded(median(found.map(besideOf))),
      `${median(ratios).toFixed(2)} × (${spread(ratios)})`,
      rounded(gap),
      isReplaced ? 'yes' : 'no',
      String(lost),
      String(doubled),
      [...new Set(found.map(({ status }) => status))].join(', '),
      rounded(median(found.map(({ namedMs }) => namedMs)) / 1000),
      misses.length === 0 ? 'met' : `missed: ${misses.join(', ')}`,
    ])
  }
  return {
    title: 'Neighbours',
    notes: `A healthy flow hears ${RATE} numbered messages/s and answers each: ${QUIET_MS / 1000} s in peace, then ${BESIDE_MS / 1000} s beside the neighbour, in the same hub. p99 in ms; where the process of flows had to be replaced, without what was sent while nothing came (the gap has its own column). Lost and doubled: of all ${(RATE * BESIDE_MS) / 1000} outputs. Goals: p99 ≤ 1.5 × in peace, gap ≤ 1,500 ms, none lost, none doubled.`,
    head: ['the neighbour', 'p99 in peace', 'p99 beside it', 'ratio', 'longest gap ms', 'process replaced', 'lost', 'doubled', 'its state', 'named after s', 'goals'], // prettier-ignore
    rows,
  }
}
