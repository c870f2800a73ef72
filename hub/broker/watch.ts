// Looks at every client once a second and cuts those that stopped reading, wait for a journal that does not answer, or whose token has ended.
import type { Clock } from '../clock.ts'
import type { Log } from '../health/report.ts'
import type { BrokerCounters } from './broker.ts'
import type { Engine, Link, Peer } from './engine.ts'
import type { BrokerLimits } from './limits.ts'
import { hangUp } from './purge.ts'
import type { QuietWarn } from './quiet.ts'

const EVERY_MS = 1000
/** Remembered rights are looked up again after so many rounds. */
const FORGET_ROUNDS = 10
/** MQTT 5: maximum connect time [3.14.2.1]. */
const TIME_IS_UP = 0xa0

interface Parts {
  engine: Engine
  limits: Pick<BrokerLimits, 'unsentSoft' | 'unsentSoftFor' | 'commitTimeout'>
  clock: Clock
  counts: BrokerCounters
  warn: QuietWarn
  log: Log
}

export const watchClients = ({ engine, limits, clock, counts, warn, log }: Parts): { stop(): void } => {
  let round = 0
  const ending = new WeakSet<Link>()
  const look = (link: Link, peer: Peer, now: number) => {
    const unsent = link.conn.writableLength
    if (unsent <= limits.unsentSoft) peer.slowSince = 0
    else if (peer.slowSince === 0) peer.slowSince = now
    else if (now - peer.slowSince >= limits.unsentSoftFor) {
      counts.slowClientsCut++
      warn('mqtt-slow-client-cut', peer.origin, { origin: peer.origin, clientId: link.id, unsent })
      link.conn.destroy()
    }
    // Without its acknowledgement the client sends again when it is back.
    if (peer.waiting > 0 && now - peer.waitingSince >= limits.commitTimeout) {
      warn('mqtt-not-committed', peer.origin, { origin: peer.origin, clientId: link.id, waiting: peer.waiting })
      link.conn.destroy()
    }
    // The session stays, for whoever comes back with a new token.
    const ends = peer.principal?.expiresAt
    if (ends !== undefined && now >= ends && !ending.has(link)) {
      ending.add(link)
      log.info('mqtt-token-ended', { origin: peer.origin, clientId: link.id })
      void hangUp(link, TIME_IS_UP)
    }
    if (round === 0) peer.readable = undefined
  }
  const timer = setInterval(() => {
    round = (round + 1) % FORGET_ROUNDS
    const now = clock.now()
    for (const id in engine.clients) {
      const link = engine.clients[id]
      if (link?.peer) look(link, link.peer, now)
    }
  }, EVERY_MS)
  return { stop: () => clearInterval(timer) }
}
