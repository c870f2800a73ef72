// Flows in trouble: again after a pause, into quarantine when it keeps failing, and always named.
import { iso } from '../clock.ts'
import type { ErrorReport } from '../health/report.ts'
import { type Crew, endRun } from './crew.ts'
import type { Thrown } from './protocol.ts'
import { adviceOn, flowReport } from './reports.ts'
import type { FlowStatus } from './runner.ts'
import type { FlowState } from './state.ts'

export interface Troubles {
  become(flow: FlowState, status: FlowStatus): void
  /** Says what is wrong with it: on its view, on the error bus. */
  blame(flow: FlowState, thrown: Thrown, more?: Partial<ErrorReport>): void
  /** Its run is over. */
  halt(flow: FlowState, why: string): void
  /** A failure. `weight`: for how many it counts. */
  crashed(flow: FlowState, weight?: number): void
}

/** `again` starts a flow anew when its pause is over. */
export const openTroubles = (crew: Crew, again: (flow: FlowState) => void): Troubles => {
  const { parts, limits, link } = crew
  const { clock, health, journal, log } = parts

  const become = (flow: FlowState, status: FlowStatus): void => {
    flow.status = status
    const part = `flow:${flow.id}`
    if (status === 'running') health.set(part, 'healthy')
    else if (status !== 'starting') health.set(part, 'degraded', adviceOn(flow.file, status, flow.error))
    crew.changed()
  }

  const halt = (flow: FlowState, why: string): void => {
    const { run } = flow
    if (run === undefined) return
    link.stop(run.number)
    endRun(crew, flow, run)
    journal.note('flow-stop', { flow: flow.id, version: run.file.version, reason: why })
  }

  const quarantine = (flow: FlowState): void => {
    clearTimeout(flow.timer)
    delete flow.timer
    become(flow, 'quarantined')
    const reason = flow.error?.message ?? ''
    journal.note('flow-quarantine', { flow: flow.id, version: flow.file.version, reason })
    log.error('flow quarantined', { flow: flow.id, reason })
  }

  return {
    become,
    halt,
    blame(flow, thrown, more = {}) {
      const { error, report } = flowReport(flow.file, thrown, iso(clock.now()), more)
      flow.error = error
      health.report(report)
    },
    crashed(flow, weight = 1) {
      health.metrics.count('flow_failures_total', 'Flows that failed or ended', { flow: flow.id })
      const now = clock.now()
      const { crashes, restartMs } = limits
      const calm = flow.startedAt !== undefined && now - flow.startedAt > crashes.withinMs
      flow.pause = calm || flow.pause === 0 ? restartMs.first : Math.min(flow.pause * 2, restartMs.longest)
      flow.crashes = flow.crashes.filter((at) => now - at < crashes.withinMs)
      for (let i = 0; i < weight; i++) flow.crashes.push(now)
      if (flow.crashes.length >= crashes.count) return quarantine(flow)
      become(flow, 'restarting')
      clearTimeout(flow.timer)
      flow.timer = setTimeout(() => {
        delete flow.timer
        flow.restarts++
        again(flow)
      }, flow.pause)
      flow.timer.unref()
    },
  }
}
