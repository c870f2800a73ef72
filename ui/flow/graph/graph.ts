// What is drawn of the flows: topics they hear, the flows, topics they write, the gate, devices and plugins. Pure.
import type { FlowItem, PluginItem } from '../../api/types.ts'
import type { Tone } from '../../design/badge.tsx'
import { numberText, words } from '../../devices/value.ts'
import type { DeviceView } from '../../live/state.ts'
import { byTrouble, flowTone, RANK, remarks } from '../tone.ts'
import { flowPath } from '../path.ts'
import { rateWords } from '../rate.ts'

export type NodeKind = 'topic' | 'flow' | 'group' | 'gate' | 'device' | 'plugin'

export interface GraphNode {
  id: string
  kind: NodeKind
  title: string
  sub: string
  /** A third line: rates of a flow, what a group holds. */
  detail?: string
  tone?: Tone
  /** The status in a word, where there is one. */
  word?: string
  /** The page behind it. */
  path?: string
  /** The area a group stands for. */
  area?: string
}

export interface GraphEdge {
  id: string
  from: string
  to: string
  /** Messages per second; undefined where it is not measured. */
  rate: number | undefined
  depth: number
  dropped: number
}

export interface Graph {
  nodes: GraphNode[]
  edges: GraphEdge[]
  /** Every area with its flows, whether drawn as one box or not. */
  areas: { name: string; count: number; tone: Tone }[]
}

export interface Workplace {
  devices: ReadonlyMap<string, DeviceView>
  plugins: readonly PluginItem[]
  short: (topic: string) => string
}

/** So many flows are drawn one by one; more are folded by area. */
export const FOLD_ABOVE = 12
const EVERYWHERE = 'Everywhere'

/** A placeholder of a topic pattern (`{device}`) as the wildcard it is. */
const wild = (level: string | undefined): boolean =>
  level === undefined || level === '+' || level === '#' || level.startsWith('{')

const areaOfTopic = (topic: string, { devices }: Pick<Workplace, 'devices'>): string => {
  const [root = '', id] = topic.split('/')
  if (root !== 'devices') return words(root)
  return wild(id) ? EVERYWHERE : (devices.get(id ?? '')?.area ?? 'No area')
}

/** The area a flow belongs to: that of the devices it hears, or else of those it writes to. */
export const areaOfFlow = (flow: FlowItem, place: Workplace): string => {
  const areas = [...flow.inputs, ...flow.outputs].map((topic) => areaOfTopic(place.short(topic), place))
  return areas.find((area) => area !== EVERYWHERE) ?? areas[0] ?? EVERYWHERE
}

