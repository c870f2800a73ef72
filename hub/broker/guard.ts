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

/**
 * Puts the guard before a connection's parser, and before both the quick way for ordinary packets of a client that is let
 * in. `refused` is told once per connection.
 */
export const guard = (
  link: Link,
  limits: GuardLimits,
  topics: TopicNames,
  refused: (fault: Fault, error: Error) => void,
): void => {
  const parser = link._parser
  const plain = { ...methodsOf(parser) }
  let over = false

  const fail = (fault: Fault, error: Error, reasonCode = REASON[fault]) => {
    parser.error = error
    if (over) return
    over = true
    refused(fault, error)
    if (link.version === 5 && link.connected && !link.closed) link.disconnect({ reasonCode })
    else parser.emit('error', error)
  }
  const malformed = (what: string) => fail('malformed', new Error(what))

  const parse = (chunk: Buffer) => {
    const isBetween = parser._stateCounter === 0
    const done = isBetween && link.connected ? quickPackets(link, chunk, limits.packet, topics) : 0
    if (done < chunk.length) plain.parse(done === 0 ? chunk : chunk.subarray(done))
  }

  let parsing = false
  const early: Buffer[] = []
  parser.parse = (chunk) => {
    if (over) return 0
    // A handler that answers at once may read on before the parser has finished its packet.
    if (parsing) return early.push(chunk)
    parsing = true
    try {
      for (let next: Buffer | undefined = chunk; next !== undefined && !over; next = early.shift()) parse(next)
    } catch (thrown) {
      fail('malformed', new Error('the packet could not be handled', { cause: thrown }))
    } finally {
      parsing = false
    }
    return 0
  }

  parser._emitError = (error) => fail('malformed', error)

  parser._parseLength = () => {
    if (!plain.parseLength()) return false
    const size = wireSize(parser.packet.length)
    const limit = link._authorized ? limits.packet : limits.packetBeforeAuth
    if (size <= limit) return true
    fail('oversized', new Error(`a packet of ${size} bytes, the limit is ${limit}`))
    return false
  }

  parser._parsePayload = () => {
    const { packet } = parser
    if (packet.cmd === 'disconnect' && packet.length === 0) {
      // The parser would take the first byte of the next packet for the reason code.
      packet.reasonCode = 0
      parser._pos = 0
      return true
    }
    const complete = plain.parsePayload()
    if (!complete || over) return complete
    const wrong = whatIsWrong(parser)
    if (wrong !== undefined) malformed(wrong)
    const filters = (parser.packet.subscriptions ?? parser.packet.unsubscriptions)?.length ?? 0
    if (filters > limits.filtersPerPacket) {
      const many = `${filters} filters in one packet, the limit is ${limits.filtersPerPacket}`
      fail('oversized', new Error(many), QUOTA_EXCEEDED)
    }
    return true
  }

  parser._parseString = () => {
    const from = parser._pos + 2
    const text = plain.parseString()
    if (text === null) malformed('a string that is longer than its packet')
    // [MQTT-1.5.4-1] and [MQTT-1.5.4-2]
    else if (text.includes('\0')) malformed('a string with a NUL character')
    else if (text.includes('\uFFFD') && !isUtf8(parser._list.slice(from, parser._pos))) {
      malformed('a string that is not UTF-8')
    }
    return over ? null : text
  }

  parser._parseMessageId = () => {
    if (!plain.parseMessageId()) return false
    // [MQTT-2.2.1-3]
    if ((parser.packet.messageId ?? 0) >= 1) return true
    malformed('packet identifier 0')
    return false
  }

  parser._parseProperties = () => {
    const found = clientProperties(parser)
    if (typeof found !== 'string') return found
    malformed(found)
    return {}
  }
}

const methodsOf = (parser: Parser) => ({
  parse: parser.parse.bind(parser),
  parseLength: parser._parseLength.bind(parser),
  parsePayload: parser._parsePayload.bind(parser),
  parseString: parser._parseString.bind(parser),
  parseMessageId: parser._parseMessageId.bind(parser),
})

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
