// The embedded broker: aedes inside, our rights, limits, guard, emitter and listeners around it.
import type { Duplex } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import { wallClock, type Clock } from '../clock.ts'
import { Recoverable, reasonOf } from '../errors.ts'
import type { Health, Log } from '../health/report.ts'
import { openAdmission, type Ticket } from './admission.ts'
import { type BrokerCounters, noCounts, type Broker, type ClientView, type Intake, type MqttRights } from './broker.ts'
import { openEmitter } from './emitter.ts'
import { slimParser, startEngine, type Link } from './engine.ts'
import { openGuard } from './guard.ts'
import { openHooks } from './hooks.ts'
import { DEFAULT_LIMITS, type BrokerLimits } from './limits.ts'
import { openLastErrors } from './last-errors.ts'
import { openListeners, type Listen } from './listeners.ts'
import { openLogins } from './logins.ts'
import { openOwners } from './owners.ts'
import type { Persistence, StoredPacket } from './persistence.ts'
import { expel, formsOf, hangUp, purgeSessions } from './purge.ts'
import { openTopicNames } from './quick.ts'
import { quietly } from './quiet.ts'
import { openTurn } from './turn.ts'
import { watchClients } from './watch.ts'

export interface EmbeddedBrokerOptions {
  rights: MqttRights
  intake: Intake
  /** A session store by the contract of aedes-persistence 11. The broker sets it up; its owner destroys it after `close`. */
  persistence: Persistence
  listen: Listen
  limits?: Partial<BrokerLimits>
  log: Log
  health: Health
  clock?: Clock
}

export interface EmbeddedBroker extends Broker {
  /** New TLS connections get this certificate; open ones keep theirs. */
  renewTls(tls: SecureContextOptions): void
}

/** All connections are closed within this time. */
const CLOSE_MS = 1500
const SHUTTING_DOWN = 'The broker is shutting down. Try again when it runs.'

/**
 * Opens the broker and its listeners. Throws Fatal when aedes is not patched, or a port cannot be had (the message says
 * how to run beside another broker).
 *
 * `intake.accept` is called exactly once for every publish of a client that has the right, wills included, before any
 * subscriber gets it. The envelope it returns decides QoS and retain. PUBACK/PUBREC goes out when its `committed` has
 * been called *and* the session store has the retained message, the queue entries and the QoS 2 identifier.
 */
