// Packets no client may send, each with the clause it breaks. Apart from that they are what the broker would accept.

export interface Login {
  username?: string
  password?: string
}
export interface Illegal {
  what: string
  /** The clause of MQTT 3.1.1 or 5, by version. */
  clause: string
  version: 4 | 5
  /** Sent instead of CONNECT, or on a connection that is logged in. */
  when: 'first' | 'later'
  bytes: (login: Login) => Buffer
  /** The standard leaves it open, or asks, to take no notice instead of closing. */
  mayBeIgnored?: true
}

type Bytes = readonly number[]
const utf8 = (text: string): number[] => [...Buffer.from(text)]
const two = (n: number): number[] => [n >> 8, n & 255]
const str = (text: string): number[] => [...two(Buffer.byteLength(text)), ...utf8(text)]
const bin = (bytes: Bytes): number[] => [...two(bytes.length), ...bytes]
const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >> 7)])
const packet = (first: number, ...body: Bytes[]): Buffer => {
  const all = body.flat()
  return Buffer.from([first, ...varint(all.length), ...all])
}
const properties = (...some: Bytes[]): number[] => {
  const all = some.flat()
  return [...varint(all.length), ...all]
}

interface Hello {
  name?: string
  level?: number
  flags?: number
  id?: Bytes
  /** Between the client id and the user name. */
  will?: Bytes
  props?: Bytes
  tail?: Bytes
  user?: boolean
  first?: number
}
const hello =
  (version: 4 | 5, parts: Hello = {}) =>
  ({ username = '', password = '' }: Login): Buffer => {
    const { name = 'MQTT', level = version, flags = 2, id = str('bench-m'), will = [], tail = [], user = true } = parts
    const props = version === 5 ? (parts.props ?? [0]) : []
    const login = user ? [...str(username), ...str(password)] : []
    const all = user ? flags | 0xc0 : flags
    return packet(parts.first ?? 0x10, str(name), [level, all], two(60), props, id, will, login, tail)
  }

const first = (clause: string, what: string, version: 4 | 5, parts: Hello): Illegal => ({
  what,
  clause,
  version,
  when: 'first',
  bytes: hello(version, parts),
})
const raw = (when: 'first' | 'later', clause: string, what: string, version: 4 | 5, bytes: Buffer): Illegal => ({
  what,
  clause,
  version,
  when,
  bytes: () => bytes,
})
const later = (clause: string, what: string, version: 4 | 5, bytes: Buffer): Illegal =>
  raw('later', clause, what, version, bytes)

const TOPIC = 'bench/a'
const a = str(TOPIC)
const id = two(7)
const publish = (topic: Bytes, ...rest: Bytes[]) => packet(0x30, topic, ...rest)
const subscribe = (...rest: Bytes[]) => packet(0x82, id, ...rest)
const filter = (text: string) => subscribe(str(text), [0])
const withProps = (...some: Bytes[]) => publish(a, properties(...some), utf8('x'))

