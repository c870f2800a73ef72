// The live list of flows leaves out what seldom changes; that stays as it was read.
import type { FlowItem } from '../api/types.ts'

/** The flows as heard now, completed by what was known of the same flow: its sentence always, the rest for the same version. */
export const withKnown = (known: readonly FlowItem[], heard: readonly FlowItem[]): FlowItem[] =>
  heard.map((flow) => {
    const before = known.find(({ id }) => id === flow.id)
    if (!before) return flow
    const about = flow.about ?? before.about
    const same = before.version === flow.version
    const params = flow.params ?? (same ? before.params : undefined)
    return {
      ...flow,
      edges: flow.edges.length === 0 && same ? before.edges : flow.edges,
      ...(about === undefined ? {} : { about }),
      ...(params === undefined ? {} : { params }),
    }
  })
