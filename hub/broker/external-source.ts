// Who speaks when another broker passes something on: it cannot tell, so the topic decides, and whatever could go past the gate is given to nobody.
import { reservedRoots } from '../access/policy.ts'
import { isTopic } from '../bus/filters.ts'
import { isNativeCommand } from '../topics/native.ts'
import type { TopicMatch, TopicTable } from '../topics/table.ts'

export type Source =
  | { take: true; origin: string; match: TopicMatch | undefined }
  /** `bypass`: somebody writes what only the gate may write. */
  | { take: false; bypass: boolean; why: string; match: TopicMatch | undefined }

export interface SourceParts {
  table: Pick<TopicTable, 'prefix' | 'match'>
  /** The origin of what belongs to no device. */
  origin: 'external' | 'bridge'
  /** Whether a request is passed on to the gate, which refuses one whose asker it does not know. */
  requests: boolean
}

/**
 * Judges a topic that came from another broker. A device's own topics are taken as the device's: whoever may write them
 * there speaks for it. Facts of other conventions, granted topics and a stop are taken as from `origin`.
 */
export const openSource = ({ table, origin, requests }: SourceParts): ((topic: string) => Source) => {
  const head = `${table.prefix}/`

  return (topic) => {
    const match = isTopic(topic) ? table.match(topic) : undefined
    const no = (why: string, bypass = false): Source => ({ take: false, bypass, why, match })
    const yes = (from: string): Source => ({ take: true, origin: from, match })
    if (!isTopic(topic) || topic.startsWith('$')) return no('it is no topic to publish to')
    if (match === undefined ? isNativeCommand(topic) : match.row.native === 'command') {
      return no('commands of other conventions are for whoever carries them out, not for the hub')
    }
    if (match === undefined) {
      const root = topic.startsWith(head) ? topic.slice(head.length).split('/')[0] : undefined
      return root !== undefined && reservedRoots.includes(root) ? no(`${head}${root}/ belongs to the hub`) : yes(origin)
    }
    const { key, row, params } = match
    switch (row.by) {
      case 'owner':
        return yes(`device:${params['device'] ?? ''}`)
      case 'gate':
        return no('only the gate publishes this', true)
      case 'answering plugin':
        return no('only the plugin that answers the gate publishes this')
      case 'granted':
        return yes(origin)
      case 'requester':
        return requests || key === 'safety/stop'
          ? yes(origin)
          : no('requests are made at the hub, where it is known who asks')
      case 'plugin':
        return row.native === 'fact' ? yes(origin) : no('only the plugin that brings this topic publishes it')
      case 'flow':
      case 'hub':
        return no(`only the ${row.by} publishes this`)
    }
  }
}

/** When a message stops being true: a command says so itself; undefined for the others, and for what cannot be read. */
export const untilOf = (match: TopicMatch | undefined, payload: Buffer): number | undefined => {
  if (match?.key !== 'devices/{device}/cmd') return undefined
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'))
    if (typeof value !== 'object' || value === null || !('expiresAt' in value)) return undefined
    const until = Date.parse(String(value.expiresAt))
    return Number.isNaN(until) ? undefined : until
  } catch {
    return undefined
  }
}

/** A small payload is cut out of the large chunk it arrived in, which would otherwise stay in memory with it. */
export const ownBytes = (payload: Buffer): Buffer =>
  payload.buffer.byteLength > 4 * payload.length + 8192 ? Buffer.from(payload) : payload
