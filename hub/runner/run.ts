// Runs the flows of a folder: loads each, restarts what fails, quarantines what keeps failing, and names the culprit.
import type { Bus } from '../bus/bus.ts'
import { HUB, type Principal } from '../bus/principal.ts'
import { type Clock, iso } from '../clock.ts'
import { Missing, Recoverable, reasonOf } from '../errors.ts'
import type { ErrorReport, Health, Log } from '../health/report.ts'
import type { Journal } from '../journal/entry.ts'
import { message } from '../streams/message.ts'
import { type FlowFile, findFlows, readFlow } from './find-flows.ts'
import type { Output } from './frame.ts'
import type { Input } from './host.ts'
import { DEFAULT_LIMITS, type RunnerLimits } from './limits.ts'
import { type Link, openLink, Unloadable, type Verdict } from './link.ts'
import type { ChildEvent, Thrown } from './protocol.ts'
import { openNews } from './news.ts'
import { adviceOn, badReport, flowReport, processReport, strayReport } from './reports.ts'
import type { FlowStatus, FlowView, Runner } from './runner.ts'

export interface RunnerParts {
  /** Folder of flow files. */
  flowsDir: string
  /** Paths of the plugins' topics.ts; the core table is always there. */
  topicFiles: readonly string[]
  bus: Pick<Bus, 'raw' | 'retained' | 'publish' | 'publishBytes'>
  journal: Pick<Journal, 'note'>
  prefix: string
  clock: Clock
  log: Log
  health: Pick<Health, 'set' | 'drop' | 'report' | 'metrics'>
  limits?: Partial<RunnerLimits>
}

interface Kept {
  readonly number: number
  readonly principal: Principal
  file: FlowFile
  status: FlowStatus
  inputs: Input[]
  readonly outputs: Set<string>
  out: number
  restarts: number
  /** When it failed lately, ms. */
  crashes: number[]
  pause: number
  startedAt?: number
  error?: NonNullable<FlowView['error']>
  timer?: NodeJS.Timeout
}

/** Everything is heard in one order; the bounds that matter are those of each flow's edges. */
const FROM_BUS = { name: 'flows', overload: { dropOldest: 100_000 } }
const OUTPUTS_SHOWN = 100

