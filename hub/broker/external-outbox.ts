// The outbox: what another broker has not acknowledged yet, in order, in memory and in a session store, so that it survives both ends.
import type { Clock } from '../clock.ts'
import type { StoredPacket } from './persistence.ts'
import type { SessionStore } from './sessions/open.ts'

export interface Outgoing {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  retain: boolean
  /** ms since 1970 after which it must not be sent any more: a command that was valid for half a minute. */
  until?: number
}

/** A message in the outbox. */
export interface Waiting extends Outgoing {
  /** Its place in the order; grows. */
  readonly n: number
  /** How often the line broke right after it was sent, alone. */
  breaks: number
}

export interface OutboxBounds {
  messages: number
  bytes: number
  /** ms */
  ageMs: number
}

export type Lost = 'full' | 'late'

export interface Outbox {
  /** Takes a message; the promise waits for the disk, sending need not. When there is no room the oldest that was not sent goes. */
  add(message: Outgoing): Promise<void>
  /** The oldest that was not sent since the last `rewind`; it counts as sent from now on. */
  next(): Waiting | undefined
  /** The other broker has it, or never will. */
  done(waiting: Waiting): void
  /** A new connection: all that is not acknowledged is sent again, in the old order. */
  rewind(): void
  /** Whether something newer than what the other broker has waits for this topic. */
  holds(topic: string): boolean
  /** What is here, and what was sent of it and not yet acknowledged. */
  sizes(): { waiting: number; bytes: number; flying: number }
}

export interface OutboxParts {
  store: Pick<
    SessionStore,
    'setup' | 'outgoingEnqueue' | 'outgoingUpdate' | 'outgoingClearMessageId' | 'outgoingStream'
  >
  clock: Pick<Clock, 'now'>
  bounds?: Partial<OutboxBounds>
  /** A message was given up. */
  lost(message: Outgoing, why: Lost): void
}

/** 100,000 messages, 128 MiB (they are held in memory too), 7 days. */
export const OUTBOX_BOUNDS: OutboxBounds = { messages: 100_000, bytes: 128 * 2 ** 20, ageMs: 7 * 24 * 3_600_000 }
/** The name of the queue in the store, and of the numbering in it. */
const ID = 'outbox'
const OVERHEAD = 200
/** Any identifier will do: a message is numbered only in the moment in which it is taken out. */
const MESSAGE_ID = 1

const sizeOf = ({ topic, payload }: Outgoing): number => topic.length + payload.length + OVERHEAD

/** Opens the outbox over a store of its own (a file that no broker uses), with what an earlier run left. */
export const openOutbox = async ({ store, clock, lost, ...parts }: OutboxParts): Promise<Outbox> => {
  const bounds = { ...OUTBOX_BOUNDS, ...parts.bounds }
  const flying = new Map<number, Waiting>()
  let waiting: Waiting[] = []
  /** Where `waiting` begins: taking the head off is one step. */
  let head = 0
  let bytes = 0
  let last = 0
  const topics = new Map<string, number>()

  const take = (message: Outgoing, n: number): void => {
    waiting.push({ ...message, n, breaks: 0 })
    bytes += sizeOf(message)
    topics.set(message.topic, (topics.get(message.topic) ?? 0) + 1)
  }
  const forget = (one: Waiting): void => {
    bytes -= sizeOf(one)
    const left = (topics.get(one.topic) ?? 1) - 1
    if (left > 0) topics.set(one.topic, left)
    else topics.delete(one.topic)
    const packet: StoredPacket = { ...one, brokerId: ID, brokerCounter: one.n, messageId: MESSAGE_ID }
    // Gone from memory in this turn. Should the store not have it, there is nothing to take out.
    store.outgoingUpdate({ id: ID }, packet).catch(() => {})
    store.outgoingClearMessageId({ id: ID }, packet).catch(() => {})
  }
  const pull = (): Waiting | undefined => {
    const one = waiting[head]
    if (one === undefined) return undefined
    head++
    if (head > 1024 && head * 2 > waiting.length) {
      waiting = waiting.slice(head)
      head = 0
    }
    return one
  }
  const giveUp = (one: Waiting, why: Lost): void => {
    forget(one)
    lost(one, why)
  }
  const count = () => waiting.length - head + flying.size
  const shrink = (): void => {
    while (count() > bounds.messages || bytes > bounds.bytes) {
      const oldest = pull()
      if (oldest === undefined) return
      giveUp(oldest, 'full')
    }
  }

  // To the store this queue's client is always connected: its queue ages, its session does not.
  await store.setup({ id: ID, clients: { [ID]: { id: ID, version: 4 } } })
  for await (const stored of store.outgoingStream({ id: ID })) {
    const { topic, payload, qos, retain, messageExpiry, brokerCounter } = stored as StoredPacket & { retain?: boolean }
    last = Math.max(last, brokerCounter ?? 0)
    take(
      {
        topic,
        payload,
        qos: qos === 2 ? 2 : 1,
        retain: retain === true,
        ...(messageExpiry === undefined ? {} : { until: messageExpiry }),
      },
      brokerCounter ?? 0,
    )
  }

  return {
    add(message) {
      const n = ++last
      const { topic, payload, qos, retain } = message
      const until = message.until ?? clock.now() + bounds.ageMs
      take({ ...message, until }, n)
      const packet = { topic, payload, qos, retain, messageExpiry: until, brokerId: ID, brokerCounter: n }
      const stored = store.outgoingEnqueue({ clientId: ID }, packet)
      shrink()
      return stored
    },
    next() {
      for (let one = pull(); one !== undefined; one = pull()) {
        if (one.until === undefined || one.until > clock.now()) {
          flying.set(one.n, one)
          return one
        }
        giveUp(one, 'late')
      }
      return undefined
    },
    done(one) {
      if (flying.delete(one.n)) forget(one)
    },
    rewind() {
      waiting = [...flying.values(), ...waiting.slice(head)]
      head = 0
      flying.clear()
    },
    holds: (topic) => topics.has(topic),
    sizes: () => ({ waiting: count(), bytes, flying: flying.size }),
  }
}
