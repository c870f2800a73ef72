// The properties a client may send in MQTT 5 packets (section 2.2.2.2), read strictly: the right ones, once each, within their packet.
import type { Parser } from './engine.ts'

type Type = 'flag' | 'int16' | 'int32' | 'var' | 'string' | 'binary' | 'pair'
interface Property {
  name: string
  type: Type
  in: readonly string[]
}
const acks = ['puback', 'pubrec', 'pubrel', 'pubcomp']
const everywhere = ['connect', 'will', 'publish', 'subscribe', 'unsubscribe', 'disconnect', ...acks]

const PROPERTIES = new Map<number, Property>([
  [0x01, { name: 'payloadFormatIndicator', type: 'flag', in: ['publish', 'will'] }],
  [0x02, { name: 'messageExpiryInterval', type: 'int32', in: ['publish', 'will'] }],
  [0x03, { name: 'contentType', type: 'string', in: ['publish', 'will'] }],
  [0x08, { name: 'responseTopic', type: 'string', in: ['publish', 'will'] }],
  [0x09, { name: 'correlationData', type: 'binary', in: ['publish', 'will'] }],
  [0x0b, { name: 'subscriptionIdentifier', type: 'var', in: ['subscribe'] }],
  [0x11, { name: 'sessionExpiryInterval', type: 'int32', in: ['connect', 'disconnect'] }],
  [0x15, { name: 'authenticationMethod', type: 'string', in: ['connect'] }],
  [0x16, { name: 'authenticationData', type: 'binary', in: ['connect'] }],
  [0x17, { name: 'requestProblemInformation', type: 'flag', in: ['connect'] }],
  [0x18, { name: 'willDelayInterval', type: 'int32', in: ['will'] }],
  [0x19, { name: 'requestResponseInformation', type: 'flag', in: ['connect'] }],
  [0x1f, { name: 'reasonString', type: 'string', in: ['disconnect', ...acks] }],
  [0x21, { name: 'receiveMaximum', type: 'int16', in: ['connect'] }],
  [0x22, { name: 'topicAliasMaximum', type: 'int16', in: ['connect'] }],
  [0x23, { name: 'topicAlias', type: 'int16', in: ['publish'] }],
  [0x26, { name: 'userProperties', type: 'pair', in: everywhere }],
  [0x27, { name: 'maximumPacketSize', type: 'int32', in: ['connect'] }],
])

type Value = number | boolean | string | Buffer
type UserProperties = Map<string, string | string[]>

/**
 * Reads the properties at the parser's position. Returns them in mqtt-packet's shape, or a sentence that says why they
 * are illegal.
 */
export const clientProperties = (parser: Parser): object | string => {
  const { packet } = parser
  // A DISCONNECT that ends after its reason code has none [section 3.14.2.2.1].
  if (packet.cmd === 'disconnect' && parser._pos >= packet.length) return {}
  // In a CONNECT the second list belongs to the will; by then the client id has been read.
  const place = packet.cmd === 'connect' && packet.clientId !== undefined ? 'will' : packet.cmd
  const length = parser._parseVarByteNum()
  const end = parser._pos + (length === false ? 0 : length)
  if (length === false || end > packet.length) return `${place}: properties longer than their packet`

  const found: Record<string, Value | object> = {}
  const user: UserProperties = new Map()
  while (parser._pos < end) {
    const id = parser._parseByte()
    const property = id === undefined ? undefined : PROPERTIES.get(id)
    if (property === undefined || !property.in.includes(place)) return `${place}: property ${id} does not belong here`
    const { name, type } = property
    if (type === 'pair') {
      const key = parser._parseString()
      const value = parser._parseString()
      if (key === null || value === null) return `${place}: a user property that is cut off`
      addPair(user, key, value)
    } else {
      if (name in found) return `${place}: ${name} twice`
      const value = valueOf(parser, type)
      if (value === undefined) return `${place}: ${name} is not legal`
      if (value === 0 && (name === 'maximumPacketSize' || name === 'subscriptionIdentifier'))
        return `${place}: ${name} is 0`
      found[name] = value
    }
    if (parser._pos > end) return `${place}: a property that is cut off`
  }
  // Made from entries, so that a name such as `__proto__` is a name like any other.
  if (user.size > 0) found['userProperties'] = Object.fromEntries(user)
  return found
}

const valueOf = (parser: Parser, type: Exclude<Type, 'pair'>): Value | undefined => {
  switch (type) {
    case 'flag': {
      const byte = parser._parseByte()
      return byte === 0 || byte === 1 ? byte === 1 : undefined
    }
    case 'int16':
      return notCut(parser._parseNum())
    case 'int32':
      return notCut(parser._parse4ByteNum())
    case 'var': {
      const number = parser._parseVarByteNum()
      return number === false ? undefined : number
    }
    case 'string':
      return parser._parseString() ?? undefined
    case 'binary':
      return parser._parseBuffer() ?? undefined
  }
}

/** mqtt-packet says -1 when there are too few bytes. */
const notCut = (number: number): number | undefined => (number < 0 ? undefined : number)

const addPair = (user: UserProperties, key: string, value: string): void => {
  const before = user.get(key)
  if (before === undefined) user.set(key, value)
  else if (Array.isArray(before)) before.push(value)
  else user.set(key, [before, value])
}
