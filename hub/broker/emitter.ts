// Brings a message to everyone subscribed, and waits for nobody: what aedes calls `mq`.
import type { Envelope } from '../bus/envelope.ts'
import { TopicTrie } from '../bus/trie.ts'

/** A message as aedes hands it round. `envelope` is there unless it is one of aedes' own `$SYS` messages. */
export interface Emitted {
  topic: string
  qos: 0 | 1 | 2
  payload: Buffer
  envelope?: Envelope
}
type Done = (error?: Error) => void
/** A subscriber. `qos` is that of its subscription. */
export type Listener = ((message: Emitted, done: Done) => void) & { qos?: 0 | 1 | 2 }

/** The part of mqemitter's contract that aedes uses. */
export interface Emitter {
  on(filter: string, listener: Listener, done?: () => void): Emitter
  removeListener(filter: string, listener: Listener, done?: () => void): Emitter
  /** Calls every listener now; `done` is called before this returns, whatever the listeners do later. */
  emit(message: Emitted, done?: Done): Emitter
  close(done?: () => void): Emitter
  /** Messages being delivered: never any after `emit` has returned. */
  readonly current: number
  readonly length: number
  readonly concurrency: number
  closed: boolean
}

const noop = () => {}

/**
 * An emitter on a topic trie. When several subscriptions of a client match a QoS 1/2 message, the one with the highest
 * QoS is served first, because a client takes each message once [MQTT-3.3.5-1].
 * A listener that throws hurts no other one; `threw` is told.
 */
export const openEmitter = (threw: (error: unknown) => void): Emitter => {
  const listeners = new TopicTrie<Listener>()
  let depth = 0

  const give = (listener: Listener, message: Emitted) => {
    try {
      listener(message, noop)
    } catch (error) {
      threw(error)
    }
  }

  const emitter: Emitter = {
    concurrency: 0,
    length: 0,
    closed: false,
    get current() {
      return depth
    },
    on(filter, listener, done) {
      listeners.add(filter, listener)
      if (done) setImmediate(done)
      return emitter
    },
    removeListener(filter, listener, done) {
      listeners.remove(filter, listener)
      if (done) setImmediate(done)
      return emitter
    },
    emit(message, done = noop) {
      if (emitter.closed) {
        done(new Error('the broker is closed'))
        return emitter
      }
      const found = listeners.match(message.topic)
      depth++
      if (message.qos === 0 || found.length < 2) {
        for (const listener of found) give(listener, message)
      } else {
        for (let qos = 2; qos >= 0; qos--) {
          for (const listener of found) if ((listener.qos ?? 0) === qos) give(listener, message)
        }
      }
      depth--
      done()
      return emitter
    },
    close(done) {
      emitter.closed = true
      if (done) setImmediate(done)
      return emitter
    },
  }
  return emitter
}
