// A flow's status as a tone, and what else is worth saying of it. What is not known to be fine is not shown as fine.
import type { FlowItem } from '../api/types.ts'
import type { Tone } from '../design/badge.tsx'

const BAD: readonly string[] = ['quarantined', 'failed', 'crashed', 'broken', 'failed to load']
const PASSING: readonly string[] = ['restarting', 'starting', 'approximate']
const FINE: readonly string[] = ['running']

export interface Remark {
  /** Two or three words for a badge. */
  word: string
  tone: Tone
  /** What it means, as a sentence. */
  text: string
}

/** What is worth knowing beside the status, the worse first. */
export const remarks = ({ newer, approximate, slow }: Pick<FlowItem, 'newer' | 'approximate' | 'slow'>): Remark[] => {
  const list: Remark[] = []
  if (newer?.state === 'rejected')
    list.push({
      word: 'New version rejected',
      tone: 'warn',
      text: 'The file on disk was changed and does not load; the version before it goes on. Mend the file and save it.',
    })
  if (slow)
    list.push({
      word: 'Slow',
      tone: 'warn',
      text: 'It uses more than its share of time, so it runs in a lane of its own and may lag; the other flows do not wait for it.',
    })
  if (approximate)
    list.push({
      word: 'Approximate',
      tone: 'warn',
      text: `What it remembers may differ from an undisturbed run: ${approximate.why}`,
    })
  if (newer?.state === 'checking')
    list.push({
      word: 'Checking a new version',
      tone: 'idle',
      text: 'The file was saved; the version before it goes on until the new one is checked.',
    })
  return list
}

export const flowTone = (flow: FlowItem): Tone => {
  const { status, error } = flow
  if (BAD.includes(status)) return 'bad'
  if (PASSING.includes(status) || error !== undefined || remarks(flow).some(({ tone }) => tone === 'warn'))
    return 'warn'
  return FINE.includes(status) ? 'good' : 'idle'
}

export const RANK: Record<Tone, number> = { bad: 0, warn: 1, idle: 2, good: 3 }

/** Those in trouble first, then by name. */
export const byTrouble = (a: FlowItem, b: FlowItem): number =>
  RANK[flowTone(a)] - RANK[flowTone(b)] || a.id.localeCompare(b.id)

/** What a person can let run again. */
export const RELEASABLE: readonly string[] = ['quarantined', 'ended', 'failed to load']
