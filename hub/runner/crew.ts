// The flows there are, and what all that is done with them needs.
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import type { Health, Log } from '../health/report.ts'
import type { Entry, Journal } from '../journal/entry.ts'
import type { Settings } from '../store/settings.ts'
import type { RunnerLimits } from './limits.ts'
import type { Link } from './link.ts'
import type { FlowState, Run } from './state.ts'
import type { Types } from './types.ts'

export interface RunnerParts {
  /** Folder of flow files. */
  flowsDir: string
  /** Paths of the plugins' topics.ts; the core table is always there. */
  topicFiles: readonly string[]
  bus: Pick<Bus, 'raw' | 'retained' | 'publish' | 'publishBytes'>
  journal: Pick<Journal, 'note' | 'read' | 'reserve' | 'stats'>
  /** MQTT filters of topics that are not in the journal. */
  journalExcept?: readonly string[]
  /** The retained messages as they were when `seq` had been taken, by topic. */
  retainedAt?: (seq: number, fits: (topic: string) => boolean) => Map<string, Entry>
  /** Where params and marks are kept; without it they last as long as the hub runs. */
  settings?: Settings
  prefix: string
  /** Where the hub stands, for schedules. */
  site?: { timezone: string; latitude?: number; longitude?: number }
  clock: Clock
  log: Log
  health: Pick<Health, 'set' | 'drop' | 'report' | 'metrics'>
  limits?: Partial<RunnerLimits>
  /** Checks types of versions that come while the hub runs; TypeScript in a process of its own unless given. */
  types?: Types
}

export interface Crew {
  readonly parts: RunnerParts
  readonly limits: RunnerLimits
  readonly link: Link
  /** By id. */
  readonly flows: Map<string, FlowState>
  /** Runs that the process may speak of, by number. */
  readonly runs: Map<number, { flow: FlowState; run: Run }>
  nextNumber(): number
  /** One after the other; what it throws is logged. */
  inLine(work: () => Promise<void>): Promise<void>
  isClosing(): boolean
  /** Something to see has changed. */
  changed(): void
}

/** The run is over: its counts stay with the flow, the rest is forgotten. */
export const endRun = ({ link, runs }: Crew, flow: FlowState, run: Run): void => {
  flow.left = run.inputs.map(({ edge, topic, filter, latest, overload }) => ({
    topic,
    filter,
    latest,
    overload,
    ...link.edge(edge),
    depth: 0,
    rate: 0,
  }))
  for (const { edge } of run.inputs) {
    const counts = link.edge(edge)
    flow.before.in += counts.in
    flow.before.dropped += counts.dropped
    flow.rates.delete(edge)
  }
  link.forgetCounts(run.inputs)
  runs.delete(run.number)
  if (flow.run !== run) return
  flow.kept = run.keptNow
  delete flow.run
}
