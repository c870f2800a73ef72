// What people see of flows: the list, and one flow with its last messages.
import { type Clock, iso } from '../clock.ts'
import type { Entry, Journal } from '../journal/entry.ts'
import type { Link } from './link.ts'
import { rate } from './rate.ts'
import type { EdgeView, FlowDetail, FlowView } from './runner.ts'
import type { FlowState } from './state.ts'

const RECENT = 20
/** Looked through for the last messages of a flow, of each topic. */
const LOOKED = 200

export const viewOf = (flow: FlowState, link: Link, now: number): FlowView => {
  const { run } = flow
  const depths = run === undefined ? [] : link.depths(run.number)
  const live = (run?.inputs ?? []).map(({ edge, topic, filter, latest, overload }, i): EdgeView => {
    const counts = link.edge(edge)
    const lately = flow.rates.get(edge) ?? rate()
    flow.rates.set(edge, lately)
    return { topic, filter, latest, overload, ...counts, depth: depths[i] ?? 0, rate: lately.of(counts.in, now) }
  })
  const edges = run === undefined ? flow.left : live
  // What earlier runs counted is in `before`.
  const sum = (pick: (edge: EdgeView) => number) => live.reduce((total, edge) => total + pick(edge), 0)
  const delays = flow.delays.toSorted((a, b) => a - b)
  const at = (part: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * part))] ?? 0
  return {
    id: flow.id,
    status: flow.status,
    about: flow.file.about,
    inputs: [...new Set(edges.map(({ filter }) => filter))],
    outputs: [...flow.outputs],
    in: flow.before.in + sum((edge) => edge.in),
    out: flow.out,
    dropped: flow.before.dropped + sum(({ dropped }) => dropped),
    restarts: flow.restarts,
    version: flow.file.version,
    edges,
    rateIn: Math.round(sum(({ rate }) => rate) * 10) / 10,
    rateOut: flow.rateOut.of(flow.out, now),
    ...(flow.startedAt === undefined ? {} : { startedAt: iso(flow.startedAt) }),
    ...(flow.error === undefined ? {} : { error: flow.error }),
    ...(delays.length === 0 ? {} : { delayMs: { p50: at(0.5), p99: at(0.99) } }),
    ...(run?.approximate === undefined
      ? {}
      : { approximate: { why: run.approximate, since: iso(run.warm?.at ?? run.at) } }),
    ...(run !== undefined && link.isSlow(run.number) ? { slow: true } : {}),
    ...(run?.params === undefined ? {} : { params: run.params }),
    ...(flow.newer === undefined ? {} : { newer: flow.newer }),
  }
}

/** The same with its text, what it keeps and its last messages, from the journal. */
export const detailOf = async (
  flow: FlowState,
  link: Link,
  journal: Pick<Journal, 'read'>,
  clock: Pick<Clock, 'now'>,
): Promise<FlowDetail> => {
  const view = viewOf(flow, link, performance.now())
  const last = async (topics: readonly string[], isIts: (entry: Entry) => boolean): Promise<Entry[]> => {
    const found = await Promise.all(
      topics.map((topic) => journal.read({ topic, kinds: ['message'], backwards: true, limit: LOOKED })),
    )
    const its = new Map(
      found
        .flat()
        .filter(isIts)
        .map((entry) => [entry.seq, entry]),
    )
    return [...its.values()].sort((a, b) => b.seq - a.seq).slice(0, RECENT)
  }
  const [heard, said] = await Promise.all([
    last(view.inputs, () => true),
    last(view.outputs.slice(0, RECENT), ({ origin }) => origin === `flow:${flow.id}`),
  ])
  const shown = ({ seq, at, topic, payload }: Entry) => ({ seq, at: iso(at), topic, payload: readable(payload) })
  const kept = flow.run?.keptNow ?? flow.kept
  return {
    ...view,
    source: flow.run?.file.source ?? flow.file.source,
    kept: Object.entries(kept).map(([key, value]) => ({ key, value })),
    ...(flow.run === undefined ? {} : { runSince: iso(Math.min(flow.run.at, clock.now())) }),
    recentIn: heard.map(shown),
    recentOut: said.map((entry) => ({ ...shown(entry), cause: entry.cause })),
  }
}

const LONGEST_SHOWN = 16_384

const readable = (payload: Buffer): unknown => {
  const text = payload.toString('utf8')
  if (text.length > LONGEST_SHOWN) return `${text.slice(0, LONGEST_SHOWN)}…`
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
