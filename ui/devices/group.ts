// Devices by area, and the order in which they stand: always the same, so that the hand finds them.
import type { DeviceView } from '../live/state.ts'

export interface Area {
  name: string
  devices: DeviceView[]
}

export const NO_AREA = 'Elsewhere'

const byName = (a: DeviceView, b: DeviceView): number => a.name.localeCompare(b.name) || a.id.localeCompare(b.id)

/** Areas by name, devices without one last. */
export const byArea = (devices: Iterable<DeviceView>): Area[] => {
  const areas = new Map<string, DeviceView[]>()
  for (const device of devices) {
    const area = device.area ?? NO_AREA
    areas.set(area, [...(areas.get(area) ?? []), device])
  }
  return [...areas]
    .sort(([a], [b]) => Number(a === NO_AREA) - Number(b === NO_AREA) || a.localeCompare(b))
    .map(([name, list]) => ({ name, devices: list.sort(byName) }))
}

/** The first `most` devices of areas in their order; areas without one of them are left out. */
export const firstOf = (
  areas: readonly Area[],
  most: number,
): { name: string; total: number; devices: DeviceView[] }[] => {
  const before = (n: number): number => areas.slice(0, n).reduce((sum, { devices }) => sum + devices.length, 0)
  return areas
    .map(({ name, devices }, n) => ({
      name,
      total: devices.length,
      devices: devices.slice(0, Math.max(0, most - before(n))),
    }))
    .filter(({ devices }) => devices.length > 0)
}
