// The answers to aedes' questions: who is it, may it publish, subscribe, read; and the one way a publish takes into the hub.
import type { Clock } from '../clock.ts'
import { originOf, type Principal } from '../bus/principal.ts'
import { Forbidden, reasonOf, Unauthenticated } from '../errors.ts'
import { YES, type BrokerCounters, type Intake, type MqttRights, type Verdict } from './broker.ts'
import type { Hooks, Link, Packet, Peer, Refusal, Will } from './engine.ts'
import type { BrokerLimits } from './limits.ts'
import type { Logins } from './logins.ts'
import type { Owners } from './owners.ts'
import type { QuietWarn } from './quiet.ts'
import { isNativeCommand } from '../topics/native.ts'
import { isReserved, levelsOf, shared } from './topic-names.ts'

export interface HookParts {
  rights: MqttRights
  intake: Intake
  limits: BrokerLimits
  logins: Logins
  owners: Owners
  clock: Clock
  counts: BrokerCounters
  warn: QuietWarn
  /** A hook threw or did not answer: something is broken in the hub itself. */
  broken(hook: string, error: unknown): void
}

/** 3.1.1 return codes of CONNACK; aedes turns them into those of MQTT 5. */
const CONNACK = { badClientId: 2, unavailable: 3, badLogin: 4, notAuthorized: 5 }
const NOT_AUTHORIZED = 0x87
const UNSPECIFIED = 0x80
const QUOTA_EXCEEDED = 0x97
const REMEMBERED_TOPICS = 1000
const noop = () => {}

const refusal = (message: string, code: Pick<Refusal, 'returnCode' | 'reasonCode'>): Refusal =>
  Object.assign(new Error(message), code)

