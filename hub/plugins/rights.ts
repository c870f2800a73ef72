// What each plugin may read and write, as MQTT filters: its declared topics and nothing else.
import type { TopicTable } from '../topics/table.ts'
import type { Found } from './discover.ts'

export interface PluginTopics {
  publishes: readonly string[]
  handles: readonly string[]
  /** Of other conventions: filters of facts it may say, and whether it may answer commands there. */
  native?: { publishes: readonly string[]; commands: boolean }
}

/** The declared topics of a plugin as full filters, for the policy; none for one that was not found. */
export const pluginTopics = (found: Found, table: Pick<TopicTable, 'filterOf'>): ((id: string) => PluginTopics) => {
  const filters = (topics: readonly string[]): string[] => topics.map((topic) => table.filterOf(topic))
  const byId = new Map(
    found.plugins.map(({ id, publishes, handles, native }) => [
      id,
      {
        publishes: filters(publishes),
        handles: filters(handles),
        ...(native === undefined
          ? {}
          : { native: { publishes: native.publishes ?? [], commands: native.commands === true } }),
      },
    ]),
  )
  return (id) => byId.get(id) ?? { publishes: [], handles: [] }
}