const connects: Illegal[] = [
  first('3.1.2.1', 'protocol name MQTX', 4, { name: 'MQTX' }),
  first('3.1.2.1', 'protocol name in small letters', 4, { name: 'mqtt' }),
  first('3.1.2.1', 'empty protocol name', 4, { name: '' }),
  first('MQTT-3.1.2-2', 'protocol level 6', 4, { level: 6 }),
  first('MQTT-3.1.2-2', 'protocol level 0', 4, { level: 0 }),
  first('3.1.2.2', 'the name of 3.1 with the level of 3.1.1', 4, { name: 'MQIsdp' }),
  first('3.1.2.2', 'the name of 3.1.1 with the level of 3.1', 4, { level: 3 }),
  first('MQTT-3.1.2-3', 'reserved connect flag set', 4, { flags: 3 }),
  first('MQTT-2.2.2-1', 'fixed header flags of CONNECT set', 4, { first: 0x11 }),
  first('MQTT-3.1.2-14', 'will QoS 3', 4, { flags: 0x1e, will: [...a, ...bin([1])] }),
  first('MQTT-3.1.2-13', 'will QoS without will flag', 4, { flags: 0x0a }),
  first('MQTT-3.1.2-15', 'will retain without will flag', 4, { flags: 0x22 }),
  first('MQTT-3.1.2-22', 'password without user name', 4, { flags: 0x42, user: false, tail: bin([1]) }),
  first('MQTT-3.1.3-4', 'client id that is not UTF-8', 4, { id: bin([0x62, 0xff, 0xfe]) }),
  first('MQTT-1.5.3-2', 'client id with a NUL', 4, { id: bin([0x62, 0, 0x62]) }),
  first('MQTT-1.5.3-1', 'client id with a surrogate', 4, { id: bin([0xed, 0xa0, 0x80]) }),
  first('MQTT-3.1.3-8', 'empty client id with a kept session', 4, { flags: 0, id: [0, 0] }),
  first('MQTT-3.1.3-10', 'will topic that is not UTF-8', 4, { flags: 6, will: [...bin([0xc3, 0x28]), ...bin([1])] }),
  first('MQTT-3.3.2-2', 'will topic with #', 4, { flags: 6, will: [...str('bench/#'), ...bin([1])] }),
  first('MQTT-3.3.2-2', 'will topic with +', 4, { flags: 6, will: [...str('bench/+'), ...bin([1])] }),
  first('MQTT-4.7.3-1', 'empty will topic', 4, { flags: 6, will: [0, 0, ...bin([1])] }),
  first('3.1.3', 'will flag without a will', 4, { flags: 6 }),
  first('2.2.3', 'bytes behind the password', 4, { tail: [0, 0] }),
  raw('first', '2.2.3', 'CONNECT that ends within its name', 4, packet(0x10, [0, 4, 0x4d, 0x51])),
  raw('first', '2.2.3', 'empty CONNECT', 4, packet(0x10)),
  raw('first', 'MQTT-3.1.0-1', 'PUBLISH instead of CONNECT', 4, publish(a, utf8('x'))),
  raw('first', 'MQTT-3.1.0-1', 'SUBSCRIBE instead of CONNECT', 4, filter(TOPIC)),
  raw('first', 'MQTT-3.1.0-1', 'PINGREQ instead of CONNECT', 4, packet(0xc0)),
  raw('first', 'MQTT-3.1.0-1', 'DISCONNECT instead of CONNECT', 4, packet(0xe0)),
  raw('first', '2.2.1', 'packet type 0', 4, packet(0x00)),
  raw('first', '2.2.3', 'remaining length of five bytes', 4, Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 1])),
  raw('first', '3.1.0', 'HTTP', 4, Buffer.from('GET / HTTP/1.1\r\nHost: hub\r\n\r\n')),
  raw('first', '3.1.0', 'TLS', 4, Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0])),
  first('3.1.2.11.2', 'session expiry twice', 5, { props: properties([17, 0, 0, 0, 1], [17, 0, 0, 0, 1]) }),
  first('3.1.2.11.3', 'receive maximum of 0', 5, { props: properties([33, 0, 0]) }),
  first('3.1.2.11.4', 'maximum packet size of 0', 5, { props: properties([39, 0, 0, 0, 0]) }),
  first('3.1.2.11.6', 'request response information of 2', 5, { props: properties([25, 2]) }),
  first('3.1.2.11.7', 'request problem information of 2', 5, { props: properties([23, 2]) }),
  first('3.1.2.11.10', 'authentication data without a method', 5, { props: properties([22, ...bin([1])]) }),
  first('2.2.2.2', 'a property that is not of CONNECT', 5, { props: properties([35, 0, 1]) }),
  first('2.2.2.2', 'a property that does not exist', 5, { props: properties([0x7f, 1]) }),
  first('2.2.2.1', 'properties longer than the packet', 5, { props: [0x7f, 0x02] }),
  first('3.1.3.2', 'a will property that is not one', 5, { flags: 6, will: [2, 36, 1, ...a, ...bin([1])] }),
]

