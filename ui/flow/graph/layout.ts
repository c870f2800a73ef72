// Puts a graph in layers from left to right, with few crossings and neighbours at the same height. Pure, so it can be tested.

export interface Box {
  id: string
  width: number
  height: number
  /** It never stands left of this layer, even when nothing leads to it. */
  least?: number
}

export interface Link {
  from: string
  to: string
}

export interface Placed {
  x: number
  y: number
}

export const GAP = { x: 84, y: 16 } as const
const SWEEPS = 6

/** Links without those that close a circle, found by going along them from each box in turn. */
const withoutCircles = (boxes: readonly Box[], links: readonly Link[]): Link[] => {
  const from = Map.groupBy(links, (link) => link.from)
  const state = new Map<string, 'open' | 'done'>()
  const kept: Link[] = []
  const visit = (id: string): void => {
    state.set(id, 'open')
    for (const link of from.get(id) ?? []) {
      if (state.get(link.to) === 'open') continue
      kept.push(link)
      if (!state.has(link.to)) visit(link.to)
    }
    state.set(id, 'done')
  }
  for (const { id } of boxes) if (!state.has(id)) visit(id)
  return kept
}

/** The layer of each box: one right of the furthest that leads to it; what nothing leads to stands beside what it leads to. */
export const layersOf = (boxes: readonly Box[], links: readonly Link[]): ReadonlyMap<string, number> => {
  const known = new Set(boxes.map(({ id }) => id))
  const acyclic = withoutCircles(
    boxes,
    links.filter(({ from, to }) => from !== to && known.has(from) && known.has(to)),
  )
  const into = Map.groupBy(acyclic, ({ to }) => to)
  const outOf = Map.groupBy(acyclic, ({ from }) => from)
  const least = new Map(boxes.map((box) => [box.id, box.least ?? 0]))
  const layers = new Map<string, number>()
  const layer = (id: string): number => {
    const found = layers.get(id)
    if (found !== undefined) return found
    const own = Math.max((least.get(id) ?? 0) - 1, ...(into.get(id) ?? []).map(({ from }) => layer(from))) + 1
    layers.set(id, own)
    return own
  }
  for (const { id } of boxes) layer(id)
  for (const { id } of boxes) {
    const next = outOf.get(id)
    if (into.has(id) || !next) continue
    layers.set(id, Math.max(least.get(id) ?? 0, Math.min(...next.map(({ to }) => layers.get(to) ?? 1)) - 1))
  }
  return layers
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** The tops of stacked boxes, as near as can be to where each wants to be, in the given order and without overlap. */
export const settle = (wanted: readonly number[], heights: readonly number[], gap: number): number[] => {
  const offsets: number[] = []
  let sum = 0
  for (const height of heights) {
    offsets.push(sum)
    sum += height + gap
  }
  // Least squares under an order: neighbours that would overlap are pooled and share their mean.
  const pools: { mean: number; size: number }[] = []
  for (const [n, want] of wanted.entries()) {
    let pool = { mean: want - (offsets[n] ?? 0), size: 1 }
    for (let last = pools.at(-1); last !== undefined && last.mean > pool.mean; last = pools.at(-1)) {
      pools.pop()
      const size = last.size + pool.size
      pool = { mean: (last.mean * last.size + pool.mean * pool.size) / size, size }
    }
    pools.push(pool)
  }
  const bases = pools.flatMap((pool) => Array.from({ length: pool.size }, () => pool.mean))
  return bases.map((base, n) => base + (offsets[n] ?? 0))
}

export interface Layout {
  /** The top left corner of each box. */
  places: ReadonlyMap<string, Placed>
  /** Where links that pass other columns go through those, from left to right; by `passing`. */
  ways: ReadonlyMap<string, readonly { left: number; right: number; y: number }[]>
}

export const passing = ({ from, to }: Link): string => `${from} → ${to}`

const WAY_HEIGHT = 12

/** A place kept free in each column that a link passes, so that no box stands in its way. */
const withWays = (
  boxes: readonly Box[],
  links: readonly Link[],
  layers: ReadonlyMap<string, number>,
): { boxes: Box[]; links: Link[]; layers: Map<string, number>; ways: Map<string, string[]> } => {
  const all = { boxes: [...boxes], links: [] as Link[], layers: new Map(layers), ways: new Map<string, string[]>() }
  for (const link of links) {
    const [first, last] = [layers.get(link.from) ?? 0, layers.get(link.to) ?? 0]
    let from = link.from
    const way: string[] = []
    for (let layer = first + 1; layer < last; layer += 1) {
      const id = `${passing(link)} ${layer}`
      all.boxes.push({ id, width: 0, height: WAY_HEIGHT })
      all.layers.set(id, layer)
      all.links.push({ from, to: id })
      way.push(id)
      from = id
    }
    all.links.push({ from, to: link.to })
    if (way.length > 0) all.ways.set(passing(link), way)
  }
  return all
}

/** Where everything stands. The same graph gives the same picture; the order of `boxes` breaks ties. */
export const layout = (drawn: readonly Box[], joined: readonly Link[]): Layout => {
  const { boxes, links, layers, ways } = withWays(drawn, joined, layersOf(drawn, joined))
  const columns: Box[][] = []
  for (const box of boxes) (columns[layers.get(box.id) ?? 0] ??= []).push(box)
  const filled = Array.from(columns, (column) => column ?? [])

  const beside = new Map<string, string[]>(boxes.map(({ id }) => [id, []]))
  for (const { from, to } of links) {
    beside.get(from)?.push(to)
    beside.get(to)?.push(from)
  }
  const tops = new Map<string, number>()
  const height = new Map(boxes.map((box) => [box.id, box.height]))
  const middle = (id: string): number => (tops.get(id) ?? 0) + (height.get(id) ?? 0) / 2
  for (const column of filled) {
    let y = 0
    for (const box of column) {
      tops.set(box.id, y)
      y += box.height + GAP.y
    }
  }
  const wish = (box: Box, side: (layer: number) => boolean): number => {
    const near = (beside.get(box.id) ?? []).filter((id) => side(layers.get(id) ?? 0))
    return near.length === 0 ? middle(box.id) : mean(near.map(middle))
  }
  const sweep = (n: number, side: (layer: number) => boolean): void => {
    const column = filled[n] ?? []
    const wishes = new Map(column.map((box) => [box.id, wish(box, side)]))
    column.sort((a, b) => (wishes.get(a.id) ?? 0) - (wishes.get(b.id) ?? 0))
    const placed = settle(
      column.map((box) => (wishes.get(box.id) ?? 0) - box.height / 2),
      column.map((box) => box.height),
      GAP.y,
    )
    for (const [i, box] of column.entries()) tops.set(box.id, placed[i] ?? 0)
  }
  for (let round = 0; round < SWEEPS; round += 1) {
    for (let n = 1; n < filled.length; n += 1) sweep(n, (layer) => layer < n)
    for (let n = filled.length - 2; n >= 0; n -= 1) sweep(n, (layer) => layer > n)
  }
  for (let n = 1; n < filled.length; n += 1) sweep(n, (layer) => layer !== n)

  const top = Math.min(0, ...tops.values())
  const places = new Map<string, Placed>()
  const widths = new Map<string, number>()
  let x = 0
  for (const column of filled) {
    const width = Math.max(0, ...column.map((box) => box.width))
    for (const box of column) {
      places.set(box.id, { x: Math.round(x), y: Math.round((tops.get(box.id) ?? 0) - top) })
      widths.set(box.id, width)
    }
    if (column.length > 0) x += width + GAP.x
  }
  const through = (id: string): { left: number; right: number; y: number } => {
    const { x: left, y } = places.get(id) ?? { x: 0, y: 0 }
    return { left, right: left + (widths.get(id) ?? 0), y: y + WAY_HEIGHT / 2 }
  }
  return {
    places: new Map(drawn.map(({ id }) => [id, places.get(id) ?? { x: 0, y: 0 }])),
    ways: new Map([...ways].map(([link, way]) => [link, way.map(through)])),
  }
}

/** How a picture of this size is first shown in a view: whole if it can be read so, otherwise from its left and from `top`. */
export const fitting = (
  picture: { width: number; height: number; top: number },
  view: { width: number; height: number },
  { least, most, margin }: { least: number; most: number; margin: number },
): { x: number; y: number; zoom: number } => {
  const width = Math.max(1, view.width - 2 * margin)
  const height = Math.max(1, view.height - 2 * margin)
  const whole = Math.min(width / Math.max(1, picture.width), height / Math.max(1, picture.height))
  const zoom = Math.min(most, Math.max(least, whole))
  const spare = { x: view.width - picture.width * zoom, y: view.height - picture.height * zoom }
  return {
    x: Math.max(margin, spare.x / 2),
    // What overflows below begins with `top`, but never leaves room that the rest could fill.
    y: spare.y >= 2 * margin ? spare.y / 2 : Math.max(margin - picture.top * zoom, spare.y - margin),
    zoom,
  }
}
