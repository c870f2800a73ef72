// Publishers that keep their promise: what is not acknowledged is sent again after a reconnect, as the protocol asks [MQTT-4.4.0-1].
import type { Entrance } from '../brokers.ts'
import { serve } from './child.ts'
import { answer, open, PUBACK, PUBCOMP, publishPacket, PUBREC, PUBREL, type Client } from './wire.ts'

export interface WritersSetup {
  entrance: Entrance
  /** Messages are numbered per publisher; number n goes out with the n-th of these, again from the first after the last. */
  qos: readonly (0 | 1 | 2)[]
  publishers: number
  topic: string
  inflight: number
}
/** `acked`: go on until so many more are acknowledged, and then keep going. `finish`: send nothing new, wait for the rest. */
export type WritersOrder = { acked: number } | 'finish'
export interface WritersResult {
  /** Of each publisher: how many numbers it has sent, all of them acknowledged after `finish`. */
  sent: number[]
  acked: number
  /** Sent again after a reconnect. */
  again: number
}

interface Pending {
  n: number
  qos: 1 | 2
  isReceived: boolean
}

const RETRY_MS = 50
const FINISH_MS = 60_000
const PAD = 'x'.repeat(80)

serve<WritersSetup, WritersOrder, WritersResult>(async ({ entrance, qos, publishers, topic, inflight }) => {
  let [acked, again] = [0, 0]
  let more = false
  const writers = Array.from({ length: publishers }, (_, p) => {
    const pending = new Map<number, Pending>()
    let client: Client | undefined
    let [next, id] = [0, 0]

    const packet = (
      messageId: number,
      { n, qos: level }: Pick<Pending, 'n'> & { qos: 0 | 1 | 2 },
      isAgain: boolean,
    ) => {
      const made = publishPacket(`${topic}/${p}`, `${p} ${n} ${PAD}`, level, messageId)
      if (isAgain) made[0] = (made[0] ?? 0) | 8
      return made
    }
    const fill = () => {
      if (!more || client === undefined || client.socket.writableLength > 256 * 1024) return
      const batch: Buffer[] = []
      while (pending.size < inflight && batch.length < 2 * inflight) {
        const level = qos[next % qos.length] ?? 1
        if (level === 0) batch.push(packet(0, { n: next, qos: 0 }, false))
        else {
          do id = (id % 65_535) + 1
          while (pending.has(id))
          const made = { n: next, qos: level, isReceived: false }
          pending.set(id, made)
          batch.push(packet(id, made, false))
        }
        next++
      }
      if (batch.length > 0) client.socket.write(Buffer.concat(batch))
    }
    const settle = (messageId: number, wanted: 1 | 2) => {
      if (pending.get(messageId)?.qos !== wanted) return
      pending.delete(messageId)
      acked++
      if (pending.size <= inflight / 2) fill()
    }
    const take = (type: number, _flags: number, bytes: Buffer, at: number) => {
      const messageId = bytes.readUInt16BE(at)
      if (type === PUBACK) settle(messageId, 1)
      else if (type === PUBCOMP) settle(messageId, 2)
      else if (type === PUBREC) {
        const found = pending.get(messageId)
        if (found !== undefined) found.isReceived = true
        client?.socket.write(answer(PUBREL, messageId))
      }
    }
    const join = async (): Promise<void> => {
      for (;;) {
        try {
          const gone = () => {
            client = undefined
            void join()
          }
          const made = await open(entrance, { id: `bench-w${p}`, clean: false, take, gone })
          const rest = [...pending].map(([messageId, one]) =>
            one.isReceived ? answer(PUBREL, messageId) : packet(messageId, one, made.sessionPresent),
          )
          again += rest.length
          if (rest.length > 0) made.socket.write(Buffer.concat(rest))
          client = made
          fill()
          return
        } catch {
          await new Promise((go) => setTimeout(go, RETRY_MS))
        }
      }
    }
    return { join, fill, sent: () => next, open: () => pending.size }
  })
  await Promise.all(writers.map(({ join }) => join()))
  // QoS 0 is not acknowledged, so nothing else would keep a mixed load going.
  setInterval(() => writers.forEach(({ fill }) => fill()), 5)

  return async (order) => {
    const result = () => ({ sent: writers.map(({ sent }) => sent()), acked, again })
    if (order === 'finish') {
      more = false
      for (const late = performance.now() + FINISH_MS; writers.some((writer) => writer.open() > 0);) {
        if (performance.now() > late) throw new Error('acknowledgements are missing for a minute')
        await new Promise((go) => setTimeout(go, 10))
      }
      return result()
    }
    more = true
    writers.forEach(({ fill }) => fill())
    const target = acked + order.acked
    while (acked < target) await new Promise((go) => setTimeout(go, 5))
    return result()
  }
})
