// What needs a person now, in sentences; nothing when all is quiet.
import { approvalPath } from '../approvals/path.ts'
import { askedWords, neededWords, statusAt } from '../approvals/words.ts'
import { partWords } from '../health/words.ts'
import type { DeviceView, Workshop } from '../live/state.ts'
import { words } from '../devices/value.ts'
import { flowTone } from '../flow/tone.ts'
import { flowPath } from '../flow/path.ts'

export interface Concern {
  key: string
  tone: 'warn' | 'bad'
  text: string
  /** Where to see more, if there is such a place. */
  path?: string
}

const names = (devices: readonly DeviceView[]): string => {
  const first = devices.slice(0, 3).map(({ name }) => name)
  return devices.length > 3 ? `${first.join(', ')} and ${devices.length - 3} more` : first.join(', ')
}

/** What waits for a yes, for whoever looks: `Waits for a yes: Start: MIG welder. Two people have to say yes.` */
const questions = (workshop: Workshop, now: number): Concern[] =>
  [...workshop.approvals.values()]
    .filter((one) => statusAt(one, now) === 'pending')
    .sort((a, b) => a.expiresAt - b.expiresAt)
    .map((one) => ({
      key: `approval-${one.id}`,
      tone: 'warn',
      text: `Waits for a yes: ${askedWords(one, workshop.devices.get(one.device)?.name ?? one.device)}. ${neededWords(one, '')}`,
      path: approvalPath(one.id),
    }))

/** What waits for a yes, then the bad before the doubtful; within them the hub, flows, devices. `now` by the hub's clock. */
export const concerns = (workshop: Workshop, now: number): Concern[] => {
  const list: Concern[] = []
  const troubled = (workshop.health?.parts ?? []).filter(
    ({ status }) => status === 'unhealthy' || status === 'degraded',
  )
  for (const { part, status, what } of troubled)
    list.push({
      key: `health-${part}`,
      tone: status === 'unhealthy' ? 'bad' : 'warn',
      text: `${partWords(part)} is ${status}${what === undefined ? '' : `: ${what}`}`,
      path: '/hub',
    })
  for (const flow of workshop.flows) {
    if (flowTone(flow) !== 'bad') continue
    const text = `Flow ${words(flow.id).toLowerCase()} is ${flow.status}${flow.error === undefined ? '' : `: ${flow.error.message}`}`
    list.push({ key: `flow-${flow.id}`, tone: 'bad', text, path: flowPath(flow.id) })
  }
  const offline = [...workshop.devices.values()].filter(({ online }) => !online)
  if (offline.length > 0) list.push({ key: 'offline', tone: 'warn', text: `Offline: ${names(offline)}` })
  return [...questions(workshop, now), ...list.sort((a, b) => Number(b.tone === 'bad') - Number(a.tone === 'bad'))]
}
