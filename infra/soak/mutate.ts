// Mutated packets by the hundred thousand: does the broker live, and does it still do its work?
import type { RunningBroker } from '../bench/brokers.ts'
import { load } from '../bench/load/child.ts'
import type { MutationsOrder, MutationsResult, MutationsSetup } from '../bench/load/mutations.ts'
import { leave, open, PUBACK, PUBLISH, publishPacket, subscribe, within } from '../bench/load/wire.ts'

export interface MutateFigures {
  packets: number
  connections: number
  hanging: number
  answered: number
  /** 1 when the broker's process ended. */
  crashes: number
  /** Rounds after which a legal message did not make its way. */
  deaf: number
  /** Seed of the round that did it. */
  seed: number | undefined
}

const PER_CHILD = 50_000

/** Sends a message with QoS 1 through the broker, from an address nobody has used. Rejects when it does not arrive within ten seconds. */
export const roundTrip = async ({ entrance }: RunningBroker, n: number): Promise<void> => {
  let [acked, heard] = [() => {}, () => {}]
  const both = Promise.all([new Promise<void>((go) => (acked = go)), new Promise<void>((go) => (heard = go))])
  const address = `127.255.${Math.floor(n / 200) % 200}.${1 + (n % 200)}`
  const take = (type: number) => void (type === PUBLISH && heard())
  const ear = await subscribe(entrance, { id: 'bench-alive-ear', address, take }, 'bench/alive', 0)
  const mouth = await open(entrance, {
    id: 'bench-alive',
    address,
    take: (type) => void (type === PUBACK && acked()),
  })
  mouth.socket.write(publishPacket('bench/alive', 'hello', 1, 1))
  await within(10_000, both, 'a legal message did not arrive')
  await Promise.all([leave(ear), leave(mouth)])
}

export const mutate = async (
  broker: RunningBroker,
  { packets, seed, say }: { packets: number; seed: number; say: (line: string) => void },
): Promise<MutateFigures> => {
  const sum: MutateFigures = {
    packets: 0,
    connections: 0,
    hanging: 0,
    answered: 0,
    crashes: 0,
    deaf: 0,
    seed: undefined,
  }
  for (let round = 0; sum.packets < packets && sum.crashes === 0; round++) {
    const mine = seed + round
    const setup: MutationsSetup = { entrance: broker.entrance, seed: mine }
    const child = await load<MutationsSetup, MutationsOrder, MutationsResult>('mutations.ts', setup)
    try {
      const result = await child.ask({ packets: Math.min(PER_CHILD, packets - sum.packets) }, 600_000)
      sum.packets += result.packets
      sum.connections += result.connections
      sum.hanging += result.hanging
      sum.answered += result.answered
    } finally {
      await child.stop()
    }
    const isWell = await roundTrip(broker, round).then(
      () => true,
      () => false,
    )
    if (!broker.isAlive()) sum.crashes++
    else if (!isWell) sum.deaf++
    if (!isWell) sum.seed ??= mine
    say(
      `${sum.packets} mutated packets on ${sum.connections} connections${isWell ? '' : `; not well after seed ${mine}`}`,
    )
  }
  return sum
}