/** All hooks fail closed: a throw or silence is a no. */
export const openHooks = (parts: HookParts): Hooks => {
  const { rights, limits, counts, warn, broken } = parts

  const ask = (hook: string, question: () => Verdict): Verdict => {
    try {
      return question()
    } catch (error) {
      broken(hook, error)
      return { ok: false, reason: 'the rights could not be looked up' }
    }
  }

  const mayPublish = (principal: Principal | undefined, topic: string): Verdict => {
    if (isReserved(topic)) return { ok: false, reason: '$SYS belongs to the broker' }
    if (Buffer.byteLength(topic) > limits.topicBytes)
      return { ok: false, reason: `a topic has at most ${limits.topicBytes} bytes` }
    if (principal === undefined) return { ok: false, reason: 'nobody is logged in' }
    return ask('mayPublish', () => rights.mayPublish(principal, topic))
  }

  const mayRead = (peer: Peer, principal: Principal, topic: string): boolean => {
    const known = peer.readable?.get(topic)
    if (known !== undefined) return known
    let answer = false
    try {
      answer = !isReserved(topic) && rights.mayRead(principal, topic)
    } catch (error) {
      broken('mayRead', error)
    }
    if (peer.readable === undefined || peer.readable.size >= REMEMBERED_TOPICS) peer.readable = new Map()
    peer.readable.set(topic, answer)
    return answer
  }

  return {
    preConnect(link, packet, done) {
      counts.connects++
      // MQTT 5 lets the server set the keep alive [section 3.2.2.3.14]; older clients may ask for none at all.
      const most = limits.keepaliveSeconds
      if (packet.protocolVersion === 5 && (packet.keepalive === 0 || packet.keepalive > most))
        link._serverKeepAlive = most
      done(null, link.peer !== undefined)
    },

    authenticate(link, username, password, done) {
      const { peer } = link
      const address = peer?.address ?? 'unknown'
      const name = username ?? ''
      const deny = (why: string, returnCode: number) => {
        counts.refusedConnects++
        warn('mqtt-connect-refused', `${address} ${name}`, { address, username: name, clientId: link.id, why })
        done(refusal(why, { returnCode }), false)
      }
      const wrong = whyNot(link, username, password, limits)
      if (wrong || peer === undefined) return deny(wrong?.why ?? 'no address', wrong?.code ?? CONNACK.unavailable)
      if (parts.logins.wait(address, name) > 0)
        return deny('too many failed logins, wait a minute', CONNACK.unavailable)

      let answered = false
      const once = (answer: () => void) => {
        if (answered) return
        answered = true
        clearTimeout(deadline)
        if (!link.closed) answer()
      }
      const deadline = setTimeout(() => {
        once(() => {
          broken('authenticate', new Error(`no answer within ${limits.hookTimeout} ms`))
          deny('the login could not be checked in time', CONNACK.unavailable)
        })
      }, limits.hookTimeout)

      const clientId = link._assignedClientId === undefined ? (link.id ?? '') : ''
      const admitted = (principal: Principal) => {
        parts.logins.succeeded(address, name)
        const why = settle(link, peer, principal)
        if (why) return deny(why.reason, why.code)
        done(null, true)
      }
      const rejected = (error: unknown) => {
        if (error instanceof Unauthenticated) {
          parts.logins.failed(address, name)
          deny('wrong user name or password', CONNACK.badLogin)
        } else if (error instanceof Forbidden) deny(error.message, CONNACK.badClientId)
        else {
          broken('authenticate', error)
          deny('the login could not be checked', CONNACK.unavailable)
        }
      }
      attempt(() => rights.authenticate({ clientId, username, password, address })).then(
        (principal) => once(() => admitted(principal)),
        (error: unknown) => once(() => rejected(error)),
      )
    },

    authorizePublish(link, packet, done) {
      // Without a connection it is a will that an earlier run left in the store. It was checked when its client connected.
      const left = link === null && willOwner(packet) !== '' && !isReserved(packet.topic)
      // Not asked about: whoever answers would take it for an attempt to command somebody.
      if (isNativeCommand(packet.topic) && isEmptyOnOwn(link, packet)) return pass(packet, done)
      const verdict = left ? YES : mayPublish(link?.peer?.principal, packet.topic)
      if (verdict.ok) return done()
      if (isEmptyOnOwn(link, packet)) return pass(packet, done)
      counts.refusedPublishes++
      const origin = link?.peer?.origin ?? ''
      warn('mqtt-publish-refused', origin, {
        origin,
        clientId: link?.id,
        topic: packet.topic.slice(0, 200),
        why: verdict.reason,
      })
      done(refusal(verdict.reason, { reasonCode: NOT_AUTHORIZED }))
    },

    authorizeSubscribe(link, subscription, done) {
      const { topic } = subscription
      const { peer } = link
      const isNew = link.subscriptions[topic] === undefined
      const isFull = isNew && (peer?.filters ?? 0) >= limits.subscriptionsPerClient
      const verdict: Verdict = isFull
        ? { ok: false, reason: `a client has at most ${limits.subscriptionsPerClient} subscriptions` }
        : maySubscribe(link, topic)
      if (verdict.ok) {
        if (peer && isNew) peer.filters++
        return done(null, subscription)
      }
      counts.refusedSubscribes++
      const origin = peer?.origin ?? ''
      warn('mqtt-subscribe-refused', origin, {
        origin,
        clientId: link.id,
        filter: topic.slice(0, 200),
        why: verdict.reason,
      })
      done(null, isFull ? QUOTA_EXCEEDED : NOT_AUTHORIZED)
    },

    authorizeForward(link, packet) {
      const { peer } = link
      if (packet.isVoid === true) return null
      if (peer?.principal === undefined || !mayRead(peer, peer.principal, packet.topic)) return null
      const unsent = link.conn.writableLength
      if (unsent > limits.unsentSoft) {
        if (packet.qos === 0) {
          peer.dropped++
          counts.dropped++
          return null
        }
        if (unsent > limits.unsentHard) {
          counts.slowClientsCut++
          warn('mqtt-slow-client-cut', peer.origin, { origin: peer.origin, clientId: link.id, unsent })
          link.conn.destroy()
        }
      }
      counts.delivered++
      return packet
    },

    accept(packet, original, link, committed) {
      if (original.isVoid === true) {
        packet.isVoid = true
        committed()
        return undefined
      }
      if (original.envelope !== undefined) {
        packet.envelope = original.envelope
        committed()
        return undefined
      }
      if (isReserved(packet.topic)) {
        committed()
        return link === null ? undefined : refusal('$SYS belongs to the broker', { reasonCode: NOT_AUTHORIZED })
      }
      counts.received++
      return take(packet, original, link, committed)
    },
  }

  /** Passes over a message: it is counted as refused and reaches nobody, and its sender stays. */
  function pass(packet: Packet, done: () => void): void {
    counts.refusedPublishes++
    packet.isVoid = true
    done()
  }

  /**
   * An empty QoS 0 message of a device on a topic that it hears itself. Every Tasmota says one on its command topic when it
   * connects (`cmnd/plug/POWER`). MQTT 3.1.1 knows no answer but to pass over it or to end the connection [MQTT-3.3.5-2],
   * and ending it would keep such a device out for ever.
   */
  function isEmptyOnOwn(link: Link | null, packet: Packet | Will): packet is Packet {
    const peer = link?.peer
    if (!('cmd' in packet) || packet.qos > 0 || packet.retain || packet.payload.length > 0) return false
    return peer?.principal?.kind === 'device' && mayRead(peer, peer.principal, packet.topic)
  }

  /** Whose will it is that an earlier run left in the store; '' when nobody knows. */
  function willOwner(will: Packet | Will): string {
    const origin = 'origin' in will ? will.origin : undefined
    return origin ?? (will.clientId === undefined ? undefined : parts.owners.owner(will.clientId)) ?? ''
  }

  function maySubscribe(link: Link, filter: string): Verdict {
    const principal = link.peer?.principal
    if (principal === undefined) return { ok: false, reason: 'nobody is logged in' }
    // Sharing is no way around the rights: what counts is what the filter inside can match.
    const { topic } = shared(filter)
    if (isReserved(topic)) return { ok: false, reason: '$SYS belongs to the broker' }
    if (Buffer.byteLength(filter) > limits.topicBytes)
      return { ok: false, reason: `a filter has at most ${limits.topicBytes} bytes` }
    return ask('maySubscribe', () => rights.maySubscribe(principal, topic))
  }

  /** The last checks of a login, and what the connection knows of it from then on. */
  function settle(link: Link, peer: Peer, principal: Principal): { reason: string; code: number } | undefined {
    const origin = originOf(principal)
    if (link._assignedClientId !== undefined && principal.clientId !== undefined) {
      // A name made for a device that gave none stays within the device's own names.
      link.id = link._assignedClientId = `${principal.clientId}-${link._assignedClientId.slice(-12)}`
    }
    const will = link._will
    if (will) {
      const verdict =
        levelsOf(will.topic) > limits.topicLevels
          ? { ok: false as const, reason: 'too many levels' }
          : mayPublish(principal, will.topic)
      if (!verdict.ok)
        return { reason: `the will may not be published: ${verdict.reason}`, code: CONNACK.notAuthorized }
      will.origin = origin
    }
    const place = link.id === null ? 'yes' : parts.owners.claim(link.id, origin, !link.clean)
    if (place === 'taken') return { reason: 'this client id has a session of somebody else', code: CONNACK.badClientId }
    if (place === 'full')
      return {
        reason: `it holds ${limits.sessionsPerOrigin} lasting sessions already: end some, or connect with a clean one`,
        code: CONNACK.unavailable,
      }
    peer.principal = principal
    peer.origin = origin
    return undefined
  }

  /** Hands a publish to the hub, exactly once, and lets the hub's answer decide how it travels on. */
  function take(
    packet: Packet,
    original: Packet | Will,
    link: Link | null,
    committed: (error?: Error) => void,
  ): Refusal | undefined {
    const peer = link?.peer
    const origin = link === null ? willOwner(original) : (peer?.origin ?? '')
    if (origin === '') return refusal('nobody is logged in', { reasonCode: NOT_AUTHORIZED })
    const correlation = correlationOf(packet)
    const draft = {
      topic: packet.topic,
      payload: ownBytes(packet.payload),
      qos: packet.qos,
      retain: packet.retain,
      origin,
    }
    let done: (error?: Error) => void = noop
    if (original.qos > 0) done = peer ? counted(peer, committed) : committed
    let envelope
    try {
      envelope = parts.intake.accept(correlation === '' ? draft : { ...draft, correlation }, done)
    } catch (error) {
      broken('accept', error)
      uncount(peer, original)
      return refusal('the message could not be taken', { reasonCode: UNSPECIFIED })
    }
    if (envelope === undefined) {
      counts.refusedPublishes++
      uncount(peer, original)
      return refusal('the message was refused', { reasonCode: NOT_AUTHORIZED })
    }
    packet.envelope = envelope
    packet.qos = envelope.qos
    packet.retain = envelope.retain && envelope.bad !== true
    packet.payload = envelope.payload
    return undefined
  }

  function counted(peer: Peer, committed: (error?: Error) => void): (error?: Error) => void {
    if (peer.waiting++ === 0) peer.waitingSince = parts.clock.now()
    return (error) => {
      peer.waiting--
      peer.waitingSince = parts.clock.now()
      if (error !== undefined) warn('mqtt-not-stored', 'journal', { origin: peer.origin, why: reasonOf(error) })
      committed(error)
    }
  }
}

