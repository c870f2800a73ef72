// How an MQTT client is, in a word, and its figures in short.
import type { ClientItem } from '../api/types.ts'
import type { Tone } from '../design/badge.tsx'

/** A connection that has taken less than it was given by this much is behind. */
const BEHIND_BYTES = 64 * 1024

export const stateOf = ({ online, bufferedBytes }: ClientItem): { tone: Tone; word: string } => {
  if (!online) return { tone: 'idle', word: 'Asleep' }
  return bufferedBytes >= BEHIND_BYTES ? { tone: 'warn', word: 'Behind' } : { tone: 'good', word: 'Connected' }
}

/** Bytes as people say them: `512 B`, `4.2 kB`, `31 MB`. */
export const bytesText = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB']
  let value = Math.max(0, bytes)
  let n = 0
  while (value >= 999.5 && n < units.length - 1) {
    value /= 1000
    n += 1
  }
  return `${n > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[n] ?? ''}`
}
