// A durable subscriber that knows what it should have got: away until it is asked to come, or there all the time.
import type { Entrance } from '../brokers.ts'
import { serve } from './child.ts'
import {
  answer,
  leave,
  open,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  publishParts,
  PUBREC,
  PUBREL,
  subscribe,
  type Client,
} from './wire.ts'

export interface ReaderSetup {
  entrance: Entrance
  topic: string
  publishers: number
  /** Leaves after subscribing. */
  away: boolean
}
/** Numbers sent by each publisher, and the QoS they went out with. */
export interface ReaderOrder {
  sent: number[]
  qos: readonly (0 | 1 | 2)[]
}
export interface ReaderResult {
  expected: number
  lost: number
  /** Arrived more than once: QoS 1 may, QoS 2 must not. */
  twiceQos1: number
  twiceQos2: number
  /** Whether the broker knew the session when the reader came back. */
  sessionPresent: boolean
  ms: number
}

const SILENCE_MS = 5000
const ID = 'bench-reader'

serve<ReaderSetup, ReaderOrder, ReaderResult>(async ({ entrance, topic, publishers, away }) => {
  const seen = Array.from({ length: publishers }, () => new Map<number, number>())
  let distinct = 0
  let last = 0
  let client: Client | undefined
  let replies: Buffer[] = []
  const flush = () => {
    client?.socket.write(Buffer.concat(replies))
    replies = []
  }
  const reply = (type: number, id: number) => {
    if (replies.push(answer(type, id)) === 1) process.nextTick(flush)
  }
  const take = (type: number, flags: number, bytes: Buffer, at: number, end: number) => {
    if (type === PUBREL) return reply(PUBCOMP, bytes.readUInt16BE(at))
    if (type !== PUBLISH) return
    last = performance.now()
    const { id, payload } = publishParts(flags, bytes, at)
    const level = (flags >> 1) & 3
    if (level > 0) reply(level === 1 ? PUBACK : PUBREC, id)
    const [p, n] = bytes
      .toString('latin1', payload, Math.min(end, payload + 24))
      .split(' ')
      .map(Number)
    const numbers = seen[p ?? -1]
    if (numbers === undefined || n === undefined) return
    const times = numbers.get(n) ?? 0
    if (times === 0 && level > 0) distinct++
    numbers.set(n, times + 1)
  }
  await leave(await open(entrance, { id: ID }))
  client = await subscribe(entrance, { id: ID, clean: false, take }, `${topic}/+`, 2)
  if (away) {
    await leave(client)
    client = undefined
  }

  return async ({ sent, qos }) => {
    const begun = performance.now()
    let sessionPresent = true
    if (client === undefined || client.socket.destroyed) {
      client = await open(entrance, { id: ID, clean: false, take })
      ;({ sessionPresent } = client)
    }
    const levelOf = (n: number) => qos[n % qos.length] ?? 1
    const expected = sent.reduce((sum, count) => {
      for (let n = 0; n < count; n++) if (levelOf(n) > 0) sum++
      return sum
    }, 0)
    last = performance.now()
    while (distinct < expected && performance.now() - last < SILENCE_MS) await new Promise((go) => setTimeout(go, 20))
    const ms = last - begun
    // Whatever comes twice comes a moment later.
    await new Promise((go) => setTimeout(go, 500))
    let [lost, twiceQos1, twiceQos2] = [0, 0, 0]
    for (const [p, count] of sent.entries()) {
      for (let n = 0; n < count; n++) {
        const times = seen[p]?.get(n) ?? 0
        const level = levelOf(n)
        if (level > 0 && times === 0) lost++
        if (level === 1 && times > 1) twiceQos1++
        if (level === 2 && times > 1) twiceQos2++
      }
    }
    return { expected, lost, twiceQos1, twiceQos2, sessionPresent, ms }
  }
})
