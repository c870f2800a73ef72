// Runs the flows of a folder: begins each, brings them up to date when their process is replaced, and hears what they say.
import { HUB } from '../bus/principal.ts'
import { reasonOf } from '../errors.ts'
import { message } from '../streams/message.ts'
import type { Crew, RunnerParts } from './crew.ts'
import { openFairness } from './fairness.ts'
import { findFlows } from './find-flows.ts'
import type { Output } from './frame.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { Link } from './link.ts'
import { openLink } from './open-link.ts'
import { openMarks } from './marks.ts'
import { openNews } from './news.ts'
import type { ChildEvent } from './protocol.ts'
import { type LastRun, lastRuns, put } from './records.ts'
import { openReload } from './reload.ts'
import { badReport, processReport, setAsideReport, strayReport } from './reports.ts'
import type { FlowView, Runner } from './runner.ts'
import { openStarts } from './starts.ts'
import { type FlowState, newFlow, skipped } from './state.ts'
import { openTroubles } from './troubles.ts'
import type { Verdict } from './link.ts'
import { viewOf } from './views.ts'
import { openWishes } from './wishes.ts'

export type { RunnerParts } from './crew.ts'

/** Everything is heard in one order; the bounds that matter are those of each flow's edges. */
const FROM_BUS = { name: 'flows', overload: { dropOldest: 100_000 } }
const OUTPUTS_SHOWN = 100
const DELAYS = 256
/** Of many outputs, every so many is timed. */
const DELAY_EVERY = 8
/** So long after a death nobody could name, every turn is marked. */
const MARKED_MS = 60_000
const TICK_MS = 1000