const publishes: Illegal[] = [
  later('MQTT-3.3.1-4', 'QoS 3', 4, packet(0x36, a, id, utf8('x'))),
  later('MQTT-3.3.2-2', 'topic with #', 4, publish(str('bench/#'))),
  later('MQTT-3.3.2-2', 'topic with +', 4, publish(str('bench/+/a'))),
  later('MQTT-4.7.3-1', 'empty topic', 4, publish([0, 0])),
  later('MQTT-1.5.3-2', 'topic with a NUL', 4, publish(str('bench/\0'))),
  later('MQTT-1.5.3-1', 'topic that is not UTF-8', 4, publish(bin([...utf8('bench/'), 0xff]))),
  later('MQTT-1.5.3-1', 'topic with a surrogate', 4, publish(bin([...utf8('bench/'), 0xed, 0xbf, 0xbf]))),
  later('MQTT-1.5.3-1', 'topic in overlong UTF-8', 4, publish(bin([...utf8('bench'), 0xc0, 0xaf]))),
  later('2.2.3', 'topic longer than its packet', 4, publish([0, 99], utf8('bench/a'))),
  later('2.2.3', 'PUBLISH of one byte', 4, packet(0x30, [0])),
  later('MQTT-2.3.1-1', 'QoS 1 with packet identifier 0', 4, packet(0x32, a, [0, 0], utf8('x'))),
  later('MQTT-2.3.1-1', 'QoS 2 with packet identifier 0', 4, packet(0x34, a, [0, 0], utf8('x'))),
  later('2.3.1', 'QoS 1 without a packet identifier', 4, packet(0x32, a)),
  // The standard asks it of the sender; a receiver may forgive.
  { ...later('MQTT-3.3.1-2', 'DUP with QoS 0', 4, packet(0x38, a, utf8('x'))), mayBeIgnored: true },
  later('3.3.2.3.4', 'topic alias of 0', 5, withProps([35, 0, 0])),
  later('MQTT-3.3.2-9', 'topic alias above what was offered', 5, withProps([35, 0xff, 0xff])),
  later('3.3.2.3.4', 'topic alias nobody has set', 5, publish([0, 0], properties([35, 0, 5]), utf8('x'))),
  later('3.3.2.3.4', 'topic alias twice', 5, withProps([35, 0, 1], [35, 0, 2])),
  later('3.3.2.3.2', 'payload format of 2', 5, withProps([1, 2])),
  later('MQTT-3.3.2-14', 'response topic with a wildcard', 5, withProps([8, ...str('bench/#')])),
  later('MQTT-3.3.4-6', 'subscription identifier from a client', 5, withProps([11, 1])),
  later('2.2.2.2', 'a property of CONNACK', 5, withProps([36, 1])),
  later('2.2.2.2', 'a property cut off', 5, publish(a, [2, 35, 0])),
  later('2.2.2.1', 'properties longer than the packet', 5, publish(a, [0x7f, 35, 0, 1])),
  later('1.5.5', 'a property length of five bytes', 5, publish(a, [0xff, 0xff, 0xff, 0xff, 1])),
  later('3.3.2.3.3', 'message expiry twice', 5, withProps([2, 0, 0, 0, 9], [2, 0, 0, 0, 9])),
  later('1.5.7', 'user property whose value is not UTF-8', 5, withProps([38, ...str('k'), ...bin([0xff])])),
]

