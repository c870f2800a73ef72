// One lane per device: requests are judged and sent in the order they came, and what waits can be withdrawn by a stop.
import type { Command } from './command.ts'

interface Lane {
  tail: Promise<unknown>
  waiting: Set<Command>
  /** The last `cmd` on its way to the journal. */
  sending?: Promise<unknown>
}

/** Lanes live as long as something is in them; their length is bounded by who takes commands in. */
export const openLanes = () => {
  const lanes = new Map<string, Lane>()
  const laneOf = (device: string): Lane => {
    const lane = lanes.get(device) ?? { tail: Promise.resolve(), waiting: new Set<Command>() }
    lanes.set(device, lane)
    return lane
  }
  const drop = (device: string, lane: Lane): void => {
    if (lane.waiting.size === 0 && lane.sending === undefined) lanes.delete(device)
  }

  return {
    inTurn<T>(command: Command, work: () => Promise<T>): Promise<T> {
      const { device } = command.request
      const lane = laneOf(device)
      lane.waiting.add(command)
      const turn = lane.tail.then(work).finally(() => {
        lane.waiting.delete(command)
        drop(device, lane)
      })
      lane.tail = turn.catch(() => {})
      return turn
    },
    withdraw(device: string | undefined, why: string): void {
      const named = device === undefined ? [...lanes.values()] : [lanes.get(device)]
      for (const lane of named) for (const command of lane?.waiting ?? []) command.withdrawn ??= why
    },
    /** Says that a `cmd` is on its way until `gone` settles. */
    sends(device: string, gone: Promise<unknown>): void {
      const lane = laneOf(device)
      const sending = gone.then(
        () => {},
        () => {},
      )
      lane.sending = sending
      void sending.then(() => {
        if (lane.sending === sending) delete lane.sending
        drop(device, lane)
      })
    },
    sending: (device: string): Promise<unknown> | undefined => lanes.get(device)?.sending,
  }
}
