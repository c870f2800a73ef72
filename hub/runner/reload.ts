// Hot reload: files that come, change and go while the hub runs. A version that does not load or type-check leaves the old one running.
import { iso } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import { type Crew, endRun } from './crew.ts'
import type { FlowFile } from './find-flows.ts'
import { type Folder, watchFolder } from './folder.ts'
import { Unloadable } from './loads.ts'
import type { MarksStore } from './marks.ts'
import type { Thrown } from './protocol.ts'
import { flowReport } from './reports.ts'
import { isGone, type Starts } from './starts.ts'
import { type FlowState, newFlow } from './state.ts'
import type { Troubles } from './troubles.ts'
import { openTypes, type Types } from './types.ts'

export interface Reload {
  watch(): void
  /** A flow has caught up: what could not be swapped before is swapped now. */
  present(flow: FlowState): void
  /** The version on disk took the process with it while it was loaded. */
  rejected(flow: FlowState, thrown: Thrown): void
  close(): Promise<void>
}

export const openReload = (crew: Crew, troubles: Troubles, starts: Starts, marks: MarksStore): Reload => {
  const { parts, limits, flows, link } = crew
  const { log, health, clock, flowsDir, topicFiles } = parts
  const types: Types = parts.types ?? openTypes({ flowsDir, topicFiles, log })
  /** Versions that passed and do not run yet, by id. */
  const passed = new Map<string, FlowFile>()
  let folder: Folder | undefined
  let loads = 0

  const reject = (flow: FlowState, file: FlowFile, thrown: Thrown): void => {
    const { error, report } = flowReport(file, thrown, iso(clock.now()), { type: 'FlowRejected', severity: 'warning' })
    const place = error.place === undefined ? {} : { place: error.place }
    flow.newer = { version: file.version, state: 'rejected', error: { message: error.message, ...place } }
    health.report(report)
    health.set(
      `flow:${flow.id}`,
      'degraded',
      `A newer version of flow ${flow.id} was rejected, the one before goes on. ${error.message}. Mend the file.`,
    )
    log.error('flow rejected', { flow: flow.id, version: file.version, reason: error.message, ...place })
    crew.changed()
  }

  const isNext = ({ newer }: FlowState, { version }: FlowFile): boolean =>
    newer?.version === version && newer.state === 'checking'

  const swap = async (flow: FlowState, file: FlowFile): Promise<void> => {
    if (!isNext(flow, file) || !flows.has(flow.id)) return
    if (flow.run === undefined) return again(flow, file)
    // What the old one has yet to answer is answered first.
    if (link.isBehind(flow.run.number)) return void passed.set(flow.id, file)
    try {
      await starts.replace(flow, file, flow.params)
      passed.delete(flow.id)
      if (++loads >= limits.loadsPerProcess) {
        loads = 0
        // Later: the process ends in the middle of this line.
        setImmediate(() => void link.recycle(limits.turnMs))
      }
    } catch (error) {
      if (isGone(error)) return void (isNext(flow, file) && passed.set(flow.id, file))
      passed.delete(flow.id)
      if (!(error instanceof Unloadable)) throw error
      reject(flow, file, error.thrown)
    }
  }

  /** It does not run: a new version lets it. */
  const again = async (flow: FlowState, file: FlowFile): Promise<void> => {
    clearTimeout(flow.timer)
    delete flow.timer
    delete flow.newer
    passed.delete(flow.id)
    flow.file = file
    flow.crashes = []
    flow.pause = 0
    troubles.become(flow, 'starting')
    await starts.launch(flow)
  }

  const check = async (flow: FlowState, file: FlowFile): Promise<void> => {
    const [problem, ...more] = await types.check(file)
    if (!isNext(flow, file) || crew.isClosing()) return
    if (problem === undefined) return crew.inLine(() => swap(flow, file))
    const rest = more.length === 0 ? '' : ` (and ${more.length} more)`
    reject(flow, file, { ...problem, message: `type error: ${problem.message}${rest}` })
  }

  const changed = (file: FlowFile): void => {
    const known = flows.get(file.id)
    if (known === undefined) return void came(file)
    if (known.file.version === file.version) {
      if (known.newer !== undefined && known.run !== undefined) {
        delete known.newer
        troubles.become(known, known.status)
      }
      return
    }
    if (known.newer?.version === file.version) return
    known.newer = { version: file.version, state: 'checking' }
    crew.changed()
    if (known.run === undefined) void crew.inLine(() => again(known, file))
    else check(known, file).catch((error: unknown) => log.error('flow not reloaded', { reason: reasonOf(error) }))
  }

  const came = (file: FlowFile): Promise<void> =>
    crew.inLine(async () => {
      if (flows.has(file.id)) return
      const flow = newFlow(file, await marks.params(file.id))
      flows.set(file.id, flow)
      await starts.launch(flow)
    })

  const gone = (file: string): void => {
    const flow = [...flows.values()].find((each) => each.file.file === file)
    if (flow === undefined) return
    clearTimeout(flow.timer)
    troubles.halt(flow, 'its file is gone')
    if (flow.run !== undefined) endRun(crew, flow, flow.run)
    flows.delete(flow.id)
    passed.delete(flow.id)
    health.drop(`flow:${flow.id}`)
    clearRetained(flow)
    log.info('flow gone', { flow: flow.id })
    crew.changed()
  }

  /** What it left on retained topics speaks for nobody any more. */
  const clearRetained = ({ principal, outputs, id }: FlowState): void => {
    for (const topic of outputs) {
      for (const { origin } of parts.bus.retained(topic)) {
        if (origin !== `flow:${id}`) continue
        try {
          parts.bus.publishBytes(principal, topic, Buffer.alloc(0))
        } catch (error) {
          log.warn('retained message of a flow not cleared', { flow: id, topic, reason: reasonOf(error) })
        }
      }
    }
  }

  return {
    watch() {
      if (limits.rescanMs === 0) return
      const known = [...flows.values()].map(({ file }) => file.file)
      folder = watchFolder(flowsDir, { rescanMs: limits.rescanMs, log, known, changed, gone })
    },
    present(flow) {
      const file = passed.get(flow.id)
      if (file !== undefined) void crew.inLine(() => swap(flow, file))
    },
    rejected(flow, thrown) {
      const file = passed.get(flow.id)
      passed.delete(flow.id)
      reject(flow, file ?? { ...flow.file, version: flow.newer?.version ?? flow.file.version }, thrown)
    },
    async close() {
      await folder?.close()
      await types.close()
    },
  }
}
