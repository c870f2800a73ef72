// The plugins, for those who may read them; the graph is drawn without them otherwise.
import { useEffect, useState } from 'react'
import type { PluginItem } from '../api/types.ts'
import { useJarvisContext } from '../live/jarvis.tsx'

export const usePlugins = (): readonly PluginItem[] => {
  const { hub, me, short } = useJarvisContext()
  const [plugins, setPlugins] = useState<readonly PluginItem[]>([])
  const mayRead = me.rights.includes('health.read')
  useEffect(() => {
    if (!mayRead) return undefined
    let current = true
    hub.plugins().then(
      (items) => {
        const bare = (topics: readonly string[]): string[] => topics.map(short)
        if (current)
          setPlugins(items.map((one) => ({ ...one, handles: bare(one.handles), publishes: bare(one.publishes) })))
      },
      () => undefined,
    )
    return () => {
      current = false
    }
  }, [hub, mayRead, short])
  return plugins
}