/** Starts the process of flows and every flow of the folder. A flow that does not load hinders nobody; nothing here rejects for one. */
export const startRunner = async (parts: RunnerParts): Promise<Runner> => {
  const { bus, journal, clock, log, health } = parts
  const limits = { ...DEFAULT_LIMITS, ...parts.limits }
  const flows = new Map<string, Kept>()
  const byNumber: Kept[] = []
  let closing = false
  let processes = 0
  /** Loads and starts happen one after the other. */
  let line: Promise<void> = Promise.resolve()

  const news = openNews({
    view: () => flowViews(),
    publish: (items) => bus.publish(HUB, message('hub/flows', {}, { items })),
    failed: (error) => log.warn('flows not published', { reason: reasonOf(error) }),
  })

  const add = (file: FlowFile): Kept => {
    const flow: Kept = {
      number: byNumber.length,
      principal: { kind: 'flow', id: file.id, roles: [] },
      file,
      status: 'starting',
      inputs: [],
      outputs: new Set(),
      out: 0,
      restarts: 0,
      crashes: [],
      pause: 0,
    }
    flows.set(file.id, flow)
    byNumber.push(flow)
    return flow
  }

  const become = (flow: Kept, status: FlowStatus): void => {
    flow.status = status
    const part = `flow:${flow.file.id}`
    if (status === 'running') health.set(part, 'healthy')
    else if (status !== 'starting') health.set(part, 'degraded', adviceOn(flow.file, status, flow.error))
    news.changed()
  }

  const blame = (flow: Kept, thrown: Thrown, more: Partial<ErrorReport> = {}): void => {
    const { error, report } = flowReport(flow.file, thrown, iso(clock.now()), more)
    flow.error = error
    health.report(report)
  }

  const quarantine = (flow: Kept): void => {
    clearTimeout(flow.timer)
    delete flow.timer
    link.stop(flow.number)
    become(flow, 'quarantined')
    journal.note('flow-quarantine', {
      flow: flow.file.id,
      version: flow.file.version,
      reason: flow.error?.message ?? '',
    })
    log.error('flow quarantined', { flow: flow.file.id, reason: flow.error?.message })
  }

  const halted = (flow: Kept, why: string): void => {
    link.stop(flow.number)
    journal.note('flow-stop', { flow: flow.file.id, version: flow.file.version, reason: why })
    health.metrics.count('flow_failures_total', 'Flows that failed or ended', { flow: flow.file.id })
  }

  /** A failure: again after a pause, and into quarantine when it keeps failing. `weight`: for how many it counts. */
  const crashed = (flow: Kept, weight = 1): void => {
    const now = clock.now()
    const calm = flow.startedAt !== undefined && now - flow.startedAt > limits.crashes.withinMs
    flow.pause = calm || flow.pause === 0 ? limits.restartMs.first : Math.min(flow.pause * 2, limits.restartMs.longest)
    flow.crashes = flow.crashes.filter((at) => now - at < limits.crashes.withinMs)
    for (let i = 0; i < weight; i++) flow.crashes.push(now)
    if (flow.crashes.length >= limits.crashes.count) return quarantine(flow)
    become(flow, 'restarting')
    clearTimeout(flow.timer)
    flow.timer = setTimeout(() => {
      delete flow.timer
      flow.restarts++
      void inLine(() => launch(flow))
    }, flow.pause)
    flow.timer.unref()
  }

  const launch = async (flow: Kept): Promise<void> => {
    if (closing || flow.status === 'quarantined') return
    flow.status = 'starting'
    try {
      const { inputs } = await link.load(flow.number, flow.file.file, flow.file.version)
      flow.inputs = inputs
      const position = await link.begin(flow.number, inputs, () => retainedFor(inputs))
      const { id, version } = flow.file
      flow.startedAt = clock.now()
      journal.note('flow-start', { flow: id, version, seq: position.seq, at: position.at })
      log.info('flow started', { flow: id, version, seq: position.seq })
      if (flow.crashes.length === 0) delete flow.error
      become(flow, 'running')
    } catch (error) {
      // The process ended meanwhile: all flows are launched again with the next one.
      if (error instanceof Recoverable && error.code === 'UNAVAILABLE') return
      if (!(error instanceof Unloadable)) throw error
      blame(flow, error.thrown, { type: 'FlowNotLoaded' })
      log.error('flow not loaded', { flow: flow.file.id, reason: flow.error?.message })
      become(flow, 'failed to load')
    }
  }

  const retainedFor = (inputs: readonly Input[]) => {
    const filters = new Set(inputs.filter(({ latest }) => latest).map(({ filter }) => filter))
    const found = new Map(
      [...filters].flatMap((filter) => bus.retained(filter)).map((envelope) => [envelope.topic, envelope]),
    )
    return [...found.values()].filter(({ bad }) => bad !== true).sort((a, b) => a.seq - b.seq)
  }

  const inLine = (work: () => Promise<void>): Promise<void> => {
    line = line.then(work).catch((error: unknown) => log.error('flow not started', { reason: reasonOf(error) }))
    return line
  }

  const publish = ({ flow: number, n, cause, topic, payload }: Output): void => {
    const flow = byNumber[number]
    if (flow === undefined) return
    try {
      // The frame's bytes are shared with its other outputs; what is kept must be its own.
      bus.publishBytes(flow.principal, topic, Buffer.from(payload), { cause, n })
      flow.out++
      if (flow.outputs.size < OUTPUTS_SHOWN) flow.outputs.add(topic)
      news.counted()
    } catch (error) {
      blame(
        flow,
        { message: `its output on ${topic} was refused: ${reasonOf(error)}` },
        { type: 'OutputRefused', details: { cause } },
      )
    }
  }

  const heard = (event: ChildEvent): void => {
    if (event.event === 'bad') return health.report(badReport(event))
    if (event.event === 'stray') return health.report(strayReport(event))
    if (event.event !== 'failed' && event.event !== 'ended') return
    const flow = byNumber[event.flow]
    if (flow === undefined) return
    // What it left behind may fail once more after it has failed.
    if (flow.status !== 'running') return
    if (event.event === 'ended') {
      halted(flow, 'ended')
      blame(
        flow,
        { message: 'it ended: what it returns must go on for as long as the hub runs (no take, no first at its end)' },
        {
          type: 'FlowEnded',
          severity: 'warning',
        },
      )
      return become(flow, 'ended')
    }
    halted(flow, event.message)
    blame(flow, event, { details: { cause: event.cause, crashes: flow.crashes.length + 1 } })
    crashed(flow)
  }

  const down = ({ why, flow: number }: Verdict): void => {
    health.set('flows', 'degraded', `The process of flows ended (${why}) and is started again.`)
    const culprit = number === undefined ? undefined : byNumber[number]
    health.report(processReport(why, culprit?.file.id))
    for (const flow of byNumber) {
      if (flow.status !== 'running' && flow.status !== 'starting') continue
      const { id, version } = flow.file
      if (flow.status === 'running')
        journal.note('flow-stop', { flow: id, version, reason: `the process ended: ${why}` })
      if (flow === culprit) {
        link.stop(flow.number)
        blame(flow, { message: `the process of flows ended in its turn: ${why}` })
        crashed(flow, limits.crashes.perProcess)
      } else {
        flow.restarts++
        become(flow, 'restarting')
      }
    }
  }

  /** A fresh process: every flow that may run is loaded; those that wait after a failure of their own come when their pause is over. */
  const up = async (): Promise<void> => {
    const mine = ++processes
    for (const flow of byNumber) {
      if (mine !== processes) return
      const mayRun =
        flow.status === 'starting' ||
        flow.status === 'running' ||
        (flow.status === 'restarting' && flow.timer === undefined)
      if (mayRun) await inLine(() => launch(flow))
    }
    health.set('flows', 'healthy')
  }

  const flowViews = (): FlowView[] =>
    byNumber.map((flow) => {
      const counts = link.counts(flow.number)
      return {
        id: flow.file.id,
        status: flow.status,
        about: flow.file.about,
        inputs: [...new Set(flow.inputs.map(({ filter }) => filter))],
        outputs: [...flow.outputs],
        in: counts.in,
        out: flow.out,
        dropped: counts.dropped,
        restarts: flow.restarts,
        version: flow.file.version,
        ...(flow.startedAt === undefined ? {} : { startedAt: iso(flow.startedAt) }),
        ...(flow.error === undefined ? {} : { error: flow.error }),
      }
    })

  const link: Link = openLink({
    flowsDir: parts.flowsDir,
    topicFiles: parts.topicFiles,
    prefix: parts.prefix,
    clock,
    log,
    limits,
    publish,
    event: heard,
    gap({ flow: number, ...gap }) {
      const id = byNumber[number]?.file.id ?? ''
      journal.note('flow-skip', { flow: id, ...gap })
      log.warn('flow overloaded', { flow: id, ...gap })
      health.metrics.count(
        'flow_dropped_total',
        'Messages a flow did not get because its edge was full',
        { flow: id },
        gap.count,
      )
      news.changed()
    },
    down,
    up,
  })

  for (const file of await findFlows(parts.flowsDir)) add(file)
  const unhear = bus.raw('#', FROM_BUS, (envelope) => {
    link.offer(envelope)
  })
  await link.start()

  return {
    flows: flowViews,
    process: () => link.view(),
    async release(id) {
      const flow = flows.get(id)
      if (flow === undefined) throw new Missing(`There is no flow '${id}'.`)
      if (flow.status === 'running' || flow.status === 'starting')
        throw new Recoverable('CONFLICT', `Flow '${id}' runs.`)
      clearTimeout(flow.timer)
      delete flow.timer
      flow.file = await readFlow(flow.file.file).catch((error: unknown) => {
        throw new Recoverable('GONE', `The file of flow '${id}' cannot be read: ${reasonOf(error)}`)
      })
      flow.crashes = []
      flow.pause = 0
      become(flow, 'starting')
      await inLine(() => launch(flow))
    },
    async close() {
      closing = true
      unhear()
      news.close()
      for (const flow of byNumber) clearTimeout(flow.timer)
      await link.close()
      for (const flow of byNumber) {
        if (flow.status === 'running')
          journal.note('flow-stop', { flow: flow.file.id, version: flow.file.version, reason: 'the hub stops' })
      }
    },
  }
}
