// Whom a stop reached, and what became of it: "done" is said only when the results say so.
import type { StopAnswer } from '../api/types.ts'
import { isClosed, type RequestView } from '../live/request.ts'

export interface Reached {
  device: string
  intents: readonly string[]
  /** `sent`: on its way; `done`: the result of every intent says so; `failed`: at least one not done, or it could not be sent. */
  state: 'sent' | 'done' | 'failed'
  reason?: string
}

/** This much earlier than the answer a request may have been issued and still belong to the stop, in ms. */
const EARLIER_MS = 3000

const belongs = (request: RequestView, stop: StopAnswer, device: string, intent: string, at: number): boolean =>
  request.device === device &&
  request.intent === intent &&
  (stop.id !== '' && request.correlationId === stop.id ? true : request.issuedAt >= at - EARLIER_MS)

/** The devices of a stop asked for at `at` (ms by the hub's clock), each with its state by what the requests say now. */
export const reached = (stop: StopAnswer, requests: readonly RequestView[], at: number): Reached[] =>
  stop.devices.map(({ device, intents, error }) => {
    if (error !== undefined) return { device, intents, state: 'failed', reason: error }
    const own = intents.map((intent) => requests.filter((request) => belongs(request, stop, device, intent, at)))
    const words = own.map((found) => found.find(({ status }) => isClosed(status)))
    const bad = words.find((one) => one !== undefined && one.status !== 'done')
    if (bad) return { device, intents, state: 'failed', reason: bad.reason ?? bad.status }
    const all = words.length > 0 && words.every((one) => one?.status === 'done')
    return { device, intents, state: all ? 'done' : 'sent' }
  })

/** One sentence on how far a stop has come. */
export const reachWords = (devices: readonly Reached[]): string => {
  if (devices.length === 0) return 'No device declares anything that stops it. Nothing was sent.'
  const count = (state: Reached['state']): number => devices.filter((one) => one.state === state).length
  const [done, failed, sent] = [count('done'), count('failed'), count('sent')]
  const parts = [`${done} of ${devices.length} devices say it is done.`]
  if (sent > 0) parts.push(`${sent} ${sent === 1 ? 'has' : 'have'} not answered yet.`)
  if (failed > 0) parts.push(`${failed} failed: go there.`)
  return parts.join(' ')
}
