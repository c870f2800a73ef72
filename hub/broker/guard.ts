// Stands between the network and the MQTT parser: what is too large, not UTF-8 or no legal packet ends here, counted.
import { isUtf8 } from 'node:buffer'
import type { Link, Parser } from './engine.ts'
import { clientProperties } from './properties.ts'
import { quickPackets, type TopicNames } from './quick.ts'
import { isFilter, isTopic } from './topic-names.ts'

export type Fault = 'malformed' | 'oversized'
/** MQTT 5 reason codes of the DISCONNECT that says why. */
const REASON: Record<Fault, number> = { malformed: 0x81, oversized: 0x95 }
const QUOTA_EXCEEDED = 0x97

export interface GuardLimits {
  packet: number
  packetBeforeAuth: number
  filtersPerPacket: number
}

/** Fixed header and remaining length, on the wire. */
const wireSize = (length: number): number =>
  length + (length < 128 ? 2 : length < 16_384 ? 3 : length < 2_097_152 ? 4 : 5)

const GUARDED = Symbol('guarded')
/** What the guard knows of one connection. Its methods are in a prototype all parsers share: thousands of clients may be there. */
interface Guarded {
  readonly link: Link
  /** Something was refused: nothing more is read. */
  over: boolean
  parsing: boolean
  early: Buffer[] | undefined
}
type GuardedParser = Parser & { [GUARDED]: Guarded }

export interface GuardParts {
  limits: GuardLimits
  topics: TopicNames
  /** Told once per connection. */
  refused(link: Link, fault: Fault, error: Error): void
}

/**
 * Puts the guard before a connection's parser, and before both the quick way for ordinary packets of a client that is let
 * in. One for all connections of a broker.
 */
export const openGuard = ({ limits, topics, refused }: GuardParts): ((link: Link) => void) => {
  let guarding: { plain: Parser; shared: object } | undefined
  return (link) => {
    const parser = link._parser
    const plain = Object.getPrototypeOf(parser) as Parser
    if (guarding?.plain !== plain)
      guarding = { plain, shared: Object.assign(Object.create(plain) as object, methodsOn(plain)) }
    const state: Guarded = { link, over: false, parsing: false, early: undefined }
    Object.assign(parser, { [GUARDED]: state })
    Object.setPrototypeOf(parser, guarding.shared)
  }

  function fail(parser: GuardedParser, fault: Fault, error: Error, reasonCode = REASON[fault]): void {
    const state = parser[GUARDED]
    const { link } = state
    parser.error = error
    if (state.over) return
    state.over = true
    refused(link, fault, error)
    if (link.version === 5 && link.connected && !link.closed) link.disconnect({ reasonCode })
    else parser.emit('error', error)
  }

  function malformed(parser: GuardedParser, what: string): void {
    fail(parser, 'malformed', new Error(what))
  }

  function methodsOn(plain: Parser) {
    const parse = (parser: GuardedParser, chunk: Buffer) => {
      const { link } = parser[GUARDED]
      const isBetween = parser._stateCounter === 0
      const done = isBetween && link.connected ? quickPackets(link, chunk, limits.packet, topics) : 0
      if (done < chunk.length) plain.parse.call(parser, done === 0 ? chunk : chunk.subarray(done))
    }

    return {
      parse(this: GuardedParser, chunk: Buffer): number {
        const state = this[GUARDED]
        if (state.over) return 0
        // A handler that answers at once may read on before the parser has finished its packet.
        if (state.parsing) return (state.early ??= []).push(chunk)
        state.parsing = true
        try {
          for (let next: Buffer | undefined = chunk; next !== undefined && !state.over; next = state.early?.shift())
            parse(this, next)
        } catch (thrown) {
          fail(this, 'malformed', new Error('the packet could not be handled', { cause: thrown }))
        } finally {
          state.parsing = false
        }
        return 0
      },

      _emitError(this: GuardedParser, error: Error): void {
        fail(this, 'malformed', error)
      },

      _parseLength(this: GuardedParser): boolean {
        if (!plain._parseLength.call(this)) return false
        const size = wireSize(this.packet.length)
        const limit = this[GUARDED].link._authorized ? limits.packet : limits.packetBeforeAuth
        if (size <= limit) return true
        fail(this, 'oversized', new Error(`a packet of ${size} bytes, the limit is ${limit}`))
        return false
      },

      _parsePayload(this: GuardedParser): boolean {
        const { packet } = this
        if (packet.cmd === 'disconnect' && packet.length === 0) {
          // The parser would take the first byte of the next packet for the reason code.
          packet.reasonCode = 0
          this._pos = 0
          return true
        }
        const complete = plain._parsePayload.call(this)
        if (packet.cmd === 'connect') forgetPassword(this)
        if (!complete || this[GUARDED].over) return complete
        const wrong = whatIsWrong(this)
        if (wrong !== undefined) malformed(this, wrong)
        const filters = (this.packet.subscriptions ?? this.packet.unsubscriptions)?.length ?? 0
        if (filters > limits.filtersPerPacket) {
          const many = `${filters} filters in one packet, the limit is ${limits.filtersPerPacket}`
          fail(this, 'oversized', new Error(many), QUOTA_EXCEEDED)
        }
        return true
      },

      _parseString(this: GuardedParser): string | null {
        const from = this._pos + 2
        const text = plain._parseString.call(this)
        if (text === null) malformed(this, 'a string that is longer than its packet')
        // [MQTT-1.5.4-1] and [MQTT-1.5.4-2]
        else if (text.includes('\0')) malformed(this, 'a string with a NUL character')
        else if (text.includes('\uFFFD') && !isUtf8(this._list.slice(from, this._pos))) {
          malformed(this, 'a string that is not UTF-8')
        }
        return this[GUARDED].over ? null : text
      },

      _parseMessageId(this: GuardedParser): boolean {
        if (!plain._parseMessageId.call(this)) return false
        // [MQTT-2.2.1-3]
        if ((this.packet.messageId ?? 0) >= 1) return true
        malformed(this, 'packet identifier 0')
        return false
      },

      _parseProperties(this: GuardedParser): object | false {
        const found = clientProperties(this)
        if (typeof found !== 'string') return found
        malformed(this, found)
        return {}
      },
    }
  }
}