const subscribes: Illegal[] = [
  later('MQTT-3.8.3-3', 'SUBSCRIBE without a filter', 4, subscribe()),
  later('MQTT-2.3.1-1', 'SUBSCRIBE with packet identifier 0', 4, packet(0x82, [0, 0], a, [0])),
  later('MQTT-3.8.1-1', 'SUBSCRIBE with wrong flags', 4, packet(0x80, id, a, [0])),
  later('MQTT-3.8.3-4', 'requested QoS 3', 4, subscribe(a, [3])),
  later('MQTT-3.8.3-4', 'reserved bits beside the QoS', 4, subscribe(a, [0x41])),
  later('MQTT-4.7.3-1', 'empty filter', 4, subscribe([0, 0], [0])),
  later('MQTT-4.7.1-2', 'filter bench/#/a', 4, filter('bench/#/a')),
  later('MQTT-4.7.1-2', 'filter bench/a#', 4, filter('bench/a#')),
  later('MQTT-4.7.1-3', 'filter bench/a+', 4, filter('bench/a+')),
  later('MQTT-4.7.1-3', 'filter bench/+a/b', 4, filter('bench/+a/b')),
  later('MQTT-1.5.3-2', 'filter with a NUL', 4, filter('bench/\0')),
  later('3.8.3', 'filter without its QoS', 4, subscribe(a)),
  later('MQTT-3.8.3-5', 'reserved subscription options', 5, subscribe([0], a, [0xc0])),
  later('3.8.3.1', 'retain handling 3', 5, subscribe([0], a, [0x30])),
  later('MQTT-3.8.3-4', 'no local with a shared subscription', 5, subscribe([0], str(`$share/g/${TOPIC}`), [4])),
  later('3.8.2.1.2', 'subscription identifier of 0', 5, subscribe(properties([11, 0]), a, [0])),
  later('3.8.2.1.2', 'subscription identifier twice', 5, subscribe(properties([11, 1], [11, 2]), a, [0])),
  later('MQTT-4.8.2-1', 'shared subscription without a filter', 5, subscribe([0], str('$share/g'), [0])),
  later('MQTT-4.8.2-2', 'share name with a wildcard', 5, subscribe([0], str(`$share/+/${TOPIC}`), [0])),
  later('MQTT-3.10.3-2', 'UNSUBSCRIBE without a filter', 4, packet(0xa2, id)),
  later('MQTT-3.10.1-1', 'UNSUBSCRIBE with wrong flags', 4, packet(0xa0, id, a)),
  later('MQTT-2.3.1-1', 'UNSUBSCRIBE with packet identifier 0', 4, packet(0xa2, [0, 0], a)),
]

const others: Illegal[] = [
  {
    what: 'a second CONNECT',
    clause: 'MQTT-3.1.0-2',
    version: 4,
    when: 'later',
    bytes: hello(4),
  },
  later('2.2.1', 'packet type 0', 4, packet(0x00)),
  later('2.2.1', 'packet type 15 on 3.1.1', 4, packet(0xf0)),
  later('2.2.1', 'CONNACK from a client', 4, packet(0x20, [0, 0])),
  later('2.2.1', 'SUBACK from a client', 4, packet(0x90, id, [0])),
  later('2.2.1', 'UNSUBACK from a client', 4, packet(0xb0, id)),
  later('2.2.1', 'PINGRESP from a client', 4, packet(0xd0)),
  later('MQTT-2.2.2-1', 'PINGREQ with flags', 4, packet(0xc1)),
  later('3.12', 'PINGREQ with a payload', 4, packet(0xc0, [0])),
  later('MQTT-3.6.1-1', 'PUBREL with wrong flags', 4, packet(0x60, id)),
  later('MQTT-2.2.2-1', 'PUBACK with flags', 4, packet(0x41, id)),
  later('3.4', 'PUBACK of one byte', 4, packet(0x40, [0])),
  later('3.4', 'PUBACK of four bytes on 3.1.1', 4, packet(0x40, id, [0, 0])),
  later('2.2.3', 'remaining length of five bytes', 4, Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1])),
  later('MQTT-2.2.2-1', 'DISCONNECT with flags', 4, packet(0xe1)),
  later('2.2.1', 'AUTH without a method', 5, packet(0xf0)),
  later('MQTT-3.14.2-2', 'session expiry at the end after 0 at the start', 5, packet(0xe0, [0], properties([17, 0, 0, 0, 9]))),
  { ...later('3.4.2.1', 'PUBACK with a reason that does not exist', 5, packet(0x40, id, [0x55])), mayBeIgnored: true },
] // prettier-ignore

/** All of them. */
export const illegal: readonly Illegal[] = [...connects, ...publishes, ...subscribes, ...others]