const uncount = (peer: Peer | undefined, original: { qos: number }): void => {
  if (peer && original.qos > 0) peer.waiting--
}

const attempt = async <T>(work: () => Promise<T>): Promise<T> => work()

const whyNot = (
  link: Link,
  username: string | undefined,
  password: Buffer | undefined,
  { clientIdBytes }: BrokerLimits,
): { why: string; code: number } | undefined => {
  if (link.id === null || Buffer.byteLength(link.id) > clientIdBytes) {
    return { why: `a client id has at most ${clientIdBytes} bytes`, code: CONNACK.badClientId }
  }
  // Control characters would end up in logs and pages.
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(link.id))
    return { why: 'a client id without control characters is needed', code: CONNACK.badClientId }
  if (username === undefined || username === '' || password === undefined || password.length === 0) {
    return { why: 'a user name and a password are needed', code: CONNACK.notAuthorized }
  }
  return undefined
}

/** A small payload is cut out of the large chunk it arrived in, which would otherwise stay in memory with it. */
const ownBytes = (payload: Buffer): Buffer =>
  payload.buffer.byteLength > 4 * payload.length + 8192 ? Buffer.from(payload) : payload

/** MQTT 5 correlation data, where it is short readable text. */
const correlationOf = ({ properties }: Packet): string => {
  const data = properties?.correlationData
  if (data === undefined || data.length === 0 || data.length > 128) return ''
  const text = data.toString('latin1')
  return /^[\x21-\x7e]+$/.test(text) ? text : ''
}
