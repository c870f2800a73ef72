// One publisher at a fixed rate to a healthy subscriber and to one that stops reading; beside them a pair on another topic.
import type { Entrance } from '../brokers.ts'
import { serve } from './child.ts'
import { answer, open, PUBACK, PUBLISH, publishPacket, publishParts, subscribe, type Client } from './wire.ts'

export interface StalledSetup {
  entrance: Entrance
  qos: 0 | 1
}
export interface StalledOrder {
  ms: number
  perSecond: number
  bytes: number
}
export interface StalledResult {
  offered: number
  healthy: number
  /** Of the pair on the other topic: sent, received and delays in ms. */
  otherSent: number
  otherReceived: number
  otherP50: number
  otherP99: number
}
/** The ports of the frozen client's connection, so that someone outside can see it cut. */
export type StalledPorts = { frozenPort: number }

const OTHER_PER_SECOND = 100
const SETTLE_MS = 1500
/** Unacknowledged messages after which a QoS 1 publisher waits, as real ones do. */
const INFLIGHT = 2000

serve<StalledSetup, StalledOrder | 'ports', StalledResult | StalledPorts>(async ({ entrance, qos }) => {
  const counts = { sent: 0, acked: 0, healthy: 0, otherSent: 0 }
  const delays: number[] = []
  const healthy: Client = await subscribe(
    entrance,
    {
      id: 'bench-healthy',
      take(type, flags, bytes, at) {
        if (type !== PUBLISH) return
        counts.healthy++
        const { id } = publishParts(flags, bytes, at)
        if (id > 0) healthy.socket.write(answer(PUBACK, id))
      },
    },
    'bench/busy',
    qos,
  )
  const frozen = await subscribe(entrance, { id: 'bench-frozen' }, 'bench/busy', qos)
  frozen.socket.pause()
  await subscribe(
    entrance,
    {
      id: 'bench-other-ear',
      take(type, flags, bytes, at, end) {
        if (type !== PUBLISH) return
        const { payload } = publishParts(flags, bytes, at)
        delays.push(performance.now() - bytes.subarray(payload, end).readDoubleBE(0))
      },
    },
    'bench/quiet',
    0,
  )
  const other = await open(entrance, { id: 'bench-other' })
  const busy = await open(entrance, { id: 'bench-busy', take: (type) => void (type === PUBACK && counts.acked++) })
  let id = 0

  return async (order) => {
    if (order === 'ports') return { frozenPort: frozen.socket.localPort ?? 0 }
    const payload = Buffer.alloc(order.bytes, 'x')
    const begun = performance.now()
    for (let now = begun; now - begun < order.ms; now = performance.now()) {
      const due = Math.floor(((now - begun) * order.perSecond) / 1000)
      const room = qos === 0 ? Number.POSITIVE_INFINITY : counts.acked + INFLIGHT
      const batch: Buffer[] = []
      for (; counts.sent < Math.min(due, room); counts.sent++) {
        batch.push(publishPacket('bench/busy', payload, qos, (id = (id % 65_535) + 1)))
      }
      if (batch.length > 0) busy.socket.write(Buffer.concat(batch))
      for (; counts.otherSent < ((now - begun) * OTHER_PER_SECOND) / 1000; counts.otherSent++) {
        const stamp = Buffer.alloc(8)
        stamp.writeDoubleBE(performance.now())
        other.socket.write(publishPacket('bench/quiet', stamp, 0))
      }
      await new Promise((next) => setTimeout(next, 2))
    }
    const offered = Math.floor((order.ms * order.perSecond) / 1000)
    const { healthy: heard } = counts
    await new Promise((next) => setTimeout(next, SETTLE_MS))
    delays.sort((a, b) => a - b)
    const at = (q: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * q))] ?? Number.NaN
    return {
      offered,
      healthy: heard,
      otherSent: counts.otherSent,
      otherReceived: delays.length,
      otherP50: at(0.5),
      otherP99: at(0.99),
    }
  }
})
