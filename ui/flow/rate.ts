// How often, in words short enough for an edge of the graph.
import { numberText } from '../devices/value.ts'

/** `12/s`, `4.2/s`, `3/min`, `2/h`; `–` for never. `perSecond` is a rate in messages per second. */
export const rateWords = (perSecond: number): string => {
  if (perSecond <= 0) return '–'
  if (perSecond >= 9.95) return `${numberText(Math.round(perSecond))}/s`
  if (perSecond >= 0.95) return `${Number(perSecond.toFixed(1))}/s`
  if (perSecond >= 0.95 / 60) return `${Math.round(perSecond * 60)}/min`
  return `${Math.max(1, Math.round(perSecond * 3600))}/h`
}