const topicWords = (topic: string, { devices }: Pick<Workplace, 'devices'>): string => {
  const [root = '', id, ...rest] = topic.split('/')
  if (root !== 'devices') return words(topic.replaceAll(/\/?[+#]|\/?\{[^}]*\}/g, '').replaceAll('/', ' '))
  const leaf = rest.filter((level) => !wild(level)).join(' ')
  const whose = wild(id) ? 'Every device' : (devices.get(id ?? '')?.name ?? words(id ?? ''))
  return leaf === '' ? whose : `${whose}: ${leaf}`
}

/** Whether a topic or filter and another one can mean the same message; both without the prefix. */
export const overlaps = (a: string, b: string): boolean => {
  const one = a.split('/')
  const other = b.split('/')
  for (let n = 0; n < Math.max(one.length, other.length); n += 1) {
    if (one[n] === '#' || other[n] === '#') return true
    if (n >= one.length || n >= other.length) return false
    if (!wild(one[n]) && !wild(other[n]) && one[n] !== other[n]) return false
  }
  return true
}

/** What is seldom has no rate worth telling: then how many there were. */
const rateOrCount = (rate: number | undefined, count: number): string =>
  rate !== undefined && rate > 0 ? rateWords(rate) : numberText(count)

const flowNode = (flow: FlowItem): GraphNode => {
  const rates = [
    `${rateOrCount(flow.rateIn, flow.in)} in`,
    `${rateOrCount(flow.rateOut, flow.out)} out`,
    ...(flow.dropped > 0 ? [`${numberText(flow.dropped)} dropped`] : []),
  ]
  const tone = flowTone(flow)
  const remark = remarks(flow)[0]
  return {
    id: `flow:${flow.id}`,
    kind: 'flow',
    title: words(flow.id),
    sub: rates.join(' · '),
    tone,
    word: flow.status === 'running' && remark ? remark.word : words(flow.status),
    path: flowPath(flow.id),
  }
}

const worst = (flows: readonly FlowItem[]): Tone =>
  flows.map(flowTone).reduce<Tone>((bad, tone) => (RANK[tone] < RANK[bad] ? tone : bad), 'good')

const groupNode = (area: string, flows: readonly FlowItem[]): GraphNode => {
  const states = Map.groupBy(flows, ({ status }) => status)
  return {
    id: `group:${area}`,
    kind: 'group',
    title: area,
    sub: `${flows.length} flow${flows.length === 1 ? '' : 's'}`,
    tone: worst(flows),
    word: [...states].map(([status, those]) => `${those.length} ${status}`).join(', '),
    area,
  }
}

interface Sums {
  rate: number | undefined
  depth: number
  dropped: number
}

interface Drawn {
  /** Areas drawn flow by flow. */
  open?: ReadonlySet<string>
  /** More flows than this are folded by area. */
  foldAbove?: number
  /** Ends at the gate: the request before it names the device already. */
  isCompact?: boolean
}

/** The picture of these flows. With many, each area is one box, unless it is in `open`. */
export const graphOf = (
  flows: readonly FlowItem[],
  place: Workplace,
  { open = new Set(), foldAbove = FOLD_ABOVE, isCompact = false }: Drawn = {},
): Graph => {
  const { short, plugins, devices } = place
  const sorted = [...flows].sort(byTrouble)
  const byArea = Map.groupBy(sorted, (flow) => areaOfFlow(flow, place))
  const areas = [...byArea]
    .map(([name, those]) => ({ name, count: those.length, tone: worst(those) }))
    .sort((a, b) => a.name.localeCompare(b.name))
  const folds = flows.length > foldAbove
  const isFolded = (area: string): boolean => folds && !open.has(area)

  const nodes = new Map<string, GraphNode>()
  const edges = new Map<string, GraphEdge>()
  const join = (from: string, to: string, more: Partial<Sums> = {}): void => {
    const id = `${from} → ${to}`
    const before = edges.get(id)
    const rate = more.rate === undefined ? before?.rate : (before?.rate ?? 0) + more.rate
    edges.set(id, {
      id,
      from,
      to,
      rate,
      depth: (before?.depth ?? 0) + (more.depth ?? 0),
      dropped: (before?.dropped ?? 0) + (more.dropped ?? 0),
    })
  }

  const heard = (flow: FlowItem): string[] => [...new Set(flow.inputs.map(short))]
  const said = (flow: FlowItem): string[] => [...new Set(flow.outputs.map(short))]
  // A topic is drawn by itself as soon as one flow that touches it is.
  const own = new Set<string>()
  for (const [area, those] of byArea)
    if (!isFolded(area)) for (const flow of those) for (const topic of [...heard(flow), ...said(flow)]) own.add(topic)

  const listened = new Set(sorted.flatMap(heard))
  /** What is said into a wildcard that a flow hears is drawn as that wildcard; a request stays one by itself. */
  const stand = (topic: string): string =>
    topic.endsWith('/request') || listened.has(topic)
      ? topic
      : ([...listened].find((filter) => own.has(filter) && overlaps(filter, topic)) ?? topic)

  const topicNode = (topic: string, side: 'heard' | 'said'): string => {
    const id = own.has(topic) ? `topic:${topic}` : `${side}:${areaOfTopic(topic, place)}`
    if (own.has(topic)) {
      const source =
        side === 'heard' ? plugins.find(({ publishes }) => publishes.some((one) => overlaps(one, topic))) : undefined
      if (!nodes.has(id))
        nodes.set(id, {
          id,
          kind: 'topic',
          title: topicWords(topic, place),
          sub: topic,
          path: `/messages?topic=${encodeURIComponent(topic.replaceAll(/\{[^}]*\}/g, '+'))}`,
          ...(source && !topic.endsWith('/request') ? { detail: `from ${source.title}` } : {}),
        })
    } else {
      const before = folded.get(id) ?? new Set()
      folded.set(id, before.add(topic))
      nodes.set(id, {
        id,
        kind: 'topic',
        title: areaOfTopic(topic, place),
        sub: before.size === 1 ? topic : `${before.size} topics ${side}`,
      })
    }
    return id
  }
  const folded = new Map<string, Set<string>>()

  const beyond = (topic: string, from: string): void => {
    const [root, id, leaf] = topic.split('/')
    if (root === 'devices' && leaf === 'request' && id !== undefined) {
      nodes.set('gate', {
        id: 'gate',
        kind: 'gate',
        title: 'Gate',
        sub: 'checks requests',
        path: '/requests',
      })
      join(from, 'gate')
      if (isCompact) return
      const device = devices.get(id)
      const area = areaOfTopic(topic, place)
      const to = own.has(topic) ? `device:${id}` : `devices:${area}`
      if (own.has(topic)) {
        const by = plugins.find(({ handles }) => handles.some((one) => overlaps(one, `devices/${id}/cmd`)))
        nodes.set(to, {
          id: to,
          kind: 'device',
          title: wild(id) ? 'Any device' : (device?.name ?? words(id)),
          sub: by ? `by ${by.title}` : (device?.area ?? 'device'),
          ...(device && !device.online ? { tone: 'bad' as const, word: 'Offline' } : {}),
          path: '/',
        })
      } else {
        const those = (folded.get(to) ?? new Set()).add(id)
        folded.set(to, those)
        nodes.set(to, {
          id: to,
          kind: 'device',
          title: area,
          sub: `${those.size} device${those.size === 1 ? '' : 's'}`,
          path: '/',
        })
      }
      join('gate', to)
      return
    }
    for (const plugin of plugins)
      if (plugin.handles.some((one) => overlaps(one, topic))) {
        const to = `plugin:${plugin.id}`
        nodes.set(to, {
          id: to,
          kind: 'plugin',
          title: plugin.title,
          sub: 'plugin',
          ...(plugin.status === 'running' ? {} : { tone: 'warn' as const, word: words(plugin.status) }),
        })
        join(from, to)
      }
  }

  for (const [area, those] of byArea) {
    for (const flow of those) {
      const id = isFolded(area) ? `group:${area}` : `flow:${flow.id}`
      nodes.set(id, isFolded(area) ? groupNode(area, those) : flowNode(flow))
      for (const topic of heard(flow)) {
        const measured = flow.edges.filter((edge) => short(edge.filter) === topic)
        join(
          topicNode(topic, 'heard'),
          id,
          measured.length === 0
            ? {}
            : {
                rate: measured.reduce((sum, { rate }) => sum + rate, 0),
                depth: measured.reduce((sum, { depth }) => sum + depth, 0),
                dropped: measured.reduce((sum, { dropped }) => sum + dropped, 0),
              },
        )
      }
      const outs = said(flow)
      for (const topic of outs) {
        const to = topicNode(own.has(topic) ? stand(topic) : topic, 'said')
        // The hub measures what a flow says as a whole; with one topic that is the rate of this edge.
        const isMeasured = outs.length === 1 && flow.rateOut !== undefined && !isFolded(area)
        join(id, to, isMeasured ? { rate: flow.rateOut } : {})
        beyond(topic, to)
      }
    }
  }
  // A request may also be heard by a flow, under a wildcard.
  for (const flow of sorted)
    for (const topic of said(flow))
      for (const filter of listened) {
        const [from, to] = [`topic:${topic}`, `topic:${filter}`]
        if (topic !== filter && overlaps(topic, filter) && nodes.has(from) && nodes.has(to)) join(from, to)
      }
  return { nodes: [...nodes.values()], edges: [...edges.values()], areas }
}

/** What stands at an edge, line by line: nothing while nothing is measured. */
export const edgeWords = ({ rate, depth, dropped }: Pick<GraphEdge, 'rate' | 'depth' | 'dropped'>): string[] => [
  ...(rate !== undefined && rate > 0 ? [rateWords(rate)] : []),
  ...(depth > 0 ? [`${depth} waiting`] : []),
  ...(dropped > 0 ? [`${dropped} dropped`] : []),
]

/** The flows whose name, sentence or topics hold a text, and that are in trouble where only those are wanted. */
export const found = (flows: readonly FlowItem[], text: string, onlyTrouble: boolean): FlowItem[] => {
  const wanted = text.trim().toLowerCase()
  return flows
    .filter((flow) => !onlyTrouble || RANK[flowTone(flow)] < RANK.idle)
    .filter(({ id, about = '', inputs, outputs }) =>
      [id, words(id), about, ...inputs, ...outputs].some((one) => one.toLowerCase().includes(wanted)),
    )
}
