// What Tasmota devices say they measure, in a record beside the one that announces them: each origin's own words.
import type { NativeMessage } from '#hub/plugin'

export interface TasmotaSensors {
  /** Keeps a record, or forgets it when it is empty. */
  keep(mac: string, said: NativeMessage): void
  of(mac: string, origin: string): Buffer | undefined
}

const MAX_BYTES = 8192

/** `most` records of one origin. */
export const openTasmotaSensors = (most: number): TasmotaSensors => {
  const byOrigin = new Map<string, Map<string, Buffer>>()
  return {
    keep(mac, { origin, payload }) {
      const mine = byOrigin.get(origin) ?? new Map<string, Buffer>()
      if (payload.length === 0) mine.delete(mac)
      else if (payload.length <= MAX_BYTES && (mine.size < most || mine.has(mac))) mine.set(mac, payload)
      if (mine.size > 0) byOrigin.set(origin, mine)
      else byOrigin.delete(origin)
    },
    of: (mac, origin) => byOrigin.get(origin)?.get(mac),
  }
}
