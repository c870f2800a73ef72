// How flows begin: a new run at the present position, in the place of another one, or a run that goes on where it was.
import { overlaps } from '../bus/filters.ts'
import { iso } from '../clock.ts'
import { Recoverable } from '../errors.ts'
import { type Crew, endRun } from './crew.ts'
import type { FlowFile } from './find-flows.ts'
import type { Item } from './frame.ts'
import type { Input } from './host.ts'
import { type Loaded, Unloadable } from './loads.ts'
import { keptAt, type LastRun, startOf } from './records.ts'
import { flowReport } from './reports.ts'
import { type FlowState, newRun, type Run } from './state.ts'
import type { Troubles } from './troubles.ts'

export interface Starts {
  /** A new run from its file, with what it kept. Never rejects for the flow. */
  launch(flow: FlowState): Promise<void>
  /** The run goes on in a fresh process, from its recorded start. */
  goOn(flow: FlowState, run: Run): Promise<void>
  /** The last run of an earlier hub goes on, when version and params are the same; otherwise a new one. */
  takeUp(flow: FlowState, last: LastRun): Promise<void>
  /** Swaps the flow to another version or other params between two messages. Rejects with Unloadable, the old one going on; with Recoverable when the process ended meanwhile. */
  replace(flow: FlowState, file: FlowFile, params: Record<string, unknown>): Promise<void>
  /** A run that was silent speaks from now on, after output `n`. */
  speaks(flow: FlowState, run: Run, n: number, at: number): void
  /** The run can hear its whole history again. */
  isExact(run: Run): boolean
}

