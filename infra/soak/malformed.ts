// Sends every illegal packet to a broker, each on a connection of its own, and looks what becomes of it.
import { connect } from 'node:net'
import { generate } from 'mqtt-packet'
import type { RunningBroker } from '../bench/brokers.ts'
import { CONNACK, DISCONNECT, packets, PINGRESP, PUBACK, PUBREC, SUBACK } from '../bench/load/wire.ts'
import { illegal, type Illegal } from './illegal.ts'
import { roundTrip } from './mutate.ts'

/** Closed or answered with an error; taken as if it were legal; or neither for three seconds. */
export type Outcome = 'refused' | 'went on' | 'silent'

export interface MalformedFigures {
  tried: number
  /** What went on, or hung, although it may not. */
  accepted: string[]
  /** What was passed over where the standard allows that. */
  ignored: number
  alive: boolean
}

const MS = 3000
const PING = Buffer.from([0xc0, 0])

const attempt = ({ entrance }: RunningBroker, row: Illegal, n: number): Promise<Outcome> =>
  new Promise((done) => {
    const { port, username, password } = entrance
    const login = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
    const settle = (outcome: Outcome) => {
      clearTimeout(late)
      socket.destroy()
      done(outcome)
    }
    const late = setTimeout(() => settle('silent'), MS)
    const code = (bytes: Buffer, at: number, end: number) => (at < end ? (bytes[at] ?? 0) : 0)
    const read = packets((type, _flags, bytes, at, end) => {
      if (type === CONNACK && row.when === 'later') {
        if (code(bytes, at + 1, end) !== 0) throw new Error('the legal login was refused')
        socket.write(Buffer.concat([row.bytes(login), PING]))
      } else if (type === CONNACK) settle(code(bytes, at + 1, end) === 0 ? 'went on' : 'refused')
      else if (type === DISCONNECT) settle('refused')
      else if (type === PINGRESP) settle('went on')
      else if (type === SUBACK) {
        const reasonAt = row.version === 5 ? at + 3 + (bytes[at + 2] ?? 0) : at + 2
        if (code(bytes, reasonAt, end) >= 0x80) settle('refused')
      } else if ((type === PUBACK || type === PUBREC) && code(bytes, at + 2, end) >= 0x80) settle('refused')
    })
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.9.${Math.floor(n / 200)}.${1 + (n % 200)}` })
    socket.on('error', () => {})
    socket.on('close', () => settle('refused'))
    socket.on('data', read)
    if (row.when === 'first') {
      socket.write(row.bytes(login))
      return
    }
    socket.write(
      generate(
        {
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: row.version,
          clean: true,
          clientId: `bench-m${n}`,
          keepalive: 60,
          ...(username === undefined ? {} : { username, password: Buffer.from(password ?? '') }),
        },
        { protocolVersion: row.version },
      ),
    )
  })

export const malformed = async (broker: RunningBroker): Promise<MalformedFigures> => {
  const accepted: string[] = []
  let ignored = 0
  for (const [n, row] of illegal.entries()) {
    if (!broker.isAlive()) break
    const outcome = await attempt(broker, row, n)
    if (outcome === 'refused') continue
    if (outcome === 'went on' && row.mayBeIgnored) ignored++
    else accepted.push(`${row.what} (${row.version === 5 ? '5' : '3.1.1'}, ${row.clause}): ${outcome}`)
  }
  const alive = await roundTrip(broker, 0).then(
    () => broker.isAlive(),
    () => false,
  )
  return { tried: illegal.length, accepted, ignored, alive }
}