export const openEmbeddedBroker = async (options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> => {
  const { rights, persistence, health, log } = options
  const limits: BrokerLimits = { ...DEFAULT_LIMITS, ...options.limits }
  const clock = options.clock ?? wallClock()
  const lastErrors = openLastErrors(clock.now)
  const warn = lastErrors.hear(quietly(log, clock.now))
  const counts = noCounts()
  const broken = (what: string, error: unknown) => {
    counts.hookErrors++
    warn('mqtt-hook-failed', what, { hook: what, why: reasonOf(error) })
    health.report({ source: 'broker', type: 'HookFailed', category: 'system', message: `${what}: ${reasonOf(error)}` })
  }

  const owners = openOwners({
    most: limits.pendingSessions,
    mostOfOne: limits.sessionsPerOrigin,
    live: (id) => engine.clients[id]?.peer?.origin,
    store: persistence,
    failed: (error) => broken('owner', error),
  })
  const logins = openLogins({
    failures: limits.loginFailures,
    perSecond: limits.loginFailuresPerSecond,
    now: clock.now,
  })
  const hooks = openHooks({ rights, intake: options.intake, limits, logins, owners, clock, counts, warn, broken })
  const emitter = openEmitter((error) => broken('deliver', error))
  const engine = await startEngine({ hooks, emitter, persistence, limits })

  const gather = openTurn()
  const links = new Map<Duplex, Link>()
  const admission = openAdmission(limits)
  const refused = (address: string, why: string) => {
    counts.refusedConnects++
    warn('mqtt-connection-refused', address, { address, why })
  }

  const guard = openGuard({
    limits,
    topics: openTopicNames(limits.topicLevels),
    refused({ id: clientId, peer }, fault, error) {
      counts[fault]++
      const address = peer?.address ?? ''
      warn(`mqtt-${fault}`, address, { address, origin: peer?.origin, clientId, why: error.message })
    },
  })
  // One function for all: thousands of connections may be there.
  function over(this: Duplex): void {
    const link = links.get(this)
    if (link === undefined) return
    links.delete(this)
    addBytes(counts, link)
    link.peer?.ticket.gone()
  }

  const take = (stream: Duplex, ticket: Ticket) => {
    if (engine.closed) {
      ticket.gone()
      return void stream.destroy()
    }
    gather(stream)
    const link = engine.handle(stream)
    links.set(stream, link)
    link.peer = {
      address: ticket.address,
      principal: undefined,
      origin: '',
      connectedAt: clock.now(),
      dropped: 0,
      slowSince: 0,
      waiting: 0,
      waitingSince: 0,
      filters: 0,
      readable: undefined,
      ticket,
    }
    slimParser(link._parser)
    guard(link)
    stream.on('close', over)
  }

  engine.on('clientReady', ({ peer }) => peer?.ticket.known())
  engine.on('error', (error) => broken('aedes', error))
  engine.on('clientError', (link, error) => {
    // After the end of a connection whatever was on its way fails; that is no news.
    if (link.closed) return
    const { id: clientId, peer } = link
    if (error.message === 'drain timeout') {
      counts.slowClientsCut++
      warn('mqtt-slow-client-cut', peer?.origin ?? '', {
        origin: peer?.origin,
        clientId,
        unsent: link.conn.writableLength,
      })
    }
    log.debug('mqtt-client-error', { clientId, origin: peer?.origin, why: error.message })
  })
  engine.on('keepaliveTimeout', ({ id: clientId, peer }) =>
    warn('mqtt-keepalive-timeout', peer?.origin ?? '', { origin: peer?.origin, clientId }),
  )
  engine.on('connectionError', (link, error) =>
    log.debug('mqtt-connection-error', { address: link.peer?.address, why: error.message }),
  )
  engine.on('sessionLimitReached', (link) =>
    warn('mqtt-session-limit', 'sessions', { clientId: link.id, limit: limits.pendingSessions }),
  )
  engine.on('sessionExpired', (link) => {
    if (link.id !== null) owners.release(link.id)
  })
  engine.on('willDropped', (_link, will) => {
    if (!engine.closed) warn('mqtt-will-dropped', will.topic, { clientId: will.clientId, topic: will.topic })
  })
  engine.on('unsubscribe', (_filters, { subscriptions, peer }) => {
    if (peer) peer.filters = Object.keys(subscriptions).length
  })
  engine.on('packetDropped', (_packet, link) => {
    counts.dropped++
    if (link.peer) link.peer.dropped++
  })

  const watch = watchClients({ engine, limits, clock, counts, warn, log })
  const store = { engine, persistence, owners }
  const purge = async (clientId: string): Promise<void> => {
    // A connection that is just logging in is not among the clients yet.
    await Promise.all([...links.values()].filter((link) => link.peer?.principal?.clientId === clientId).map(expel))
    await purgeSessions(store, await formsOf(store, clientId))
  }
  const unhear = rights.onRevoked((origin, clientId) => {
    const theirs = [...links.values()].filter((link) => link.peer?.origin === origin)
    const ids = new Set([...theirs.flatMap(({ id }) => (id === null ? [] : [id])), ...owners.of(origin)])
    Promise.all(theirs.map(expel))
      .then(() => purgeSessions(store, ids))
      .then(() => (clientId === '' ? undefined : purge(clientId)))
      .catch((error: unknown) => broken('revoke', error))
  })

  const stop = async (): Promise<void> => {
    unhear()
    watch.stop()
    listeners?.close()
    const cut = setTimeout(() => links.forEach((_link, stream) => stream.destroy()), CLOSE_MS)
    await new Promise<void>((resolve) => engine.close(resolve))
    clearTimeout(cut)
    for (const stream of links.keys()) stream.destroy()
  }

  let listeners: Awaited<ReturnType<typeof openListeners>> | undefined
  try {
    listeners = await openListeners({ listen: options.listen, limits, admission, take, refused })
  } catch (error) {
    await stop()
    throw error
  }
  const { ports, renewTls } = listeners
  let stopped: Promise<void> | undefined

  return {
    ports,
    renewTls,

    deliver: (envelope) =>
      new Promise((resolve, reject) => {
        if (engine.closed) return reject(new Recoverable('UNAVAILABLE', SHUTTING_DOWN))
        const { topic, payload, qos, bad } = envelope
        const retain = envelope.retain && bad !== true
        engine.publish({ cmd: 'publish', topic, payload, qos, retain, envelope }, (error) => {
          if (error) reject(new Recoverable('UNAVAILABLE', `${topic} could not be stored: ${error.message}`, {}, error))
          else resolve()
        })
      }),

    async storedRetained() {
      const found: Awaited<ReturnType<Broker['storedRetained']>> = []
      for await (const packet of persistence.createRetainedStream('#')) {
        const { topic, payload, qos, messageExpiry } = packet as StoredPacket
        if (topic.startsWith('$') || (messageExpiry !== undefined && messageExpiry <= clock.now())) continue
        found.push({ topic, payload, qos: qos === 2 ? 2 : qos === 1 ? 1 : 0 })
      }
      return found
    },

    purge,
    clients: () => Object.values(engine.clients).map(viewOf),
    lastError: lastErrors.of,
    async disconnect(clientId, how) {
      const link = Object.hasOwn(engine.clients, clientId) ? engine.clients[clientId] : undefined
      if (how === 'forget') await purgeSessions(store, [clientId])
      else if (link !== undefined) await hangUp(link)
    },
    counters() {
      const now = { ...counts, connected: engine.connectedClients }
      for (const link of links.values()) addBytes(now, link)
      return now
    },

    handle(stream, address) {
      const ticket = engine.closed ? undefined : admission.enter(address)
      if (ticket === undefined) {
        stream.on('error', () => {})
        stream.destroy()
        refused(address, engine.closed ? SHUTTING_DOWN : 'too many connections from this address')
        return
      }
      take(stream, ticket)
    },

    close: () => (stopped ??= stop()),
  }
}

/** Sockets count their bytes themselves; the web port's streams bring the counts of theirs. */
const addBytes = (counts: Pick<BrokerCounters, 'bytesIn' | 'bytesOut'>, { conn }: Link): void => {
  counts.bytesIn += 'bytesRead' in conn && typeof conn.bytesRead === 'number' ? conn.bytesRead : 0
  counts.bytesOut += 'bytesWritten' in conn && typeof conn.bytesWritten === 'number' ? conn.bytesWritten : 0
}

const viewOf = ({ id, peer, version, subscriptions, conn }: Link): ClientView => ({
  clientId: id ?? '',
  principal: peer?.origin ?? '',
  address: peer?.address ?? '',
  protocol: version ?? 4,
  connectedAt: peer?.connectedAt ?? 0,
  subscriptions: Object.keys(subscriptions).length,
  dropped: peer?.dropped ?? 0,
  bufferedBytes: conn.writableLength,
})