/** Starts every flow of the folder, in a process of their own if there is one. A flow that does not load hinders nobody; nothing here rejects for one. */
export const startRunner = async (parts: RunnerParts): Promise<Runner> => {
  const { bus, journal, clock, log, health } = parts
  const limits = { ...DEFAULT_LIMITS, ...parts.limits }
  const marks = openMarks(parts)
  let closing = false
  let ups = 0
  let number = 0
  let lastDeath = -Infinity
  /** Runs of an earlier hub, until they are taken up. */
  let earlier = new Map<string, LastRun>()
  /** Loads and starts happen one after the other. */
  let line: Promise<void> = Promise.resolve()

  const news = openNews({
    view: () => flowViews(),
    publish: (items) => bus.publish(HUB, message('hub/flows', {}, { items })),
    failed: (error) => log.warn('flows not published', { reason: reasonOf(error) }),
  })

  const publish = ({ flow: from, n, at, cause, topic, payload }: Output): void => {
    const found = crew.runs.get(from)
    if (found === undefined) return
    const { flow, run } = found
    run.n = n
    try {
      bus.publishBytes(flow.principal, topic, payload, { cause, n })
      if (flow.out < DELAYS || flow.out % DELAY_EVERY === 0)
        flow.delays[(flow.out / (flow.out < DELAYS ? 1 : DELAY_EVERY)) % DELAYS] = Math.max(0, clock.now() - at)
      flow.out++
      if (topic !== flow.lastOutput) {
        flow.lastOutput = topic
        if (flow.outputs.size < OUTPUTS_SHOWN) flow.outputs.add(topic)
      }
      news.counted()
    } catch (error) {
      troubles.blame(
        flow,
        { message: `its output on ${topic} was refused: ${reasonOf(error)}` },
        { type: 'OutputRefused', details: { cause } },
      )
    }
  }

  const failed = (event: Extract<ChildEvent, { event: 'failed' | 'ended' }>, flow: FlowState): void => {
    if (event.event === 'ended') {
      troubles.halt(flow, 'ended')
      troubles.blame(
        flow,
        { message: 'it ended: what it returns must go on for as long as the hub runs (no take, no first at its end)' },
        { type: 'FlowEnded', severity: 'warning' },
      )
      return troubles.become(flow, 'ended')
    }
    troubles.halt(flow, event.message)
    troubles.blame(flow, event, { details: { cause: event.cause, crashes: flow.crashes.length + 1 } })
    troubles.crashed(flow)
  }

  const heard = (event: ChildEvent): void => {
    if (event.event === 'bad') return health.report(badReport(event))
    if (event.event === 'stray') return health.report(strayReport(event))
    if (!('flow' in event)) return
    const found = crew.runs.get(event.flow)
    // What a run left behind may fail once more after it has failed.
    if (found === undefined || found.flow.run !== found.run) return
    const { flow, run } = found
    if (event.event === 'failed' || event.event === 'ended') return failed(event, flow)
    if (event.event === 'kept') {
      const { key, value, n, at } = event
      run.n = n
      put(run.keptNow, key, value)
      journal.note('flow-keep', { flow: flow.id, key, value, n, at, cause: event.cause })
    } else if (event.event === 'setAside') {
      const { key, value, constraint } = event
      put(run.keptNow, key, undefined)
      journal.note('flow-keep', { flow: flow.id, key, n: run.n, at: clock.now(), setAside: value, constraint })
      health.report(setAsideReport(flow.id, key, constraint))
    } else if (event.event === 'busy') fairness.busy(flow, run, event)
    else if (event.event === 'long') fairness.long(flow, run, event.ms)
    else if (event.event === 'waits') run.longest = event.ms
    else if (event.event === 'speaks') starts.speaks(flow, run, event.n, event.at)
  }

  const down = ({ why, flow: culpritNumber }: Verdict): void => {
    const culprit = culpritNumber === undefined ? undefined : crew.runs.get(culpritNumber)?.flow
    if (why !== 'planned') {
      lastDeath = performance.now()
      health.set('flows', 'degraded', `The process of flows ended (${why}) and is started again.`)
      health.report(processReport(why, culprit?.id))
    }
    for (const flow of crew.flows.values()) {
      if (flow === culprit) continue
      if (flow.run === undefined && flow.status !== 'starting') continue
      if (why !== 'planned') flow.restarts++
      troubles.become(flow, 'restarting')
    }
    if (culprit === undefined || culpritNumber === undefined) return
    const { run } = culprit
    const isNew = run?.number !== culpritNumber
    if (isNew && run !== undefined) {
      // A version that was being loaded beside the old one, which goes on.
      crew.runs.delete(culpritNumber)
      return reload.rejected(culprit, { message: `the process of flows ended while it was loaded: ${why}` })
    }
    troubles.halt(culprit, `the process ended: ${why}`)
    crew.runs.delete(culpritNumber)
    link.stop(culpritNumber)
    troubles.blame(culprit, { message: `the process of flows ended in its turn: ${why}` })
    troubles.crashed(culprit, limits.crashes.perProcess)
  }

  /** A fresh process: every run goes on; those that wait after a failure of their own come when their pause is over. */
  const up = async (): Promise<void> => {
    const mine = ++ups
    for (const flow of crew.flows.values()) {
      if (mine !== ups) return
      const mayRun =
        flow.run !== undefined ||
        flow.status === 'starting' ||
        (flow.status === 'restarting' && flow.timer === undefined)
      if (!mayRun) continue
      await crew.inLine(async () => {
        const last = earlier.get(flow.id)
        if (flow.run !== undefined) return starts.goOn(flow, flow.run)
        if (last !== undefined) return starts.takeUp(flow, last).finally(() => earlier.delete(flow.id))
        return starts.launch(flow)
      })
    }
    if (mine !== ups) return
    link.catchUp()
    health.set('flows', 'healthy')
  }

  const present = (run: number, error?: Error): void => {
    const found = crew.runs.get(run)
    if (found === undefined || found.flow.run !== found.run) return
    const { flow } = found
    if (error === undefined) {
      troubles.become(flow, 'running')
      return reload.present(flow)
    }
    // Without its history it would not be what it was: it begins anew, and says so.
    found.run.approximate = `its history could not be read: ${error.message}`
    troubles.halt(flow, found.run.approximate)
    troubles.blame(flow, { message: found.run.approximate }, { type: 'HistoryUnreadable', category: 'resource' })
    void crew.inLine(() => starts.launch(flow))
  }

  const flowViews = (): FlowView[] => {
    const now = performance.now()
    return [...crew.flows.values()].map((flow) => viewOf(flow, link, now))
  }

  const link: Link = openLink({
    flowsDir: parts.flowsDir,
    topicFiles: parts.topicFiles,
    prefix: parts.prefix,
    ...(parts.site === undefined ? {} : { site: parts.site }),
    clock,
    log,
    limits,
    journal,
    publish,
    event: heard,
    gap({ flow: of, edge, topic, from, to, count }) {
      const found = crew.runs.get(of)
      if (found === undefined) return
      const { flow, run } = found
      const skip = { edge: run.inputs.findIndex((input) => input.edge === edge), from, to }
      skipped(run, skip)
      journal.note('flow-skip', { flow: flow.id, topic, ...skip, count })
      log.warn('flow overloaded', { flow: flow.id, topic, ...skip, count })
      health.metrics.count(
        'flow_dropped_total',
        'Messages a flow did not get because its edge was full',
        { flow: flow.id },
        count,
      )
      news.changed()
    },
    jumped(byMs) {
      // Timers must not fire for time that did not pass: every flow begins anew at the new time, with what it keeps.
      log.warn('time jumped ahead', { byMs: Math.round(byMs) })
      for (const flow of crew.flows.values()) {
        if (flow.run === undefined) continue
        troubles.halt(flow, `time jumped ahead by ${Math.round(byMs / 1000)} s`)
        troubles.become(flow, 'starting')
        void crew.inLine(() => starts.launch(flow))
      }
    },
    down,
    up,
    present,
    isExact(of) {
      const found = crew.runs.get(of)
      return found !== undefined && starts.isExact(found.run)
    },
  })

  const crew: Crew = {
    parts,
    limits,
    link,
    flows: new Map(),
    runs: new Map(),
    nextNumber: () => ++number,
    inLine(work) {
      line = line.then(work).catch((error: unknown) => log.error('flow not started', { reason: reasonOf(error) }))
      return line
    },
    isClosing: () => closing,
    changed: news.changed,
  }
  const troubles = openTroubles(crew, (flow) => void crew.inLine(() => starts.launch(flow)))
  const starts = openStarts(crew, troubles)
  const fairness = openFairness(crew)
  const reload = openReload(crew, troubles, starts, marks)

  for (const file of await findFlows(parts.flowsDir))
    crew.flows.set(file.id, newFlow(file, await marks.params(file.id)))
  earlier = await lastRuns(journal, [...crew.flows.keys()], await marks.read()).catch((error: unknown) => {
    log.error('earlier runs not read', { reason: reasonOf(error) })
    return new Map<string, LastRun>()
  })
  const unhear = bus.raw('#', FROM_BUS, (envelope) => link.offer(envelope))
  const tick = setInterval(() => {
    fairness.look()
    marks.look(crew)
    if (performance.now() - lastDeath > MARKED_MS) link.markAll(false)
  }, TICK_MS)
  tick.unref()
  // Without flows there is no process: the first file that comes starts it.
  if (crew.flows.size > 0) await link.start()
  else health.set('flows', 'healthy')
  reload.watch()

  return {
    flows: flowViews,
    ...openWishes(crew, troubles, starts, marks),
    process: () => link.view(),
    recycle: () => link.recycle(limits.turnMs),
    async close() {
      closing = true
      unhear()
      clearInterval(tick)
      news.close()
      await reload.close()
      for (const flow of crew.flows.values()) clearTimeout(flow.timer)
      await marks.write(crew)
      await link.close()
      for (const { id, run } of crew.flows.values()) {
        if (run !== undefined)
          journal.note('flow-stop', { flow: id, version: run.file.version, reason: 'the hub stops' })
      }
    },
  }
}
