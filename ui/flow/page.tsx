// The page of flows: the graph of what runs, or the same as a table; found by text, area and trouble.
import { lazy, Suspense, useCallback, useMemo, useState, useSyncExternalStore } from 'react'
import { Button as AriaButton } from 'react-aria-components'
import { Glyph } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { TextField } from '../design/field.tsx'
import { Empty } from '../design/parts.tsx'
import { useJarvisContext, useTopics } from '../live/jarvis.tsx'
import { FOLD_ABOVE, found, graphOf, type Graph } from './graph/graph.ts'
import { FlowLines, NoFlows } from './list.tsx'
import { FlowTable } from './table.tsx'
import { byTrouble, flowTone, RANK } from './tone.ts'
import { usePlugins } from './use-plugins.ts'

// React Flow is loaded on this page only, and only when the graph is looked at.
const Canvas = lazy(() => import('./graph/canvas.tsx').then((module) => ({ default: module.Canvas })))

/** Retained, so that devices have names and areas also when this is the first page. */
const TOPICS = ['hub/flows', 'devices/+/online']

const media = (query: string) => {
  const list = matchMedia(query)
  const subscribe = (listener: () => void): (() => void) => {
    list.addEventListener('change', listener)
    return () => list.removeEventListener('change', listener)
  }
  const matches = (): boolean => list.matches
  return { subscribe, matches }
}
const phone = media('(max-width: 47.99rem)')
const small = media('(max-width: 79.99rem)')

type View = 'graph' | 'table'
const viewOfQuery = (): View | undefined => {
  const view = new URLSearchParams(location.search).get('view')
  return view === 'graph' || view === 'table' ? view : undefined
}

const Toggle = ({ view, onChange }: { view: View; onChange: (view: View) => void }) => (
  <div className="row" role="group" aria-label="Show as">
    {(['graph', 'table'] as const).map((one) => (
      <AriaButton key={one} className="button chip" aria-pressed={view === one} onPress={() => onChange(one)}>
        {one === 'graph' ? 'Graph' : 'Table'}
      </AriaButton>
    ))}
  </div>
)

interface AreasProps {
  areas: Graph['areas']
  open: ReadonlySet<string>
  onOpen: (open: ReadonlySet<string>) => void
}

const Areas = ({ areas, open, onOpen }: AreasProps) => {
  const isOpen = open.size > 0
  const toggle = (name: string): void => {
    const next = new Set(open)
    if (!next.delete(name)) next.add(name)
    onOpen(next)
  }
  return (
    <div className="row" role="group" aria-label="Areas shown flow by flow">
      {areas.map(({ name, count, tone }) => (
        <AriaButton key={name} className="button chip" aria-pressed={open.has(name)} onPress={() => toggle(name)}>
          {RANK[tone] < RANK.idle && (
            <span className={tone}>
              <Glyph shape={tone === 'bad' ? 'square' : 'triangle'} />
              <span className="unseen">In trouble: </span>
            </span>
          )}
          {name} <span className="soft">{count}</span>
        </AriaButton>
      ))}
      <Button look="quiet" onPress={() => onOpen(isOpen ? new Set() : new Set(areas.map(({ name }) => name)))}>
        {isOpen ? 'Fold all' : 'Unfold all'}
      </Button>
    </div>
  )
}

const Legend = () => (
  <p className="small soft legend">
    Messages go from left to right: topics, the flows that hear them, what those say, and who takes it. A line says how
    often, how many wait and how many were dropped.
  </p>
)

/** The flows that run. */
export const FlowsPage = () => {
  const { workshop, short } = useJarvisContext()
  useTopics(TOPICS)
  const plugins = usePlugins()
  const isNarrow = useSyncExternalStore(phone.subscribe, phone.matches)
  const isCompact = useSyncExternalStore(small.subscribe, small.matches)
  const [chosen, setChosen] = useState<View | undefined>(viewOfQuery)
  const [text, setText] = useState('')
  const [onlyTrouble, setOnlyTrouble] = useState(false)
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const view = chosen ?? (isNarrow ? 'table' : 'graph')
  const { flows: all, devices } = workshop
  const flows = useMemo(() => found(all, text, onlyTrouble).sort(byTrouble), [all, text, onlyTrouble])
  const graph = useMemo(
    () => graphOf(flows, { devices, plugins, short }, { open, isCompact }),
    [flows, devices, plugins, short, open, isCompact],
  )
  const unfold = useCallback((area: string) => setOpen((was) => new Set(was).add(area)), [])
  const choose = (next: View): void => {
    setChosen(next)
    history.replaceState(null, '', `${location.pathname}?view=${next}`)
  }
  const troubled = all.filter((flow) => RANK[flowTone(flow)] < RANK.idle).length

  if (all.length === 0)
    return (
      <div className="panel">
        <NoFlows />
      </div>
    )
  return (
    <div className="stack">
      <div className="flow-filters">
        <TextField
          label="Find a flow"
          type="search"
          value={text}
          onChange={setText}
          placeholder="Name, sentence or topic"
        />
        <div className="row">
          <Toggle view={view} onChange={choose} />
          <AriaButton
            className="button chip"
            aria-pressed={onlyTrouble}
            onPress={() => setOnlyTrouble(!onlyTrouble)}
            isDisabled={troubled === 0 && !onlyTrouble}
          >
            In trouble <span className="soft">{troubled}</span>
          </AriaButton>
        </div>
      </div>
      {view === 'graph' && flows.length > FOLD_ABOVE && <Areas areas={graph.areas} open={open} onOpen={setOpen} />}
      <div className="panel">
        {flows.length === 0 ? (
          <Empty title="Nothing found">No flow fits. Write less, or look at those that are well, too.</Empty>
        ) : view === 'graph' ? (
          <Suspense fallback={<div className="skeleton graph-reserve" />}>
            <Canvas graph={graph} onOpen={unfold} />
          </Suspense>
        ) : isNarrow ? (
          <FlowLines flows={flows} />
        ) : (
          <FlowTable flows={flows} />
        )}
      </div>
      {view === 'graph' && flows.length > 0 && <Legend />}
    </div>
  )
}
