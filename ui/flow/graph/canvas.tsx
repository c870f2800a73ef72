// The graph on the screen: React Flow for panning and zooming, our own boxes and layout in it. A chunk of its own.
import { useEffect, useMemo, useRef, useState, type FocusEvent, type MouseEvent } from 'react'
import {
  BaseEdge,
  EdgeLabelRenderer,
  getBezierPath,
  Handle,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  type Edge,
  type EdgeProps,
  type Node,
  type NodeProps,
} from '@xyflow/react'
import '@xyflow/react/dist/base.css'
import './canvas.css'
import { Badge } from '../../design/badge.tsx'
import { Button } from '../../design/button.tsx'
import { Icon, type IconName } from '../../design/icon.tsx'
import { go } from '../../pages/route.ts'
import { edgeWords, type Graph, type GraphNode, type NodeKind } from './graph.ts'
import { fitting, layout, passing, type Box, type Layout, type Placed } from './layout.ts'

const SIZE: Record<NodeKind, { width: number; height: number }> = {
  topic: { width: 212, height: 72 },
  flow: { width: 232, height: 88 },
  group: { width: 232, height: 88 },
  gate: { width: 132, height: 72 },
  device: { width: 168, height: 72 },
  plugin: { width: 168, height: 72 },
}
const ICON: Record<NodeKind, IconName> = {
  topic: 'messages',
  flow: 'flows',
  group: 'flows',
  gate: 'gate',
  device: 'device',
  plugin: 'plugin',
}
const ZOOM = { least: 0.3, readable: 0.7, most: 2, fit: 1.15, margin: 20 }
const MOVE_MS = 200

type BoxData = { node: GraphNode; onOpen: (area: string) => void }
type BoxNode = Node<BoxData, 'box'>

const Inside = ({ node }: { node: GraphNode }) => (
  <>
    <span className="graph-title">
      <Icon name={ICON[node.kind]} size={16} />
      <strong className="cut">{node.title}</strong>
    </span>
    <span className={`graph-sub cut${node.kind === 'topic' ? ' mono' : ''}`}>{node.sub}</span>
    {node.detail !== undefined && <span className="graph-sub cut">{node.detail}</span>}
    {node.tone !== undefined && (
      <Badge tone={node.tone} bare>
        {node.word}
      </Badge>
    )}
  </>
)

const prefersStill = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches

/** A box outside the view that gets the focus is brought into it. */
const useIntoView = (node: GraphNode) => {
  const flow = useReactFlow()
  return (event: FocusEvent<HTMLElement>): void => {
    if (!event.currentTarget.matches(':focus-visible')) return
    const view = event.currentTarget.closest('.react-flow')?.getBoundingClientRect()
    const place = flow.getNode(node.id)?.position
    if (!view || !place) return
    const { width, height } = SIZE[node.kind]
    // Not by the box's own place on the screen: the browser may have scrolled it there, which React Flow takes back.
    const { x, y, zoom } = flow.getViewport()
    const isWithin = (start: number, length: number, room: number): boolean =>
      start >= 0 && start + length * zoom <= room
    if (isWithin(place.x * zoom + x, width, view.width) && isWithin(place.y * zoom + y, height, view.height)) return
    void flow.setCenter(place.x + width / 2, place.y + height / 2, {
      zoom: Math.max(flow.getZoom(), ZOOM.readable),
      duration: prefersStill() ? 0 : MOVE_MS,
    })
  }
}

const Face = ({ node, onOpen }: BoxData) => {
  const show = useIntoView(node)
  const className = `graph-box ${node.kind}${node.tone === undefined ? '' : ` is-${node.tone}`}`
  const { area, path } = node
  if (area !== undefined)
    return (
      <button type="button" className={className} onFocus={show} onClick={() => onOpen(area)} aria-expanded={false}>
        <Inside node={node} />
      </button>
    )
  if (path === undefined)
    return (
      <div className={className}>
        <Inside node={node} />
      </div>
    )
  const follow = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    go(path)
  }
  return (
    <a className={className} href={path} draggable={false} onFocus={show} onClick={follow}>
      <Inside node={node} />
    </a>
  )
}

