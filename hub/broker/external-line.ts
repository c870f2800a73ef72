// A line to another broker: one MQTT client that comes back by itself, sends its outbox in order and acknowledges what the hub has kept.
import type { LookupFunction } from 'node:net'
import { ErrorWithSubackPacket, type IConnackPacket, type ISubscriptionMap, type MqttClient } from 'mqtt'
import type { Clock } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { Log } from '../health/report.ts'
import { Acks } from './external-acks.ts'
import { dial, LINE_LIMITS, type LineLimits } from './external-dial.ts'
import type { Outbox, Outgoing, Waiting } from './external-outbox.ts'
import type { BrokerAddress } from './external-url.ts'
import { codeOf, isVersionRefused, sentenceFor, type Whereabouts } from './external-words.ts'

/** A message from the other broker. */
export interface Arriving {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  /** As it came: whether it is a retained message sent because of a subscription depends on the protocol and `rap`. */
  retain: boolean
}

export interface LineOptions {
  address: BrokerAddress
  clientId: string
  /** Names the address in what people read: BROKER_URL. */
  variable: string
  filters: readonly string[]
  /** MQTT 5: keep the retain flag of live messages (Retain As Published). */
  rap: boolean
  outbox: Outbox
  /** PEM of the authority that signed the other broker's certificate. */
  ca?: string | undefined
  lookup?: LookupFunction | undefined
  limits?: Partial<LineLimits>
  log: Log
  clock: Pick<Clock, 'now'>
  /** 0 to 1, for the jitter. */
  random?: () => number
  /** Something came. `done` acknowledges it; with an error it is not acknowledged, and comes again with the next connection. */
  take(message: Arriving, done: (error?: Error) => void): void
  /** Subscribed. `isPresent`: the other broker still had the session. */
  up(line: { isPresent: boolean; protocol: 4 | 5 }): void
  /** No line, and what to do. Called for each attempt that fails. */
  down(sentence: string): void
  /** This goes out now: without "no local" (MQTT 3.1.1) it comes back. */
  sending?(message: Outgoing): void
  /** The other broker does not take this message, or lets us not read this filter. It is not tried again. */
  refused(what: { message?: Outgoing; filter?: string }, why: string): void
}

export interface LineCounts {
  connects: number
  received: number
  sent: number
  /** QoS 0 for which there was no line or no room. */
  dropped: number
  refused: number
}

export interface Line {
  readonly isUp: boolean
  readonly protocol: 4 | 5
  /** QoS 0: now or never. False when it was dropped. */
  send(message: Outgoing): boolean
  /** There is something new in the outbox. */
  pump(): void
  counts(): LineCounts
  /** Resolves within a second and a half; what was not acknowledged stays in the outbox. */
  close(): Promise<void>
}

/** Unsent bytes beyond which nothing is added. */
const HIGH_WATER = 2 ** 20
const GOODBYE_MS = 700
/** A connection that ends before CONNACK this often: perhaps the other broker is too old for MQTT 5 and says nothing. */
const MUTE_ENDINGS = 3
/** A message that expires sooner than this is sent with its expiry (MQTT 5, 3.3.2.3.3); longer ones live by the outbox. */
const SHORT_LIVED_MS = 3_600_000
/** Hanging up this soon after a message may be because of it; later it is the network, or the broker itself. */
const SOON_MS = 2000
const FAILURE = 0x80
const QUOTA = 0x97
/** Given to mqtt.js in place of an answer: go on reading, the acknowledgement is ours. */
const LATER = new Error('acknowledged when it is kept')

interface Life {
  client: MqttClient
  window: number
  largest: number
  mayRetain: boolean
  mostQos: 0 | 1 | 2
  /** The line broke with messages on their way: one by one, until the first is acknowledged, to see whether it is the cause. */
  isCareful: boolean
  /** The hub itself hung up. */
  isOver: boolean
  flying: Map<Waiting, number>
}

export type { LineLimits } from './external-dial.ts'

