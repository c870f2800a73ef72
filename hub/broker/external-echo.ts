// Recognises what comes back: a broker that knows no "no local" (MQTT 3.1.1) sends the hub its own messages too, and two bridges can make a circle.
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'

/** How long an echo is waited for: a line may break between the message and its echo. */
const ECHO_MS = 600_000
const MOST = 20_000

const keyOf = (topic: string, payload: Buffer): string =>
  `${topic}\0${payload.length > 40 ? createHash('sha1').update(payload).digest('base64') : payload.toString('latin1')}`

interface Sent {
  times: number
  at: number
}

export interface Echoes {
  sent(topic: string, payload: Buffer): void
  /** Whether this is one of the hub's own coming back; each is recognised once. */
  isEcho(topic: string, payload: Buffer): boolean
}

/** For lines without "no local": each message sent comes back once. */
export const openEchoes = (clock: Pick<Clock, 'now'>): Echoes => {
  const known = new Map<string, Sent>()
  return {
    sent(topic, payload) {
      const key = keyOf(topic, payload)
      const times = (known.get(key)?.times ?? 0) + 1
      known.delete(key)
      if (known.size >= MOST)
        for (const oldest of known.keys()) {
          known.delete(oldest)
          break
        }
      known.set(key, { times, at: clock.now() })
    },
    isEcho(topic, payload) {
      const key = keyOf(topic, payload)
      const found = known.get(key)
      if (found === undefined) return false
      if (--found.times <= 0) known.delete(key)
      return clock.now() - found.at < ECHO_MS
    },
  }
}

export interface LoopGuard {
  /** The message goes out, or comes in. False: it has gone around too often and is to be dropped. */
  passes(direction: 'in' | 'out', topic: string, payload: Buffer): boolean
}

/** The same topic and payload this often in each direction within the window is a circle, not a device. */
const ROUNDS = 5
const WINDOW_MS = 10_000

interface Rounds {
  in: number
  out: number
  since: number
}

/** For what "no local" does not see: a third party that carries messages back. */
export const openLoopGuard = (clock: Pick<Clock, 'now'>, suspected: (topic: string) => void): LoopGuard => {
  const seen = new Map<string, Rounds>()
  return {
    passes(direction, topic, payload) {
      const key = keyOf(topic, payload)
      const now = clock.now()
      let rounds = seen.get(key)
      if (rounds === undefined || now - rounds.since > WINDOW_MS) {
        rounds = { in: 0, out: 0, since: now }
        seen.delete(key)
        if (seen.size >= MOST)
          for (const oldest of seen.keys()) {
            seen.delete(oldest)
            break
          }
        seen.set(key, rounds)
      }
      rounds[direction]++
      if (rounds.in <= ROUNDS || rounds.out <= ROUNDS) return true
      if (rounds[direction] === ROUNDS + 1) suspected(topic)
      return false
    },
  }
}
