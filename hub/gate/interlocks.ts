// Asks all interlocks at once; one that says no, throws or stays silent blocks.
import { type Verdict, YES, no } from '../broker/broker.ts'
import type { Devices } from '../devices/devices.ts'
import { reasonOf } from '../errors.ts'
import { type Wait, within } from './bounds.ts'
import type { GateRequest, Interlock, Snapshot } from './gate.ts'

export interface Asked {
  name: string
  verdict: Verdict
}

/** What each interlock says, in the order they were added. Takes at most `ms`, as long as none of them blocks the event loop. */
export const askInterlocks = (
  interlocks: readonly Interlock[],
  request: GateRequest,
  world: Snapshot,
  ms: number,
  wait: Wait,
): Promise<Asked[]> =>
  Promise.all(
    interlocks.map(async (interlock) => ({
      name: interlock.name,
      verdict: await askOne(interlock, request, world, ms, wait),
    })),
  )

const askOne = async (
  { name, check }: Interlock,
  request: GateRequest,
  world: Snapshot,
  ms: number,
  wait: Wait,
): Promise<Verdict> => {
  try {
    const verdict = await within(ms, Promise.resolve(check(request, world)), wait)
    if (verdict === 'late') return no(`interlock '${name}' did not answer within ${ms} ms`)
    if (verdict.ok === true) return YES
    return no(`interlock '${name}': ${verdict.reason}`)
  } catch (error) {
    return no(`interlock '${name}' failed: ${reasonOf(error)}`)
  }
}

/** The world as the registry knows it now. */
export const snapshot = (devices: Pick<Devices, 'get'>, at: number): Snapshot => ({
  at,
  device(id) {
    const device = devices.get(id)
    return (
      device && {
        online: device.online,
        kind: device.kind,
        ...(device.area === undefined ? {} : { area: device.area }),
        state: device.state,
        safe: device.safe,
      }
    )
  },
})