/** The parser would keep the whole CONNECT for the sake of two of its fields, as long as the connection lasts. */
const forgetPassword = (parser: Parser): void => {
  const { protocolVersion, bridgeMode } = parser.settings
  parser.settings = { protocolVersion, bridgeMode }
}

/** What the parser lets pass although no client may send it; undefined when the packet is legal. */
const whatIsWrong = (parser: Parser): string | undefined => {
  const { packet } = parser
  if (packet.cmd === 'publish' ? parser._pos > packet.length : parser._pos !== packet.length) {
    return `${packet.cmd}: its fields and its length do not agree`
  }
  switch (packet.cmd) {
    case 'connect':
      if ((packet.protocolId === 'MQIsdp') !== (packet.protocolVersion === 3))
        return 'connect: protocol name and version do not agree'
      if (packet.password !== undefined && packet.username === undefined && packet.protocolVersion !== 5) {
        return 'connect: a password without a user name' // [MQTT-3.1.2-22]
      }
      if (packet.will && packet.will.qos > 2) return 'connect: will QoS 3' // [MQTT-3.1.2-14]
      if (packet.will && !isTopic(packet.will.topic)) return 'connect: the will topic is not a topic name'
      return undefined
    case 'subscribe':
      return wrongFilters(packet.subscriptions?.map(({ topic }) => topic) ?? [])
    case 'unsubscribe':
      return wrongFilters(packet.unsubscriptions ?? [])
    default:
      return undefined
  }
}

const wrongFilters = (filters: string[]): string | undefined => {
  if (filters.length === 0) return 'a subscription without a filter' // [MQTT-3.8.3-2]
  return filters.every(isFilter) ? undefined : 'a filter with a wildcard in the wrong place'
}
