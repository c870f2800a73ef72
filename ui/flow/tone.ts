// A flow's status as a tone. What is not known to be fine is not shown as fine.
import type { FlowItem } from '../api/types.ts'
import type { Tone } from '../design/badge.tsx'

const BAD: readonly string[] = ['quarantined', 'failed', 'crashed', 'broken', 'failed to load']
const PASSING: readonly string[] = ['restarting', 'starting', 'approximate']
const FINE: readonly string[] = ['running']

export const flowTone = ({ status, error }: FlowItem): Tone => {
  if (BAD.includes(status)) return 'bad'
  if (PASSING.includes(status) || error !== undefined) return 'warn'
  return FINE.includes(status) ? 'good' : 'idle'
}
