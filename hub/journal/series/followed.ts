// Which values are followed: bounded per device and in all; whoever was silent for a week gives way.
import type { Series } from './tables.ts'

export interface Bounds {
  /** Series of one device. */
  perDevice: number
  /** Series of all devices. */
  inAll: number
}

/** A series that was silent for so many days gives way to a new one. */
const SILENT_DAYS = 7

export interface Followed<S extends Series> {
  /** The series of a value. Begins one with `begin` when there is room; undefined when there is none. */
  find(device: string, field: string, day: number, begin: () => S): S | undefined
  of(device: string): ReadonlyMap<string, S> | undefined
  devices(): string[]
  /** Ends everything of a device. */
  drop(device: string): S[]
  /** Devices that were refused a series since this was last asked; '' stands for all together. */
  refused(): string[]
}

const MOST_TOLD = 100

/** `gone` is told of each series that gave way. */
export const follow = <S extends Series>(
  known: Iterable<S>,
  bounds: Bounds,
  gone: (series: S) => void,
): Followed<S> => {
  const devices = new Map<string, Map<string, S>>()
  let count = 0
  /** The day on which no room was found: it is not looked for again before the next. */
  const full = new Map<string, number>()
  let refused = new Set<string>()

  const put = (series: S): void => {
    const fields = devices.get(series.device) ?? new Map<string, S>()
    devices.set(series.device, fields.set(series.field, series))
    count++
  }
  const remove = (series: S): void => {
    const fields = devices.get(series.device)
    if (fields?.delete(series.field) !== true) return
    if (fields.size === 0) devices.delete(series.device)
    count--
  }
  const refuse = (who: string): false => {
    if (refused.size < MOST_TOLD) refused.add(who)
    return false
  }
  /** Makes room among some series by ending the one that was silent longest. */
  const roomAmong = (who: string, among: () => Iterable<S>, day: number): boolean => {
    if (full.get(who) === day) return refuse(who)
    let longest: S | undefined
    for (const series of among()) if (series.day < (longest?.day ?? day - SILENT_DAYS)) longest = series
    if (longest === undefined) {
      if (full.size > bounds.inAll) full.clear()
      full.set(who, day)
      return refuse(who)
    }
    remove(longest)
    gone(longest)
    return true
  }
  function* every(): Generator<S> {
    for (const fields of devices.values()) yield* fields.values()
  }
  const hasRoom = (device: string, day: number): boolean =>
    ((devices.get(device)?.size ?? 0) < bounds.perDevice ||
      roomAmong(device, () => devices.get(device)?.values() ?? [], day)) &&
    (count < bounds.inAll || roomAmong('', every, day))

  for (const series of known) put(series)
  return {
    find(device, field, day, begin) {
      const before = devices.get(device)?.get(field)
      if (before !== undefined) return before
      if (!hasRoom(device, day)) return undefined
      const series = begin()
      put(series)
      return series
    },
    of: (device) => devices.get(device),
    devices: () => [...devices.keys()],
    drop(device) {
      const dropped = [...(devices.get(device)?.values() ?? [])]
      for (const series of dropped) remove(series)
      return dropped
    },
    refused() {
      const told = [...refused]
      refused = new Set()
      return told
    },
  }
}
