// In which order plugins start: after those they name. What is missing, switched off or circular is named.

export interface Node {
  id: string
  after?: readonly string[]
}

export interface Order<N extends Node> {
  /** Those that can start, each behind what it named. */
  ready: N[]
  /** Those that cannot, with what to mend. */
  stuck: { node: N; error: string }[]
}

/** The ids on a circle through `start`, in the order they name each other; undefined when there is none. */
const circle = (start: Node, byId: ReadonlyMap<string, Node>): string[] | undefined => {
  const seen = new Set<string>()
  const walk = (node: Node, path: string[]): string[] | undefined => {
    for (const id of node.after ?? []) {
      if (id === start.id) return [...path, id]
      const next = byId.get(id)
      if (!next || seen.has(id)) continue
      seen.add(id)
      const found = walk(next, [...path, id])
      if (found) return found
    }
    return undefined
  }
  return walk(start, [start.id])
}

/**
 * Sorts by `after`. `why` says why an id that is not among `nodes` cannot be waited for ('is switched off', 'is not here').
 * What comes after something stuck is stuck as well.
 */
export const inOrder = <N extends Node>(nodes: readonly N[], why: (id: string) => string): Order<N> => {
  const byId = new Map<string, N>(nodes.map((node) => [node.id, node]))
  const started = new Set<string>()
  const ready: N[] = []
  let waiting = [...nodes]
  for (let before = -1; before !== waiting.length;) {
    before = waiting.length
    const next = waiting.filter((node) => (node.after ?? []).every((id) => started.has(id)))
    for (const node of next) started.add(node.id)
    ready.push(...next)
    waiting = waiting.filter((node) => !started.has(node.id))
  }
  const stuck = waiting.map((node) => ({ node, error: stuckBecause(node, byId, started, why) }))
  return { ready, stuck }
}

const stuckBecause = (
  node: Node,
  byId: ReadonlyMap<string, Node>,
  started: ReadonlySet<string>,
  why: (id: string) => string,
): string => {
  const missing = (node.after ?? []).find((id) => !byId.has(id))
  if (missing !== undefined) return `after: '${missing}' ${why(missing)}`
  const round = circle(node, byId)
  if (round) return `after: goes in a circle: ${round.join(' → ')}`
  const held = (node.after ?? []).find((id) => !started.has(id)) ?? ''
  return `after: '${held}' cannot start itself`
}