const BoxView = ({ data }: NodeProps<BoxNode>) => (
  <>
    <Handle type="target" position={Position.Left} isConnectable={false} />
    <Face {...data} />
    <Handle type="source" position={Position.Right} isConnectable={false} />
  </>
)

type Way = readonly { left: number; right: number; y: number }[]
type LineEdge = Edge<{ words: readonly string[]; isWarn: boolean; isFan: boolean; way: Way }, 'line'>

/** A curve from end to end, straight through the columns it passes. */
const pathThrough = (ends: EdgeProps<LineEdge>, way: Way): string => {
  const points = [
    ...way.flatMap(({ left, right, y }) => [
      { x: left, y },
      { x: right, y },
    ]),
    { x: ends.targetX, y: ends.targetY },
  ]
  let [x, y] = [ends.sourceX, ends.sourceY]
  let path = `M${x} ${y}`
  for (const to of points) {
    const middle = (x + to.x) / 2
    path += to.y === y ? `L${to.x} ${to.y}` : `C${middle} ${y} ${middle} ${to.y} ${to.x} ${to.y}`
    ;[x, y] = [to.x, to.y]
  }
  return path
}

/** Where a label stands on its line: where lines that share an end have parted. */
const NEAR_SOURCE = 0.4
const NEAR_TARGET = 0.64