export const openStarts = (crew: Crew, troubles: Troubles): Starts => {
  const { parts, limits, link, runs } = crew
  const { bus, journal, clock, log } = parts

  const retainedFor = (inputs: readonly Input[]) => {
    const filters = new Set(inputs.filter(({ latest }) => latest).map(({ filter }) => filter))
    const found = new Map(
      [...filters].flatMap((filter) => bus.retained(filter)).map((envelope) => [envelope.topic, envelope]),
    )
    return [...found.values()].filter(({ bad }) => bad !== true).sort((a, b) => a.seq - b.seq)
  }

  const retainedThen = (inputs: readonly Input[], seq: number): Item[] => {
    const filters = inputs.filter(({ latest }) => latest).map(({ filter }) => filter)
    if (filters.length === 0 || parts.retainedAt === undefined) return []
    const isWanted = (topic: string) => filters.some((filter) => overlaps(filter, topic))
    return [...parts.retainedAt(seq, isWanted).values()].map(({ seq: at, at: stamp, topic, origin, payload }) => ({
      seq: at,
      at: stamp,
      topic,
      origin,
      payload,
      skip: [],
    }))
  }

  const load = (run: Run, flow: FlowState, params: Record<string, unknown>): Promise<Loaded> => {
    const { file, version, source } = run.file
    runs.set(run.number, { flow, run })
    return link.load(run.number, { name: flow.id, file, version, source, params })
  }

  const noteStart = (flow: FlowState, run: Run): void => {
    const start = startOf(flow.id, run)
    journal.note('flow-start', start)
    log.info('flow started', { flow: flow.id, version: start.version, seq: start.seq })
  }

  /** Loads and begins a new run; what ran before goes on until the very step in which this one begins. */
  const begin = async (flow: FlowState, file: FlowFile, params: Record<string, unknown>): Promise<void> => {
    const run = newRun(crew.nextNumber(), file)
    const before = flow.run
    try {
      const { inputs, params: formed } = await load(run, flow, params)
      run.inputs = inputs
      run.params = formed
      await link.begin(run.number, inputs, {
        kept: flow.kept,
        retained: retainedFor,
        ...(before === undefined ? {} : { replaces: before.number }),
        begun({ seq, at, kept, retained }) {
          Object.assign(run, { seq, at, kept, retained, keptNow: { ...kept } })
          if (before !== undefined) {
            journal.note('flow-stop', { flow: flow.id, version: before.file.version, reason: 'replaced' })
            endRun(crew, flow, before)
          }
          flow.file = file
          flow.params = params
          flow.run = run
          flow.startedAt = clock.now()
          noteStart(flow, run)
        },
      })
    } catch (error) {
      if (flow.run !== run) runs.delete(run.number)
      throw error
    }
  }

  const notLoaded = (flow: FlowState, error: Unloadable): void => {
    troubles.blame(flow, error.thrown, { type: 'FlowNotLoaded' })
    log.error('flow not loaded', { flow: flow.id, reason: flow.error?.message })
    troubles.become(flow, 'failed to load')
  }

  const launch = async (flow: FlowState): Promise<void> => {
    if (crew.isClosing() || flow.status === 'quarantined' || !crew.flows.has(flow.id)) return
    flow.status = 'starting'
    try {
      await begin(flow, flow.file, flow.params)
      // What it did at once may have been its end.
      if (flow.run === undefined) return
      if (flow.crashes.length === 0) delete flow.error
      troubles.become(flow, 'running')
    } catch (error) {
      // The process ended meanwhile: all flows begin again with the next one.
      if (isGone(error)) return
      if (!(error instanceof Unloadable)) throw error
      notLoaded(flow, error)
    }
  }

  /** Why the run cannot hear its whole history again; undefined when it can. */
  const obstacle = (run: Run): string | undefined => {
    const { firstSeq } = journal.stats()
    const after = run.warm?.seq ?? run.seq
    const now = journal.reserve()
    const except = parts.journalExcept ?? []
    const left = run.inputs.find(({ filter }) => except.some((hidden) => overlaps(hidden, filter)))
    if (left !== undefined) return `${left.filter} is not in the journal`
    if (firstSeq > after + 1) return 'the journal does not reach back to its start'
    if (now - after > limits.historyMessages) return `more than ${limits.historyMessages} messages since its start`
    if (clock.now() - (run.warm?.at ?? run.at) > limits.historyMs) return 'its start is too long ago'
    if (run.isSkipsFull) return 'it was overloaded too often since its start'
    return undefined
  }

  const exactly = (run: Run): void => {
    link.resume(run.number, run.inputs, {
      seq: run.warm?.seq ?? run.seq,
      at: run.warm?.at ?? run.at,
      kept: run.kept,
      keptNow: run.keptNow,
      retained: run.retained,
      mutedTo: run.n,
      silent: false,
      skips: run.skips,
    })
  }

  /** As good as can be: what it kept is exact, what its operators remember reaches as far back as its longest wait. */
  const roughly = async (flow: FlowState, run: Run, why: string): Promise<void> => {
    const now = clock.now()
    const { waits, leastMs } = limits.warmUp
    const reach = Math.min(limits.historyMs, Math.max(leastMs, waits * run.longest))
    const here = link.position(run.number) ?? journal.reserve() - 1
    const isWhole = journal.stats().firstSeq <= run.seq + 1
    const [oldest] = await journal.read({ since: now - reach, kinds: ['message'], limit: 1 })
    const from = Math.max((oldest?.seq ?? here + 1) - 1, here - limits.historyMessages, run.warm?.seq ?? run.seq)
    const seq = isWhole ? Math.min(here, from) : here
    const [next] = await journal.read({ fromSeq: seq + 1, kinds: ['message'], limit: 1 })
    const at = Math.max(run.at, next?.at ?? now)
    const kept = isWhole ? await keptAt(journal, flow.id, run, { seq, at }) : run.keptNow
    const approximate = `${why}; it was warmed up from ${iso(at)}`
    Object.assign(run, { warm: { seq, at }, kept, approximate, skips: [] })
    run.retained = retainedThen(run.inputs, seq)
    const { keptNow, retained } = run
    link.resume(run.number, run.inputs, { seq, at, kept, keptNow, retained, mutedTo: 0, silent: true, skips: [] })
    log.warn('flow approximate', { flow: flow.id, why: approximate })
  }

  const bring = async (flow: FlowState, run: Run): Promise<void> => {
    const why = obstacle(run)
    if (why === undefined) exactly(run)
    else await roughly(flow, run, why)
  }

  return {
    launch,
    isExact: (run) => obstacle(run) === undefined,

    async goOn(flow, run) {
      try {
        const { inputs } = await load(run, flow, run.params?.values ?? {})
        run.inputs = inputs
        await bring(flow, run)
      } catch (error) {
        if (isGone(error)) return
        if (!(error instanceof Unloadable)) throw error
        link.stop(run.number)
        endRun(crew, flow, run)
        notLoaded(flow, error)
      }
    },

    async takeUp(flow, { start, n, kept, skips, longest }) {
      flow.kept = kept
      const isSame = start.version === flow.file.version
      if (!isSame) return launch(flow)
      const run = newRun(crew.nextNumber(), flow.file)
      try {
        const { inputs, params } = await load(run, flow, flow.params)
        if (JSON.stringify(params?.values ?? {}) !== JSON.stringify(start.params)) {
          link.stop(run.number)
          runs.delete(run.number)
          return await launch(flow)
        }
        const { seq, at } = start
        Object.assign(run, { inputs, params, seq, at, n, skips, longest, kept: start.kept, keptNow: { ...kept } })
        if (start.since !== undefined) run.warm = { seq: start.since, at: start.sinceAt ?? start.at }
        if (start.approximate !== undefined) run.approximate = start.approximate
        run.retained = retainedThen(inputs, start.since ?? seq)
        flow.run = run
        flow.startedAt = clock.now()
        flow.status = 'starting'
        await bring(flow, run)
      } catch (error) {
        if (isGone(error)) return
        if (!(error instanceof Unloadable)) throw error
        runs.delete(run.number)
        notLoaded(flow, error)
      }
    },

    async replace(flow, file, params) {
      await begin(flow, file, params)
      delete flow.newer
      // What it did at once may have been its end, and told of.
      if (flow.run === undefined) return
      delete flow.error
      flow.crashes = []
      flow.pause = 0
      clearTimeout(flow.timer)
      delete flow.timer
      troubles.become(flow, 'running')
    },

    speaks(flow, run, n, at) {
      run.n = n
      run.seq = journal.reserve() - 1
      run.at = at
      noteStart(flow, run)
    },
  }
}

/** The process ended meanwhile. */
export const isGone = (error: unknown): boolean =>
  error instanceof Recoverable && !(error instanceof Unloadable) && error.code === 'UNAVAILABLE'

/** A version that was refused, as its view and the error bus tell it. */
export const rejection = (file: FlowFile, error: Unloadable, at: string) =>
  flowReport(file, error.thrown, at, { type: 'FlowRejected', severity: 'warning' })
