// Where the hub's CPU goes under one load: node infra/bench/profile.ts fanin|fanout|durable [number of the load], or flows [how many]; [--seconds 4]
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hub } from './brokers.ts'
import { contend } from './contender.ts'
import { measure, shapes } from './sections/fan.ts'
import { millrace } from './systems.ts'
import { table } from './table.ts'

interface Profile {
  nodes: {
    id: number
    callFrame: { functionName: string; url: string; lineNumber: number }
    children?: number[]
  }[]
  samples: number[]
  timeDeltas: number[]
  /** Of the same clock as `process.hrtime`, µs. */
  startTime: number
}
/** µs of that clock. */
interface Span {
  from: number
  to: number
}

const TOP = 25
const MIN_SHARE = 0.004
const now = (): number => Number(process.hrtime.bigint() / 1000n)

/** Time within the span by function: its own, and with all that Node and V8 did for it; in shares of what was not idle. */
const topOf = ({ nodes, samples, timeDeltas, startTime }: Profile, { from, to }: Span) => {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const nameOf = (id: number): string => {
    const { functionName = '', url = '', lineNumber = 0 } = byId.get(id)?.callFrame ?? {}
    const at = url === '' ? '' : `${url.replace(/^.*\/(hub|node_modules)\//, '$1/')}:${lineNumber + 1}`
    return `${functionName === '' ? '(anonymous)' : functionName}|${at}`
  }
  const isOurs = (id: number) => /^file:/.test(byId.get(id)?.callFrame.url ?? '') || /node_modules/.test(byId.get(id)?.callFrame.url ?? '') // prettier-ignore
  const responsible = (id: number): number => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) if (isOurs(at)) return at
    return id
  }
  const [own, withNode] = [new Map<string, number>(), new Map<string, number>()]
  const add = (times: Map<string, number>, name: string, us: number) => times.set(name, (times.get(name) ?? 0) + us)
  let [at, busy] = [startTime, 0]
  for (const [i, id] of samples.entries()) {
    const us = timeDeltas[i] ?? 0
    at += us
    if (at < from || at > to || byId.get(id)?.callFrame.functionName === '(idle)') continue
    busy += us
    add(own, nameOf(id), us)
    add(withNode, nameOf(responsible(id)), us)
  }
  const rows = (times: Map<string, number>) =>
    [...times]
      .sort(([, one], [, other]) => other - one)
      .filter(([, us]) => us / busy >= MIN_SHARE)
      .slice(0, TOP)
      .map(([name, us]) => [`${((us / busy) * 100).toFixed(1)} %`, ...name.split('|')])
  return { busyMs: busy / 1000, own: rows(own), withNode: rows(withNode) }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '4' }, durability: { type: 'string', default: 'process' } },
})
const [section = '', number] = positionals
const ms = Number(values.seconds) * 1000
const span: Span = { from: 0, to: 0 }
const dir = mkdtempSync(join(tmpdir(), 'millrace-profile-'))
const node = ['--cpu-prof', `--cpu-prof-dir=${dir}`, '--cpu-prof-interval=500']

/** The process of flows is not in it: it may not write a profile. */
const underFlows = async (rules: number): Promise<string> => {
  const contender = await contend(
    { name: millrace.name, start: (n, version) => millrace.start(n, version, node) },
    rules,
  )
  try {
    await contender.warm(4000 + 20 * rules)
    span.from = now()
    const { received, ms: took } = await contender.full(ms)
    span.to = now()
    return `${rules} flows: ${received} messages, ${Math.round((received / took) * 1000)}/s`
  } finally {
    await contender.stop()
  }
}

const underShape = async (of: 'fanin' | 'fanout' | 'durable'): Promise<string> => {
  const shape = shapes[of][Number(number ?? 0)]
  if (shape === undefined) throw new Error(`${of} has ${shapes[of].length} loads, counted from 0`)
  const broker = await hub.start({ durability: values.durability === 'power' ? 'power' : 'process', node })
  try {
    const figure = await measure(broker, shape, ms, (isBegin) => (isBegin ? (span.from = now()) : (span.to = now())))
    return `${of}, ${shape.what}: ${Math.round(figure.perCpuSecond)} per CPU second, ${Math.round(figure.perSecond)}/s`
  } finally {
    await broker.close()
  }
}

if (section === 'flows') console.log(await underFlows(Number(number ?? 1)))
else if (section === 'fanin' || section === 'fanout' || section === 'durable') console.log(await underShape(section))
else {
  console.error(
    'node infra/bench/profile.ts fanin|fanout|durable [0, 1 …], or flows [how many]; [--seconds 4] [--durability power]',
  )
  process.exit(2)
}
for (const file of readdirSync(dir)) {
  const { busyMs, own, withNode } = topOf(JSON.parse(readFileSync(join(dir, file), 'utf8')) as Profile, span)
  if (busyMs < 20) continue
  console.log(`\n${file}: busy for ${Math.round(busyMs)} ms of ${Math.round((span.to - span.from) / 1000)}\n`)
  console.log(`${table(['own time', 'function', 'at'], own)}\n`)
  console.log(table(['with what Node did for it', 'function', 'at'], withNode))
}
rmSync(dir, { recursive: true, force: true })
process.exit(0)