/** Opens the line; the first attempt begins at once. */
export const openLine = (options: LineOptions): Line => {
  const { address, clientId, variable, outbox, log, clock, random = Math.random } = options
  const limits = { ...LINE_LIMITS, ...options.limits }
  const where: Whereabouts = { address, clientId, variable }
  const counts: LineCounts = { connects: 0, received: 0, sent: 0, dropped: 0, refused: 0 }
  let protocol: 4 | 5 = 5
  let mute = 0
  /** It said itself that it knows no MQTT 5. */
  let isOld = false
  let isCareful = false
  let failures = 0
  let client: MqttClient | undefined
  let life: Life | undefined
  let again: NodeJS.Timeout | undefined
  let closing = false
  let quiet = () => {}

  const connect = (): void => {
    again = undefined
    let problem: unknown
    let answered = false
    const one = dial({ address, clientId, protocol, limits, ca: options.ca, lookup: options.lookup })
    client = one
    const cut = (why: string) => {
      problem ??= new Error(why)
      one.stream.destroy()
    }
    const acks = new Acks(limits.window, (bytes) => {
      if (one === client && !one.stream.destroyed) one.stream.write(bytes)
    })
    one.handleMessage = ({ topic, payload, qos, retain, messageId }, next) => {
      counts.received++
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
      const read = qos === 1 ? acks.expect(messageId ?? 0, () => next(LATER)) : undefined
      options.take({ topic, payload: bytes, qos, retain }, (error) => {
        if (one !== client) return
        if (error !== undefined) return cut(`the hub could not keep ${topic}: ${error.message}`)
        read?.()
        if (qos === 2) next()
      })
      if (qos === 0) next()
    }
    one.on('connect', (connack) => {
      answered = true
      mute = 0
      subscribe(one, connack, cut)
    })
    one.on('error', (error) => (problem ??= error))
    one.on('disconnect', ({ reasonCode }) => {
      problem ??= Object.assign(new Error(`it closed with reason ${reasonCode ?? 0}`), { code: reasonCode })
    })
    one.once('close', () => {
      // Errors of a connection that is gone have nobody to tell.
      one.on('error', () => {})
      if (one === client) lost(problem, answered)
    })
  }

  const subscribe = (one: MqttClient, connack: IConnackPacket, cut: (why: string) => void): void => {
    const { receiveMaximum, maximumPacketSize, retainAvailable, maximumQoS } = connack.properties ?? {}
    const late = setTimeout(() => cut('it does not answer SUBSCRIBE'), limits.connectMs)
    one.once('close', () => clearTimeout(late))
    const ready = (): void => {
      clearTimeout(late)
      counts.connects++
      failures = 0
      outbox.rewind()
      life = {
        client: one,
        window: Math.min(limits.window, receiveMaximum ?? limits.window),
        largest: maximumPacketSize ?? Infinity,
        mayRetain: retainAvailable !== false,
        mostQos: maximumQoS === 0 || maximumQoS === 1 ? maximumQoS : 2,
        isCareful,
        isOver: false,
        flying: new Map(),
      }
      log.info('line-up', { to: address.said, protocol, isPresent: connack.sessionPresent, ...outbox.sizes() })
      options.up({ isPresent: connack.sessionPresent, protocol })
      pump()
    }
    const { filters } = options
    if (filters.length === 0) return ready()
    const wanted = protocol === 5 ? { qos: 1 as const, nl: true, rap: options.rap, rh: 0 } : { qos: 1 as const }
    const map: ISubscriptionMap = Object.fromEntries(filters.map((filter) => [filter, wanted]))
    one.subscribe(map, (error) => {
      if (one !== client || one.disconnecting) return
      if (error !== null && !(error instanceof ErrorWithSubackPacket)) return cut(error.message)
      const granted = error === null ? [] : error.packet.granted
      filters.forEach((filter, i) => {
        if (Number(granted[i] ?? 0) >= FAILURE) options.refused({ filter }, 'denied')
      })
      ready()
    })
  }

  const lost = (problem: unknown, wasAnswered: boolean): void => {
    const wasUp = life !== undefined
    if (life !== undefined) suspect(life, problem)
    client = undefined
    life = undefined
    quiet()
    if (closing) return
    const broke = codeOf(problem)
    // Too old for MQTT 5: it says so, or ends the connection without a word, or answers in a form that is none of MQTT 5.
    if (!wasAnswered && broke === undefined) mute++
    if (isVersionRefused(problem)) isOld = true
    if (protocol === 5 && (isOld || mute >= MUTE_ENDINGS)) {
      protocol = 4
      mute = 0
      log.info('line-older-protocol', { to: address.said, protocol })
    } else if (!isOld && (wasUp || mute >= MUTE_ENDINGS)) {
      protocol = 5
      mute = 0
    }
    const sentence = sentenceFor(problem, where)
    const ceiling = Math.min(limits.longestMs, limits.firstMs * 2 ** Math.min(failures++, 16))
    const inMs = Math.round(ceiling * (0.5 + random() / 2))
    log[wasUp ? 'warn' : 'debug']('line-down', { to: address.said, why: reasonOf(problem ?? 'ended'), inMs })
    options.down(sentence)
    again = setTimeout(connect, inMs)
  }

  const suspect = ({ flying, isCareful: wasAlone, isOver }: Life, problem: unknown): void => {
    const [first] = flying
    if (first === undefined) return
    isCareful = true
    const [one, sentAt] = first
    const isTheirs = problem === undefined || ['ECONNRESET', 'EPIPE'].includes(String(codeOf(problem)))
    if (wasAlone && !isOver && (isTheirs || typeof codeOf(problem) === 'number') && clock.now() - sentAt < SOON_MS)
      one.breaks++
  }

  const pump = (): void => {
    const now = life
    if (now === undefined) return
    while (now.flying.size < (now.isCareful ? 1 : now.window)) {
      if (now.flying.size > 0 && now.client.stream.writableLength > HIGH_WATER) return
      const one = outbox.next()
      if (one === undefined) return
      const why = unfit(now, one)
      if (why === undefined) fly(now, one)
      else giveUp(one, why)
    }
  }

  const giveUp = (one: Waiting, why: string): void => {
    outbox.done(one)
    counts.refused++
    options.refused({ message: one }, why)
  }

  const unfit = ({ largest }: Life, { topic, payload, breaks }: Waiting): string | undefined => {
    if (topic.length + payload.length + 64 > largest) return `the broker takes at most ${largest} bytes`
    return breaks < limits.breaks ? undefined : `the broker hung up ${breaks} times when it got it`
  }

  const fly = (now: Life, one: Waiting): void => {
    const { topic, payload, until } = one
    const left = until === undefined ? Infinity : until - clock.now()
    const expiry =
      protocol === 5 && left < SHORT_LIVED_MS
        ? { properties: { messageExpiryInterval: Math.max(1, Math.ceil(left / 1000)) } }
        : {}
    const qos = now.mostQos < one.qos ? now.mostQos : one.qos
    now.flying.set(one, clock.now())
    options.sending?.(one)
    now.client.publish(topic, payload, { qos, retain: one.retain && now.mayRetain, ...expiry }, (error) => {
      if (now !== life || !now.flying.delete(one)) return
      const code = codeOf(error)
      if (code === QUOTA) return hangUp(now)
      isCareful = now.isCareful = false
      if (error) giveUp(one, reasonOf(error))
      else {
        counts.sent++
        outbox.done(one)
      }
      if (now.flying.size === 0) quiet()
      pump()
    })
  }

  const hangUp = (now: Life): void => {
    now.isOver = true
    now.client.stream.destroy()
  }

  const watch = setInterval(() => {
    const [oldest] = life?.flying.values() ?? []
    if (oldest === undefined || clock.now() - oldest < limits.ackMs) return
    log.warn('line-unanswered', { to: address.said, ms: clock.now() - oldest })
    if (life) hangUp(life)
  }, limits.ackMs / 4)
  watch.unref()

  connect()

  return {
    get isUp() {
      return life !== undefined
    },
    get protocol() {
      return protocol
    },
    send(message) {
      const { topic, payload, retain } = message
      if (life === undefined || life.client.stream.writableLength > HIGH_WATER || payload.length > life.largest - 64) {
        counts.dropped++
        return false
      }
      counts.sent++
      options.sending?.(message)
      life.client.publish(topic, payload, { qos: 0, retain: retain && life.mayRetain })
      return true
    },
    pump,
    counts: () => ({ ...counts }),
    async close() {
      if (closing) return
      closing = true
      clearTimeout(again)
      clearInterval(watch)
      const one = client
      if (one === undefined) return
      const late = setTimeout(() => quiet(), GOODBYE_MS)
      if (life !== undefined && life.flying.size > 0) await new Promise<void>((resolve) => (quiet = resolve))
      clearTimeout(late)
      const cut = setTimeout(() => one.stream.destroy(), GOODBYE_MS)
      await new Promise<void>((resolve) => {
        one.once('close', () => resolve())
        if (one.stream.destroyed) resolve()
        // A DISCONNECT says that this is no accident; in flight is nothing that the outbox has not.
        else if (life !== undefined) one.end(false)
        else one.stream.destroy()
      })
      clearTimeout(cut)
      life = undefined
    },
  }
}
