// How a status of a request looks.
import type { Tone } from '../design/badge.tsx'
import { isClosed } from '../live/request.ts'

export const requestTone = (status: string): Tone => {
  if (status === 'done') return 'good'
  if (status === 'awaiting_confirmation') return 'warn'
  if (!isClosed(status)) return 'idle'
  return status === 'duplicate' || status === 'expired' ? 'warn' : 'bad'
}