/** The point at `t` (0 to 1) of the curve between the ends, whose handles lie halfway. */
const pointOn = ({ sourceX, sourceY, targetX, targetY }: EdgeProps<LineEdge>, t: number): { x: number; y: number } => {
  const middle = (sourceX + targetX) / 2
  const curve = (a: number, b: number, c: number, d: number): number =>
    (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t ** 2 * c + t ** 3 * d
  return { x: curve(sourceX, middle, middle, targetX), y: curve(sourceY, sourceY, targetY, targetY) }
}

const LineView = (edge: EdgeProps<LineEdge>) => {
  const { data, style } = edge
  const [curve] = getBezierPath(edge)
  const lines = data?.words ?? []
  const way = data?.way ?? []
  const { x, y } = pointOn(edge, data?.isFan === true ? NEAR_TARGET : NEAR_SOURCE)
  const path = way.length === 0 ? curve : pathThrough(edge, way)
  return (
    <>
      <BaseEdge path={path} {...(style === undefined ? {} : { style })} />
      {lines.length > 0 && (
        <EdgeLabelRenderer>
          <div
            className={`graph-label${data?.isWarn === true ? ' is-warn' : ''}`}
            style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}
            aria-hidden="true"
          >
            {lines.map((line) => (
              <span key={line}>{line}</span>
            ))}
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  )
}

const TYPES = { box: BoxView }
const EDGES = { line: LineView }

/** Only what hangs together decides where things stand, so that a changing number moves nothing. */
const shapeOf = ({ nodes, edges }: Graph): string =>
  `${nodes.map(({ id }) => id).join('|')}#${edges.map(({ id }) => id).join('|')}`

interface Laid extends Layout {
  shape: string
  boxes: readonly Box[]
}

const laidOut = (graph: Graph, shape: string): Laid => {
  // A flow that hears nothing now, such as a quarantined one, still stands among the flows.
  const boxes = graph.nodes.map(({ id, kind }) => ({
    id,
    ...SIZE[kind],
    least: kind === 'flow' || kind === 'group' ? 1 : 0,
  }))
  return { shape, boxes, ...layout(boxes, graph.edges) }
}

const widthOf = (rate: number | undefined): number =>
  rate === undefined || rate <= 0 ? 1.25 : Math.min(5, 1.75 + Math.log10(1 + rate * 10))

const boxNode = (node: GraphNode, position: Placed, onOpen: (area: string) => void): BoxNode => {
  const { width, height } = SIZE[node.kind]
  return {
    id: node.id,
    type: 'box',
    position,
    data: { node, onOpen },
    width,
    height,
    measured: { width, height },
  }
}

const linesOf = (graph: Graph, ways: Layout['ways']): LineEdge[] => {
  const titles = new Map(graph.nodes.map(({ id, title }) => [id, title]))
  const leaving = new Map<string, number>()
  for (const { from } of graph.edges) leaving.set(from, (leaving.get(from) ?? 0) + 1)
  return graph.edges.map((edge) => {
    const lines = edgeWords(edge)
    const isWarn = edge.dropped > 0 || edge.depth > 0
    const isLive = edge.rate !== undefined && edge.rate > 0
    const ends = `${titles.get(edge.from) ?? edge.from} to ${titles.get(edge.to) ?? edge.to}`
    return {
      id: edge.id,
      type: 'line',
      source: edge.from,
      target: edge.to,
      className: `graph-edge${isWarn ? ' is-warn' : isLive ? ' is-live' : ''}`,
      style: { strokeWidth: widthOf(edge.rate) },
      ariaLabel: [ends, ...lines].join(', '),
      data: { words: lines, isWarn, isFan: (leaving.get(edge.from) ?? 0) > 1, way: ways.get(passing(edge)) ?? [] },
    }
  })
}

interface Props {
  graph: Graph
  /** A folded area was pressed. */
  onOpen: (area: string) => void
}

const Drawing = ({ graph, onOpen }: Props) => {
  const flow = useReactFlow<BoxNode, LineEdge>()
  const frame = useRef<HTMLDivElement>(null)
  const [moved, setMoved] = useState(false)
  const shape = shapeOf(graph)
  const [kept, keep] = useState(() => laidOut(graph, shape))
  const laid = kept.shape === shape ? kept : laidOut(graph, shape)
  if (laid !== kept) keep(laid)
  const { boxes, places, ways } = laid

  const nodes = useMemo(
    () => graph.nodes.map((node) => boxNode(node, places.get(node.id) ?? { x: 0, y: 0 }, onOpen)),
    [graph, places, onOpen],
  )
  const edges = useMemo(() => linesOf(graph, ways), [graph, ways])

  const fit = (duration: number): void => {
    const view = frame.current?.getBoundingClientRect()
    if (!view || view.width === 0) return
    const size = (side: 'x' | 'y', length: 'width' | 'height'): number =>
      Math.max(0, ...boxes.map((box) => (places.get(box.id)?.[side] ?? 0) + box[length]))
    const top = Math.min(
      ...graph.nodes.filter(({ kind }) => kind === 'flow' || kind === 'group').map(({ id }) => places.get(id)?.y ?? 0),
    )
    const picture = { width: size('x', 'width'), height: size('y', 'height'), top }
    const limits = { least: ZOOM.readable, most: ZOOM.fit, margin: ZOOM.margin }
    void flow.setViewport(fitting(picture, view, limits), { duration })
  }
  const fitNow = useRef(fit)
  useEffect(() => {
    fitNow.current = fit
  })
  useEffect(() => {
    if (!moved) fitNow.current(0)
  }, [shape, moved])
  useEffect(() => {
    const place = frame.current
    if (!place || moved) return undefined
    const watch = new ResizeObserver(() => fitNow.current(0))
    watch.observe(place)
    return () => watch.disconnect()
  }, [moved])
  const still = (): number => (prefersStill() ? 0 : MOVE_MS)

  return (
    <div className="graph" ref={frame}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={TYPES}
        edgeTypes={EDGES}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        minZoom={ZOOM.least}
        maxZoom={ZOOM.most}
        // A page that scrolls keeps scrolling over the graph; zooming is by pinch, by Ctrl and wheel, and by the buttons.
        zoomOnScroll={false}
        preventScrolling={false}
        zoomActivationKeyCode={null}
        panActivationKeyCode={null}
        selectionKeyCode={null}
        multiSelectionKeyCode={null}
        deleteKeyCode={null}
        onInit={() => fitNow.current(0)}
        onMoveStart={(event) => {
          if (event) setMoved(true)
        }}
        aria-label="Graph of the flows"
      />
      <div className="graph-tools" role="group" aria-label="View of the graph">
        <Button icon="plus" label="Larger" onPress={() => void flow.zoomIn({ duration: still() })} />
        <Button icon="minus" label="Smaller" onPress={() => void flow.zoomOut({ duration: still() })} />
        <Button
          icon="fit"
          label="Show all"
          onPress={() => {
            setMoved(false)
            fit(still())
          }}
        />
      </div>
    </div>
  )
}

/** The graph of flows, with buttons to see it larger, smaller and whole. */
export const Canvas = (props: Props) => (
  <ReactFlowProvider>
    <Drawing {...props} />
  </ReactFlowProvider>
)
