// Finding devices among many: by text, area and kind, or only those in trouble.
import type { Freshness } from '../live/age.ts'
import { freshness } from '../live/age.ts'
import type { DeviceView } from '../live/state.ts'
import { NO_AREA } from './group.ts'

export interface Wanted {
  text: string
  /** '' for all. */
  area: string
  kind: string
  onlyTrouble: boolean
}

export const EVERYTHING: Wanted = { text: '', area: '', kind: '', onlyTrouble: false }

/** How fresh a device's values are at `now` (this device's clock). */
export const freshAt = (device: DeviceView, now: number, hearing: boolean): Freshness => {
  const age = device.receivedAt === 0 ? Infinity : Math.max(0, now - device.receivedAt)
  return freshness({ age, cadence: device.cadence, online: device.online, hearing })
}

/** Offline, or silent for so long that its values are lost. */
export const isTroubled = (device: DeviceView, now: number): boolean => freshAt(device, now, true) === 'lost'

const has = (device: DeviceView, text: string): boolean =>
  [device.name, device.id, device.kind, device.area ?? '', device.maker ?? '', device.model ?? '', device.owner].some(
    (field) => field.toLowerCase().includes(text),
  )

export const foundDevices = (devices: Iterable<DeviceView>, wanted: Wanted, now: number): DeviceView[] => {
  const text = wanted.text.trim().toLowerCase()
  return [...devices].filter(
    (one) =>
      (text === '' || has(one, text)) &&
      (wanted.area === '' || (one.area ?? NO_AREA) === wanted.area) &&
      (wanted.kind === '' || one.kind === wanted.kind) &&
      (!wanted.onlyTrouble || isTroubled(one, now)),
  )
}

/** What can be chosen from, with how many there are, by name. */
export const choicesOf = (values: Iterable<string>): { value: string; count: number }[] => {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => a.value.localeCompare(b.value))
}
