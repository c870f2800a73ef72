// Interlocks of policy.yaml: what must not be asked of a device while another says that it is hot, moving or open.
import type { Device, Devices } from '../../devices/devices.ts'
import type { Hold, While } from './schema.ts'

type Subject = Pick<Device, 'id' | 'kind' | 'area'>

/** An interlock of the file with its patterns compiled. */
export interface CompiledHold {
  hold: Hold
  /** Its name, or its place in the file. */
  name: string
  fits(device: Subject, intent: string): boolean
}

/** `a.b` is a key of that name, or `b` in `a`; undefined when there is none. */
const valueAt = (state: unknown, path: string): unknown => {
  if (typeof state !== 'object' || state === null) return undefined
  if (Object.hasOwn(state, path)) return Reflect.get(state, path)
  const dot = path.indexOf('.')
  if (dot < 0) return undefined
  const key = path.slice(0, dot)
  return Object.hasOwn(state, key) ? valueAt(Reflect.get(state, key), path.slice(dot + 1)) : undefined
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60)

/** Why a condition holds; 'unknown' when nobody can say; undefined when it does not hold. */
const holds = (one: While, self: string, devices: Pick<Devices, 'get'>): string | undefined => {
  const id = one.device ?? self
  const device = devices.get(id)
  const unknown = one.unknown === 'allow' ? undefined : id
  if (device?.online !== true) return unknown && `'${id}' is not there to say its ${one.value}`
  const value = valueAt(device.state, one.value)
  if (value === undefined || value === null) return unknown && `'${id}' does not say its ${one.value}`
  const said = `${one.value} of '${id}' is ${shown(value)}`
  if (one.is !== undefined) return [one.is].flat().some((each) => each === value) ? said : undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) return unknown && `${said}, which is no number`
  if (one.above !== undefined && value > one.above) return `${said}, above ${one.above}`
  if (one.below !== undefined && value < one.below) return `${said}, below ${one.below}`
  return undefined
}

/** The first interlock that blocks the intent now, with why. */
export const heldBy = (
  all: readonly CompiledHold[],
  device: Subject,
  intent: string,
  devices: Pick<Devices, 'get'>,
): { name: string; why: string } | undefined => {
  for (const { hold, name, fits } of all) {
    if (!fits(device, intent)) continue
    for (const one of [hold.while].flat()) {
      const why = holds(one, device.id, devices)
      if (why !== undefined) return { name, why }
    }
  }
  return undefined
}
