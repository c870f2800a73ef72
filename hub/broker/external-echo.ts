// Recognises what comes back: a broker that knows no "no local" (MQTT 3.1.1) sends the hub its own messages too, and two bridges can make a circle.
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { remember } from './remember.ts'

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
      remember(known, key, { times: (known.get(key)?.times ?? 0) + 1, at: clock.now() }, MOST)
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
  passes(direction: 'in' | 'out', message: { topic: string; payload: Buffer; qos: 0 | 1 | 2 }): boolean
}

/** The same topic and payload more often than this in one direction within the window is a circle, not a device. */
const ROUNDS = { 0: 1000, 1: 100, 2: 100 } as const
const WINDOW_MS = 10_000

interface Rounds {
  in: number
  out: number
  since: number
}

/** For what "no local" does not see: a third party that carries messages back. `suspected` is told once per window. */
export const openLoopGuard = (clock: Pick<Clock, 'now'>, suspected: (topic: string) => void): LoopGuard => {
  const seen = new Map<string, Rounds>()
  return {
    passes(direction, { topic, payload, qos }) {
      const key = keyOf(topic, payload)
      const now = clock.now()
      let rounds = seen.get(key)
      if (rounds === undefined || now - rounds.since > WINDOW_MS) {
        rounds = { in: 0, out: 0, since: now }
        remember(seen, key, rounds, MOST)
      }
      const round = ++rounds[direction]
      if (round === ROUNDS[qos] + 1) suspected(topic)
      return round <= ROUNDS[qos]
    },
  }
}
