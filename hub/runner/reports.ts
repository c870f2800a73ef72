// What the runner says of flows in trouble: to the error bus, to health, and on the flow's own view.
import type { ErrorReport } from '../health/report.ts'
import type { FlowFile } from './find-flows.ts'
import type { ChildEvent, Thrown } from './protocol.ts'
import type { FlowStatus, FlowView } from './runner.ts'

/** A failure of a flow: what its view shows, and what the error bus gets. Both name file and line. */
export const flowReport = (
  { id, version }: FlowFile,
  { message, stack, place = `${id}.ts` }: Thrown,
  at: string,
  { details, ...more }: Partial<ErrorReport>,
): { error: NonNullable<FlowView['error']>; report: ErrorReport } => {
  const told = `${message} (${place})`
  const trace = stack === undefined ? {} : { stack }
  return {
    error: { message: told, ...trace, at, place },
    report: {
      source: `flow:${id}`,
      type: 'FlowFailed',
      severity: 'error',
      category: 'execution',
      message: `flow ${id}: ${told}`,
      details: { flow: id, place, version, ...details },
      ...trace,
      ...more,
    },
  }
}

/** A payload that fits no flow's topic. */
export const badReport = (bad: Extract<ChildEvent, { event: 'bad' }>): ErrorReport => {
  const { seq, topic, origin, field, constraint } = bad
  return {
    source: 'flows',
    type: 'PayloadInvalid',
    severity: 'warning',
    category: 'validation',
    message: `${topic} from ${origin}: ${field || 'payload'} ${constraint}`,
    details: { topic, origin, seq, field, constraint },
  }
}

/** Something threw between turns, and no flow is to be seen in its stack. */
export const strayReport = ({ message, stack }: Thrown): ErrorReport => ({
  source: 'flows',
  type: 'StrayError',
  severity: 'error',
  category: 'execution',
  message: `a flow threw outside a turn and could not be named: ${message}`,
  ...(stack === undefined ? {} : { stack }),
})

/** Kept state that no longer fits. */
export const setAsideReport = (flow: string, key: string, constraint: string): ErrorReport => ({
  source: `flow:${flow}`,
  type: 'KeptSetAside',
  severity: 'warning',
  category: 'validation',
  message: `flow ${flow}: what it kept as '${key}' does not fit any more (${constraint}) and was set aside; it begins anew there`,
  details: { flow, key, constraint },
})

/** The process of flows is gone. */
export const processReport = (why: string, flow: string | undefined): ErrorReport => ({
  source: 'flows',
  type: 'ProcessEnded',
  severity: 'error',
  category: 'system',
  message: `the process of flows ended (${why})${flow === undefined ? '' : ` in the turn of flow ${flow}`}`,
  details: flow === undefined ? { why } : { why, flow },
})

/** What a person should know, and do, about a flow that does not run. */
export const adviceOn = ({ id }: FlowFile, status: FlowStatus, error: FlowView['error']): string => {
  const why = error === undefined ? '' : ` ${error.message}.`
  if (status === 'restarting') return `Flow ${id} is being restarted.${why}`
  if (status === 'ended') return `Flow ${id} ended.${why}`
  return `Flow ${id} is ${status}.${why} Mend the file, then release the flow (POST /api/flows/${id}/release).`
}
